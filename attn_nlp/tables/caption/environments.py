"""The environments in which cells ran: what all of them share, and how they differ.

Two results agree bit for bit only within one environment, so a table or a report that mixes
environments says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from attn_nlp.library_code import FACT


@dataclass(frozen=True)
class Environments:
    """The environments of some records.

    Attributes:
      shared: (name, value) that every cell has in common, by name.
      groups: (number of cells, what sets them apart), the largest first; one with nothing to
        set it apart if all cells ran alike, none if nothing ran.
      first, last: when the first and the last cell finished, ISO 8601; "" if nothing ran.
      seconds: spent on all cells together: training, testing and compiling.
    """

    shared: tuple[tuple[str, str], ...]
    groups: tuple[tuple[int, tuple[tuple[str, str], ...]], ...]
    first: str = ""
    last: str = ""
    seconds: float = 0.0

    @property
    def mixed(self) -> bool:
        """True if cells ran in more than one environment."""
        return len(self.groups) > 1


def environments(records: Iterable[Mapping]) -> Environments:
    """Return the environments in which records were computed.

    Args:
      records: with "status", "provenance", "finished_at", "wall_seconds".
    """
    records = list(records)
    shared, groups = grouped([record.get("provenance") for record in records])
    finished = sorted(str(time) for record in records if (time := record.get("finished_at")))
    return Environments(
        shared=shared,
        groups=groups,
        first=finished[0] if finished else "",
        last=finished[-1] if finished else "",
        seconds=sum(record.get("wall_seconds") or 0.0 for record in records),
    )


def grouped(
    provenances: Sequence[Mapping | None],
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[int, tuple[tuple[str, str], ...]], ...]]:
    """Return `shared` and `groups` of these environments, as in `Environments`."""
    known = {
        id(provenance): provenance for provenance in provenances
    }  # records share their provenance
    counts: Counter[tuple[tuple[str, str], ...]] = Counter()
    for identity, count in Counter(map(id, provenances)).items():
        counts[tuple(sorted(_flat(known[identity] or {})))] += count
    counts = _with_unknown_code(counts)
    shared = set.intersection(*map(set, counts)) if counts else set()
    groups = sorted(
        (-count, tuple(pair for pair in flat if pair not in shared))
        for flat, count in counts.items()
    )
    return tuple(sorted(shared)), tuple((-count, apart) for count, apart in groups)


def _with_unknown_code(
    counts: Counter[tuple[tuple[str, str], ...]],
) -> Counter[tuple[tuple[str, str], ...]]:
    """Merge cells without a recorded version of the code into the group that otherwise matches.

    An unknown version does not count as a difference; of several matches, the most common is taken.
    """
    merged: Counter[tuple[tuple[str, str], ...]] = Counter()
    noted = {flat: count for flat, count in counts.items() if FACT in dict(flat)}
    for flat, count in counts.items():
        alike = [other for other in noted if _but_code(other) == flat]
        merged[max(alike, key=noted.__getitem__) if alike else flat] += count
    return merged


def _but_code(flat: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in flat if pair[0] != FACT)


def _flat(provenance: Mapping) -> Iterable[tuple[str, str]]:
    """Yield every value with its name, also those of nested mappings; empty values are left out."""
    for name, value in provenance.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        elif value not in (None, ""):
            yield name, str(value)
