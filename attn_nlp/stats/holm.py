"""Many comparisons at once: Holm's step-down correction."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p values of one family so that the chance of any false discovery stays at alpha.

        adjusted of the k-th smallest p = max over j <= k of min(1, (m - j + 1) * p_j)

    The family includes every comparison that was declared: one without a result yet counts as
    p = 1, so a table does not become stricter while it fills.

    Args:
      p_values: the family, in any order, each in [0, 1].

    Returns:
      Adjusted values in the given order, in [0, 1]; empty for an empty family.

    References:
      Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of
      Statistics 6(2), 1979.

    Example:
      >>> holm([0.01, 0.04, 0.03])
      [0.03, 0.06, 0.06]
    """
    m = len(p_values)
    adjusted = [0.0] * m
    highest = 0.0
    for step, index in enumerate(sorted(range(m), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (m - step) * p_values[index]))
        adjusted[index] = highest
    return adjusted
