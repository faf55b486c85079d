"""A resolved experiment: plain data, which a store keeps and everything downstream reads."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, cast

from attn_nlp.experiment.planned import (
    PlannedCell,
    Settings,
    SkippedCell,
    TableSpec,
    TuningSpec,
    labels_among,
)
from attn_nlp.experiment.programs import Programs
from attn_nlp.result.shapes import (
    Misfit,
    fields,
    keyed,
    listed,
    number,
    one_of,
    optional,
    scalar,
    text,
    truth,
    whole,
)

# The shape of `Resolved.as_json`, whichever version wrote it. Fields that every version had are
# required; fields that were added later may be missing.
_SETTINGS = fields(
    {"model": text, "dataset": text, "tokens": text, "seed": whole(), "split_seed": whole()},
    needed=("model", "dataset", "seed", "split_seed"),
    others=scalar,
)
_WHERE = keyed(scalar)
_SPEC = optional(text)
_CELLS = listed(
    fields(
        {
            "spec": _SPEC,
            "settings": _SETTINGS,
            "trial": optional(whole(0)),
            "lost": optional(whole(0)),
        },
        needed=("spec", "settings"),
    )
)
_BY_SEED = fields(
    {"settings": listed(_SETTINGS), "seeds": listed(whole()), "specs": listed(_SPEC)},
    needed=("settings", "seeds", "specs"),
)
_SKIPPED = listed(
    fields({"settings": _WHERE, "reason": text}, needed=("settings", "reason"), others=scalar)
)
_ROW = fields(
    {"label": text, "where": _WHERE, "cite": text, "reference": truth},
    needed=("label", "where", "cite", "reference"),
)
_SPACE = keyed(
    fields({"low": number(), "high": number(), "log": truth}, needed=("low", "high", "log"))
)
_ABOUT = {"budget": whole(1), "space": _SPACE, "seeds": listed(whole())}
_TABLE = fields(
    {
        "title": text,
        "rows": listed(_ROW),
        "columns": listed(text),
        "where": _WHERE,
        "over": listed(text),
        "value": text,
        "margin": optional(number(0)),
        "family": one_of("column", "table"),
        "note": text,
        "tuning": fields(_ABOUT, needed=tuple(_ABOUT)),
    },
    needed=("title", "rows", "columns", "where", "over", "value", "margin", "family", "note"),
)
_TUNING = {**_ABOUT, "draws": listed(keyed(number())), "cells": _CELLS}
_SHAPE = {
    "name": text,
    "question": text,
    "baselines": _CELLS,
    "skipped": _SKIPPED,
    "tables": listed(_TABLE),
    "tuning": optional(fields(_TUNING, needed=tuple(_TUNING))),
}


@dataclass(frozen=True)
class Family:
    """Cells that differ in nothing but their seed and spec.

    Attributes:
      settings: every field by path, under the first seed.
      seeds: one for each cell.
      specs: one for each cell; None while the trials have yet to choose its values.
      trial: of a tuned experiment, the trial that chose the values.
      lost: how many of the trials were lost.
    """

    settings: Settings
    seeds: tuple[int, ...]
    specs: tuple[str | None, ...]
    trial: int | None = None
    lost: int | None = None

    @functools.cached_property
    def cells(self) -> tuple[PlannedCell, ...]:
        """The cells, in the order of their seeds."""
        about: dict[str, Any] = {} if self.trial is None else {"trial": self.trial}
        about |= {} if self.lost is None else {"lost": self.lost}
        cells = [
            {"spec": spec, "settings": self._under(seed), **about}
            for spec, seed in zip(self.specs, self.seeds, strict=True)
        ]
        return tuple(cast("list[PlannedCell]", cells))

    def _under(self, seed: int) -> Settings:
        own = self.settings["seed"] == seed  # the first seed: no copy
        return self.settings if own else {**self.settings, "seed": seed}


def alone(cell: PlannedCell) -> Family:
    """Return the family of a single cell."""
    return _family([cell])


def families_of(cells: Iterable[PlannedCell]) -> tuple[Family, ...]:
    """Return cells as families: by seed if all have the same seeds in turn, else each alone."""
    cells = tuple(cells)
    if len({cell["settings"]["seed"] for cell in cells}) < 2:
        return tuple(map(alone, cells))
    alike: dict[tuple, list[PlannedCell]] = {}
    for cell in cells:
        about = {**cell["settings"], "seed": None}
        alike.setdefault((*about.items(), cell.get("trial"), cell.get("lost")), []).append(cell)
    families = tuple(map(_family, alike.values()))
    if len({family.seeds for family in families}) == 1 and _by_seed(families) == cells:
        return families
    return tuple(map(alone, cells))


def _family(cells: Sequence[PlannedCell]) -> Family:
    return Family(
        cells[0]["settings"],
        tuple(cell["settings"]["seed"] for cell in cells),
        tuple(cell["spec"] for cell in cells),
        cells[0].get("trial"),
        cells[0].get("lost"),
    )


def _by_seed(families: Sequence[Family]) -> tuple[PlannedCell, ...]:
    """Return all cells in the order in which they are run, the first of every family first."""
    return tuple(chain.from_iterable(zip(*(family.cells for family in families), strict=True)))


@dataclass(frozen=True)
class Resolved:
    """An experiment as plain data.

    Attributes:
      name: the file's stem.
      question: the file's docstring.
      families: the cells, by what they share. Either all families have the same seeds, or each
        is a single cell.
      baselines: the simple models on every dataset that the cells use.
      skipped: combinations that are left out.
      tables: one entry for each value of `Table.each`.
      tuning: the trials of a tuned experiment, or None.
      programs: what follows from the shapes of the cells, worked out once.
    """

    name: str
    question: str
    families: tuple[Family, ...]
    baselines: tuple[PlannedCell, ...]
    skipped: tuple[SkippedCell, ...]
    tables: tuple[TableSpec, ...]
    tuning: TuningSpec | None = None
    programs: Programs = field(default_factory=Programs, compare=False, repr=False)

    @functools.cached_property
    def cells(self) -> tuple[PlannedCell, ...]:
        """The cells in run order: all cells for the first seed, then for the second, and so on."""
        return _by_seed(self.families)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of every family; () if families differ in them."""
        seeds = {family.seeds for family in self.families}
        return seeds.pop() if len(seeds) == 1 else ()

    @property
    def trials(self) -> Sequence[PlannedCell]:
        """The trials of a tuned experiment; () for another one."""
        return self.tuning["cells"] if self.tuning else ()

    @property
    def runnable(self) -> tuple[PlannedCell, ...]:
        """Every cell that can be run: baselines, trials, and the cells whose values are known."""
        known = [cell for cell in self.cells if cell["spec"] is not None]
        return (*self.baselines, *self.trials, *known)

    @property
    def open(self) -> tuple[PlannedCell, ...]:
        """The cells whose values the trials have yet to choose."""
        return tuple(cell for cell in self.cells if cell["spec"] is None)

    @functools.cached_property
    def wanted(self) -> dict[str, Settings]:
        """Settings of every runnable cell by spec, in the order of running: baselines first.

        Of a tuned experiment the trials are among them, and the cells that `settle` has given
        values.
        """
        return {cell["spec"]: cell["settings"] for cell in self.runnable}

    @functools.cached_property
    def label(self) -> Callable[[Mapping[str, Any]], str]:
        """A function that names a cell by its model and the settings in which the cells differ."""
        return labels_among(cell["settings"] for cell in (*self.cells, *self.trials))

    def as_json(self) -> dict[str, Any]:
        """Return plain lists and dictionaries; settings that seeds share are written once."""
        cells: object = list(self.cells)
        if self.seeds and self.tuning is None:
            cells = {
                "settings": [family.settings for family in self.families],
                "seeds": list(self.seeds),
                "specs": [cell["spec"] for cell in self.cells],
            }
        return {
            "name": self.name,
            "question": self.question,
            "cells": cells,
            "baselines": list(self.baselines),
            "skipped": list(self.skipped),
            "tables": list(self.tables),
            "tuning": self.tuning,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Resolved:
        """Return the inverse of `as_json`, also of cells that are listed one by one.

        Raises:
          Misfit: the value is not of that shape.
        """
        _check(value)
        cells = value["cells"]
        if isinstance(cells, Mapping):
            seeds, shared = tuple(cells["seeds"]), cells["settings"]
            families = tuple(
                Family(settings, seeds, tuple(cells["specs"][at :: len(shared)]))
                for at, settings in enumerate(shared)
            )
        else:
            families = families_of(cells)
        return cls(
            name=value["name"],
            question=value["question"],
            families=families,
            baselines=tuple(value["baselines"]),
            skipped=tuple(value["skipped"]),
            tables=tuple(value["tables"]),
            tuning=value.get("tuning"),
        )


def _check(value: object) -> None:
    """Reject another shape, and paths or trials that do not exist."""
    cells = value.get("cells") if isinstance(value, Mapping) else None
    by_seed = isinstance(cells, Mapping)
    shape = {**_SHAPE, "cells": _BY_SEED if by_seed else _CELLS}
    fields(shape, needed=tuple(name for name in shape if name != "tuning"))(value, "it")
    assert isinstance(value, Mapping)
    assert cells is not None
    if not (cells["specs"] if by_seed else cells) and not value.get("tuning"):  # all may be lost
        raise Misfit("it.cells", cells, "at least one cell")
    if by_seed and len(cells["specs"]) != len(cells["settings"]) * len(cells["seeds"]):
        raise Misfit("it.cells.specs", cells["specs"], "one for every setting and seed")
    tuning = value.get("tuning")
    trials = tuning["cells"] if tuning else ()
    shared = cells["settings"] if by_seed else [cell["settings"] for cell in cells]
    every = [*shared, *(cell["settings"] for cell in (*trials, *value["baselines"]))]
    for position, table in enumerate(value["tables"]):
        paths = {*table["columns"], *table["over"], *table["where"]}
        paths |= set(chain.from_iterable(row["where"] for row in table["rows"]))
        for settings in every:
            if not paths <= settings.keys():
                missing = min(paths - settings.keys())
                raise Misfit(f"it.tables[{position}]", missing, "paths that every cell has")
    for cell in trials:
        if cell.get("trial", -1) not in range(len(tuning["draws"] if tuning else ())):
            raise Misfit("it.tuning.cells", cell.get("trial"), "the number of a draw")
