"""The scores of every class: precision, recall, F1 and support, from stored confusion counts.

In: a table's definition and records with their confusion. Out: a grid for every set of classes in
the table, with a line for each class of each row, since two datasets rarely share their classes.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain

from attn_nlp.experiment.planned import TableSpec
from attn_nlp.experiment.resolved import Resolved
from attn_nlp.metrics import by_class
from attn_nlp.result.record import Record
from attn_nlp.stats import summarize
from attn_nlp.store.records import Records
from attn_nlp.tables.caption.folds import test_notes
from attn_nlp.tables.caption.mixed_data import mixed_data
from attn_nlp.tables.facts import Facts, class_notes, facts_of
from attn_nlp.tables.grid import (
    ABSENT,
    DIVERGED,
    FAILED,
    INNERMOST,
    MEASURED,
    ROW,
    SKIPPED,
    WITHOUT,
    Entry,
    Grid,
    GridRow,
    Quantity,
)
from attn_nlp.tables.layout import Layout, PlannedEntry, lay_out
from attn_nlp.tables.legend import legend
from attn_nlp.tables.notes import Note, short, warning
from attn_nlp.tables.outcomes import Outcomes, outcomes
from attn_nlp.tables.views import multi_quantity
from attn_nlp.tables.views.scores import with_footnotes

_PERCENT = {"unit": "%", "scale": 100.0, "compared": False}
QUANTITIES = (
    Quantity("precision", "precision %", **_PERCENT),
    Quantity("recall", "recall %", **_PERCENT),
    Quantity("f1", "F1 %", **_PERCENT),
    Quantity("support", "support", decimals=0, compared=False),
)


def per_class(table: TableSpec, resolved: Resolved, records: Mapping[str, Record]) -> list[Grid]:
    """Return precision, recall, F1 and support of every class on the test split.

    Args:
      table, resolved: as for `build`.
      records: as for `build`, with `confusion`.

    Returns:
      A `Grid` for every set of classes, columns of equal classes together; none for columns
      without a finished cell, since their classes are not known yet. A number is the mean over
      replicates; a replicate of several folds is scored from the counts of all its folds.
    """
    layout = lay_out(table, resolved)
    facts = facts_of(layout, records)
    by_names: dict[tuple[str, ...], list[tuple]] = {}
    for column in layout.columns:
        names = _class_names(layout, column, records)
        if names:
            by_names.setdefault(names, []).append(column)
    return [
        _grid(table, layout, facts, records, names, columns) for names, columns in by_names.items()
    ]


def _class_names(
    layout: Layout, column: tuple, records: Mapping[str, Record]
) -> tuple[str, ...] | None:
    for (_, where), planned in layout.entries.items():
        for cell in planned.cells.values() if where == column else ():
            names = ((records.get(cell["spec"]) or {}).get("data") or {}).get("class_names")
            if names:
                return tuple(map(str, names))
    return None


def _grid(
    table: TableSpec,
    layout: Layout,
    facts: Facts,
    records: Mapping[str, Record],
    names: Sequence[str],
    columns: Sequence[tuple],
) -> Grid:
    rows = []
    for number, row in enumerate(table["rows"]):
        of_columns = [layout.entry(number, column) for column in columns]
        of_row = [_entries(planned, records, table["value"], len(names)) for planned in of_columns]
        for name, *entries in zip(names, *of_row, strict=True):
            flat = tuple(chain.from_iterable(entries))
            rows.append(GridRow(f"{row['label']}: {name}", row["cite"], ROW, flat))
    rows, footnotes = with_footnotes(rows)
    grid = Grid(
        title=f"Classes of {table['title']!r}",
        subtitle="test split, means over runs",
        paths=(*table["columns"], INNERMOST),
        columns=multi_quantity.columns(table["columns"], columns, facts, QUANTITIES),
        rows=tuple(rows),
        footnotes=footnotes,
        caption=(
            short(
                "Precision: the share of sentences predicted as the class that belong to it. "
                "Recall: the share of its sentences predicted as it. F1: their harmonic mean. 0 "
                "where there is nothing to divide by. Support: sentences of the class. Nothing is "
                "compared here.",
                "0 where there is nothing to divide by. Support: sentences of the class. Nothing "
                "is compared here.",
            ),
            *_class_notes(layout, facts, names),
            *mixed_data(layout, (), facts, Records.of(records)),
        ),
    )
    return dataclasses.replace(grid, legend=legend(grid))


def _class_notes(layout: Layout, facts: Facts, names: Sequence[str]) -> list[Note]:
    """Return notes on oddities in the classes of these datasets, and on their test split."""
    here = facts.only(
        name
        for name, known in facts.items()
        if tuple(map(str, known.get("class_names") or ())) == tuple(names)
    )
    odd = [
        warning(f"{here.label(name)}: {'; '.join(oddities)}.")
        for name, known in here.items()
        if (oddities := class_notes(known))
    ]
    return [*test_notes(layout, here), *odd]


def _counted(
    planned: PlannedEntry, records: Mapping[str, Record], value: str, classes: int
) -> tuple[list[list[list[int]]], Outcomes]:
    """Return the confusion counts of every replicate with a number, summed over its folds.

    A replicate whose counts were not stored, or are of other classes, counts as missing.
    """
    outcome, counted, values = outcomes(planned, records, value), [], {}
    for replicate, number in outcome.values.items():
        cells = planned.replicates()[replicate]
        counts = [(records.get(cell["spec"]) or {}).get("confusion") or [] for cell in cells]
        if all(len(confusion) == classes for confusion in counts):
            counted.append(counts[0] if len(counts) == 1 else _added(counts))
            values[replicate] = number
    missing = Counter(outcome.missing) + Counter({WITHOUT: len(outcome.values) - len(values)})
    return counted, dataclasses.replace(outcome, values=values, missing=missing)


def _added(counts: Sequence[list[list[int]]]) -> list[list[int]]:
    """Return the sum of confusion counts of equal shape."""
    return [[sum(same) for same in zip(*rows, strict=True)] for rows in zip(*counts, strict=True)]


def _entries(
    planned: PlannedEntry, records: Mapping[str, Record], value: str, classes: int
) -> list[list[Entry]]:
    """Return the entries of every class in one row and column, one for each of `QUANTITIES`."""
    expected = len(planned.replicates())
    if not expected:
        return [[Entry(SKIPPED if planned.skipped else ABSENT)] * len(QUANTITIES)] * classes
    counts, outcome = _counted(planned, records, value, classes)
    bad = set(outcome.missing) & {FAILED, DIVERGED}
    plain = Entry(
        MEASURED if counts else outcome.state,
        expected,
        missing=outcome.missing,
        reason=outcome.sentence(expected) if bad else "",
    )
    if not counts:
        return [[plain] * len(QUANTITIES)] * classes
    return [
        [
            dataclasses.replace(
                plain,
                summary=summarize(
                    [float(getattr(of_replicate, quantity.name)) for of_replicate in of_class]
                ),
            )
            for quantity in QUANTITIES
        ]
        for of_class in zip(*map(by_class, counts), strict=True)
    ]
