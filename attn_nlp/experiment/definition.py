"""An experiment: base cell, axes and tables, checked where they are written.

`Experiment.resolve` turns it into plain data: a list of cells with their specs, and tables that
account for every axis. Everything downstream, from the plan to the printed table, reads that plain
data, so that a table can be rebuilt from a store without the file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, cycle
from typing import Any

from attn_nlp.choice import choose_all
from attn_nlp.experiment.axes import Axis, Skip, normalised, product
from attn_nlp.experiment.cell import PATHS, Cell, check_path, check_value, flatten, unflatten
from attn_nlp.experiment.identity import floor_cell, spec_of, specs_of
from attn_nlp.experiment.resolved import Resolved
from attn_nlp.experiment.table import Row, Table
from attn_nlp.experiment.tuning import Tuning, with_trials, without_tuned
from attn_nlp.mistakes import Mistake, unknown
from attn_nlp.registry import parts

METRICS = ("accuracy", "macro_f1", "matthews", "f1", "loss", "ece")
VALUES = tuple(f"{split}.{metric}" for split in ("test", "validation") for metric in METRICS)


@dataclass(frozen=True)
class Experiment:
    """What is run and which tables come of it. See `resolve` for the checks.

    With `tuning` every row is tuned with the same budget; otherwise all have the same settings.
    """

    base: Cell
    axes: Sequence[Axis]
    tables: Sequence[Table]
    skips: Sequence[Skip] = ()
    tuning: Tuning | None = None

    def resolve(self, name: str, question: str, *, partial: bool = False) -> Resolved:
        """The experiment as plain data.

        Args:
          name: what the store and the command line call it.
          question: the file's docstring.
          partial: leave out table rows without any cell, as options may have emptied them;
            otherwise such a row is a mistake.

        Raises:
          Mistake: a setting, an axis or a table does not hold together; the message says where.
        """
        if not self.tables:
            raise Mistake(f"experiment {name!r} has no table; give at least one.")
        if self.tuning is not None:
            axes, tables = without_tuned(self.axes, self.tables, self.tuning)
            plain = dataclasses.replace(self, axes=axes, tables=tables, tuning=None)
            return with_trials(plain.resolve(name, question, partial=partial), self.tuning)
        axes = tuple(self.axes)
        # Only the axis of seeds is long, and a seed decides nothing but itself: cells that differ
        # in nothing else are checked as one.
        one_seed, seeds = (
            (axes, None) if any("seed" in s.when for s in self.skips) else _apart(axes)
        )
        cells, skipped = [], []
        for settings in product(self.base, one_seed):
            reason = next((each.reason for each in self.skips if each.covers(settings)), None)
            if reason is None:
                cells.append(unflatten(settings))
            else:
                skipped.append({"settings": settings, "reason": reason})
        if not cells:
            raise Mistake(f"experiment {name!r} has no cell left after its skips.")
        specs = [specs_of(cell, seeds or [cell.seed]) for cell in cells]
        settings = list(map(flatten, cells))
        everything = [*settings, *(each["settings"] for each in skipped)]
        tables = [
            plain
            for table in self.tables
            for plain in _plain_tables(
                table,
                axes,
                _under_all(seeds, everything) if _speaks_of_seeds(table) else everything,
                partial,
            )
        ]
        if not tables:
            raise Mistake(f"with these options no table of {name!r} has any row left.")
        return Resolved(
            name=name,
            question=question,
            cells=tuple(
                {"spec": spec, "settings": each}
                for spec, each in zip(
                    chain.from_iterable(zip(*specs, strict=True)),
                    _under_all(seeds, settings),
                    strict=True,
                )
            ),
            floors=tuple(
                {"spec": spec_of(cell), "settings": flatten(cell)} for cell in _floors(cells)
            ),
            skipped=tuple(
                {"settings": settings, "reason": each["reason"]}
                for settings, each in zip(
                    _under_all(seeds, [each["settings"] for each in skipped]),
                    cycle(skipped),
                    strict=False,
                )
            ),
            tables=tuple(tables),
            seeds=tuple(seeds or ()),
        )


def _apart(axes: tuple[Axis, ...]) -> tuple[tuple[Axis, ...], Sequence[Any] | None]:
    """The axes with the first seed alone, and all seeds; None where no axis is of seeds alone."""
    seeds = next((axis.values("seed") for axis in axes if axis.paths == ("seed",)), None)
    return tuple(Axis(a.points[:1]) if a.paths == ("seed",) else a for a in axes), seeds


def _under_all(seeds: Sequence[Any] | None, cells: Sequence[dict]) -> Sequence[dict]:
    """The settings of cells under one seed after another; without seeds, as they are."""
    if seeds is None:
        return cells
    return [{**settings, "seed": seed} for seed in seeds for settings in cells]


def _speaks_of_seeds(table: Table) -> bool:
    """Whether a table does more with seeds than to average over them."""
    columns = (table.columns,) if isinstance(table.columns, str) else table.columns
    rows = (
        (table.rows,) if isinstance(table.rows, str) else [p for r in table.rows for p in r.where]
    )
    return "seed" in (table.each, *columns, *table.where, *rows)


def _floors(cells: Sequence[Cell]) -> list[Cell]:
    floors = [part.name for part in parts("model") if part.facts.get("floor")]
    by_data = {(cell.dataset, cell.split_seed, cell.fold): cell for cell in cells}
    return [floor_cell(name, cell) for cell in by_data.values() for name in floors]


def _plain_tables(
    table: Table, axes: tuple[Axis, ...], cells: Sequence[dict], partial: bool
) -> list[dict]:
    columns = [table.columns] if isinstance(table.columns, str) else list(table.columns)
    where = _conditions(table.where, f"table {table.title!r}: where=")
    under = [cell for cell in cells if _matches(cell, where)]
    rows = [
        row
        for row in _rows(table, cells)
        if not partial or any(_matches(cell, row.where) for cell in under)
    ]
    if not rows:
        return []
    over = list(table.over)
    for path in [*columns, *over, *([table.each] if table.each else [])]:
        check_path(path, f"path in table {table.title!r}:")
    if table.value not in VALUES:
        raise unknown(f"value of table {table.title!r}:", table.value, VALUES)
    if table.margin is not None and not table.margin > 0:
        raise Mistake(f"table {table.title!r}: margin is {table.margin}; give a number above 0.")
    if table.family not in ("column", "table"):
        raise Mistake(f"table {table.title!r}: family is {table.family!r}; allowed: column, table.")
    _account(table, axes, columns, rows)
    _unique(table, under, columns, rows)
    plain = {
        "title": table.title,
        "rows": [dataclasses.asdict(row) for row in rows],
        "columns": columns,
        "where": where,
        "over": over,
        "value": table.value,
        "margin": table.margin,
        "family": table.family,
        "note": table.note,
    }
    if table.each is None:
        return [plain]
    values = list(dict.fromkeys(cell[table.each] for cell in under))
    return [
        plain
        | {"title": f"{table.title}, {table.each} {value}", "where": {**where, table.each: value}}
        for value in values
    ]


def _rows(table: Table, cells: Sequence[dict]) -> list[Row]:
    if isinstance(table.rows, str):
        path = check_path(table.rows, f"path in table {table.title!r}: rows=")
        values = list(dict.fromkeys(cell[path] for cell in cells))
        baseline = None if table.baseline is None else check_value(path, table.baseline)
        if baseline is not None and baseline not in values:
            raise unknown(f"baseline of table {table.title!r}:", str(baseline), map(str, values))
        return [
            Row(*_named(path, value), baseline=baseline is not None and value == baseline)
            for value in values
        ]
    if table.baseline is not None:
        raise Mistake(
            f"table {table.title!r}: baseline= goes with rows= of one path; mark a Row instead."
        )
    rows = [
        dataclasses.replace(
            row, where=_conditions(row.where, f"table {table.title!r}, row {row.label!r}:")
        )
        for row in table.rows
    ]
    labels = [row.label for row in rows]
    for label in labels:
        if labels.count(label) > 1:
            raise Mistake(f"table {table.title!r} has two rows {label!r}; label them apart.")
    if sum(row.baseline for row in rows) > 1:
        raise Mistake(f"table {table.title!r} has more than one baseline row; keep one.")
    if not rows:
        raise Mistake(f"table {table.title!r} has no rows; give at least one.")
    return rows


def _named(path: str, value: object) -> tuple[str, dict[str, object], str]:
    """Label, condition and source of the row of one value."""
    slot = PATHS[path].get("slot")
    if slot is None:
        return str(value), {path: value}, ""
    chosen = choose_all(slot, str(value))
    labels = [each.part.label + each.text.removeprefix(each.part.name) for each in chosen]
    sources = dict.fromkeys(each.part.cite for each in chosen)
    return " + ".join(labels), {path: value}, "; ".join(sources)


def _conditions(where: Mapping[str, object], place: str) -> dict[str, object]:
    for path in where:
        check_path(path, f"path in {place}")
    return normalised(where)


def _account(
    table: Table, axes: tuple[Axis, ...], columns: Sequence[str], rows: Sequence[Row]
) -> None:
    """Refuse a table that would average over an axis that nobody named."""
    named = {*columns, *table.where, *table.over, *([table.each] if table.each else [])}
    in_rows = set.intersection(*(set(row.where) for row in rows))
    for axis in axes:
        if len(axis.points) > 1 and not named & set(axis.paths) and not in_rows & set(axis.paths):
            raise Mistake(
                f"table {table.title!r}: axis {' with '.join(map(repr, axis.paths))} is neither a "
                "row, a column, fixed by where=, one table each by each=, nor averaged by over=; "
                "name it in one of them."
            )


def _unique(
    table: Table, under: Sequence[dict], columns: Sequence[str], rows: Sequence[Row]
) -> None:
    """Refuse a row without cells, or with two cells for one replicate of a column."""
    each = [table.each] if table.each else []
    for row in rows:
        seen: dict[tuple, dict] = {}
        for cell in under:
            if not _matches(cell, row.where):
                continue
            place = tuple(cell[path] for path in [*columns, *each, *table.over])
            if place in seen:
                differ = [path for path in cell if cell[path] != seen[place][path]]
                raise Mistake(
                    f"table {table.title!r}, row {row.label!r}: two cells for one place; they "
                    f"differ in {', '.join(differ)}; name it in the row, columns=, where= or over=."
                )
            seen[place] = cell
        if not seen:
            raise Mistake(
                f"table {table.title!r}, row {row.label!r}: no cell has {dict(row.where)}; "
                "name values that stand on the axes."
            )


def _matches(settings: Mapping[str, object], where: Mapping[str, object]) -> bool:
    return all(settings[path] == value for path, value in where.items())
