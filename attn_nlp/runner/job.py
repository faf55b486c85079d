"""One cell on its way to a worker, and the signal that makes a worker let go of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class Stopped(BaseException):
    """The run was asked to stop; the cell is abandoned and nothing of it is stored.

    It is no `Exception`, so that a model's own handlers let it pass.
    """


@dataclass(frozen=True)
class Job:
    """A cell with its data at hand; plain values, equal to its JSON.

    Attributes:
      spec: the cell's identity.
      settings: every field by path.
      prepared: the folder of the prepared data.
      program: names the compiled program; equal for cells that share one.
      round: place of the cell's seed among the seeds, from 0.
      seconds: what training it is predicted to take; equal for cells that share a program.
      label: what progress shows.
      planned: when the experiment file was run for the plan, in seconds of the clock.
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
    """Whether a cell that says so has trained anything; before its first step it only compiles."""
    return progress.get("step", 0) > 0
