"""Grids whose innermost header level is the quantity: several numbers for every row and column."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attn_nlp.experiment.planned import TableSpec
from attn_nlp.tables.facts import Facts
from attn_nlp.tables.grid import REFERENCE, ROW, Column, Entry, GridRow, Quantity
from attn_nlp.tables.views.scores import column_labels


def columns(
    paths: Sequence[str],
    column_values: Sequence[tuple],
    facts: Facts,
    quantities: Sequence[Quantity],
) -> tuple[Column, ...]:
    """Return every quantity of every column of a table, the quantities of a column side by side."""
    return tuple(
        Column(
            (*column, quantity.name),
            (*column_labels(list(paths), column, facts), quantity.label),
            quantity,
        )
        for column in column_values
        for quantity in quantities
    )


def rows(
    table: TableSpec,
    column_values: Sequence[tuple],
    quantities: Sequence[Quantity],
    entry: Callable[[int, tuple, Quantity], Entry],
) -> list[GridRow]:
    """Return the rows of a table, with the `entry` of each row number, column and quantity."""
    return [
        GridRow(
            row["label"],
            row["cite"],
            REFERENCE if row["reference"] else ROW,
            tuple(
                entry(number, column, quantity)
                for column in column_values
                for quantity in quantities
            ),
        )
        for number, row in enumerate(table["rows"])
    ]
