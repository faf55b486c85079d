"""Tables checked against the axes of their experiment, and written as plain data.

`checked` needs no cell, so that an error in a table is reported before any cell is made.
`plain_tables` then reads from the cells only the order of the values.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from attn_nlp.errors import UserError, unknown
from attn_nlp.experiment.cell import PATHS, check_path, check_value
from attn_nlp.experiment.grid import Grid
from attn_nlp.experiment.planned import RowSpec, Settings, TableSpec
from attn_nlp.experiment.table import Row, Table
from attn_nlp.parts.selection import choose_all


@dataclass(frozen=True)
class Asked:
    """A table whose conditions are normalized as the settings of cells are.

    Attributes:
      table: as it was written.
      where: the conditions of the whole table.
      rows: its rows, without those that have no cell if that is allowed; rows that are the values
        of a path are in the order of the axis.
    """

    table: Table
    where: Mapping[str, object]
    rows: tuple[Row, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The paths of its columns."""
        columns = self.table.columns
        return (columns,) if isinstance(columns, str) else tuple(columns)


def checked(table: Table, grid: Grid, partial: bool) -> Asked | None:
    """Return the table as it can be made of the cells, or None if no row is left.

    Args:
      table: as it was written.
      grid: the cells.
      partial: leave out rows without any cell; otherwise such a row is an error.

    Raises:
      UserError: an unknown path, an axis that the table does not account for, a row without cells
        or with two for one entry.
    """
    where = _conditions(table.where, f"table {table.title!r}: where=")
    rows = [row for row in _rows(table, grid) if not partial or _any(grid, where, row.where)]
    if not rows:
        return None
    asked = Asked(table, where, tuple(rows))
    apart = [table.each] if table.each else []
    for path in [*asked.columns, *table.over, *apart]:
        check_path(path, f"path in table {table.title!r}:")
    named = {*asked.columns, *table.over, *apart}
    _account(asked, grid, named)
    for row in rows:
        _check_row(asked, grid, row, named)
    return asked


def plain_tables(
    asked: Asked, cells: Sequence[Settings], seeds: Iterable[object] | None
) -> list[TableSpec]:
    """Return the table as plain data: one table, or one for each value of `each`.

    Args:
      asked: the table.
      cells: the settings of all cells in their order, under one seed if `seeds` are given.
      seeds: all seeds, if the cells are the same under each, or None.
    """
    table, rows = asked.table, list(asked.rows)
    if isinstance(table.rows, str):
        order = _values(table.rows, cells, seeds)
        rows.sort(key=lambda row: order[row.where[table.rows]])  # type: ignore[index]
    plain: TableSpec = {
        "title": table.title,
        "rows": [_plain_row(row) for row in rows],
        "columns": list(asked.columns),
        "where": dict(asked.where),
        "over": list(table.over),
        "value": table.value,
        "margin": table.margin,
        "family": table.family,
        "note": table.note,
    }
    if table.each is None:
        return [plain]
    where = dict(asked.where)
    if seeds is not None and "seed" in where:
        seeds = [where.pop("seed")]
    under = [cell for cell in cells if all(cell[path] == v for path, v in where.items())]
    return [
        {
            **plain,
            "title": f"{table.title}, {table.each} {value}",
            "where": {**asked.where, table.each: value},
        }
        for value in _values(table.each, under, seeds)
    ]


def _plain_row(row: Row) -> RowSpec:
    return {
        "label": row.label,
        "where": dict(row.where),
        "cite": row.cite,
        "reference": row.reference,
    }


def _values(
    path: str, cells: Iterable[Mapping], seeds: Iterable[object] | None
) -> dict[object, int]:
    """Return the values of a path with their positions in the order of the cells."""
    values = seeds if path == "seed" and seeds is not None else (cell[path] for cell in cells)
    return {value: position for position, value in enumerate(dict.fromkeys(values))}


def _rows(table: Table, grid: Grid) -> Sequence[Row]:
    if not isinstance(table.rows, str):
        table_name = f"table {table.title!r}, row "
        return [
            dataclasses.replace(row, where=_conditions(row.where, f"{table_name}{row.label!r}:"))
            for row in table.rows
        ]
    path = check_path(table.rows, f"path in table {table.title!r}: rows=")
    values = grid.values(path)
    reference = None if table.reference is None else check_value(path, table.reference)
    if reference is not None and reference not in values:
        raise unknown(f"reference of table {table.title!r}:", str(reference), map(str, values))
    return [
        Row(*_named(path, value), reference=reference is not None and value == reference)
        for value in values
    ]


def _named(path: str, value: object) -> tuple[str, dict[str, object], str]:
    """Return label, condition and source of the row of one value."""
    slot = PATHS[path].get("slot")
    if slot is None:
        return str(value), {path: value}, ""
    chosen = choose_all(slot, str(value))
    labels = [choice.part.label + choice.text.removeprefix(choice.part.name) for choice in chosen]
    sources = dict.fromkeys(choice.part.cite for choice in chosen)
    return " + ".join(labels), {path: value}, "; ".join(sources)


def _conditions(where: Mapping[str, object], named: str) -> dict[str, object]:
    for path in where:
        check_path(path, f"path in {named}")
    return {path: check_value(path, value) for path, value in where.items()}


def _account(asked: Asked, grid: Grid, named: Collection[str]) -> None:
    """Reject a table that would average over an axis that it does not name."""
    in_rows = set.intersection(*(set(row.where) for row in asked.rows))
    known = {*named, *asked.table.where, *in_rows}
    for axis in grid.axes:
        if len(axis.points) > 1 and not known & set(axis.paths):
            path, over = axis.paths[0], asked.table.over
            raise UserError(
                f"table {asked.table.title!r}: axis {' with '.join(map(repr, axis.paths))} is "
                f"neither a row nor a column. Write columns={path!r} for a column of every value, "
                f"each={path!r} for a table of every value, where={{{path!r}: ...}} for one value, "
                f"or over={[*over, path]} to average over all."
            )


def _check_row(asked: Asked, grid: Grid, row: Row, named: Collection[str]) -> None:
    """Reject a row without cells, or with two cells for one replicate of a column."""
    if not _any(grid, asked.where, row.where):
        raise UserError(
            f"table {asked.table.title!r}, row {row.label!r}: no cell has {dict(row.where)}; "
            "name values that are on the axes."
        )
    differ = grid.clash({**asked.where, **row.where}, named)
    if differ:
        raise UserError(
            f"table {asked.table.title!r}, row {row.label!r}: several cells fall into one "
            f"table entry; they differ in {', '.join(differ)}; name it in the row, columns=, "
            "where=, or over=."
        )


def _any(grid: Grid, where: Mapping[str, object], also: Mapping[str, object]) -> bool:
    """Return whether any cell has the settings of both."""
    return all(where.get(path, value) == value for path, value in also.items()) and grid.has(
        {**where, **also}
    )
