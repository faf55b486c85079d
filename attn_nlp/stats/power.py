"""What a number of seeds can detect, and how many seeds a decision would need.

Power is that of the procedure that decides on better and worse, the sign-flip test after Holm, for
normal differences. Holm asks alpha / m of the smallest p of m comparisons; that level is taken for
all of them, so that what is promised holds even where one difference alone is real.

For the seeds of a decision the observed mean difference and its spread are taken for the true ones;
that answer is rough, as a spread of ten seeds is, and says whether a few more seeds or a hundred
more are wanted.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from attn_nlp.stats.attainable import ALPHA, equivalence_attainable
from attn_nlp.stats.intervals import t_quantile

MOST_SEEDS = 1_000
BEYOND = MOST_SEEDS + 1  # stands for "more than MOST_SEEDS"
POWER = 0.8
_POINTS = 1_000  # of the mean over the sampling distribution of the deviation
_DRAWS = 2_000  # of n normal differences
_RNG_SEED = 20_190_804
_COUNTED = 13  # pairs, or sign patterns, up to which the sign-flip test is worked out as it is


def power_of_significance(effect: float, n: int, comparisons: int, alpha: float = ALPHA) -> float:
    """The chance that n pairs show a true difference by the sign-flip test after Holm.

    Args:
      effect: the true difference over the true deviation of the paired differences, >= 0.
      n: pairs, at least 1.
      comparisons: size of the family, at least 1.
      alpha: level of the whole family.

    Returns:
      The chance, to about .01; 0 where significance is out of reach. With few pairs the test is
      worked out on 2,000 drawn samples; with more, the t test at the level that n pairs can reach
      stands for it, which comes within .03.
    """
    patterns = _patterns(n, comparisons, alpha)
    if not patterns:
        return 0.0
    if _few(n, patterns):
        return float((_least_effects(n, patterns) <= effect).mean())
    return power_of_difference(effect, 1.0, n, 2 * patterns / 2**n)


@functools.lru_cache(maxsize=1024)
def detectable_effect(
    n: int, comparisons: int, power: float = POWER, alpha: float = ALPHA
) -> float | None:
    """The least effect that n pairs show with the given power; None where significance is out of
    reach.

    The inverse of `power_of_significance`: a true difference of this many true deviations of the
    paired differences.
    """
    patterns = _patterns(n, comparisons, alpha)
    if not patterns:
        return None
    if _few(n, patterns):
        import numpy as np

        return float(np.quantile(_least_effects(n, patterns), power))
    low, high = 0.0, 10.0
    for _ in range(40):
        middle = (low + high) / 2
        enough = power_of_significance(middle, n, comparisons, alpha) >= power
        low, high = (low, middle) if enough else (middle, high)
    return high


def power_of_difference(mean: float, sd: float, n: int, alpha: float = ALPHA) -> float:
    """The chance that n pairs show a true difference by a two-sided paired t test at alpha.

        P(|T'| > t(n - 1, 1 - alpha / 2)),  T' non-central with mean / (sd / sqrt(n))

    Args:
      mean: the true difference.
      sd: the true deviation of the paired differences, >= 0.
      n: pairs, at least 2.
      alpha: level of the test.
    """
    if sd == 0:
        return 0.0 if mean == 0 else 1.0
    error = sd / math.sqrt(n)
    reach = t_quantile(n - 1, 1 - alpha / 2)

    def given(observed):  # the test's chance, given the deviation that is observed
        return _below(-(reach * observed + mean) / error) + _below(
            (mean - reach * observed) / error
        )

    return _mean_over_deviations(given, error, n)


def power_of_equivalence(
    mean: float, sd: float, n: int, margin: float, alpha: float = ALPHA
) -> float:
    """The chance that n pairs show equivalence within a margin by two one-sided tests at alpha.

        E over s of max(0, Phi((margin - t s - mean) / e) - Phi((-margin + t s - mean) / e))

    where e = sd / sqrt(n), s is the observed standard error and t = t(n - 1, 1 - alpha).

    Args:
      mean: the true difference.
      sd: the true deviation of the paired differences, >= 0.
      n: pairs, at least 2.
      margin: > 0, in the unit of the mean.
      alpha: level of each one-sided test.

    References:
      Phillips, "Power of the Two One-Sided Tests Procedure in Bioequivalence", 1990. The integral
      is a mean over quantiles of the observed deviation here instead of Owen's Q.
    """
    if sd == 0:
        return 1.0 if abs(mean) < margin else 0.0
    error = sd / math.sqrt(n)
    reach = t_quantile(n - 1, 1 - alpha)

    def given(observed):
        room = margin - reach * observed
        inside = _below((room - mean) / error) - _below((-room - mean) / error)
        return inside.clip(min=0.0)

    return _mean_over_deviations(given, error, n)


@functools.lru_cache(maxsize=4096)
def seeds_for_decision(
    mean: float, sd: float, n: int, margin: float | None, comparisons: int, alpha: float = ALPHA
) -> int:
    """The fewest seeds, more than the n at hand, that would probably decide.

    The smallest number at which the test of a difference or that of equivalence has a power of
    `POWER` at the level alpha / comparisons, which Holm asks of the smallest p of a family.

    Args:
      mean: the observed paired difference, taken for the true one.
      sd: the observed deviation of the paired differences, taken for the true one; > 0.
      n: pairs at hand, at least 2.
      margin: of equivalence; None where none is defined.
      comparisons: size of the family, at least 1.
      alpha: level of the whole family.

    Returns:
      A number of seeds, or `BEYOND` where `MOST_SEEDS` would not do.
    """
    level = alpha / comparisons

    def differs(seeds: int) -> bool:
        return power_of_significance(abs(mean) / sd, seeds, comparisons, alpha) >= POWER

    def agrees(seeds: int) -> bool:
        if margin is None or not equivalence_attainable(seeds, comparisons, alpha):
            return False
        return power_of_equivalence(mean, sd, seeds, margin, level) >= POWER

    return min(_first(differs, n + 1), _first(agrees, n + 1))


def _patterns(n: int, comparisons: int, alpha: float) -> int:
    """How many pairs of mirrored sign patterns may lie as far out as the one observed.

    The largest k with m 2k / 2^n < alpha; 0 where significance is out of reach.
    """
    return max(0, math.ceil(alpha * 2.0 ** (n - 1) / comparisons) - 1)


def _few(n: int, patterns: int) -> bool:
    return min(n, patterns) <= _COUNTED


@functools.lru_cache(maxsize=256)
def _least_effects(n: int, patterns: int):
    """For each drawn sample, the least effect at which it is significant.

    Differences z_i + effect, z_i standard normal. Flipping the signs of a set A takes twice its
    sum away; so a pattern is as far out as the observed one where the sum over A is at most zero,
    that is, where the mean of z over A is at most -effect. Of all sets, the empty one always
    counts. It is significant where fewer than `patterns` others do: at minus the smallest mean
    but patterns - 1. The k smallest means of all sets are means of the k smallest z.
    """
    import numpy as np

    z = np.sort(np.random.default_rng(_RNG_SEED).standard_normal((_DRAWS, n)), axis=1)
    least = []
    for some in np.split(z[:, : min(n, patterns)], 20):  # in pieces that fit a cache
        sums, sizes = np.zeros((len(some), 1)), np.zeros(1)
        for column in some.T:
            sums = np.concatenate([sums, sums + column[:, None]], axis=1)
            sizes = np.concatenate([sizes, sizes + 1])
        means = sums[:, 1:] / sizes[1:]
        least.append(-np.partition(means, patterns - 1, axis=1)[:, patterns - 1])
    return np.concatenate(least)


def _first(holds: Callable[[int], bool], low: int) -> int:
    """The smallest number from low on at which a growing power suffices, by bisection."""
    low, high = max(2, low), BEYOND
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _below(z):
    from scipy.special import ndtr

    return ndtr(z)


def _mean_over_deviations(given, error: float, n: int) -> float:
    """The mean of a chance over the observed standard error, error * sqrt(chi2(n-1) / (n-1))."""
    return float(given(error * _deviations(n)).mean())


@functools.lru_cache(maxsize=1024)  # every comparison of a table asks for the same few n
def _deviations(n: int):
    """Quantiles of sqrt(chi2(n-1) / (n-1)) at evenly spaced shares."""
    import numpy as np
    from scipy.special import chdtri

    shares = (np.arange(_POINTS) + 0.5) / _POINTS
    return np.sqrt(chdtri(n - 1, shares) / (n - 1))
