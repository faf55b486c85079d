"""Two stores, cell by cell: what only one of them has, what agrees, and what differs in what.

A cell is the same cell in both where its spec is, that is, where settings, data and revisions are.
Results of one environment on a CPU are compared exactly; those of two, or of an accelerator, may
differ by rounding, by the tolerance of `agreement`. What only describes a run (seconds, memory,
dates) is not compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from attn_nlp.experiment.identity import canonical_json
from attn_nlp.experiment.planned import Settings
from attn_nlp.store.results import Store
from attn_nlp.store.tolerance import DATA, RESULT, contradiction, differing, other_data

_AT_ONCE = 256  # cells in memory, with their predictions
_METRICS = ("validation", "test")


@dataclass(frozen=True)
class Pair:
    """A cell that both stores have.

    Attributes:
      spec: the cell.
      settings: of the cell.
      status: in the first and in the second store.
      differ: the columns of the result that are not equal, and of the data it was computed from.
      metric: the address of the metric that differs most; None where none does.
      largest: the absolute difference there; None as well where a store lacks the metric.
      predictions: sentences classified otherwise; None where a store has no predictions, or
        another number of them.
      environment: what of the provenance differs, with both values.
      contradicts: whether the results are of different data, or differ by more than their
        environments explain, see `agreement.contradiction`.
    """

    spec: str
    settings: Settings
    status: tuple[str, str]
    differ: tuple[str, ...]
    metric: str | None
    largest: float | None
    predictions: int | None
    environment: Mapping[str, tuple[object, object]]
    contradicts: bool


@dataclass(frozen=True)
class Compared:
    """Two stores beside each other.

    Attributes:
      only_first, only_second: settings by spec of the cells that one store has.
      pairs: cells that both have; contradicting ones first, then differing ones.
    """

    only_first: Mapping[str, Mapping]
    only_second: Mapping[str, Mapping]
    pairs: tuple[Pair, ...]

    @property
    def other_code(self) -> tuple[tuple[str, str], ...]:
        """Cells of the same settings that are two cells by the code of their parts: spec, spec."""
        left: dict[str, list[str]] = {}
        for spec, settings in self.only_second.items():
            left.setdefault(canonical_json(settings), []).append(spec)
        alike = (
            (spec, left.get(canonical_json(settings))) for spec, settings in self.only_first.items()
        )
        return tuple((spec, specs.pop(0)) for spec, specs in alike if specs)

    @property
    def equal(self) -> tuple[Pair, ...]:
        """Cells with one result."""
        return tuple(pair for pair in self.pairs if not pair.differ)

    @property
    def close(self) -> tuple[Pair, ...]:
        """Cells with two results that differ as two environments may."""
        return tuple(pair for pair in self.pairs if pair.differ and not pair.contradicts)

    @property
    def different(self) -> tuple[Pair, ...]:
        """Cells with two that contradict each other."""
        return tuple(pair for pair in self.pairs if pair.contradicts)

    @property
    def same(self) -> bool:
        """Return whether both stores hold the same cells with results that agree."""
        return not (self.only_first or self.only_second or self.different)


def compare(first: Store, second: Store) -> Compared:
    """Compare every cell that is stored.

    Args:
      first, second: open for reading; they may be written to meanwhile, and may be one file.
    """
    here, there = first.records(columns=["status"]), second.records(columns=["status"])
    shared = [spec for spec in here if spec in there]
    pairs = list(_pairs(first, second, shared))
    return Compared(
        _settings(first, [spec for spec in here if spec not in there]),
        _settings(second, [spec for spec in there if spec not in here]),
        tuple(sorted(pairs, key=lambda pair: (not pair.contradicts, not pair.differ))),
    )


def _settings(store: Store, specs: list[str]) -> dict[str, Mapping]:
    records = store.records(specs, ["settings"])
    return {spec: records[spec]["settings"] or {} for spec in specs if spec in records}


def _pairs(first: Store, second: Store, specs: list[str]) -> Iterator[Pair]:
    columns = [*RESULT, *DATA, "provenance", "settings"]
    for start in range(0, len(specs), _AT_ONCE):
        some = specs[start : start + _AT_ONCE]
        one, other = first.records(some, columns), second.records(some, columns)
        for spec in some:
            if spec in one and spec in other:  # else forgotten since it was listed
                yield _pair(one[spec], other[spec])


def _pair(one: Mapping, other: Mapping) -> Pair:
    metric, largest = _largest(one, other)
    data, differ = other_data(one, other), differing(one, other)
    return Pair(
        spec=one["spec"],
        settings=one["settings"] or other["settings"] or {},
        status=(one["status"], other["status"]),
        differ=(*data, *differ),
        metric=metric,
        largest=largest,
        predictions=_moved(one["predictions"], other["predictions"]),
        environment=_environment(one["provenance"] or {}, other["provenance"] or {}),
        contradicts=bool(data or (differ and contradiction(one, other))),
    )


def _largest(one: Mapping, other: Mapping) -> tuple[str | None, float | None]:
    """The metric that lies furthest apart; one that a store lacks counts as further still."""
    found: list[tuple[float, str]] = []
    for split in _METRICS:
        left, right = one[split] or {}, other[split] or {}
        for name in sorted({*left, *right}):
            a, b = left.get(name), right.get(name)
            if a == b:
                continue
            apart = float("inf") if a is None or b is None else abs(a - b)
            found.append((apart, f"{split}.{name}"))
    if not found:
        return None, None
    largest, metric = max(found, key=lambda metric: metric[0])
    return metric, None if largest == float("inf") else largest


def _moved(one: list | None, other: list | None) -> int | None:
    if one is None or other is None or len(one) != len(other):
        return None
    return sum(a != b for a, b in zip(one, other, strict=True))


def _environment(one: Mapping, other: Mapping) -> dict[str, tuple[object, object]]:
    names = dict.fromkeys([*one, *other])
    return {
        name: (one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)
    }
