"""Measure how well predictions match labels. Plain NumPy; JAX is not needed.

Given the labels and class logits of a split, `evaluate` returns all that a record says about the
split. The other functions are also used on records: reliability diagrams and tables by class are
made from stored confidences and counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attn_nlp.result.tallies import BINS as BINS
from attn_nlp.result.tallies import OfClass as OfClass
from attn_nlp.result.tallies import by_class as by_class
from attn_nlp.result.tallies import matthews as matthews

DECIMALS = 4  # of a stored confidence


@dataclass(frozen=True)
class Evaluation:
    """The results on one split.

    Attributes:
      scores: accuracy, macro_f1, matthews, loss, ece; also f1 if there is a positive class.
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
      labels: (N,) integers below C, N at least 1.
      class_logits: (N, C).
      positive: the class whose F1 is the customary metric of the dataset, or None.

    Returns:
      The scores; loss and ece are NaN if a class logit is not finite.
    """
    labels, predictions = np.asarray(labels), np.asarray(class_logits).argmax(axis=1)
    confidence = confidences(class_logits)
    measured = scores(labels, predictions, class_logits.shape[1])
    measured["loss"] = log_loss(class_logits, labels)
    measured["ece"] = calibration_error(confidence, predictions == labels)
    if positive is not None:
        counts = confusion(labels, predictions, class_logits.shape[1])
        measured["f1"] = by_class(counts)[positive].f1
    return Evaluation(measured, predictions, confidence)


def confusion(labels: np.ndarray, predictions: np.ndarray, classes: int) -> list[list[int]]:
    """Count predictions by true class (row) and predicted class (column).

    Args:
      labels: (N,) integers below `classes`.
      predictions: (N,) the same.
      classes: number of classes.

    Returns:
      `classes` lists of `classes` counts, which sum to N.
    """
    flat = np.bincount(np.asarray(labels) * classes + np.asarray(predictions), minlength=classes**2)
    return flat.reshape(classes, classes).tolist()


def scores(labels: np.ndarray, predictions: np.ndarray, classes: int) -> dict[str, float]:
    """Return accuracy and macro-F1 in [0, 1], and Matthews correlation in [-1, 1].

        accuracy = correct / N
        F1[c] = 2 TP[c] / (2 TP[c] + FP[c] + FN[c]);  macro_f1 = mean over the classes in use

    A class that occurs neither as a label nor as a prediction has no F1 and is left out of the
    mean, as in scikit-learn. For the correlation, see `matthews`.

    Args:
      labels: (N,) integers below `classes`, N at least 1.
      predictions: (N,) the same.
      classes: number of classes.
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
    """Return the mean negative log-likelihood in nats, in float64.

    Args:
      class_logits: (N, C).
      labels: (N,).

    Returns:
      The loss; NaN if a class logit is not finite.
    """
    if not np.isfinite(class_logits).all():
        return float("nan")
    log_probabilities = _log_softmax(class_logits)
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())


def confidences(class_logits: np.ndarray) -> np.ndarray:
    """Return the probability of the predicted class, to four decimals, as it is stored.

    Args:
      class_logits: (N, C).

    Returns:
      (N,) float64 from 1 / C to 1; NaN for a row that is not finite.
    """
    finite = np.isfinite(class_logits).all(axis=1)
    confidence = np.full(len(class_logits), np.nan)
    confidence[finite] = np.exp(_log_softmax(class_logits[finite]).max(axis=1))
    return np.round(confidence, DECIMALS)


@dataclass(frozen=True)
class Bin:
    """One bar of a reliability diagram: sentences whose confidence is in (low, high]."""

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> list[Bin]:
    """Return mean confidence and accuracy of sentences in bins of equal width by confidence.

    Args:
      confidence: (N,) in [0, 1].
      right: (N,) whether the prediction is the label.
      bins: number of bins.

    Returns:
      Every bin from 0 to 1; the first includes 0. An empty bin has no mean and no accuracy.
    """
    confidence, right = np.asarray(confidence, np.float64), np.asarray(right, bool)
    bin_of = np.maximum(np.ceil(confidence * bins).astype(int) - 1, 0)
    made = []
    for index in range(bins):
        inside = bin_of == index
        some = inside.any()
        made.append(
            Bin(
                low=index / bins,
                high=(index + 1) / bins,
                count=int(inside.sum()),
                confidence=float(confidence[inside].mean()) if some else None,
                accuracy=float(right[inside].mean()) if some else None,
            )
        )
    return made


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """Return the expected calibration error: how far confidence is from accuracy.

        ECE = sum_b (n[b] / N) |right[b] / n[b] - mean confidence in b|

    over bins of equal width. It is computed from confidences as they are stored, to four decimals,
    so a diagram of stored confidences gives the same number. It depends on the bins, and is larger
    for small samples: compare it only at equal N.

    Args:
      confidence: (N,) in [0, 1], N at least 1.
      right: (N,) whether the prediction is the label.
      bins: number of bins.

    Returns:
      The error in [0, 1]; NaN if a confidence is.

    References:
      Guo, Pleiss, Sun & Weinberger, "On Calibration of Modern Neural Networks", ICML 2017,
      arXiv:1706.04599, equation 3, with 15 bins as in their section 5.
    """
    if np.isnan(confidence).any():
        return float("nan")
    return sum(
        b.count / len(confidence) * abs(b.accuracy - b.confidence)
        for b in reliability(confidence, right, bins)
        if b.accuracy is not None and b.confidence is not None
    )


def _log_softmax(class_logits: np.ndarray) -> np.ndarray:
    shifted = class_logits.astype(np.float64) - class_logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
