"""diff: a comparison of two stores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from attn_nlp import wording
from attn_nlp.cli import options, show

if TYPE_CHECKING:
    from attn_nlp.store.compare import Compared, Pair

DIFFER = 3
_SHOWN = 20
_OTHER_CODE = (
    "{} of A and B have the same settings but are listed separately, since the code of a part, or "
    "what it reads, differs: their results are not compared."
)
_DATA = {"fingerprint": "different data rows", "tokenizer_hash": "different data tokens"}
_store = options.StorePath()


@click.command()
@click.argument("first", metavar="A", type=_store)
@click.argument("second", metavar="B", type=_store)
@options.as_json
def diff(first, second, as_json) -> int:
    """Compare the results and environments of two stores cell by cell.

    Results from the same CPU environment must be bit-identical; results from different
    environments, or from an accelerator, must agree within a tolerance. Cells trained on different
    data differ, whatever their scores. Exits with 0 if both stores hold the same cells with the
    same results, and with 3 otherwise; different environments alone are reported but are not a
    difference. Neither store is changed.

    \b
    Examples:
      attn-nlp diff runs/attn_nlp.sqlite other.sqlite
      attn-nlp diff laptop.sqlite server.sqlite --json
    """
    from attn_nlp.errors import UserError
    from attn_nlp.store import Store
    from attn_nlp.store.compare import compare

    for path in (first, second):
        if not path.exists():
            raise UserError(f"there is no store {path}; diff needs two existing files.")
    with Store.read(first) as one, Store.read(second) as other:
        found = compare(one, other)
    if as_json:
        wording.show(show.as_text(_as_json(found)))
    else:
        wording.show(_as_text(found, first, second))
    return 0 if found.same else DIFFER


def _as_text(found: Compared, first: Path, second: Path) -> str:
    from attn_nlp.experiment.planned import labels_among
    from attn_nlp.store.tolerance import TOLERANCE

    settings = [pair.settings for pair in found.pairs]
    settings += [*found.only_first.values(), *found.only_second.values()]
    label = labels_among(settings)
    alike = len(found.other_code)
    counts = [
        [f"A  {first}", f"{len(found.pairs) + len(found.only_first)} cells"],
        [f"B  {second}", f"{len(found.pairs) + len(found.only_second)} cells"],
        ["only in A", len(found.only_first)],
        ["only in B", len(found.only_second)],
        *([["the same settings, other code", alike]] if alike else []),
        ["in both, equal", len(found.equal)],
        [f"in both, within {TOLERANCE:g} in another environment", len(found.close)],
        ["in both, different", len(found.different)],
        ["in different environments", sum(bool(pair.environment) for pair in found.pairs)],
    ]
    parts = [show.columns(counts)]
    if alike:
        parts.append(_OTHER_CODE.format(wording.plural(alike, "cell")))
    for name, cells in (("A", found.only_first), ("B", found.only_second)):
        if cells:
            lines = [f"  {label(cell)}" for cell in list(cells.values())[:_SHOWN]]
            parts.append("\n".join([f"only in {name}:", *lines, *_more(len(cells))]))
    for head, pairs in (("different", found.different), ("close", found.close)):
        if pairs:
            heads = [head, "what", "largest difference", "sentences", "environment"]
            rows = [_row(pair, label) for pair in pairs[:_SHOWN]]
            parts.append("\n".join([show.columns([heads, *rows]), *_more(len(pairs))]))
    environments = _environments(found.pairs)
    if environments:
        parts.append("\n".join(["environments, A against B:", *environments]))
    return "\n\n".join(parts)


def _row(pair: Pair, label: Callable[[Mapping], str]) -> list[object]:
    what = ", ".join(pair.differ)
    if "status" in pair.differ:
        what = what.replace("status", "status ({} against {})".format(*pair.status), 1)
    for name, words in _DATA.items():
        what = what.replace(name, words, 1)
    largest = ""
    if pair.metric is not None:
        amount = "in one only" if pair.largest is None else f"{pair.largest:.3g}"
        largest = f"{pair.metric} {amount}"
    moved = "" if pair.predictions is None else pair.predictions
    return [label(pair.settings), what, largest, moved, "other" if pair.environment else "same"]


def _more(count: int) -> list[str]:
    return [f"  ... and {count - _SHOWN} more; --json lists all"] if count > _SHOWN else []


def _environments(pairs: Sequence[Pair]) -> list[str]:
    """Write the values in which environments differ, each with its number of cells."""
    counts = Counter(
        f"{name} {one} against {other}"
        for pair in pairs
        for name, (one, other) in pair.environment.items()
    )
    return [f"  {what}: {wording.plural(count, 'cell')}" for what, count in counts.most_common()]


def _as_json(found: Compared) -> dict:
    return {
        "same": found.same,
        "only_in_a": [{"spec": s, "settings": v} for s, v in found.only_first.items()],
        "only_in_b": [{"spec": s, "settings": v} for s, v in found.only_second.items()],
        "same_settings_other_code": [{"a": a, "b": b} for a, b in found.other_code],
        "equal": len(found.equal),
        "different": [vars(pair) for pair in found.different],
        "close": [vars(pair) for pair in found.close],
        "equal_in_different_environments": [
            {"spec": pair.spec, "environment": pair.environment}
            for pair in found.equal
            if pair.environment
        ],
    }
