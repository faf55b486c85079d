"""The layout of a table: which cells belong to which row, column and replicate.

In: a table and the cells of a resolved experiment, as plain data. Out: for every row and column
the planned cells by replicate. No result is read here, so a plan can use it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from attn_nlp.errors import UserError
from attn_nlp.experiment.planned import PlannedCell, RowSpec, Settings, TableSpec
from attn_nlp.experiment.resolved import Family, Resolved, alone
from attn_nlp.wording import plural


@dataclass
class PlannedEntry:
    """The plan for one row in one column: cells by their values at `over`, and reasons for skips.

    Folds are not replicates: they share their training rows. If `over` has the fold, a replicate
    is all folds of a seed, and its number is their mean. `settings` has one item for cells that
    differ only in their seed.
    """

    cells: dict[tuple, PlannedCell] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    fold_at: int | None = None
    settings: list[Settings] = field(default_factory=list)

    def replicates(self) -> dict[tuple, list[PlannedCell]]:
        """Return the planned cells of every replicate: one, or one for every fold."""
        return self._replicates

    def replicate_keys(self) -> Mapping[tuple, object]:
        """Return the replicates alone, for membership tests."""
        return self.cells if self.fold_at is None else self._replicates

    @functools.cached_property
    def specs(self) -> tuple[str, ...]:
        """The spec of every planned cell."""
        return tuple([cell["spec"] for cell in self.cells.values()])

    @functools.cached_property
    def once(self) -> bool:
        """True if one run serves several replicates, as a baseline does for all seeds."""
        known = [spec for spec in self.specs if spec is not None]  # the others wait for trials
        return len({*known}) < len(known)

    def alone(self) -> PlannedEntry:
        """Return the same plan with every run once."""
        first: dict[str, tuple[tuple, PlannedCell]] = {}
        for key, cell in self.cells.items():
            first.setdefault(cell["spec"], (key, cell))
        return PlannedEntry(dict(first.values()), self.skipped, self.fold_at, self.settings)

    @functools.cached_property
    def _replicates(self) -> dict[tuple, list[PlannedCell]]:
        if self.fold_at is None:
            return {key: [cell] for key, cell in self.cells.items()}
        by_replicate: dict[tuple, list[PlannedCell]] = {}
        for key, cell in self.cells.items():
            replicate = (*key[: self.fold_at], *key[self.fold_at + 1 :])
            by_replicate.setdefault(replicate, []).append(cell)
        return by_replicate


@dataclass(frozen=True)
class Layout:
    """The planned entries of a table.

    Attributes:
      columns: values at the table's column paths, columns of one outermost value together.
      entries: by number of the row and values of the column.
      reference: number of the reference row, or None.
    """

    columns: tuple[tuple, ...]
    entries: Mapping[tuple[int, tuple], PlannedEntry]
    reference: int | None

    @property
    def folded(self) -> bool:
        """True if a replicate is all folds of a seed."""
        return any(planned.fold_at is not None for planned in self.entries.values())

    def entry(self, row: int, column: tuple) -> PlannedEntry:
        """Return the plan for a row in a column; empty if the experiment has no such cell."""
        return self.entries.get((row, column)) or PlannedEntry()

    def settings(self, column: tuple | None = None) -> list[Settings]:
        """Return the settings of all planned cells, or of those in one column.

        Cells that differ only in their seed are represented by one of them.
        """
        return [
            settings
            for (_, where), planned in self.entries.items()
            if column in (None, where)
            for settings in planned.settings
        ]

    def pairs(self, row: int, column: tuple) -> list[tuple]:
        """Return the replicates that are planned for both a row and the reference."""
        return self._pairs.get((row, column), [])

    @functools.cached_property
    def _pairs(self) -> dict[tuple[int, tuple], list[tuple]]:
        if self.reference is None:
            return {}
        baselines = {c: self.entry(self.reference, c).replicate_keys() for c in self.columns}
        return {
            (row, column): [
                replicate
                for replicate in planned.replicate_keys()
                if replicate in baselines[column]
            ]
            for (row, column), planned in self.entries.items()
            if row != self.reference and not planned.once
        }

    def families(self, table: TableSpec) -> list[list[tuple[int, tuple]]]:
        """Return the families of comparisons, (row, column) each, that share one correction."""
        by_column = [
            [(row, column) for row in range(len(table["rows"])) if self.pairs(row, column)]
            for column in self.columns
        ]
        if table["family"] == "table":
            by_column = [list(chain.from_iterable(by_column))]
        return [family for family in by_column if family]


def lay_out(table: TableSpec, resolved: Resolved) -> Layout:
    """Return the layout of a table, from what the experiment plans.

    Columns are in the order in which their values first appear in the cells, level by level; a
    combination that is always skipped keeps its column and prints the reason.

    Raises:
      UserError: two cells for the same replicate of an entry.
    """
    paths, over, rows = table["columns"], table["over"], table["rows"]
    entries: dict[tuple[int, tuple], PlannedEntry] = {}
    unordered: dict[tuple, None] = {}
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
            unordered.setdefault(column)
            planned = entries.setdefault((number, column), PlannedEntry(fold_at=fold_at))
            if isinstance(group, Family):
                planned.settings.append(settings)
                grouped.setdefault((number, column), []).append(group)
            else:
                planned.skipped.append(group["reason"])
    for (number, column), of_entry in grouped.items():
        keys = [_replicates(family, over) for family in of_entry]
        cells = [family.cells for family in of_entry]
        filled = entries[number, column].cells
        # Seed by seed, as the cells are run.
        in_turn = (chain(*zip(*of_families, strict=True)) for of_families in (keys, cells))
        filled.update(zip(*in_turn, strict=True))
        if len(filled) < sum(map(len, cells)):
            raise UserError(
                f"table {table['title']!r}, row {rows[number]['label']!r}: several cells fall into "
                "one table entry; name the settings that differ in the row, columns=, "
                "where=, or over=."
            )
    first = [list(dict.fromkeys(column[i] for column in unordered)) for i in range(len(paths))]
    columns = sorted(
        unordered, key=lambda column: [first[i].index(v) for i, v in enumerate(column)]
    )
    reference = next((number for number, row in enumerate(rows) if row["reference"]), None)
    return Layout(tuple(columns), entries, reference)


def _replicates(family: Family, over: Sequence[str]) -> Sequence[tuple]:
    """Return the values at `over` of cells that differ only in their seed."""
    first = tuple(family.settings[path] for path in over)
    if "seed" not in over:
        return [first] * len(family.seeds)
    at = over.index("seed")
    return [(*first[:at], seed, *first[at + 1 :]) for seed in family.seeds]


def _rows_of(rows: Sequence[RowSpec]) -> Callable[[Settings], list[int]]:
    """Return a function from a cell's settings to the numbers of its rows, by lookup."""
    by_paths: dict[tuple[str, ...], dict[tuple, list[int]]] = {}
    for number, row in enumerate(rows):
        by_values = by_paths.setdefault(tuple(row["where"]), {})
        by_values.setdefault(tuple(row["where"].values()), []).append(number)

    def numbers_of(settings: Settings) -> list[int]:
        numbers: list[int] = []
        for paths, by_values in by_paths.items():
            numbers += by_values.get(tuple([settings[path] for path in paths]), ())
        return numbers if len(by_paths) == 1 else sorted(numbers)

    return numbers_of


def matches(settings: Mapping[str, object], where: Mapping[str, object]) -> bool:
    """Return True if settings have the given value at every given path."""
    return all(settings[path] == value for path, value in where.items())


def once_each(tables: Sequence[TableSpec]) -> list[TableSpec]:
    """Return tables without those that differ from an earlier one only in the number they show."""
    kept: dict[str, TableSpec] = {}
    for table in tables:
        kept.setdefault(str([table[key] for key in ("rows", "columns", "where", "over")]), table)
    return list(kept.values())


def replicates(over: Sequence[str], count: int) -> str:
    """Return a number of replicates in words.

    Example:
      >>> replicates(["seed"], 10), replicates(["seed", "split_seed"], 1)
      ('10 seeds', '1 replicate (seed × split_seed)')
    """
    over = [path for path in over if path != "fold"]
    if over == ["seed"]:
        return plural(count, "seed")
    return plural(count, "replicate") + (f" ({' × '.join(over)})" if over else "")
