"""Which cells stand where: the rows, columns and replicates of a table.

In: a table and the cells of a resolved experiment, as plain data. Out: for every row and column
the planned cells by replicate. No result is read here, so that a plan can be made from it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from attn_nlp.errors import UserError
from attn_nlp.experiment.planned import PlannedCell, RowSpec, Settings, TableSpec
from attn_nlp.experiment.resolved import Family, Resolved, alone


@dataclass
class Place:
    """One row in one column: planned cells by their values at `over`, and why some are left out.

    Folds are no replicates: they share their training rows. Where `over` has the fold, a replicate
    is all folds of a seed, and its number is their mean. `settings` has one entry for cells that
    differ in nothing but their seed.
    """

    cells: dict[tuple, PlannedCell] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    fold_at: int | None = None
    settings: list[Settings] = field(default_factory=list)

    def replicates(self) -> dict[tuple, list[PlannedCell]]:
        """The planned cells of every replicate: one, or one for every fold."""
        return self._replicates

    def replicate_keys(self) -> Mapping[tuple, object]:
        """The replicates alone, for looking up."""
        return self.cells if self.fold_at is None else self._replicates

    @functools.cached_property
    def specs(self) -> tuple[str, ...]:
        """The spec of every planned cell."""
        return tuple([cell["spec"] for cell in self.cells.values()])

    @functools.cached_property
    def once(self) -> bool:
        """Return whether one run serves several replicates, as a baseline does for all seeds."""
        known = [spec for spec in self.specs if spec is not None]  # the others wait for trials
        return len({*known}) < len(known)

    def alone(self) -> Place:
        """The place with every run once."""
        first: dict[str, tuple[tuple, PlannedCell]] = {}
        for key, cell in self.cells.items():
            first.setdefault(cell["spec"], (key, cell))
        return Place(dict(first.values()), self.skipped, self.fold_at, self.settings)

    @functools.cached_property
    def _replicates(self) -> dict[tuple, list[PlannedCell]]:
        if self.fold_at is None:
            return {key: [cell] for key, cell in self.cells.items()}
        found: dict[tuple, list[PlannedCell]] = {}
        for key, cell in self.cells.items():
            replicate = (*key[: self.fold_at], *key[self.fold_at + 1 :])
            found.setdefault(replicate, []).append(cell)
        return found


@dataclass(frozen=True)
class Layout:
    """The places of a table.

    Attributes:
      columns: values at the table's column paths, columns of one outermost value together.
      places: by number of the row and column.
      reference: number of the reference row, or None.
    """

    columns: tuple[tuple, ...]
    places: Mapping[tuple[int, tuple], Place]
    reference: int | None

    @property
    def folded(self) -> bool:
        """Whether a replicate is all folds of a seed."""
        return any(place.fold_at is not None for place in self.places.values())

    def place(self, row: int, column: tuple) -> Place:
        """The place of a row in a column; empty where the experiment has no such cell."""
        return self.places.get((row, column)) or Place()

    def settings(self, column: tuple | None = None) -> list[Settings]:
        """The settings of all planned cells, or of those in one column.

        Of cells that differ in nothing but their seed, one stands for all.
        """
        return [
            settings
            for (_, where), place in self.places.items()
            if column in (None, where)
            for settings in place.settings
        ]

    def pairs(self, row: int, column: tuple) -> list[tuple]:
        """The replicates that are planned for both a row and the reference; none of a baseline."""
        return self._pairs.get((row, column), [])

    @functools.cached_property
    def _pairs(self) -> dict[tuple[int, tuple], list[tuple]]:
        if self.reference is None:
            return {}
        baselines = {c: self.place(self.reference, c).replicate_keys() for c in self.columns}
        return {
            (row, column): [each for each in place.replicate_keys() if each in baselines[column]]
            for (row, column), place in self.places.items()
            if row != self.reference and not place.once
        }

    def families(self, table: TableSpec) -> list[list[tuple[int, tuple]]]:
        """The declared comparisons, (row, column) each, that share one correction."""
        by_column = [
            [(row, column) for row in range(len(table["rows"])) if self.pairs(row, column)]
            for column in self.columns
        ]
        if table["family"] == "table":
            by_column = [list(chain.from_iterable(by_column))]
        return [family for family in by_column if family]


def lay_out(table: TableSpec, resolved: Resolved) -> Layout:
    """The places of a table, from what the experiment plans.

    Columns stand in the order in which their values first appear in the cells, level by level;
    a combination that is always skipped keeps its column and prints the reason.

    Raises:
      UserError: two cells for one replicate of a place.
    """
    paths, over, rows = table["columns"], table["over"], table["rows"]
    places: dict[tuple[int, tuple], Place] = {}
    found: dict[tuple, None] = {}
    fold_at = over.index("fold") if "fold" in over else None
    rows_of = _rows_of(rows)
    reads_seeds = "seed" in chain(paths, table["where"], *(row["where"] for row in rows))
    grouped: dict[tuple[int, tuple], list[Family]] = {}
    families = map(alone, resolved.cells) if reads_seeds else resolved.families
    for group in chain(families, resolved.skipped):
        settings = group.settings if isinstance(group, Family) else group["settings"]
        if not matches(settings, table["where"]):
            continue
        column = tuple(settings[path] for path in paths)
        for number in rows_of(settings):
            found.setdefault(column)
            place = places.setdefault((number, column), Place(fold_at=fold_at))
            if isinstance(group, Family):
                place.settings.append(settings)
                grouped.setdefault((number, column), []).append(group)
            else:
                place.skipped.append(group["reason"])
    for (number, column), of_place in grouped.items():
        keys = [_replicates(family, over) for family in of_place]
        cells = [family.cells for family in of_place]
        filled = places[number, column].cells
        # Seed by seed, as the cells are run.
        in_turn = (chain(*zip(*each, strict=True)) for each in (keys, cells))
        filled.update(zip(*in_turn, strict=True))
        if len(filled) < sum(map(len, cells)):
            raise UserError(
                f"table {table['title']!r}, row {rows[number]['label']!r}: two cells for one "
                "place; name what they differ in, in the row, columns=, where= or over=."
            )
    first = [list(dict.fromkeys(column[i] for column in found)) for i in range(len(paths))]
    columns = sorted(found, key=lambda column: [first[i].index(v) for i, v in enumerate(column)])
    reference = next((number for number, row in enumerate(rows) if row["reference"]), None)
    return Layout(tuple(columns), places, reference)


def _replicates(family: Family, over: Sequence[str]) -> Sequence[tuple]:
    """Return the values at `over` of cells that differ in nothing but their seed."""
    first = tuple(family.settings[path] for path in over)
    if "seed" not in over:
        return [first] * len(family.seeds)
    at = over.index("seed")
    return [(*first[:at], seed, *first[at + 1 :]) for seed in family.seeds]


def _rows_of(rows: Sequence[RowSpec]) -> Callable[[Settings], list[int]]:
    """What says which rows a cell belongs to: looked up by the values at each row's paths."""
    by_paths: dict[tuple[str, ...], dict[tuple, list[int]]] = {}
    for number, row in enumerate(rows):
        by_values = by_paths.setdefault(tuple(row["where"]), {})
        by_values.setdefault(tuple(row["where"].values()), []).append(number)

    def found(settings: Settings) -> list[int]:
        numbers: list[int] = []
        for paths, by_values in by_paths.items():
            numbers += by_values.get(tuple([settings[path] for path in paths]), ())
        return numbers if len(by_paths) == 1 else sorted(numbers)

    return found


def matches(settings: Mapping[str, object], where: Mapping[str, object]) -> bool:
    """Whether settings have the given value at every given path."""
    return all(settings[path] == value for path, value in where.items())


def once_each(tables: Sequence[TableSpec]) -> list[TableSpec]:
    """Tables of the same cells once: those that differ in the number they show stand as one."""
    found: dict[str, TableSpec] = {}
    for table in tables:
        found.setdefault(str([table[key] for key in ("rows", "columns", "where", "over")]), table)
    return list(found.values())


def replicates(over: Sequence[str], count: int) -> str:
    """A number of replicates in words.

    Example:
      >>> replicates(["seed"], 10), replicates(["seed", "split_seed"], 1)
      ('10 seeds', '1 replicate (seed × split_seed)')
    """
    over = [path for path in over if path != "fold"]
    if over == ["seed"]:
        return plural(count, "seed")
    return plural(count, "replicate") + (f" ({' × '.join(over)})" if over else "")


def plural(count: int, noun: str) -> str:
    """A count with its noun.

    Example:
      >>> plural(1, "step"), plural(3000, "step")
      ('1 step', '3,000 steps')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
