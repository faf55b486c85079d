"""Several datasets, several variants: is one of them better on datasets like these?

In: one score for every variant on every dataset, averaged over seeds beforehand. Out: ranks, the
Friedman test over all variants, Wilcoxon's signed-rank test of each against the reference, and
Nemenyi's critical difference with the groups that a critical-difference diagram draws. The dataset
is the replicate here, so results are about datasets like these, however few seeds ran.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from attn_nlp.stats.attainable import ALPHA
from attn_nlp.stats.holm import holm
from attn_nlp.stats.intervals import DUST
from attn_nlp.stats.ranks import ranks


@dataclass(frozen=True)
class Friedman:
    """The Friedman test of whether any variant ranks differently from the others.

        chi2 = ((k - 1) sum_j (R_j - N (k + 1) / 2)^2) / (sum_ij r_ij^2 - N k (k + 1)^2 / 4)
        F    = (N - 1) chi2 / (N (k - 1) - chi2)

    with r_ij the rank of variant j on dataset i and R_j its sum. Without ties the first line is
    12 / (N k (k + 1)) sum_j R_j^2 - 3 N (k + 1).

    Attributes:
      chi2: Friedman's statistic, corrected for ties; 0 if all variants tie on all datasets.
      p: of chi2, from the chi-squared distribution with k - 1 degrees of freedom; rough for fewer
        than about ten datasets.
      f: Iman and Davenport's less conservative statistic; infinite if all datasets agree.
      f_p: of f, from the F distribution with k - 1 and (k - 1)(N - 1) degrees of freedom; if all
        datasets agree, the probability that they do so by chance, (1 / k!)^(N - 1) without ties.

    References:
      Friedman, "The Use of Ranks to Avoid the Assumption of Normality Implicit in the Analysis of
      Variance", 1937. Iman & Davenport, "Approximations of the Critical Region of the Friedman
      Statistic", 1980.
    """

    chi2: float
    p: float
    f: float
    f_p: float


@dataclass(frozen=True)
class AcrossDatasets:
    """The ranks of k variants on N datasets.

    Attributes:
      variants: k names, in the order given.
      datasets: N names, in the order given.
      ranks: (N, k): 1 for the best; scores that agree share the mean of their ranks.
      mean_ranks: k, the mean over datasets.
      friedman: None for fewer than two datasets or two variants.
      alpha: level of the critical difference.

    References:
      Demsar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7, 2006.
      Nemenyi, "Distribution-free Multiple Comparisons", 1963.
    """

    variants: tuple[str, ...]
    datasets: tuple[str, ...]
    ranks: tuple[tuple[float, ...], ...]
    mean_ranks: tuple[float, ...]
    friedman: Friedman | None
    alpha: float

    @functools.cached_property  # loads scipy.stats, which a table does not need
    def critical_difference(self) -> float | None:
        """The smallest difference of two mean ranks that Nemenyi's test calls significant.

        None for fewer than two datasets or two variants.
        """
        k, n = len(self.variants), len(self.datasets)
        return critical_difference(k, n, self.alpha) if n > 1 and k > 1 else None

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The groups that a critical-difference diagram joins by a bar.

        Every maximal set of two or more variants whose mean ranks are within the critical
        difference, as indices into `variants` from the best mean rank to the worst; empty if there
        is no critical difference.
        """
        reach = self.critical_difference
        return () if reach is None else _groups(self.mean_ranks, reach)

    @property
    def order(self) -> list[int]:
        """Indices of the variants from the best mean rank to the worst, ties as given."""
        return sorted(range(len(self.variants)), key=lambda variant: self.mean_ranks[variant])


@dataclass(frozen=True)
class AgainstReference:
    """One variant against the reference, paired over datasets.

    Attributes:
      variant: its name.
      differences: variant - reference, one for every dataset, in the order of the datasets.
      wins, ties, losses: of the variant, in datasets.
      p: two-sided exact Wilcoxon signed-rank p; 1 if all differences are zero.
      p_holm: the same, adjusted over all variants compared.
      least_p: the smallest p that this many nonzero differences could have given.
    """

    variant: str
    differences: tuple[float, ...]
    wins: int
    ties: int
    losses: int
    p: float
    p_holm: float
    least_p: float


def across_datasets(
    scores: Mapping[str, Sequence[float]],
    datasets: Sequence[str],
    *,
    higher_is_better: bool = True,
    alpha: float = ALPHA,
) -> AcrossDatasets:
    """Rank variants on every dataset and test whether their mean ranks differ.

    Args:
      scores: for each variant one finite number per dataset, in the order of `datasets`.
      datasets: their names.
      higher_is_better: False for a loss.
      alpha: level of the critical difference.

    Raises:
      ValueError: no variant, no dataset, or not one finite number for each of them.

    Example:
      >>> found = across_datasets({"a": [0.9, 0.8], "b": [0.7, 0.8]}, ["x", "y"])
      >>> found.mean_ranks
      (1.25, 1.75)
    """
    table = _table(scores, datasets)
    turned = [[-x for x in row] for row in table] if higher_is_better else table
    ranked = tuple(tuple(ranks(row)) for row in turned)
    n, k = len(datasets), len(scores)
    means = tuple(math.fsum(row[j] for row in ranked) / n for j in range(k))
    return AcrossDatasets(
        variants=tuple(scores),
        datasets=tuple(datasets),
        ranks=ranked,
        mean_ranks=means,
        friedman=_friedman(ranked) if n > 1 and k > 1 else None,
        alpha=alpha,
    )


def against_reference(
    scores: Mapping[str, Sequence[float]],
    datasets: Sequence[str],
    reference: str,
    *,
    higher_is_better: bool = True,
) -> list[AgainstReference]:
    """Compare every other variant with the reference by Wilcoxon's test, Holm over all of them.

    Args:
      scores: for each variant one finite number per dataset, in the order of `datasets`.
      datasets: their names.
      reference: a key of `scores`.
      higher_is_better: False for a loss; decides what is a win and does not affect p.

    Raises:
      ValueError: as `across_datasets`, or a reference that is not one of the variants.
    """
    _table(scores, datasets)
    if reference not in scores:
        raise ValueError(f"reference {reference!r} has no scores; known: {', '.join(scores)}.")
    differences = {
        name: tuple(x - y for x, y in zip(values, scores[reference], strict=True))
        for name, values in scores.items()
        if name != reference
    }
    tests = {name: signed_rank(values) for name, values in differences.items()}
    adjusted = holm([p for p, _ in tests.values()])
    compared = []
    for (name, values), p_holm in zip(differences.items(), adjusted, strict=True):
        up, down = sum(d > DUST for d in values), sum(d < -DUST for d in values)
        wins, losses = (up, down) if higher_is_better else (down, up)
        p, least = tests[name]
        ties = len(values) - up - down
        compared.append(AgainstReference(name, values, wins, ties, losses, p, p_holm, least))
    return compared


def signed_rank(differences: Sequence[float]) -> tuple[float, float]:
    """Return Wilcoxon's signed-rank test: two-sided p, and the smallest p that was possible.

        W+ = sum of rank(|d_i|) over d_i > 0
        p  = the share of sign patterns with W+ as far from its mean, n (n + 1) / 4, as observed

    Zero differences are left out, as Wilcoxon did; those of equal size share their mean rank, and
    the share is counted over the actual ranks, by adding one rank after another to the
    distribution of the sum, which is exact for any number of datasets.

    Returns:
      (p, smallest p); (1, 1) if no difference is left.

    References:
      Wilcoxon, "Individual Comparisons by Ranking Methods", Biometrics Bulletin 1(6), 1945.

    Example:
      >>> signed_rank([1.0, 2.0, 3.0, 4.0, 5.0])
      (0.0625, 0.0625)
    """
    import numpy as np

    kept = [d for d in differences if abs(d) > DUST]
    n = len(kept)
    if n == 0:
        return 1.0, 1.0
    # Twice the rank is an integer even if ranks are shared.
    doubled = [round(2 * rank) for rank in ranks([abs(d) for d in kept])]
    chance = np.zeros(sum(doubled) + 1)  # the probability of each sum, over all sign patterns
    chance[0] = 1.0
    for rank in doubled:
        chance[rank:] = chance[rank:] + chance[: len(chance) - rank]
        chance /= 2
    observed = sum(rank for rank, d in zip(doubled, kept, strict=True) if d > 0)
    off = abs(2 * np.arange(len(chance)) - sum(doubled))
    p = float(chance[off >= abs(2 * observed - sum(doubled))].sum())
    return min(1.0, p), 2 * 0.5**n


def critical_difference(variants: int, datasets: int, alpha: float = ALPHA) -> float:
    """Return the difference of two mean ranks that Nemenyi's test calls significant.

        CD = q / sqrt(2) * sqrt(k (k + 1) / (6 N))

    with q the upper quantile of the studentized range of k groups and infinite degrees of freedom.

    Example:
      >>> round(critical_difference(4, 14), 2)
      1.25
    """
    q = _range_quantile(variants, alpha)
    return q / math.sqrt(2) * math.sqrt(variants * (variants + 1) / (6 * datasets))


@functools.lru_cache(maxsize=256)  # an integral, computed once for each k
def _range_quantile(groups: int, alpha: float) -> float:
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(1 - alpha, groups, math.inf))


def _friedman(ranked: Sequence[Sequence[float]]) -> Friedman:
    from scipy.special import chdtrc, fdtrc

    n, k = len(ranked), len(ranked[0])
    sums = [math.fsum(row[j] for row in ranked) for j in range(k)]
    between = (k - 1) * math.fsum((rank_sum - n * (k + 1) / 2) ** 2 for rank_sum in sums)
    within = math.fsum(r**2 for row in ranked for r in row) - n * k * (k + 1) ** 2 / 4
    if within <= DUST:  # all variants tie on all datasets
        return Friedman(0.0, 1.0, 0.0, 1.0)
    chi2 = between / within
    p = float(chdtrc(k - 1, chi2))
    left = n * (k - 1) - chi2
    if left <= 1e-9 * n * k:  # every dataset ranks the variants in the same way
        tied = math.prod(math.factorial(ranked[0].count(rank)) for rank in set(ranked[0]))
        return Friedman(chi2, p, math.inf, (tied / math.factorial(k)) ** (n - 1))
    f = (n - 1) * chi2 / left
    return Friedman(chi2, p, f, float(fdtrc(k - 1, (k - 1) * (n - 1), f)))


def _groups(means: Sequence[float], reach: float) -> tuple[tuple[int, ...], ...]:
    """Return the maximal runs of variants, by mean rank, whose ends are within reach."""
    order = sorted(range(len(means)), key=lambda variant: means[variant])
    groups, covered = [], 0
    for first in range(len(order)):
        last = first
        while last + 1 < len(order) and means[order[last + 1]] - means[order[first]] <= reach:
            last += 1
        if last > first and last + 1 > covered:
            groups.append(tuple(order[first : last + 1]))
            covered = last + 1
    return tuple(groups)


def _table(scores: Mapping[str, Sequence[float]], datasets: Sequence[str]) -> list[list[float]]:
    """Check the scores and return them as (N, k)."""
    if not scores or not len(datasets):
        raise ValueError("no scores; give at least one variant and one dataset.")
    for name, values in scores.items():
        if len(values) != len(datasets):
            raise ValueError(
                f"variant {name!r} has {len(values)} scores for {len(datasets)} datasets; leave "
                "out a dataset that not all variants have."
            )
        if not all(map(math.isfinite, values)):
            raise ValueError(f"variant {name!r} has a score that is not finite; leave it out.")
    return [[float(values[i]) for values in scores.values()] for i in range(len(datasets))]
