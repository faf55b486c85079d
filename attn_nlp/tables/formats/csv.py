"""CSV for machines: one line for every row and column, numbers in full precision.

Accuracies and differences are fractions, as stored. Text is written as it is; with
`safe_spreadsheet`, text that a spreadsheet would evaluate gets a leading quote.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from attn_nlp.files.outputs import digest
from attn_nlp.stats import TwoWay
from attn_nlp.tables.formats import Options
from attn_nlp.tables.grid import (
    BASELINE,
    DIVERGED,
    FAILED,
    PENDING,
    Column,
    Entry,
    Grid,
    GridRow,
)
from attn_nlp.tables.legend import seeds_text
from attn_nlp.tables.text import count_text

SUFFIX = ".csv"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MISSING = {"diverged": DIVERGED, "failed": FAILED, "not_run": PENDING}
_BEFORE = ("title", "row", "kind")
_AFTER = (
    "value",
    "n",
    "expected",
    "runs",
    "mean",
    "sd",
    "low",
    "high",
    "reference",
    "pairs",
    "difference",
    "difference_low",
    "difference_high",
    "p",
    "p_holm",
    "margin",
    "p_equivalence",
    "p_equivalence_holm",
    "effect",
    "effect_low",
    "effect_high",
    "rank_biserial",
    "family",
    "verdict",
    "seeds_needed",
    "error_seeds",
    "error_sentences",
    "two_way_low",
    "two_way_high",
    "bootstrap_low",
    "bootstrap_high",
    "mcnemar_p",
    "diverged",
    "failed",
    "not_run",
    "mean_with_diverged",
    "difference_with_diverged",
    "p_holm_with_diverged",
    "verdict_with_diverged",
    "status",
    "reason",
    "parameters",
    "cite",
)

_TEXTS = ("value", "runs", "reference", "family", "verdict", "seeds_needed")
_TEXTS += ("verdict_with_diverged", "status", "reason", "parameters", "cite")
NUMBERS = tuple(name for name in _AFTER if name not in _TEXTS)
# In between are the paths of columns, as many as the tables have.
_HEADER = re.compile(rf"{','.join(_BEFORE)},(.+,)?{','.join(_AFTER)}\n")


def render(grids: Sequence[Grid], options: Options) -> str:
    """Return all tables under one header; a column path that a table lacks is left empty."""
    paths = list(dict.fromkeys(path for grid in grids for path in grid.paths))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*_BEFORE, *paths, *_AFTER])
    for grid in grids:
        for row in grid.rows:
            for column, entry in zip(grid.columns, row.entries, strict=True):
                line = _line(grid, row, column, entry, paths)
                writer.writerow([_text(value, options.safe_spreadsheet) for value in line])
    return out.getvalue()


def signed(text: str) -> str:
    """Return the same table, recognized by which names of its header are in quotes.

    CSV has no comments, and readers ignore quotes, so the quotes can carry the digest of the file,
    one bit per name.
    """
    header, _, lines = text.partition("\n")
    bits = int.from_bytes(digest(text), "big")
    names = [
        f'"{name}"' if bits >> index & 1 else name for index, name in enumerate(header.split(","))
    ]
    return ",".join(names) + "\n" + lines


def is_signed(text: str) -> bool:
    """Return True if a file is exactly what `signed` made of a table."""
    header, _, lines = text.partition("\n")
    plain = header.replace('"', "") + "\n"
    return _HEADER.fullmatch(plain) is not None and text == signed(plain + lines)


def _line(grid: Grid, row: GridRow, column: Column, entry: Entry, paths: list[str]) -> list[object]:
    values = dict(zip(grid.paths, column.values, strict=True))
    fields = {"value": column.quantity.name, "expected": entry.expected, "status": entry.state}
    fields |= {"n": 0, "reason": entry.reason, "parameters": _range(entry.parameters)}
    fields |= {"cite": row.cite, "runs": count_text(entry)}
    fields |= {name: entry.missing.get(state) for name, state in _MISSING.items()}
    if entry.summary:
        summary = entry.summary
        fields |= {
            "n": summary.n,
            "mean": summary.mean,
            "sd": summary.sd,
            "low": summary.low,
            "high": summary.high,
        }
    if grid.reference and row.kind != BASELINE and column.quantity.compared:
        fields["reference"] = grid.reference.label
    if entry.counted and entry.counted.summary:
        fields["mean_with_diverged"] = entry.counted.summary.mean
    if entry.counted and (compared := entry.counted.comparison):
        fields |= {
            "difference_with_diverged": compared.difference.mean,
            "p_holm_with_diverged": compared.p_holm,
            "verdict_with_diverged": str(compared.verdict),
        }
    if isinstance(entry.sentences, TwoWay):
        summary = entry.sentences
        fields |= {"error_seeds": summary.error_seeds, "error_sentences": summary.error_sentences}
        fields |= {"two_way_low": summary.low, "two_way_high": summary.high}
        fields |= {"bootstrap_low": summary.bootstrap_low, "bootstrap_high": summary.bootstrap_high}
    elif entry.sentences:
        fields["mcnemar_p"] = entry.sentences.p
    if entry.comparison:
        compared, difference = entry.comparison, entry.comparison.difference
        fields |= {
            "pairs": difference.n,
            "difference": difference.mean,
            "difference_low": difference.low,
            "difference_high": difference.high,
            "p": compared.p,
            "p_holm": compared.p_holm,
            "margin": compared.margin,
            "p_equivalence": compared.p_equivalence,
            "p_equivalence_holm": compared.p_equivalence_holm,
            "effect": compared.effect.d_z,
            "effect_low": compared.effect.low,
            "effect_high": compared.effect.high,
            "rank_biserial": compared.effect.rank_biserial,
            "family": compared.family,
            "verdict": str(compared.verdict),
            "seeds_needed": _seeds(compared.seeds_needed),
        }
    at_paths = [values.get(path) for path in paths]
    return [grid.title, row.label, row.kind, *at_paths, *(fields.get(name) for name in _AFTER)]


def _seeds(needed: int | None) -> str | None:
    return None if needed is None else seeds_text(needed)


def _range(parameters: tuple[int, int] | None) -> object:
    if parameters is None:
        return None
    low, high = parameters
    return low if low == high else f"{low}-{high}"


def _text(value: object, safe: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    text = str(value).encode("utf-8", "replace").decode()  # a lone surrogate has no UTF-8 form
    if safe and isinstance(value, str) and text.startswith(_FORMULA):
        return "'" + text
    return text
