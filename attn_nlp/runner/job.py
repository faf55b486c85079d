"""A cell to be trained, as it is sent to a worker, and the exception that stops its training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class Stopped(BaseException):
    """The run was asked to stop: the cell is abandoned and nothing of it is stored.

    It is not an `Exception`, so that handlers in a model do not catch it.
    """


@dataclass(frozen=True)
class Job:
    """A cell whose data is prepared; plain values, which survive a round trip through JSON.

    Attributes:
      spec: the cell's identity.
      settings: every field by path.
      prepared: the folder of the prepared data.
      program: the name of the compiled program; cells with one name share a program.
      round: index of the cell's seed among the seeds, from 0.
      seconds: predicted training time; equal for cells that share a program.
      label: the name of the cell in progress messages.
      planned: when the experiment file was run for the plan, in seconds since the epoch.
      keep: the folder for checkpoints of the cell; "" for none.
    """

    spec: str
    settings: dict[str, object]
    prepared: str
    program: str
    round: int = 0
    seconds: float = 0.0
    label: str = ""
    planned: float = 0.0
    keep: str = ""


def is_training(progress: Mapping[str, int]) -> bool:
    """Return whether a cell with this progress has trained; before its first step it compiles."""
    return progress.get("step", 0) > 0
