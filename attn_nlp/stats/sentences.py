"""Two separate uncertainties: other seeds, and other test sentences.

In: for every seed and test sentence, whether a variant and the reference were right. More seeds do
not make the test split larger: an interval over seeds shows what retraining would change, on these
sentences. The measures here let both vary, or, for two fixed models, the sentences alone.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from attn_nlp.stats.intervals import t_quantile

if TYPE_CHECKING:
    import numpy as np

RESAMPLES = 2_000
RNG_SEED = 20_190_804


@dataclass(frozen=True)
class TwoWay:
    """The mean of a paired difference over n seeds and N sentences, with both resampled.

    Attributes:
      seeds, sentences: n and N.
      mean: of all n N differences.
      error_seeds: standard error if only seeds vary; None for one seed.
      error_sentences: the same if only sentences vary; None for one sentence.
      error: the same if both vary; None for one seed or one sentence.
      low, high: the 95% interval, mean -/+ t(min(n, N) - 1) error; None if `error` is None.
      resamples: of the bootstrap.
      rng_seed: of the resamples.
      variant, reference: (n, N) bool, the right answers that the bootstrap draws from.
    """

    seeds: int
    sentences: int
    mean: float
    error_seeds: float | None
    error_sentences: float | None
    error: float | None
    low: float | None
    high: float | None
    resamples: int
    rng_seed: int
    variant: np.ndarray = field(repr=False, compare=False)
    reference: np.ndarray = field(repr=False, compare=False)

    @functools.cached_property
    def _bootstrap(self) -> tuple[float, float]:
        import numpy as np

        d = _differences(self.variant, self.reference)
        means = resampled_means(d, self.resamples, self.rng_seed)
        low, high = np.quantile(means, (0.025, 0.975))
        return float(low), float(high)

    @property
    def bootstrap_low(self) -> float:
        """The 2.5% quantile of the resampled means.

        Computed on first use: a terminal does not show it, and it costs more than everything else.
        """
        return self._bootstrap[0]

    @property
    def bootstrap_high(self) -> float:
        """The 97.5% quantile of the resampled means."""
        return self._bootstrap[1]


def two_way(
    variant: np.ndarray,
    reference: np.ndarray,
    *,
    resamples: int = RESAMPLES,
    rng_seed: int = RNG_SEED,
) -> TwoWay:
    """Estimate how a paired difference in accuracy varies with other seeds and other sentences.

        d[i, j] = variant[i, j] - reference[i, j],   e = d - mean(d),   M = n N
        error_seeds^2     = n / (n - 1) sum_i (sum_j e[i, j])^2 / M^2
        error_sentences^2 = N / (N - 1) sum_j (sum_i e[i, j])^2 / M^2
        error^2 = error_seeds^2 + error_sentences^2 - M / (M - 1) sum_ij e[i, j]^2 / M^2

    The last term was counted twice. If subtracting it leaves less than one of the others alone, as
    can happen by chance, the larger of these is used. The bootstrap draws n seeds and N sentences
    with replacement, each seed and each sentence for both models at once.

    Args:
      variant: (n, N), True if seed i was right on sentence j.
      reference: (n, N), the same for the reference, with the same seeds and sentences in order.
      resamples: of the bootstrap, at least 1.
      rng_seed: of the bootstrap.

    Returns:
      A `TwoWay`; if all differences agree, every interval has no width.

    Raises:
      ValueError: shapes that differ or are not (n, N), or empty arrays.

    References:
      Cameron, Gelbach & Miller, "Robust Inference with Multiway Clustering", 2011, for the errors.
      Owen, "The Pigeonhole Bootstrap", 2007, for drawing rows and columns: its variance is never
      too small on average.
    """
    import numpy as np

    right, base = np.asarray(variant, bool), np.asarray(reference, bool)
    if right.shape != base.shape or right.ndim != 2 or not right.size:
        raise ValueError(
            f"variant of shape {right.shape} and reference of shape {base.shape}; both must be "
            "(seeds, sentences), the same ones, and not empty."
        )
    d = _differences(right, base)
    n, size = d.shape
    # Integers below 2^24, which a matrix product adds without rounding.
    f = d.astype(np.float32)
    of_seeds, of_sentences = f @ np.ones(size, np.float32), np.ones(n, np.float32) @ f
    total, nonzero = int(of_seeds.sum(dtype=np.float64)), int(np.count_nonzero(d))
    by_seed = _variance(_squares(of_seeds), total, n, d.size)
    by_sentence = _variance(_squares(of_sentences), total, size, d.size)
    mean = total / d.size
    both = low = high = None
    if by_seed is not None and by_sentence is not None:
        twice = _variance(nonzero, total, d.size, d.size) or 0.0
        both = math.sqrt(max(by_seed + by_sentence - twice, by_seed, by_sentence))
        reach = t_quantile(min(n, size) - 1, 0.975) * both
        low, high = mean - reach, mean + reach
    return TwoWay(
        seeds=n,
        sentences=size,
        mean=mean,
        error_seeds=None if by_seed is None else math.sqrt(by_seed),
        error_sentences=None if by_sentence is None else math.sqrt(by_sentence),
        error=both,
        low=low,
        high=high,
        resamples=resamples,
        rng_seed=rng_seed,
        variant=right,
        reference=base,
    )


def resampled_means(d: np.ndarray, resamples: int, rng_seed: int) -> np.ndarray:
    """Return (resamples,) means of a table whose rows and columns are drawn with replacement.

    The table is weighted on both sides by how often each row and column is drawn. Sums of
    integers are exact, so the means are the same on every machine.
    """
    import numpy as np

    n, size = d.shape
    rows, columns = _drawn(n, resamples, rng_seed, 0), _drawn(size, resamples, rng_seed, 1)
    drawn = columns @ d.T.astype(np.float32)  # integers far below 2^24
    return (drawn.astype(np.float64) * rows).sum(axis=1) / d.size


@dataclass(frozen=True)
class McNemar:
    """McNemar's test of two fixed models on the same sentences.

    Attributes:
      only_variant, only_reference: sentences that one of them alone got right.
      p: two-sided exact; 1 if both were right on the same sentences.

    References:
      McNemar, "Note on the Sampling Error of the Difference Between Correlated Proportions or
      Percentages", Psychometrika 12(2), 1947; the binomial form is exact.
    """

    only_variant: int
    only_reference: int
    p: float


def mcnemar(variant: np.ndarray, reference: np.ndarray) -> McNemar:
    """Test whether two trained models differ on sentences like these, whatever other seeds do.

        p = min(1, 2 P(X <= min(b, c))),   X binomial with b + c trials and chance 1/2

    with b and c the sentences that only the variant, and only the reference, got right.

    Args:
      variant: (N,), True if the variant was right.
      reference: (N,), the same for the reference.

    Raises:
      ValueError: shapes that differ or are not (N,), or empty arrays.

    Example:
      >>> mcnemar([1, 1, 1, 1, 0], [0, 0, 0, 0, 0]).p
      0.125
    """
    import numpy as np
    from scipy.special import bdtr

    right, base = np.asarray(variant, bool), np.asarray(reference, bool)
    if right.shape != base.shape or right.ndim != 1 or not right.size:
        raise ValueError(
            f"variant of shape {right.shape} and reference of shape {base.shape}; both must be "
            "(sentences,), the same ones, and not empty."
        )
    b, c = int((right & ~base).sum()), int((base & ~right).sum())
    p = min(1.0, 2 * float(bdtr(min(b, c), b + c, 0.5))) if b + c else 1.0
    return McNemar(b, c, p)


def right(answers: Sequence[bytes], sentences: int) -> np.ndarray:
    """Return (n, N) bool, True if a run answered a sentence as labeled.

    Args:
      answers: of at least one run, one bit per sentence, the first in the highest bit of a byte.
      sentences: N.

    Example:
      >>> right([b"\\xc0", b"\\xa0"], 3).tolist()
      [[True, True, False], [True, False, True]]
    """
    import numpy as np

    rows = np.frombuffer(b"".join(answers), np.uint8).reshape(len(answers), -1)
    return np.unpackbits(rows, axis=1, count=sentences).view(bool)


def _differences(variant: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return (n, N) int8 in -1, 0, 1; not kept, since many comparisons would fill the memory."""
    return variant.view("int8") - reference.view("int8")


def _squares(sums: np.ndarray) -> int:
    """Return the sum of squares of integers."""
    import numpy as np

    return int((sums.astype(np.int64) ** 2).sum())


def _variance(squares: int, total: int, clusters: int, size: int) -> float | None:
    """Return the variance of a mean over `size` numbers that come in independent clusters.

        c / (c - 1) sum_k (s_k - total / c)^2 / size^2

    with s_k the sums of c clusters, `squares` their sum of squares and `total` their sum:
    integers, so that nothing is rounded before the division.
    """
    if clusters == 1:
        return None
    return (clusters * squares - total**2) / ((clusters - 1) * size**2)


@functools.lru_cache(maxsize=8)
def _drawn(size: int, resamples: int, rng_seed: int, stream: int) -> np.ndarray:
    """Return (resamples, size): how often each of `size` items is drawn in `size` draws."""
    import numpy as np

    rng = np.random.default_rng((rng_seed, stream))
    return rng.multinomial(size, np.full(size, 1 / size), size=resamples).astype(np.float32)
