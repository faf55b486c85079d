"""A resolved experiment: plain data, which a store keeps and everything downstream reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from attn_nlp.shapes import (
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

# The shape of `Resolved.as_json`, whoever wrote it. What a cell always had must be there; fields
# that came later may be missing.
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
class Resolved:
    """An experiment as plain data, equal to its JSON.

    Attributes:
      name: the file's stem.
      question: the file's docstring.
      cells: {"spec", "settings": every field by path}, in the order in which they are run. Of a
        tuned experiment the spec is None while the trials have not ended, and then "trial" and
        "lost" are there: the chosen trial, and how many lost.
      baselines: the same for the honest baseline on every dataset that the cells use.
      skipped: {"settings", "reason"}.
      tables: {"title", "rows": [{"label", "where", "cite", "reference"}], "columns": [path],
        "where", "over": [path], "value", "margin", "family", "note"}; one entry for each value
        of `each`; of a tuned experiment with "tuning": {"budget", "space", "seeds"}.
      tuning: of a tuned experiment {"budget", "space": {path: {"low", "high", "log"}}, "seeds",
        "draws": [{path: value}], "cells": [{"spec", "settings", "trial": number}]}.
      seeds: where given, the cells are the same ones under each of these seeds in turn and differ
        in nothing but seed and spec; of many seeds a table then looks at one. () promises nothing.
    """

    name: str
    question: str
    cells: tuple[dict, ...]
    baselines: tuple[dict, ...]
    skipped: tuple[dict, ...]
    tables: tuple[dict, ...]
    tuning: dict | None = None
    seeds: tuple[int, ...] = ()

    @property
    def families(self) -> list[tuple[dict, ...]]:
        """The cells that differ in nothing but their seed, together; each alone where unknown."""
        if not self.seeds:
            return [(cell,) for cell in self.cells]
        apart = len(self.cells) // len(self.seeds)
        return [self.cells[place::apart] for place in range(apart)]

    @property
    def runnable(self) -> tuple[dict, ...]:
        """Every cell that can be run: baselines, trials, and the cells whose values are known."""
        trials = self.tuning["cells"] if self.tuning else ()
        known = [cell for cell in self.cells if cell["spec"] is not None]
        return (*self.baselines, *trials, *known)

    @property
    def open(self) -> tuple[dict, ...]:
        """The cells whose values the trials have yet to choose."""
        return tuple(cell for cell in self.cells if cell["spec"] is None)

    def as_json(self) -> dict:
        """Plain lists and dictionaries; settings that many seeds share are written once."""
        names = [each.name for each in dataclasses.fields(self) if each.name != "seeds"]
        plain = {name: _listed(getattr(self, name)) for name in names}
        if self.seeds:
            plain["cells"] = {
                "settings": [cells[0]["settings"] for cells in self.families],
                "seeds": list(self.seeds),
                "specs": [cell["spec"] for cell in self.cells],
            }
        return plain

    @classmethod
    def from_json(cls, value: Mapping) -> Resolved:
        """The inverse of `as_json`.

        Raises:
          Misfit: the value is not of that shape.
        """
        _check(value)
        plain: dict[str, Any] = {
            key: tuple(v) if isinstance(v, list) else v for key, v in value.items()
        }
        if isinstance(plain["cells"], Mapping):
            shared, seeds = plain["cells"]["settings"], plain["cells"]["seeds"]
            under_all = ({**settings, "seed": seed} for seed in seeds for settings in shared)
            plain["cells"] = tuple(
                {"spec": spec, "settings": settings}
                for spec, settings in zip(plain["cells"]["specs"], under_all, strict=True)
            )
            plain["seeds"] = tuple(seeds)
        return cls(**plain)


def _check(value: object) -> None:
    """The shape of an experiment, and that it names no path and no trial which is not there."""
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
    found = cells["settings"] if by_seed else [cell["settings"] for cell in cells]
    settings = [*found, *(cell["settings"] for cell in (*trials, *value["baselines"]))]
    for place, table in enumerate(value["tables"]):
        paths = {*table["columns"], *table["over"], *table["where"]}
        paths |= set(chain.from_iterable(row["where"] for row in table["rows"]))
        for each in settings:
            if not paths <= each.keys():
                missing = min(paths - each.keys())
                raise Misfit(f"it.tables[{place}]", missing, "paths that every cell has")
    for cell in trials:
        if cell.get("trial", -1) not in range(len(tuning["draws"] if tuning else ())):
            raise Misfit("it.tuning.cells", cell.get("trial"), "the number of a draw")


def _listed(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
