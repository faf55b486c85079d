"""Where the cells ran: what all of them share, and in what they differ.

Two results agree bit for bit only within one environment, so a table or a report that mixes them
says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Environments:
    """The environments of some records.

    Attributes:
      shared: (name, value) that every cell has in common, by name.
      groups: (cells, what sets them apart), the largest first; one without anything where all
        cells ran alike, none where nothing ran.
      first, last: when the first and the last cell finished, ISO 8601; "" where nothing ran.
      seconds: spent on all cells together, training, testing and compiling.
    """

    shared: tuple[tuple[str, str], ...]
    groups: tuple[tuple[int, tuple[tuple[str, str], ...]], ...]
    first: str = ""
    last: str = ""
    seconds: float = 0.0

    @property
    def mixed(self) -> bool:
        """Whether cells ran in more than one environment."""
        return len(self.groups) > 1


def environments(records: Iterable[Mapping]) -> Environments:
    """What the provenance of records says, of those that were computed.

    Args:
      records: with "status", "provenance", "finished_at", "wall_seconds".
    """
    counts: dict[tuple[tuple[str, str], ...], int] = {}
    finished, seconds = [], 0.0
    known: dict[int, tuple[object, tuple]] = {}  # records share their provenance
    for record in records:
        provenance = record.get("provenance")
        if id(provenance) not in known:
            known[id(provenance)] = provenance, tuple(sorted(_flat(provenance or {})))
        flat = known[id(provenance)][1]
        counts[flat] = counts.get(flat, 0) + 1
        finished.append(str(record.get("finished_at") or ""))
        seconds += record.get("wall_seconds") or 0.0
    if not counts:
        return Environments((), ())
    shared = set.intersection(*map(set, counts))
    groups = sorted(
        (-count, tuple(pair for pair in flat if pair not in shared))
        for flat, count in counts.items()
    )
    finished = sorted(filter(None, finished)) or [""]
    return Environments(
        shared=tuple(sorted(shared)),
        groups=tuple((-count, apart) for count, apart in groups),
        first=finished[0],
        last=finished[-1],
        seconds=seconds,
    )


def _flat(provenance: Mapping) -> Iterable[tuple[str, str]]:
    """Every value by its own name, also of a mapping inside; what says nothing is left out."""
    for name, value in provenance.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        elif value not in (None, ""):
            yield name, str(value)
