"""Ranks in which scores that agree up to rounding are tied."""

from __future__ import annotations

from collections.abc import Sequence

from attn_nlp.stats.intervals import DUST


def ranks(values: Sequence[float]) -> list[float]:
    """Return ranks, 1 for the smallest; values that agree up to `DUST` share their mean rank.

    Example:
      >>> ranks([0.3, 0.1, 0.3])
      [2.5, 1.0, 2.5]
    """
    order = sorted(range(len(values)), key=lambda index: values[index])
    ranked = [0.0] * len(values)
    first = 0
    while first < len(order):
        last = first
        while last + 1 < len(order) and values[order[last + 1]] - values[order[first]] <= DUST:
            last += 1
        for index in order[first : last + 1]:
            ranked[index] = (first + last) / 2 + 1
        first = last + 1
    return ranked
