"""The differences that a number of seeds can detect, and the seeds that a decision would need.

Power is that of the procedure that decides on better and worse, the sign-flip test after Holm, for
normal differences. Holm requires the smallest p of m comparisons to be below alpha / m; that level
is used for all of them, so the stated power holds even if only one difference is real.

For the seeds of a decision, the observed mean difference and its spread are treated as the true
ones. The answer is as rough as a spread over ten seeds, and says whether a few more seeds or a
hundred more are needed.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from attn_nlp.stats.attainable import ALPHA, equivalence_attainable
from attn_nlp.stats.intervals import t_quantile

MOST_SEEDS = 1_000
BEYOND = MOST_SEEDS + 1  # means "more than MOST_SEEDS"
POWER = 0.8
_POINTS = 1_000  # quantiles of the sampling distribution of the standard deviation
_DRAWS = 2_000  # samples of n normal differences
_RNG_SEED = 20_190_804
_COUNTED = 13  # pairs, or sign patterns, up to which the sign-flip test itself is computed


def power_of_significance(effect: float, n: int, comparisons: int, alpha: float = ALPHA) -> float:
    """Return the power of the sign-flip test after Holm, for n pairs and a true difference.

    Args:
      effect: the true difference over the true standard deviation of paired differences, >= 0.
      n: pairs, at least 1.
      comparisons: size of the family, at least 1.
      alpha: level of the whole family.

    Returns:
      The power, to about .01; 0 if significance is out of reach. With few pairs the test is
      computed on 2,000 drawn samples; with more, it is approximated to within .03 by the t test
      at the level that n pairs can reach.
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
    """Return the smallest effect that n pairs show with the given power.

    The inverse of `power_of_significance`: a true difference, in true standard deviations of the
    paired differences. None if significance is out of reach.
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
    """Return the power of a two-sided paired t test at alpha, for n pairs and a true difference.

        P(|T'| > t(n - 1, 1 - alpha / 2)),  T' noncentral with mean / (sd / sqrt(n))

    Args:
      mean: the true difference.
      sd: the true standard deviation of the paired differences, >= 0.
      n: pairs, at least 2.
      alpha: level of the test.
    """
    if sd == 0:
        return 0.0 if mean == 0 else 1.0
    error = sd / math.sqrt(n)
    reach = t_quantile(n - 1, 1 - alpha / 2)

    def given(observed):  # the power of the test, given the observed standard error
        return _below(-(reach * observed + mean) / error) + _below(
            (mean - reach * observed) / error
        )

    return _mean_over_deviations(given, error, n)


def power_of_equivalence(
    mean: float, sd: float, n: int, margin: float, alpha: float = ALPHA
) -> float:
    """Return the power of two one-sided tests at alpha to show equivalence within a margin.

        E over s of max(0, Phi((margin - t s - mean) / e) - Phi((-margin + t s - mean) / e))

    where e = sd / sqrt(n), s is the observed standard error and t = t(n - 1, 1 - alpha).

    Args:
      mean: the true difference.
      sd: the true standard deviation of the paired differences, >= 0.
      n: pairs, at least 2.
      margin: > 0, in the unit of the mean.
      alpha: level of each one-sided test.

    References:
      Phillips, "Power of the Two One-Sided Tests Procedure in Bioequivalence", 1990. Here the
      integral is a mean over quantiles of the observed standard deviation, not Owen's Q.
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
    """Return the fewest seeds, more than the n available, that would probably decide.

    The smallest number at which the test of a difference or the test of equivalence has a power of
    `POWER` at the level alpha / comparisons, which Holm applies to the smallest p of a family.

    Args:
      mean: the observed paired difference, treated as the true one.
      sd: the observed standard deviation of the paired differences, treated as the true one; > 0.
      n: pairs available, at least 2.
      margin: of equivalence, or None if none is defined.
      comparisons: size of the family, at least 1.
      alpha: level of the whole family.

    Returns:
      A number of seeds, or `BEYOND` if `MOST_SEEDS` would not be enough.
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
    """Return how many pairs of mirrored sign patterns may be as extreme as the observed one.

    The largest k with m 2k / 2^n < alpha; 0 if significance is out of reach.
    """
    return max(0, math.ceil(alpha * 2.0 ** (n - 1) / comparisons) - 1)


def _few(n: int, patterns: int) -> bool:
    return min(n, patterns) <= _COUNTED


@functools.lru_cache(maxsize=256)
def _least_effects(n: int, patterns: int):
    """Return, for each drawn sample, the smallest effect at which it is significant.

    Differences are z_i + effect with z_i standard normal. Flipping the signs of a set A subtracts
    twice its sum, so a pattern is as extreme as the observed one if the sum over A is at most zero,
    that is, if the mean of z over A is at most -effect. The empty set always counts. The sample is
    significant if fewer than `patterns` other sets count, which begins at minus the
    `patterns`-th smallest mean. The k smallest means of all sets are means of the k smallest z.
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
    """Return the smallest number, at least low, at which a growing power suffices, by bisection."""
    low, high = max(2, low), BEYOND
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _below(z):
    from scipy.special import ndtr

    return ndtr(z)


def _mean_over_deviations(given, error: float, n: int) -> float:
    """Average a power over the observed standard error, error * sqrt(chi2(n-1) / (n-1))."""
    return float(given(error * _deviations(n)).mean())


@functools.lru_cache(maxsize=1024)  # every comparison of a table asks for the same few n
def _deviations(n: int):
    """Return quantiles of sqrt(chi2(n-1) / (n-1)) at evenly spaced probabilities."""
    import numpy as np
    from scipy.special import chdtri

    shares = (np.arange(_POINTS) + 0.5) / _POINTS
    return np.sqrt(chdtri(n - 1, shares) / (n - 1))
