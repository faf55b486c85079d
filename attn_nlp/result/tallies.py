"""Compute scores from counts by true and predicted class, or from confidences.

Plain Python, so that stored results are checked with the same formulas as in training without
loading NumPy. Counts have a row for every true class and a column for every predicted class.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

Counts = Sequence[Sequence[int]]
BINS = 15  # of the calibration error


class OfClass(NamedTuple):
    """The scores of one class."""

    precision: float
    recall: float
    f1: float
    support: int


def tally(
    labels: Sequence[int], predictions: Sequence[int], classes: Sequence[int]
) -> list[list[int]]:
    """Count predictions by true class and predicted class, for the given classes.

    Example:
      >>> tally([0, 1, 1], [0, 1, 0], [0, 1])
      [[1, 0], [1, 1]]
    """
    pairs = Counter(zip(labels, predictions, strict=True))
    return [[pairs[true, predicted] for predicted in classes] for true in classes]


def by_class(counts: Counts) -> list[OfClass]:
    """Return precision, recall, F1 and support of every class.

        precision = TP / (TP + FP);  recall = TP / (TP + FN);  F1 = 2 TP / (2 TP + FP + FN)

    Args:
      counts: C rows of C.

    Returns:
      One entry per class; 0 for 0 / 0, as in scikit-learn. Support is the number of labels.
    """
    predicted = [sum(column) for column in zip(*counts, strict=True)]
    scores = []
    for index, row in enumerate(counts):
        right, true, guessed = row[index], sum(row), predicted[index]
        scores.append(
            OfClass(
                precision=right / guessed if guessed else 0.0,
                recall=right / true if true else 0.0,
                f1=2 * right / (true + guessed) if true + guessed else 0.0,
                support=true,
            )
        )
    return scores


def macro_f1(counts: Counts) -> float:
    """Return the mean F1 of the classes that occur as labels or predictions; 0 if there are none.

    Args:
      counts: C rows of C.
    """
    columns = zip(*counts, strict=True)
    named = [sum(row) + sum(column) for row, column in zip(counts, columns, strict=True)]
    scores = [2 * counts[k][k] / both for k, both in enumerate(named) if both]
    return sum(scores) / len(scores) if scores else 0.0


def matthews(counts: Counts) -> float:
    """Return the correlation between labels and predictions, for any number of classes.

        R = (c N - sum_k t[k] p[k]) / sqrt((N^2 - sum_k t[k]^2) (N^2 - sum_k p[k]^2))

    with c right answers, t[k] labels and p[k] predictions of class k. It is 1 if all are right, and
    0 for chance, or if all labels or all predictions are of one class and the fraction is 0 / 0.

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
    # With Python's integers, products of counts are exact.
    shared = right * total - sum(t * p for t, p in zip(true, predicted, strict=True))
    of_labels = total**2 - sum(t * t for t in true)
    of_predictions = total**2 - sum(p * p for p in predicted)
    if not of_labels or not of_predictions:
        return 0.0
    return shared / math.sqrt(of_labels * of_predictions)


def calibration(
    confidences: Sequence[float], right: Sequence[bool], rounding: float = 0.0
) -> tuple[float, float]:
    """Return the least and the largest calibration error that fit rounded confidences.

    Without rounding, both are the error itself; see `metrics.calibration_error`. A confidence that
    was rounded near the edge of two bins may have been in either. Assigning all of them to one bin
    gives no bound, since some may belong here and some there. So for the least error, bins with
    such an edge between them are joined, as |a + b| <= |a| + |b|, and for the largest, confidences
    near an edge count separately.

    Args:
      confidences: N numbers in [0, 1], N at least 1.
      right: whether each prediction is the label.
      rounding: the largest rounding error of a confidence.
    """
    gaps: dict[tuple[int, int, bool], float] = {}
    for (confidence, is_right), count in Counter(zip(confidences, right, strict=True)).items():
        low, high = _bin(confidence - rounding), _bin(confidence + rounding)
        group = low, high, low != high and is_right
        gaps[group] = gaps.get(group, 0.0) + count * (is_right - confidence)
    open_above = {low for low, high, _ in gaps if low != high}
    by_bin = [0.0] * BINS
    for (low, _, _), gap in gaps.items():
        by_bin[low] += gap
    least = joined = 0.0
    for index, gap in enumerate(by_bin):
        joined += gap
        if index not in open_above:
            least += abs(joined)
            joined = 0.0
    return least / len(confidences), sum(map(abs, gaps.values())) / len(confidences)


def _bin(confidence: float) -> int:
    """Return the k of the bin (k / BINS, (k + 1) / BINS] of a confidence; bin 0 includes 0."""
    return min(max(math.ceil(confidence * BINS) - 1, 0), BINS - 1)


def least_loss(confidences: Sequence[float], right: Sequence[bool], rounding: float = 0.0) -> float:
    """Return the smallest log loss consistent with the confidences: a mean over sentences, in nats.

        L >= mean(-log c where the prediction is right, -log(1 - c) where it is wrong)

    with c the probability of the predicted class: a true class that was not predicted has at most
    the remaining probability, and exactly that if there are two classes.

    Args:
      confidences: N numbers in [0, 1], N at least 1.
      right: whether each prediction is the label.
      rounding: the largest rounding error of a confidence.
    """
    pairs = Counter(zip(confidences, right, strict=True))
    total = 0.0
    for (confidence, is_right), count in pairs.items():
        most = min(1.0, (confidence if is_right else 1 - confidence) + rounding)
        total -= count * math.log(most) if most > 0 else -math.inf
    return total / len(confidences)
