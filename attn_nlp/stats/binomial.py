"""The error due to a finite test split, whatever the number of seeds."""

from __future__ import annotations

import math


def binomial_error(share: float, sentences: int) -> float:
    """Return the standard error of an accuracy measured once on that many sentences.

        sqrt(share * (1 - share) / sentences)

    Seeds do not reduce it: all of them are tested on the same sentences.

    Args:
      share: accuracy in [0, 1].
      sentences: size of the test split, at least 1.

    Raises:
      ValueError: an accuracy outside [0, 1], or an empty split.

    Example:
      >>> binomial_error(0.8, 400)
      0.02
    """
    if not 0 <= share <= 1:
        raise ValueError(f"accuracy {share}; allowed: from 0 to 1.")
    if sentences < 1:
        raise ValueError(f"{sentences} sentences; a test split has at least 1.")
    return math.sqrt(share * (1 - share) / sentences)
