"""The exact test of a paired difference: flip the signs.

If a variant changes nothing, every paired difference is as likely to have the other sign. The p
value is the share of all sign patterns whose sum is at least as far from zero as the one observed.
It assumes no distribution, and is honest about what few seeds can show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attn_nlp.stats.attainable import least_attainable
from attn_nlp.stats.intervals import DUST, check

if TYPE_CHECKING:
    import numpy as np

ENUMERATE_UP_TO = 20  # nonzero differences
RESAMPLES = 99_999
RNG_SEED = 20_190_804
# Sums that agree up to this share of the largest one are equal: scores are multiples of 1/N, and
# sums of the same differences in a different order differ in their last bits.
_TIE = 1e-9


@dataclass(frozen=True)
class SignFlip:
    """A sign-flip test.

    Attributes:
      p: two-sided, in (0, 1]; 1 if all differences are zero.
      least: the smallest p that this many nonzero differences could have given.
      nonzero: differences that have a sign to flip.
      exact: True if all sign patterns were enumerated; otherwise `RESAMPLES` were drawn.
    """

    p: float
    least: float
    nonzero: int
    exact: bool


def sign_flip(differences: Sequence[float], rng_seed: int = RNG_SEED) -> SignFlip:
    """Test whether paired differences have mean zero, by flipping their signs.

        p = #{s in {-1, +1}^n : |sum s_i d_i| >= |sum d_i|} / 2^n

    A zero difference has no sign to flip and leaves the share unchanged. Above
    `ENUMERATE_UP_TO` nonzero differences, N = `RESAMPLES` patterns are drawn, and
    p = (b + 1) / (N + 1) with b of them at least as far from zero, which is never zero and never
    too small.

    Args:
      differences: one for each pair, finite.
      rng_seed: of the drawn patterns; without effect if all are enumerated.

    Raises:
      ValueError: no difference, or one that is not finite.

    References:
      Fisher, "The Design of Experiments", 1935, section 21. Pitman, "Significance Tests Which May
      be Applied to Samples from any Populations", 1937. Phipson & Smyth, "Permutation P-values
      Should Never Be Zero", 2010, for (b + 1) / (N + 1).

    Example:
      >>> sign_flip([0.01, 0.02, 0.03, 0.01, 0.02]).p
      0.0625
    """
    return sign_flips([differences], rng_seed)[0]


def sign_flips(comparisons: Sequence[Sequence[float]], rng_seed: int = RNG_SEED) -> list[SignFlip]:
    """Return `sign_flip` of every comparison; those that need drawn patterns share them."""
    import numpy as np

    tests: list[SignFlip | None] = []
    drawn: dict[int, np.ndarray] = {}
    for index, differences in enumerate(comparisons):
        check(differences)
        signed = np.array([d for d in differences if abs(d) > DUST])
        if len(signed) > ENUMERATE_UP_TO:
            drawn[index] = signed
        tests.append(None if index in drawn else _enumerated(signed))
    beyond = _beyond(list(drawn.values()), rng_seed) if drawn else []
    for (index, signed), count in zip(drawn.items(), beyond, strict=True):
        n = len(signed)
        least = max(least_attainable(n), 1 / (RESAMPLES + 1))
        tests[index] = SignFlip((count + 1) / (RESAMPLES + 1), least, n, exact=False)
    return [test for test in tests if test is not None]


def _enumerated(signed: np.ndarray) -> SignFlip:
    """Return the test over all patterns of signs."""
    import numpy as np

    n = len(signed)
    if n == 0:  # identical scores
        return SignFlip(p=1.0, least=1.0, nonzero=0, exact=True)
    # Every sum is one of the first half plus one of the second, so a thousand sorted sums per
    # half count a million patterns.
    first, second = _sums(signed[: n // 2]), np.sort(_sums(signed[n // 2 :]))
    below = np.searchsorted(second, -_observed(signed) - first, side="right").sum()
    # As many are that far above zero, since every pattern has its mirror image.
    p = min(1.0, 2 * int(below) / 2**n)
    return SignFlip(p, least_attainable(n), n, exact=True)


def _observed(signed: np.ndarray) -> float:
    """Return the distance of the sum from zero, minus a tolerance for rounding."""
    return abs(math.fsum(signed)) - _TIE * float(abs(signed).sum())


def _beyond(comparisons: Sequence[np.ndarray], rng_seed: int) -> list[int]:
    """Count, for each comparison, the drawn patterns at least as far from zero as observed.

    The signs of the first pair are drawn first, then those of the second, so the signs of n pairs
    do not depend on the other comparisons. A pattern has one bit per pair, and the patterns of all
    comparisons are one matrix product.
    """
    import numpy as np

    rng = np.random.default_rng(rng_seed)
    most = max(map(len, comparisons))
    bits = np.stack([np.frombuffer(rng.bytes(-(-RESAMPLES // 8)), np.uint8) for _ in range(most)])
    padded = np.stack([np.pad(signed, (0, most - len(signed))) for signed in comparisons])
    total, size = padded.sum(axis=1, keepdims=True), np.abs(padded).sum(axis=1, keepdims=True)
    reach = np.array([[_observed(signed)] for signed in comparisons])
    # A float32 sum of n terms is off by less than this; closer sums are repeated in float64.
    doubt = 2 * (most + 8) * 2.0**-24 * size
    narrow, offset = (2 * padded).astype(np.float32), total.astype(np.float32)
    above, below = (reach + doubt).astype(np.float32), (reach - doubt).astype(np.float32)
    counts, left = np.zeros(len(comparisons), int), RESAMPLES
    for piece in np.array_split(bits, 64, axis=1):  # in pieces that fit into a cache
        flipped = np.unpackbits(piece, axis=1, count=min(left, 8 * piece.shape[1]))
        # The sum under a pattern is that of all pairs, minus twice that of the flipped ones.
        sums = np.abs(offset - narrow @ flipped.astype(np.float32))
        beyond = sums >= above
        doubtful = np.flatnonzero((sums >= below) ^ beyond)
        which, pattern = np.unravel_index(doubtful, sums.shape)
        again = np.einsum("pn,np->p", padded[which], flipped[:, pattern])
        beyond[which, pattern] = abs(total[which, 0] - 2 * again) >= reach[which, 0]
        counts += beyond.sum(axis=1)
        left -= flipped.shape[1]
    return counts.tolist()


def _sums(values):
    """Return the sums of the values under every pattern of signs."""
    import numpy as np

    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums
