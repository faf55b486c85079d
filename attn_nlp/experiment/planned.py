"""Plain data that leaves `Experiment.resolve`: what a store keeps and what every table reads.

Each type is a dictionary that equals its JSON. `resolved.py` checks the dictionaries of a stored
experiment when it reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NotRequired, TypedDict

Settings = dict[str, Any]  # every field of a cell by path


class PlannedCell(TypedDict):
    """A cell of an experiment.

    Attributes:
      spec: its identity. An open cell, whose values the trials have yet to choose, has None here:
        no record is found by it, so that only `Resolved.open` and what counts it ask.
      settings: every field by path.
    """

    spec: str
    settings: Settings


class TrialCell(PlannedCell):
    """A trial of a tuned experiment, with its number; no record of it is of the test split."""

    trial: int


class ChosenCell(TrialCell):
    """A cell with the values of a trial that was chosen, and how many other trials were lost."""

    lost: int


class SkippedCell(TypedDict):
    """A combination of settings that is left out, and why."""

    settings: Settings
    reason: str


class RowSpec(TypedDict):
    """A row of a table: its label, the settings that pick its cells, and its source."""

    label: str
    where: Settings
    cite: str
    reference: bool


class SpanSpec(TypedDict):
    """An interval from which trials draw the values of one setting."""

    low: float
    high: float
    log: bool


class ProtocolSpec(TypedDict):
    """How the rows of a table were tuned: trials of each setting, their space and their seeds."""

    budget: int
    space: dict[str, SpanSpec]
    seeds: list[int]


class TuningSpec(ProtocolSpec):
    """The trials of a tuned experiment: the values that each one draws, and their cells."""

    draws: list[dict[str, float]]
    cells: list[TrialCell]


class TableSpec(TypedDict):
    """A table of an experiment; `Table` describes its fields.

    Attributes:
      tuning: of a tuned experiment, how.
    """

    title: str
    rows: list[RowSpec]
    columns: list[str]
    where: Settings
    over: list[str]
    value: str
    margin: float | None
    family: str
    note: str
    tuning: NotRequired[ProtocolSpec]


def labels_among(cells: Iterable[Mapping[str, Any]]) -> Callable[[Mapping[str, Any]], str]:
    """Return what names a cell by its model and by the settings in which these cells differ.

    Args:
      cells: their settings.
    """
    seen: dict[str, set] = {}
    for settings in cells:
        for path, value in settings.items():
            seen.setdefault(path, set()).add(value)
    varied = [path for path, values in seen.items() if len(values) > 1 and path != "model"]

    def label(settings: Mapping[str, Any]) -> str:
        named = [
            f"{path.rpartition('.')[2]}={settings[path]}" for path in varied if path in settings
        ]
        return " ".join([str(settings.get("model", "cell")), *named])

    return label
