"""The outcomes of planned cells: numbers, and reasons for every missing number."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from attn_nlp.experiment.planned import PlannedCell
from attn_nlp.result.record import Record
from attn_nlp.store.records import Records
from attn_nlp.tables.grid import (
    DIVERGED,
    FAILED,
    PENDING,
    SKIPPED,
    WITHOUT,
)
from attn_nlp.tables.layout import PlannedEntry

_STATES = {"failed": FAILED, "diverged": DIVERGED, "skipped": SKIPPED}
_ORDER = (DIVERGED, FAILED, SKIPPED, WITHOUT, PENDING)
_REASONS = 3  # printed for one state of one entry


@dataclass(frozen=True)
class Outcomes:
    """The outcomes of the replicates of one entry.

    Attributes:
      values: the number of each replicate that has one.
      missing: how many have none, by state, in the order of `_ORDER`.
      reasons: (state, reason) of each missing replicate.
      diverged: the replicates whose training diverged.
    """

    values: Mapping[tuple, float]
    missing: Mapping[str, int]
    reasons: Sequence[tuple[str, str]]
    diverged: Sequence[tuple] = ()

    @property
    def state(self) -> str:
        """The state of an entry without any number."""
        if len(self.missing) == 1:
            return next(iter(self.missing))
        if PENDING in self.missing:
            return PENDING
        return FAILED if FAILED in self.missing else next(iter(self.missing))

    def sentence(self, expected: int) -> str:
        """Return "7 of 10: 2 diverged (loss is NaN at step 40), 1 not run yet", for a footnote."""
        parts = []
        for state, count in self.missing.items():
            given = Counter(reason for where, reason in self.reasons if where == state and reason)
            named = [
                reason if times in (count, 1) else f"{times} of them: {reason}"
                for reason, times in sorted(given.items(), key=lambda pair: (-pair[1], pair[0]))
            ]
            if len(named) > _REASONS:
                named = [*named[:_REASONS], f"and {len(named) - _REASONS} more reasons"]
            parts.append(f"{count} {state}" + (f" ({'; '.join(named)})" if named else ""))
        return f"{len(self.values)} of {expected}: {', '.join(parts)}"


def outcomes(planned: PlannedEntry, records: Mapping[str, Record], value: str) -> Outcomes:
    """Read the number of every replicate of an entry.

    Args:
      planned: the cells; a replicate of several folds has a number once all of them have.
      records: stored records by spec; a cell without one has not run.
      value: the address of the number, such as "test.accuracy".
    """
    whole = _whole(planned, records, value)
    if whole is not None:
        return whole
    values: dict[tuple, float] = {}
    missing: Counter = Counter()
    reasons: list[tuple[str, str]] = []
    diverged: list[tuple] = []
    for replicate, cells in planned.replicates().items():
        numbers, lacking = [], []
        for cell in cells:
            record = records.get(cell["spec"])
            number = None if record is None else number_at(record, value)
            if record is not None and record["status"] == "done" and number is not None:
                numbers.append(number)
            else:
                lacking.append((_state(record), _reason(cell, record, len(cells) > 1)))
        if not lacking:
            values[replicate] = math.fsum(numbers) / len(numbers)
            continue
        state, reason = min(lacking, key=lambda lost: _ORDER.index(lost[0]))
        missing[state] += 1
        if state == DIVERGED:
            diverged.append(replicate)
        reasons.append((state, reason))
    ordered = {state: missing[state] for state in _ORDER if missing[state]}
    return Outcomes(values, ordered, reasons, diverged)


def _whole(planned: PlannedEntry, records: Mapping[str, Record], value: str) -> Outcomes | None:
    """Read an entry whose cells are all done and have their numbers, as most are, by column.

    None if some are not, or if two columns of the records are not enough to tell.
    """
    if planned.fold_at is not None or not isinstance(records, Records):
        return None
    numbers = records.column(value, planned.specs)
    plain = set(map(type, numbers)) <= {float} and all(map(math.isfinite, numbers))
    if plain and set(records.column("status", planned.specs)) <= {"done"}:
        return Outcomes(dict(zip(planned.cells, numbers, strict=True)), {}, ())
    return None


def _reason(cell: PlannedCell, record: Record | None, folded: bool) -> str:
    reason = str((record or {}).get("reason") or "")
    return f"fold {cell['settings']['fold']}: {reason}" if folded and reason else reason


def number_at(record: Mapping[str, object], value: str) -> float | None:
    """Return the number at a dotted address of a record, or None if it is absent or not finite."""
    current: object = record
    for name in [value] if value in record else value.split("."):
        current = current.get(name) if isinstance(current, dict) else None
    if type(current) is float and math.isfinite(current):
        return current
    if (
        isinstance(current, bool)
        or not isinstance(current, int | float)
        or not math.isfinite(current)
    ):
        return None
    return float(current)


def _state(record: Record | None) -> str:
    if record is None:
        return PENDING
    if record["status"] == "done":
        return WITHOUT
    return _STATES.get(record["status"], PENDING)
