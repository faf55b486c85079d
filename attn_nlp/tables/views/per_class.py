"""How every class fares: precision, recall, F1 and support, from stored confusion counts.

In: a table's definition and records with their confusion. Out: a grid for every set of classes in
the table, with a line for each class of each row, since two datasets seldom share their classes.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain

from attn_nlp.experiment.planned import TableSpec
from attn_nlp.experiment.resolved import Resolved
from attn_nlp.metrics import by_class
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
from attn_nlp.tables.layout import Layout, Place, lay_out
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


def per_class(table: TableSpec, resolved: Resolved, records: Mapping[str, dict]) -> list[Grid]:
    """Precision, recall, F1 and support of every class on the test split.

    Args:
      table, resolved: as for `build`.
      records: as for `build`, with `confusion`.

    Returns:
      A `Grid` for every set of classes, columns of equal classes together; none for columns of
      which no cell has run, since their classes are not known yet. A number is the mean over
      replicates; of a replicate of several folds, from the counts of all folds together.
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
    layout: Layout, column: tuple, records: Mapping[str, dict]
) -> tuple[str, ...] | None:
    for (_, where), place in layout.places.items():
        for cell in place.cells.values() if where == column else ():
            names = ((records.get(cell["spec"]) or {}).get("data") or {}).get("class_names")
            if names:
                return tuple(map(str, names))
    return None


def _grid(
    table: TableSpec,
    layout: Layout,
    facts: Facts,
    records: Mapping[str, dict],
    names: Sequence[str],
    columns: Sequence[tuple],
) -> Grid:
    rows = []
    for number, row in enumerate(table["rows"]):
        places = [layout.place(number, column) for column in columns]
        of_row = [_entries(place, records, table["value"], len(names)) for place in places]
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
                "Precision: of the sentences answered with the class, the share that is of it. "
                "Recall: of its sentences, the share answered with it. F1: their harmonic mean. 0 "
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
    """What is odd about the classes of these datasets, and about their test split."""
    here = facts.only(
        name
        for name, known in facts.items()
        if tuple(map(str, known.get("class_names") or ())) == tuple(names)
    )
    odd = [
        warning(f"{here.label(name)}: {'; '.join(said)}.")
        for name, known in here.items()
        if (said := class_notes(known))
    ]
    return [*test_notes(layout, here), *odd]


def _counted(
    place: Place, records: Mapping[str, dict], value: str, classes: int
) -> tuple[list[list[list[int]]], Outcomes]:
    """The confusion counts of every replicate that the table counts, those of its folds added up.

    A replicate whose counts are not kept, or are of other classes, is among what is missing.
    """
    found, counted, values = outcomes(place, records, value), [], {}
    for replicate, number in found.values.items():
        cells = place.replicates()[replicate]
        counts = [(records.get(cell["spec"]) or {}).get("confusion") or [] for cell in cells]
        if all(len(each) == classes for each in counts):
            counted.append(counts[0] if len(counts) == 1 else _added(counts))
            values[replicate] = number
    missing = Counter(found.missing) + Counter({WITHOUT: len(found.values) - len(values)})
    return counted, dataclasses.replace(found, values=values, missing=missing)


def _added(counts: Sequence[list[list[int]]]) -> list[list[int]]:
    """Return the sum of confusion counts of equal shape."""
    return [[sum(same) for same in zip(*rows, strict=True)] for rows in zip(*counts, strict=True)]


def _entries(
    place: Place, records: Mapping[str, dict], value: str, classes: int
) -> list[list[Entry]]:
    """Return the entries of every class in one row and column: one for each of `QUANTITIES`."""
    expected = len(place.replicates())
    if not expected:
        return [[Entry(SKIPPED if place.skipped else ABSENT)] * len(QUANTITIES)] * classes
    counts, found = _counted(place, records, value, classes)
    bad = set(found.missing) & {FAILED, DIVERGED}
    plain = Entry(
        MEASURED if counts else found.state,
        expected,
        missing=found.missing,
        reason=found.sentence(expected) if bad else "",
    )
    if not counts:
        return [[plain] * len(QUANTITIES)] * classes
    return [
        [
            dataclasses.replace(
                plain,
                summary=summarize([float(getattr(each, quantity.name)) for each in of_class]),
            )
            for quantity in QUANTITIES
        ]
        for of_class in zip(*map(by_class, counts), strict=True)
    ]
