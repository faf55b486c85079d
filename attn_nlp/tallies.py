"""Scores that follow from counts by true class (row) and predicted class (column).

Plain Python: whoever checks a stored result counts by the same formulas as whoever trains.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

Counts = Sequence[Sequence[int]]


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
