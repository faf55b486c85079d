"""The size of a paired difference, apart from whether it is significant.

Points come first in every table. The two effect sizes here compare a difference with its own spread
over seeds: d_z, which assumes a normal distribution, and the rank-biserial correlation, which
assumes none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from attn_nlp.stats.intervals import DUST, check, deviation
from attn_nlp.stats.ranks import ranks

_FAR = 1_000.0  # beyond this, the normal part of t adds less than a hundredth


@dataclass(frozen=True)
class Effect:
    """The size of a paired difference.

    Attributes:
      d_z: mean / sd of the differences; None for one pair, or if all pairs agree and there is no
        spread to divide by.
      low, high: its interval, or None if d_z is None.
      rank_biserial: (W+ - W-) / (W+ + W-), from -1 (every pair falls) to 1 (every pair rises), with
        W+ and W- the sums of the ranks of |d| over rises and falls; None if no pair differs.
    """

    d_z: float | None
    low: float | None
    high: float | None
    rank_biserial: float | None


def effect_size(differences: Sequence[float], confidence: float = 0.95) -> Effect:
    """Return d_z with its interval, and the matched-pairs rank-biserial correlation.

        t = d_z sqrt(n) has a non-central t distribution with n - 1 degrees of freedom around
        delta sqrt(n); low and high are the delta for which t is its (1 + confidence) / 2 and its
        (1 - confidence) / 2 quantile.

    Pairs without a difference are left out of the ranks; equal sizes share their mean rank.

    Args:
      differences: one for each pair, finite.
      confidence: coverage of the interval if differences are normal, in (0, 1).

    Raises:
      ValueError: no difference, or one that is not finite.

    References:
      Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988, for d_z. Cumming &
      Finch, "A Primer on the Understanding, Use, and Calculation of Confidence Intervals that are
      Based on Central and Noncentral Distributions", 2001, for its interval. Kerby, "The Simple
      Difference Formula", 2014, for the correlation.

    Example:
      >>> effect_size([1.0, 2.0, 3.0, -4.0]).rank_biserial
      0.2
    """
    check(differences)
    moved = [d for d in differences if abs(d) > DUST]
    signed = [
        math.copysign(rank, d)
        for rank, d in zip(ranks([abs(d) for d in moved]), moved, strict=True)
    ]
    biserial = sum(signed) / sum(map(abs, signed)) if signed else None
    n = len(differences)
    sd = deviation(differences) if n > 1 else 0.0
    if sd == 0.0:
        return Effect(None, None, None, biserial)
    d_z = math.fsum(differences) / n / sd
    tail = (1 - confidence) / 2
    low, high = (
        _noncentrality(n - 1, d_z * math.sqrt(n), p) / math.sqrt(n) for p in (1 - tail, tail)
    )
    return Effect(d_z, low, high, biserial)


def _noncentrality(df: int, t: float, probability: float) -> float:
    """Return the noncentrality for which the t distribution is below t with the given probability.

    By bisection, since the probability decreases with the noncentrality. Far out the normal part of
    t no longer matters, and the standard deviation in its denominator alone decides.
    """
    from scipy.special import chdtri, nctdtr

    if t < 0:  # the mirror image
        return -_noncentrality(df, -t, 1 - probability)
    if t > _FAR:
        return t * math.sqrt(float(chdtri(df, probability)) / df)
    low, high = -10.0, 10.0 + 5.0 * t  # enough for one degree of freedom
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if nctdtr(df, middle, t) > probability else (low, middle)
    return (low + high) / 2
