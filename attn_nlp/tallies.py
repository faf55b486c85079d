"""Scores that follow from counts by true class (row) and predicted class (column), or from how
sure each answer is.

Plain Python: whoever checks a stored result counts by the same formulas as whoever trains.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

Counts = Sequence[Sequence[int]]
BINS = 15  # of the calibration error


class OfClass(NamedTuple):
    """How one class fares."""

    precision: float
    recall: float
    f1: float
    support: int


def tally(
    labels: Sequence[int], predictions: Sequence[int], classes: Sequence[int]
) -> list[list[int]]:
    """Counts by true class and predicted class, each of the classes named.

    Example:
      >>> tally([0, 1, 1], [0, 1, 0], [0, 1])
      [[1, 0], [1, 1]]
    """
    pairs = Counter(zip(labels, predictions, strict=True))
    return [[pairs[true, predicted] for predicted in classes] for true in classes]


def by_class(counts: Counts) -> list[OfClass]:
    """Precision, recall, F1 and support of every class.

        precision = TP / (TP + FP);  recall = TP / (TP + FN);  F1 = 2 TP / (2 TP + FP + FN)

    Args:
      counts: C rows of C.

    Returns:
      One entry a class; 0 for 0 / 0, as scikit-learn does. Support counts the class's labels.
    """
    predicted = [sum(column) for column in zip(*counts, strict=True)]
    found = []
    for place, row in enumerate(counts):
        right, true = row[place], sum(row)
        found.append(
            OfClass(
                precision=right / predicted[place] if predicted[place] else 0.0,
                recall=right / true if true else 0.0,
                f1=2 * right / (true + predicted[place]) if true + predicted[place] else 0.0,
                support=true,
            )
        )
    return found


def macro_f1(counts: Counts) -> float:
    """The mean F1 of the classes that a label or a prediction names; 0 where there is none.

    Args:
      counts: C rows of C.
    """
    columns = zip(*counts, strict=True)
    named = [sum(row) + sum(column) for row, column in zip(counts, columns, strict=True)]
    found = [2 * counts[k][k] / both for k, both in enumerate(named) if both]
    return sum(found) / len(found) if found else 0.0


def matthews(counts: Counts) -> float:
    """The correlation between labels and predictions, for any number of classes.

        R = (c N - sum_k t[k] p[k]) / sqrt((N^2 - sum_k t[k]^2) (N^2 - sum_k p[k]^2))

    with c right answers, t[k] labels and p[k] predictions of class k. 1 for all right, 0 for
    chance, also where labels or predictions name one class only and the fraction is 0 / 0.

    Args:
      counts: C rows of C.

    References:
      Gorodkin, "Comparing two K-category assignments by a K-category correlation coefficient",
      Computational Biology and Chemistry 28, 2004, equation 8. The value 0 for 0 / 0 is
      scikit-learn's.
    """
    true = [sum(row) for row in counts]
    predicted = [sum(column) for column in zip(*counts, strict=True)]
    total, right = sum(true), sum(row[k] for k, row in enumerate(counts))
    # Whole numbers of Python: products of counts are exact.
    shared = right * total - sum(t * p for t, p in zip(true, predicted, strict=True))
    of_labels = total**2 - sum(t * t for t in true)
    of_predictions = total**2 - sum(p * p for p in predicted)
    if not of_labels or not of_predictions:
        return 0.0
    return shared / math.sqrt(of_labels * of_predictions)


def calibration(
    sure: Sequence[float], right: Sequence[bool], rounding: float = 0.0
) -> tuple[float, float]:
    """The least and the largest calibration error that confidences allow; see `train.metrics`.

    Without rounding both are the error itself. A confidence that was rounded near the edge of two
    bins may have been in either. All of one kind in one bin or the other are no bound, since some
    may be here and some there: bins with such an edge between them count as one for the least,
    as |a + b| <= |a| + |b|, and what is near an edge counts alone for the largest.

    Args:
      sure: N confidences in [0, 1], N at least 1.
      right: whether each prediction is the label.
      rounding: how far each confidence may lie from what it was.
    """
    gaps: dict[tuple[int, int, bool], float] = {}
    for (each, is_right), count in Counter(zip(sure, right, strict=True)).items():
        low, high = _bin(each - rounding), _bin(each + rounding)
        group = low, high, low != high and is_right
        gaps[group] = gaps.get(group, 0.0) + count * (is_right - each)
    open_above = {low for low, high, _ in gaps if low != high}
    by_bin = [0.0] * BINS
    for (low, _, _), gap in gaps.items():
        by_bin[low] += gap
    least = joined = 0.0
    for place, gap in enumerate(by_bin):
        joined += gap
        if place not in open_above:
            least += abs(joined)
            joined = 0.0
    return least / len(sure), sum(map(abs, gaps.values())) / len(sure)


def _bin(sure: float) -> int:
    """The place of (k / BINS, (k + 1) / BINS] around a confidence; the first holds 0 too."""
    return min(max(math.ceil(sure * BINS) - 1, 0), BINS - 1)


def least_loss(sure: Sequence[float], right: Sequence[bool], rounding: float = 0.0) -> float:
    """The least log loss that confidences allow: a mean over sentences, in nats.

        L >= mean(-log c where the prediction is right, -log(1 - c) where it is wrong)

    with c the probability of the predicted class: a true class that was not predicted has at most
    the rest, and with two classes exactly that.

    Args:
      sure: N confidences in [0, 1], N at least 1.
      right: whether each prediction is the label.
      rounding: how far each confidence may lie from what it was.
    """
    pairs = Counter(zip(sure, right, strict=True))
    total = 0.0
    for (each, is_right), count in pairs.items():
        most = min(1.0, (each if is_right else 1 - each) + rounding)
        total -= count * math.log(most) if most > 0 else -math.inf
    return total / len(sure)
