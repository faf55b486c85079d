"""The verdicts that a number of seeds can reach at all, known before anything runs.

The smallest p value of n paired seeds is 2/2^n, whatever the difference. Holm multiplies it by the
number of comparisons. That significance is out of reach should be known before training, not after.

Equivalence rests on t tests, which two seeds that happen to agree can pass merely because a normal
distribution is assumed. So it takes as many pairs as an exact test on each side, whose smallest p
is 1/2^n, would need to show the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

ALPHA = 0.05


def least_attainable(nonzero: int) -> float:
    """Return the smallest two-sided p of a sign-flip test, 2 / 2^n, for n nonzero differences.

    Example:
      >>> least_attainable(10)
      0.001953125
    """
    return min(1.0, 2.0 * 0.5**nonzero)


def significance_attainable(seeds: int, comparisons: int, alpha: float = ALPHA) -> bool:
    """Return True if the best of a family of comparisons could reach Holm-adjusted p < alpha.

    Example:
      >>> significance_attainable(10, 25), significance_attainable(10, 26)
      (True, False)
      >>> significance_attainable(5, 1)
      False
    """
    return comparisons >= 1 and comparisons * least_attainable(seeds) < alpha


def equivalence_attainable(seeds: int, comparisons: int, alpha: float = ALPHA) -> bool:
    """Return True if that many pairs can be called equivalent, in a family of that size.

        m / 2^n < alpha

    1/2^n is the smallest p of a one-sided sign-flip test of n pairs, and Holm asks alpha / m of
    the smallest p of m comparisons.

    Example:
      >>> equivalence_attainable(5, 1), equivalence_attainable(4, 1), equivalence_attainable(10, 52)
      (True, False, False)
    """
    return comparisons >= 1 and comparisons * 0.5**seeds < alpha


def seeds_for_equivalence(comparisons: int, alpha: float = ALPHA) -> int:
    """Return the fewest seeds with which a variant can be called equivalent.

    Raises:
      ValueError: a family without comparisons.

    Example:
      >>> seeds_for_equivalence(1), seeds_for_equivalence(6), seeds_for_equivalence(51)
      (5, 7, 10)
    """
    return _fewest(equivalence_attainable, comparisons, alpha)


def carries(seeds: int, alpha: float = ALPHA) -> int:
    """Return the size of the largest family that can be significant: 0 for too few seeds.

    Example:
      >>> carries(5), carries(10), carries(12)
      (0, 25, 102)
    """
    most = int(alpha / least_attainable(seeds)) + 1
    while most and not significance_attainable(seeds, most, alpha):
        most -= 1
    return most


def seeds_for_significance(comparisons: int, alpha: float = ALPHA) -> int:
    """Return the fewest seeds with which a family of that size can be significant.

    Raises:
      ValueError: a family without comparisons.

    Example:
      >>> seeds_for_significance(1), seeds_for_significance(25), seeds_for_significance(26)
      (6, 10, 11)
    """
    return _fewest(significance_attainable, comparisons, alpha)


def _fewest(attainable: Callable[[int, int, float], bool], comparisons: int, alpha: float) -> int:
    if comparisons < 1:
        raise ValueError(f"{comparisons} comparisons; a family has at least 1.")
    return next(n for n in itertools.count(1) if attainable(n, comparisons, alpha))
