"""K-fold differences: folds share their training data, so they are not replicates.

Any two of K training sets have K - 2 of K folds in common. A t interval over folds treats their
agreement as evidence and is too short; the correction of Nadeau and Bengio allows for the overlap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from attn_nlp.stats.intervals import DUST, check, deviation, t_below, t_quantile


@dataclass(frozen=True)
class Folds:
    """The mean paired difference over folds and seeds, with the corrected resampled t.

    Attributes:
      folds: J, the number of means compared: folds, or folds of all repetitions.
      seeds: runs of each fold, averaged before folds are compared; the fewest if they differ.
      mean: over folds of the means over seeds.
      sd_folds: standard deviation of the folds' means; None for one fold.
      sd_seeds: standard deviation of the seeds within a fold, pooled over folds; None if each
        fold has one seed.
      error: the corrected standard error of the mean; None for one fold.
      low, high: the t interval with J - 1 degrees of freedom; None for one fold.
      p: two-sided, of no difference; 1 for one fold or if all folds show none.
    """

    folds: int
    seeds: int
    mean: float
    sd_folds: float | None
    sd_seeds: float | None
    error: float | None
    low: float | None
    high: float | None
    p: float


def over_folds(
    differences: Sequence[Sequence[float]], test_share: float, confidence: float = 0.95
) -> Folds:
    """Compare two variants over folds and seeds.

        m_j = mean over seeds of d[j, s],   s^2 = sum_j (m_j - mean)^2 / (J - 1)
        error^2 = (1 / J + test_share) s^2,   t = mean / error with J - 1 degrees of freedom

    Seeds are averaged first: they make a fold's number more certain, not the folds more numerous.
    If folds are drawn again for every seed, pass each fold of each seed as a separate fold.

    Args:
      differences: for each fold one finite number per seed, variant - reference.
      test_share: test rows over training rows of a fold, 1 / (K - 1) for K folds; 0 gives the
        uncorrected paired t test.
      confidence: coverage of the interval, in (0, 1).

    Returns:
      A `Folds`; if all folds agree, the interval has no width, and p is 0 unless the mean is 0.

    Raises:
      ValueError: no fold, a fold without a finite number for every seed, or a negative share.

    References:
      Nadeau & Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003.
      Bouckaert & Frank, "Evaluating the Replicability of Significance Tests for Comparing Learning
      Algorithms", 2004, for folds repeated with other splits.

    Example:
      >>> over_folds([[0.02, 0.04], [0.01, 0.03]], 1.0).mean
      0.025
    """
    if not len(differences):
        raise ValueError("no folds; give at least one.")
    if not test_share >= 0:
        raise ValueError(f"test share {test_share}; test rows over training rows are 0 or more.")
    for fold in differences:
        check(fold)
    means = [math.fsum(fold) / len(fold) for fold in differences]
    j, mean = len(means), math.fsum(means) / len(means)
    within = [(len(fold) - 1, deviation(fold)) for fold in differences if len(fold) > 1]
    freedom = sum(df for df, _ in within)
    sd_seeds = math.sqrt(math.fsum(df * sd**2 for df, sd in within) / freedom) if freedom else None
    fewest = min(map(len, differences))
    if j == 1:
        return Folds(1, fewest, mean, None, sd_seeds, None, None, None, 1.0)
    sd = deviation(means)
    error = math.sqrt(1 / j + test_share) * sd
    if error == 0.0:
        p = 1.0 if abs(mean) <= DUST else 0.0
        return Folds(j, fewest, mean, 0.0, sd_seeds, 0.0, mean, mean, p)
    reach = t_quantile(j - 1, (1 + confidence) / 2) * error
    p = 2 * t_below(j - 1, -abs(mean) / error)
    return Folds(j, fewest, mean, sd, sd_seeds, error, mean - reach, mean + reach, p)
