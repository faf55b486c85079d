"""When two results of one cell are one result: to the bit at home, to a tolerance elsewhere.

One provenance class is one machine, device, number of threads and set of versions. Within it the
same cell gives the same bits on a CPU, so any difference at all is a fault of the code, the memory
or the disk. In another class float32 sums run in another order, and on an accelerator in whatever
order its threads end; training carries the last bits along, and results agree to `TOLERANCE` and
not to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping

# The columns that a cell decides; the others describe the run.
RESULT = (
    *("status", "parameters", "best_step", "validation", "test"),
    *("confusion", "predictions", "confidences"),
)

# Accuracy and log loss of a split, of one cell in two provenance classes, may lie this far apart:
#     |a - b| <= TOLERANCE max(1, |a|, |b|)
# Training magnifies the last bits that it is given. Measured, one thread against two, 400 steps of
# one layer of width 64 on TREC-6 and MR: at learning rates of 1e-3 and 3e-3 losses 4e-5 apart and
# no sentence moved; at 1e-2 losses .035 and accuracies .018 apart, one sentence in ten moved. What
# computes something else (another formula, other data) lies further off as a rule.
TOLERANCE = 0.05
SCORES = ("accuracy", "loss")
_SPLITS = ("validation", "test")


DATA = ("fingerprint", "tokenizer_hash")


def other_data(one: Mapping, other: Mapping) -> tuple[str, ...]:
    """The columns of `DATA` in which two records of one cell differ.

    What an earlier version did not keep is no difference.
    """
    return tuple(
        name for name in DATA if one[name] != other[name] and None not in (one[name], other[name])
    )


def contradiction(one: Mapping, other: Mapping) -> str:
    """Return how two results of one cell contradict each other, as the end of a sentence, or "".

    Args:
      one, other: the columns of `RESULT` and "provenance", as a store gives them.
    """
    alike = one["provenance"] == other["provenance"]
    if alike and _repeats(one["provenance"]):
        differ = differing(one, other)
        return f"in one environment with different {', '.join(differ)}" if differ else ""
    apart = contradictions(one, other)
    where = "in one environment" if alike else "in two environments"
    return f"{where}, with {'; '.join(apart)}" if apart else ""


def _repeats(provenance: Mapping | None) -> bool:
    """Return whether the same cell gives the same bits again there."""
    return (provenance or {}).get("device", "cpu") == "cpu"


def differing(one: Mapping, other: Mapping) -> tuple[str, ...]:
    """The columns of the result that are not equal, to the last bit."""
    return tuple(name for name in RESULT if one[name] != other[name])


def contradictions(one: Mapping, other: Mapping) -> list[str]:
    """Return what of two results is further apart than rounding explains.

    The step that was best, single sentences and confidences may differ; status and parameters not.
    A score that one of them lacks contradicts the other's.
    """
    found = [
        f"{name} {one[name]} and {other[name]}"
        for name in ("status", "parameters")
        if one[name] != other[name]
    ]
    if one["status"] != other["status"]:
        return found  # one of them has no scores to compare
    for split in _SPLITS:
        left, right = one[split] or {}, other[split] or {}
        for name in SCORES:
            a, b = left.get(name), right.get(name)
            if a is None and b is None:
                continue
            if a is None or b is None:
                found.append(f"{split} {name} in one only")
            elif abs(a - b) > TOLERANCE * max(1.0, abs(a), abs(b)):
                found.append(
                    f"{split} {name} {abs(a - b):.3f} apart, more than the tolerance of "
                    f"{TOLERANCE:g}"
                )
    return found
