"""The benefit of tuning: the best score that k trials are expected to find, for every k.

A best score says little without the number of trials behind it: more trials find better ones. The
curve says what a smaller budget would have found, and whether a larger one would have helped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from attn_nlp.stats.intervals import check


def expected_best(values: Sequence[float], *, higher_is_better: bool = True) -> list[float]:
    """Return the expected best of k of the trials, for k from 1 to their number B.

        best of k = sum_{i=k..B} x_(i) C(i - 1, k - 1) / C(B, k)

    with x_(1) <= ... <= x_(B): the mean of the best over all C(B, k) sets of k trials.

    Args:
      values: one finite score for each trial.
      higher_is_better: False for a loss, whose best is the smallest.

    Returns:
      B numbers. The first is the mean of all trials, the last the best of them.

    Raises:
      ValueError: no value, or one that is not finite.

    References:
      Dodge et al., "Show Your Work: Improved Reporting of Experimental Results", EMNLP 2019,
      arXiv:1909.03004, for the curve. They draw the k trials with replacement, which falls short
      of the expected best on average; Tang et al., "Showing Your Work Doesn't Always Work", ACL
      2020, arXiv:2004.13705, show that the mean over sets, which is used here, does not.

    Example:
      >>> expected_best([0.0, 1.0])
      [0.5, 1.0]
    """
    check(values)
    sign = 1.0 if higher_is_better else -1.0
    ordered = sorted(sign * value for value in values)
    count = len(ordered)
    return [
        sign
        * math.fsum(
            ordered[i - 1] * (math.comb(i - 1, k - 1) / math.comb(count, k))
            for i in range(k, count + 1)
        )
        for k in range(1, count + 1)
    ]
