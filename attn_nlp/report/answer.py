"""The answers of the tables, in sentences computed from their entries.

The docstring of an experiment may state an outcome, but that of its author's run. These sentences
are about the numbers in the report.
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
    """The answer of one table.

    Attributes:
      title: of the table.
      lines: one for each column that has a number.
    """

    title: str
    lines: tuple[str, ...]


def answers(grids: Sequence[Grid]) -> tuple[Answer, ...]:
    """Return the answers of all tables that have a number."""
    all_answers = (Answer(grid.title, tuple(_lines(grid))) for grid in grids)
    return tuple(answer for answer in all_answers if answer.lines)


def _lines(grid: Grid) -> list[str]:
    lines = []
    for at, column in enumerate(grid.columns):
        phrases = [
            *_compared(grid, at, column.quantity),
            *_baselines(grid, at, column.quantity),
        ]
        if phrases:
            lines.append(f"{_head(grid, column)}{'; '.join(phrases)}.")
    return lines


def _head(grid: Grid, column: Column) -> str:
    name = grid.name_of(column)
    return f"{name}: " if name else ""


def _compared(grid: Grid, at: int, quantity: Quantity) -> list[str]:
    """Name the rows by verdict, or the best row of a table that compares nothing."""
    reference = grid.reference
    by_verdict: dict[Verdict, list[str]] = {}
    for row in grid.rows:
        compared = row.entries[at].comparison
        if compared is not None:
            amount = number(compared.difference.mean, quantity, signed=True)
            unit = f" {quantity.points}" if quantity.points else ""
            by_verdict.setdefault(compared.verdict, []).append(f"{row.label!r} ({amount}{unit})")
    if reference is None or not by_verdict:
        return _best(grid, at, quantity)
    summary = reference.entries[at].summary
    reached = f" at {number(summary.mean, quantity)}{_unit(quantity)}" if summary else ""
    phrases = [
        f"{words}: {', '.join(by_verdict[verdict])}"
        for verdict, words in _WORDS.items()
        if verdict in by_verdict
    ]
    return [f"against {reference.label!r}{reached}, {phrases[0]}", *phrases[1:]]


def _best(grid: Grid, at: int, quantity: Quantity) -> list[str]:
    means = {
        row.label: summary.mean
        for row in grid.rows
        if row.kind != BASELINE and (summary := row.entries[at].summary)
    }
    if not means:
        return []
    pick = max if quantity.higher_is_better else min
    label = pick(means, key=lambda label: means[label])
    return [
        f"the {'highest' if quantity.higher_is_better else 'lowest'} mean is that of {label!r}, "
        f"{number(means[label], quantity)}{_unit(quantity)}; nothing is compared"
    ]


def _baselines(grid: Grid, at: int, quantity: Quantity) -> list[str]:
    """State how many rows beat the best model that is not a neural network."""
    sign = 1 if quantity.higher_is_better else -1
    means = {
        kind: [
            (sign * summary.mean, row.label)
            for row in grid.rows
            if (row.kind == BASELINE) is (kind == BASELINE) and (summary := row.entries[at].summary)
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
    if quantity.unit == "%":
        return "%"
    return f" {quantity.unit}" if quantity.unit else ""
