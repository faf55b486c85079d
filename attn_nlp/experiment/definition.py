"""An experiment: base cell, axes and tables, checked where they are written.

`Experiment.resolve` turns it into plain data: families of cells with their specs, and tables that
account for every axis. Everything downstream, from the plan to the printed table, reads that plain
data, so that a table can be rebuilt from a store without the file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, cycle
from typing import Any

from attn_nlp.errors import UserError
from attn_nlp.experiment import checks
from attn_nlp.experiment.accounting import checked, plain_tables
from attn_nlp.experiment.axes import Axis, Skip, check_size, product
from attn_nlp.experiment.cell import Cell, flatten, unflatten
from attn_nlp.experiment.data_key import data_key
from attn_nlp.experiment.grid import Grid
from attn_nlp.experiment.identity import baseline_cell, spec_of
from attn_nlp.experiment.planned import Settings, SkippedCell
from attn_nlp.experiment.programs import Programs
from attn_nlp.experiment.resolved import Family, Resolved, families_of
from attn_nlp.experiment.table import Table
from attn_nlp.experiment.tuning import Tuning, with_trials, without_tuned
from attn_nlp.parts.registry import parts

_FORMS = {
    "base": checks.made_by(Cell, "base=Cell(heads=4)"),
    "axes": checks.several(
        checks.made_by(
            Axis,
            "vary('heads', 1, 4)",
            str="give its values: vary('heads', 1, 4).",
            dict="give vary('heads', 1, 4), or together({...}, {...}).",
            Skip="put it into skips=[...].",
        ),
        "axes=[vary('heads', 1, 4)]",
        alone=Axis,
    ),
    "tables": checks.several(
        checks.made_by(Table, "Table('title', rows='heads')"),
        "tables=[Table(...)]",
        alone=Table,
    ),
    "skips": checks.several(
        checks.made_by(Skip, "skip('reason', when={'heads': 4})"), "skips=[skip(...)]", alone=Skip
    ),
    "tuning": checks.maybe(
        checks.made_by(Tuning, "tuning=Tuning()", int="give tuning=Tuning(budget=16).")
    ),
}


@dataclass(frozen=True)
class Experiment:
    """The cells to run and the tables to make of them; `resolve` checks them.

    With `tuning` every row is tuned with the same budget; otherwise all have the same settings.
    """

    base: Cell
    axes: Sequence[Axis]
    tables: Sequence[Table]
    skips: Sequence[Skip] = ()
    tuning: Tuning | None = None

    def __post_init__(self) -> None:
        checks.check_fields(self, "Experiment(...)", _FORMS)

    def resolve(self, name: str, question: str, *, partial: bool = False) -> Resolved:
        """Return the experiment as plain data.

        Args:
          name: what the store and the command line call it.
          question: the file's docstring.
          partial: leave out table rows without any cell, which options may have emptied;
            otherwise such a row is an error.

        Raises:
          UserError: a setting, an axis or a table is inconsistent; the message says where.
        """
        if not self.tables:
            raise UserError(f"experiment {name!r} has no table; give at least one.")
        if self.tuning is not None:
            axes, tables = without_tuned(self.axes, self.tables, self.tuning)
            plain = dataclasses.replace(self, axes=axes, tables=tables, tuning=None)
            return with_trials(plain.resolve(name, question, partial=partial), self.tuning)
        axes = tuple(self.axes)
        check_size(axes)
        # An error in a table is reported before a million cells are made.
        grid = Grid(self.base, axes)
        asked = [kept for table in self.tables if (kept := checked(table, grid, partial))]
        # Only the axis of seeds is long, and a seed decides nothing but itself: cells that differ
        # in nothing else are checked as one.
        one_seed, seeds = (
            (axes, None) if any("seed" in s.when for s in self.skips) else _apart(axes)
        )
        families: Sequence[Family] = []
        programs = Programs()
        skipped: list[SkippedCell] = []
        of_data: dict[tuple, Settings] = {}
        for settings in product(self.base, one_seed):
            reason = next((skip.reason for skip in self.skips if skip.covers(settings)), None)
            if reason is not None:
                skipped.append({"settings": settings, "reason": reason})
                continue
            # Values are checked on their axes; only their shape can make a combination invalid.
            own_seeds: tuple[Any, ...] = seeds or (settings["seed"],)
            specs = programs.specs(settings, own_seeds)
            families.append(Family(settings, own_seeds, tuple(specs)))
            of_data[data_key(settings)] = settings
        if seeds is None and any("seed" in axis.paths for axis in axes):
            families = families_of(chain.from_iterable(family.cells for family in families))
        if not families:
            raise UserError(f"experiment {name!r} has no cell left after its skips.")
        everything = [family.settings for family in families]
        everything += [cell["settings"] for cell in skipped]
        tables = [plain for table in asked for plain in plain_tables(table, everything, seeds)]
        if not tables:
            raise UserError(f"with these options no table of {name!r} has any row left.")
        return Resolved(
            name=name,
            question=question,
            families=tuple(families),
            baselines=tuple(
                {"spec": spec_of(cell), "settings": flatten(cell)}
                for cell in _baselines(map(unflatten, of_data.values()))
            ),
            skipped=tuple(
                {"settings": settings, "reason": cell["reason"]}
                for settings, cell in zip(
                    _under_all(seeds, [cell["settings"] for cell in skipped]),
                    cycle(skipped),
                    strict=False,
                )
            ),
            tables=tuple(tables),
            programs=programs,
        )


def _apart(axes: tuple[Axis, ...]) -> tuple[tuple[Axis, ...], tuple[Any, ...] | None]:
    """Return the axes with only the first seed, and all seeds, or None without an axis of seeds."""
    seeds = next((axis.values("seed") for axis in axes if axis.paths == ("seed",)), None)
    return tuple(Axis(a.points[:1]) if a.paths == ("seed",) else a for a in axes), seeds


def _under_all(seeds: Sequence[Any] | None, cells: Sequence[dict]) -> Sequence[dict]:
    """Return the settings of cells under one seed after another, or as they are without seeds."""
    if seeds is None:
        return cells
    return [{**settings, "seed": seed} for seed in seeds for settings in cells]


def _baselines(cells: Iterable[Cell]) -> list[Cell]:
    """Return the baselines for cells of different data."""
    baselines = [part.name for part in parts("model") if part.facts.get("baseline")]
    return [baseline_cell(name, cell) for cell in cells for name in baselines]
