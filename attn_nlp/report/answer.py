"""What the tables answer, in sentences worked out from their entries.

The docstring of an experiment may tell an outcome, but of the run that its author looked at. These
sentences are of the numbers in the report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from attn_nlp.stats import Verdict
from attn_nlp.tables import Grid
from attn_nlp.tables.grid import BASELINE, ROW, Column, Quantity
from attn_nlp.tables.text import number

_WORDS = {
    Verdict.BETTER: "better",
    Verdict.BETTER_WITHIN_MARGIN: "better, yet within the margin",
    Verdict.WORSE: "worse",
    Verdict.WORSE_WITHIN_MARGIN: "worse, yet within the margin",
    Verdict.EQUIVALENT: "equivalent",
    Verdict.UNDECIDED: "undecided",
}


@dataclass(frozen=True)
class Answer:
    """What one table answers.

    Attributes:
      title: of the table.
      lines: one for each column that has a number.
    """

    title: str
    lines: tuple[str, ...]


def answers(grids: Sequence[Grid]) -> tuple[Answer, ...]:
    """Return what every table answers; none for a table without a number."""
    found = (Answer(grid.title, tuple(_lines(grid))) for grid in grids)
    return tuple(each for each in found if each.lines)


def _lines(grid: Grid) -> list[str]:
    lines = []
    for place, column in enumerate(grid.columns):
        said = [*_compared(grid, place, column.quantity), *_baselines(grid, place, column.quantity)]
        if said:
            lines.append(f"{_head(grid, column)}{'; '.join(said)}.")
    return lines


def _head(grid: Grid, column: Column) -> str:
    name = grid.name_of(column)
    return f"{name}: " if name else ""


def _compared(grid: Grid, place: int, quantity: Quantity) -> list[str]:
    """Name the rows by verdict, or the best row of a table that compares nothing."""
    reference = grid.reference
    by_verdict: dict[Verdict, list[str]] = {}
    for row in grid.rows:
        compared = row.entries[place].comparison
        if compared is not None:
            amount = number(compared.difference.mean, quantity, signed=True)
            unit = f" {quantity.points}" if quantity.points else ""
            by_verdict.setdefault(compared.verdict, []).append(f"{row.label!r} ({amount}{unit})")
    if reference is None or not by_verdict:
        return _best(grid, place, quantity)
    summary = reference.entries[place].summary
    reached = f" at {number(summary.mean, quantity)}{_unit(quantity)}" if summary else ""
    said = [
        f"{_WORDS[each]}: {', '.join(by_verdict[each])}" for each in _WORDS if each in by_verdict
    ]
    return [f"against {reference.label!r}{reached}, {said[0]}", *said[1:]]


def _best(grid: Grid, place: int, quantity: Quantity) -> list[str]:
    means = {
        row.label: summary.mean
        for row in grid.rows
        if row.kind != BASELINE and (summary := row.entries[place].summary)
    }
    if not means:
        return []
    pick = max if quantity.higher_is_better else min
    label = pick(means, key=lambda each: means[each])
    return [
        f"the {'highest' if quantity.higher_is_better else 'lowest'} mean is that of {label!r}, "
        f"{number(means[label], quantity)}{_unit(quantity)}; nothing is compared"
    ]


def _baselines(grid: Grid, place: int, quantity: Quantity) -> list[str]:
    """State how many rows are above the best model that needs no network."""
    sign = 1 if quantity.higher_is_better else -1
    means = {
        kind: [
            (sign * summary.mean, row.label)
            for row in grid.rows
            if (row.kind == BASELINE) is (kind == BASELINE)
            and (summary := row.entries[place].summary)
        ]
        for kind in (ROW, BASELINE)
    }
    if not means[ROW] or not means[BASELINE]:
        return []
    best, label = max(means[BASELINE])
    above = sum(mean > best for mean, _ in means[ROW])
    shown = f"{number(sign * best, quantity)}{_unit(quantity)}"
    side = "above" if quantity.higher_is_better else "below"
    return [f"{above} of {len(means[ROW])} rows {side} {label!r} at {shown}"]


def _unit(quantity: Quantity) -> str:
    return f" {quantity.unit}" if quantity.unit else ""
