"""JSON for programs: everything in a table, with numbers in full precision.

Accuracies and differences are fractions, as stored; `quantity` says how they are printed. A missing
number is null, next to its state and its reason. `schema()` describes the format, and the document
names the version of the schema. "<" is written as an escape, so that the text can be embedded in an
HTML page, and so are characters that a terminal would obey.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
import json
import math
from collections.abc import Sequence

from attn_nlp.files.outputs import signature
from attn_nlp.stats import Comparison, McNemar, TwoWay
from attn_nlp.tables.formats import Options
from attn_nlp.tables.grid import Column, Counted, Entry, Grid, GridRow
from attn_nlp.tables.legend import MARKS, seeds_text
from attn_nlp.tables.text import count_text
from attn_nlp.wording import escaped_json

SUFFIX = ".json"
VERSION = "attn-nlp/tables/1"
_LINE = 100
_TESTED = (
    *("interval_90", "p", "p_holm", "least_p", "exact", "margin"),
    *("p_equivalence", "p_equivalence_holm"),
)
_TWO_WAY = (
    *("seeds", "sentences", "mean", "error_seeds", "error_sentences", "error", "low", "high"),
    *("bootstrap_low", "bootstrap_high", "resamples", "rng_seed"),
)


def render(grids: Sequence[Grid], options: Options) -> str:
    """Return all tables as one document."""
    return _text({"schema": VERSION, "tables": [_table(grid) for grid in grids]})


def _text(document: dict) -> str:
    return escaped_json(_written(_plain(document))).replace("<", "\\u003c") + "\n"


def signed(text: str) -> str:
    """Return the same document with its signature, by which it is recognized."""
    return _text({**json.loads(text), "signature": signature(text)})


def is_signed(text: str) -> bool:
    """Return True if a file is exactly what `signed` made of a document."""
    try:
        document = json.loads(text)
        if not isinstance(document, dict) or document.pop("signature", None) is None:
            return False
        return text == signed(_text(document))
    except (ValueError, RecursionError):
        return False


def schema() -> dict:
    """Return the JSON Schema (draft 2020-12) of a document."""
    text = importlib.resources.files("attn_nlp.tables").joinpath("schema.json").read_text("utf-8")
    return json.loads(text)


def _table(grid: Grid) -> dict:
    return {
        "title": grid.title,
        "subtitle": grid.subtitle,
        "levels": grid.paths,
        "columns": [_column(column) for column in grid.columns],
        "rows": [_row(row) for row in grid.rows],
        "legend": [{"mark": mark, "meaning": meaning} for mark, meaning in grid.legend],
        "footnotes": [{"letter": letter, "text": text} for letter, text in grid.footnotes],
        "notes": grid.notes,
    }


def _column(column: Column) -> dict:
    return {
        "values": column.values,
        "labels": column.labels,
        "quantity": dataclasses.asdict(column.quantity),
    }


def _row(row: GridRow) -> dict:
    entries = [_entry(entry) for entry in row.entries]
    return {"label": row.label, "cite": row.cite, "kind": row.kind, "entries": entries}


def _entry(entry: Entry) -> dict:
    return {
        "state": entry.state,
        "n": entry.summary.n if entry.summary else 0,
        "expected": entry.expected,
        "missing": dict(entry.missing),
        "runs": count_text(entry) or None,
        "reason": entry.reason or None,
        "footnote": entry.footnote or None,
        "parameters": entry.parameters,
        "summary": None if entry.summary is None else dataclasses.asdict(entry.summary),
        "comparison": None if entry.comparison is None else _comparison(entry.comparison),
        "over_sentences": None if entry.sentences is None else _over_sentences(entry.sentences),
        "with_diverged": None if entry.counted is None else _counted(entry.counted),
    }


def _over_sentences(tested: TwoWay | McNemar) -> dict:
    if isinstance(tested, McNemar):
        return dataclasses.asdict(tested)
    return {name: getattr(tested, name) for name in _TWO_WAY}


def _counted(counted: Counted) -> dict:
    return {
        "summary": None if counted.summary is None else dataclasses.asdict(counted.summary),
        "comparison": None if counted.comparison is None else _comparison(counted.comparison),
    }


def _comparison(compared: Comparison) -> dict:
    needed, size = compared.seeds_needed, compared.effect
    return {
        "difference": dataclasses.asdict(compared.difference),
        **{name: getattr(compared, name) for name in _TESTED},
        "effect": size.d_z,
        "effect_low": size.low,
        "effect_high": size.high,
        "rank_biserial": size.rank_biserial,
        "family": compared.family,
        "verdict": str(compared.verdict),
        "seeds_needed": None if needed is None else seeds_text(needed),
        "mark": MARKS[compared.verdict],
    }


def _written(value: object, indent: str = "") -> str:
    """Return JSON in lines that a person can read and compare; short values take one line."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if len(indent) + len(text) <= _LINE or not isinstance(value, dict | list):
        return text
    inner = indent + " "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {_written(item, inner)}" for key, item in value.items()]
        begin, end = "{", "}"
    else:
        parts = [_written(item, inner) for item in value]
        begin, end = "[", "]"
    return f"{begin}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{end}"


def _plain(value: object) -> object:
    """Replace what JSON cannot hold: infinite numbers, and halves of characters."""
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return value
