"""A resolved experiment: plain data, which a store keeps and everything downstream reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Resolved:
    """An experiment as plain data, equal to its JSON.

    Attributes:
      name: the file's stem.
      question: the file's docstring.
      cells: {"spec", "settings": every field by path}, in the order in which they are run. Of a
        tuned experiment the spec is None while the trials have not ended, and then "trial" and
        "lost" are there: the chosen trial, and how many lost.
      floors: the same for the honest floor on every dataset that the cells use.
      skipped: {"settings", "reason"}.
      tables: {"title", "rows": [{"label", "where", "cite", "baseline"}], "columns": [path],
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
    floors: tuple[dict, ...]
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
        """Every cell that can be run: floors, trials, and the cells whose values are known."""
        trials = self.tuning["cells"] if self.tuning else ()
        known = [cell for cell in self.cells if cell["spec"] is not None]
        return (*self.floors, *trials, *known)

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
        """The inverse of `as_json`."""
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


def _listed(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
