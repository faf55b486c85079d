"""Equivalence: differences small enough to call two variants equivalent.

"Not significant" is never "no effect". Equivalence is shown by an interval that is entirely inside
a margin declared beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from attn_nlp.stats.intervals import check, constant, deviation, t_below

# The largest difference that counts as none, by minimum number of test sentences: a small test
# split cannot distinguish half a point from nothing.
DEFAULT_MARGINS = ((5_000, 0.005), (1_500, 0.01), (0, 0.02))


def default_margin(sentences: int) -> float:
    """Return the margin for tables that declare none, as a fraction of all sentences.

    Example:
      >>> default_margin(5_000), default_margin(1_821), default_margin(500)
      (0.005, 0.01, 0.02)
    """
    return next(margin for least, margin in DEFAULT_MARGINS if sentences >= least)


def resolves(sentences: int, margin: float) -> bool:
    """Return True if a margin is at least one sentence of a split, the least that a run can lose.

    Example:
      >>> resolves(50, 0.02), resolves(49, 0.02)
      (True, False)
    """
    return margin * sentences >= 1 - 1e-9


def tost(differences: Sequence[float], margin: float) -> float:
    """Return the p of equivalence: two one-sided t tests of a paired difference and a margin.

        t_low  = (mean + margin) / (sd / sqrt(n))     tests mean <= -margin
        t_high = (mean - margin) / (sd / sqrt(n))     tests mean >= +margin
        p = max(P(T > t_low), P(T < t_high)),  T with n - 1 degrees of freedom

    p < .05 exactly if the 90% t interval of the mean is strictly inside (-margin, margin).

    Args:
      differences: one for each pair, finite.
      margin: the largest mean that counts as none, > 0, in the unit of the differences.

    Returns:
      p in [0, 1]; 1 for a single pair and for pairs that all agree: without any spread the test
      has nothing to measure the mean against.

    Raises:
      ValueError: no difference, one that is not finite, or a margin that is not positive.

    References:
      Schuirmann, "A Comparison of the Two One-Sided Tests Procedure and the Power Approach for
      Assessing the Equivalence of Average Bioavailability", 1987.
    """
    check(differences)
    if not margin > 0:
        raise ValueError(f"margin {margin}; an equivalence test needs a margin above 0.")
    n = len(differences)
    if n == 1 or constant(differences):
        return 1.0
    mean = math.fsum(differences) / n
    error = deviation(differences) / math.sqrt(n)
    # P(T > t) is taken as P(T < -t), which keeps small values exact.
    return max(
        t_below(n - 1, -(mean + margin) / error),
        t_below(n - 1, (mean - margin) / error),
    )
