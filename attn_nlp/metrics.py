"""Numbers that say how well predictions match labels. Plain NumPy; JAX is not needed.

In: labels and class logits of a split. Out: `evaluate`, all that a record says about the split. The
functions below it also serve whoever reads records: a reliability diagram and a table by class are
made from stored confidences and counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attn_nlp.tallies import BINS as BINS
from attn_nlp.tallies import OfClass as OfClass
from attn_nlp.tallies import by_class as by_class
from attn_nlp.tallies import matthews as matthews

DECIMALS = 4  # of a stored confidence


@dataclass(frozen=True)
class Evaluation:
    """What is said about one split.

    Attributes:
      scores: accuracy, macro_f1, matthews, loss, ece; f1 too where a class was named positive.
      predictions: (N,) class numbers.
      confidences: (N,) probability of the predicted class, to four decimals.
    """

    scores: dict[str, float]
    predictions: np.ndarray
    confidences: np.ndarray


def evaluate(
    labels: np.ndarray, class_logits: np.ndarray, positive: int | None = None
) -> Evaluation:
    """Score the class logits of a split.

    Args:
      labels: (N,) whole numbers below C, N at least 1.
      class_logits: (N, C).
      positive: the class whose F1 is the customary metric of the dataset, where there is one.

    Returns:
      The scores; loss and ece are NaN where a class logit is not finite.
    """
    labels, predictions = np.asarray(labels), np.asarray(class_logits).argmax(axis=1)
    sure = confidences(class_logits)
    found = scores(labels, predictions, class_logits.shape[1])
    found["loss"] = log_loss(class_logits, labels)
    found["ece"] = calibration_error(sure, predictions == labels)
    if positive is not None:
        counts = confusion(labels, predictions, class_logits.shape[1])
        found["f1"] = by_class(counts)[positive].f1
    return Evaluation(found, predictions, sure)


def confusion(labels: np.ndarray, predictions: np.ndarray, classes: int) -> list[list[int]]:
    """Counts by true class (row) and predicted class (column).

    Args:
      labels: (N,) whole numbers below `classes`.
      predictions: (N,) the same.
      classes: how many classes there are.

    Returns:
      `classes` lists of `classes` counts, which sum to N.
    """
    flat = np.bincount(np.asarray(labels) * classes + np.asarray(predictions), minlength=classes**2)
    return flat.reshape(classes, classes).tolist()


def scores(labels: np.ndarray, predictions: np.ndarray, classes: int) -> dict[str, float]:
    """Accuracy and macro-F1 in [0, 1], Matthews correlation in [-1, 1].

        accuracy = correct / N
        F1[c] = 2 TP[c] / (2 TP[c] + FP[c] + FN[c]);  macro_f1 = mean over the classes in use

    A class that neither a label nor a prediction names has no F1 and is left out of the mean, as
    scikit-learn does. For the correlation see `matthews`.

    Args:
      labels: (N,) whole numbers below `classes`, N at least 1.
      predictions: (N,) the same.
      classes: how many classes there are.
    """
    counts = confusion(labels, predictions, classes)
    table = np.asarray(counts, dtype=np.float64)
    right = np.diag(table)
    named = table.sum(axis=0) + table.sum(axis=1)  # 2 TP + FP + FN
    used = named > 0
    return {
        "accuracy": float(right.sum() / table.sum()),
        "macro_f1": float((2 * right[used] / named[used]).mean()),
        "matthews": matthews(counts),
    }


def log_loss(class_logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log-likelihood in nats, in float64.

    Args:
      class_logits: (N, C).
      labels: (N,).

    Returns:
      The loss; NaN where a class logit is not finite.
    """
    if not np.isfinite(class_logits).all():
        return float("nan")
    log_probabilities = _log_softmax(class_logits)
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())


def confidences(class_logits: np.ndarray) -> np.ndarray:
    """The probability of the predicted class, to four decimals, which is how it is stored.

    Args:
      class_logits: (N, C).

    Returns:
      (N,) float64 from 1 / C to 1; NaN for a row that is not finite.
    """
    finite = np.isfinite(class_logits).all(axis=1)
    found = np.full(len(class_logits), np.nan)
    found[finite] = np.exp(_log_softmax(class_logits[finite]).max(axis=1))
    return np.round(found, DECIMALS)


@dataclass(frozen=True)
class Bin:
    """One bar of a reliability diagram: sentences whose confidence is in (low, high]."""

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


def reliability(sure: np.ndarray, right: np.ndarray, bins: int = BINS) -> list[Bin]:
    """Sentences in bins of equal width by confidence, with mean confidence and share right.

    Args:
      sure: (N,) confidences in [0, 1].
      right: (N,) whether the prediction is the label.
      bins: how many.

    Returns:
      Every bin from 0 to 1; the first holds 0 too. An empty one has neither mean nor share.
    """
    sure, right = np.asarray(sure, np.float64), np.asarray(right, bool)
    at = np.maximum(np.ceil(sure * bins).astype(int) - 1, 0)
    found = []
    for place in range(bins):
        inside = at == place
        some = inside.any()
        found.append(
            Bin(
                low=place / bins,
                high=(place + 1) / bins,
                count=int(inside.sum()),
                confidence=float(sure[inside].mean()) if some else None,
                accuracy=float(right[inside].mean()) if some else None,
            )
        )
    return found


def calibration_error(sure: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """How far confidence is from the share of right answers: the expected calibration error.

        ECE = sum_b (n[b] / N) |right[b] / n[b] - mean confidence in b|

    over bins of equal width. It is worked out from confidences as they are stored, to four
    decimals, so that a diagram of stored confidences gives the same number. It depends on the
    bins, and small samples push it up: compare it at equal N.

    Args:
      sure: (N,) confidences in [0, 1], N at least 1.
      right: (N,) whether the prediction is the label.
      bins: how many.

    Returns:
      The error in [0, 1]; NaN where a confidence is.

    References:
      Guo, Pleiss, Sun & Weinberger, "On Calibration of Modern Neural Networks", ICML 2017,
      arXiv:1706.04599, equation 3, with 15 bins as in their section 5.
    """
    if np.isnan(sure).any():
        return float("nan")
    return sum(
        each.count / len(sure) * abs(each.accuracy - each.confidence)
        for each in reliability(sure, right, bins)
        if each.accuracy is not None and each.confidence is not None
    )


def _log_softmax(class_logits: np.ndarray) -> np.ndarray:
    shifted = class_logits.astype(np.float64) - class_logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
