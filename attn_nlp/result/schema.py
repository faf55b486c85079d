"""The fields of a result: the one description of them, wherever a result comes from.

A model returns such a mapping, a worker checks it against the data, a driver checks it again before
it is written, and whatever is read from a store is checked by the same fields. Nothing here knows
NumPy, JAX or SQLite: values are plain, see `plain`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from operator import eq
from typing import Any

from attn_nlp.result import tallies
from attn_nlp.result.shapes import (
    LARGEST_WHOLE,
    Check,
    Misfit,
    fields,
    keyed,
    listed,
    number,
    numbers,
    one_of,
    optional,
    shown,
    text,
    whole,
    wholes,
)

STATUSES = ("done", "diverged", "skipped", "failed")
# A share that a model works out in float32 may be that far from the one that is counted.
SLACK = 1e-4
_ROUNDED = 1e-6  # a share that is counted by nothing else
# Half of the last decimal of a confidence, as `train.metrics` rounds it. ECE and loss are held to
# what any confidences so near allow: a model may work them out before it rounds, and in float32.
_HALF = 0.5e-4 + 1e-6
_DEPTH = 8  # of lists and mappings in one another; a result needs three
_SHARE = optional(number(0, 1, slack=1e-9))
_AMOUNT = optional(number(0))
_COUNT = optional(whole(0))

SCORES: Mapping[str, Check] = {
    "accuracy": _SHARE,
    "macro_f1": _SHARE,
    "ece": _SHARE,
    "f1": _SHARE,
    "matthews": optional(number(-1, 1, slack=1e-9)),
    "loss": _AMOUNT,
}
_SCORES = optional(fields(SCORES, others=optional(number())))


def _counts(value: Any, at: str) -> None:
    """As many lists of integers as each of them has."""
    listed(wholes(0))(value, at)
    for place, row in enumerate(value):
        if len(row) != len(value):
            raise Misfit(f"the length of {at}[{place}]", len(row), f"{len(value)}, one a class")


FIELDS: Mapping[str, Check] = {
    "status": one_of(*STATUSES),
    "reason": optional(text),
    "parameters": _COUNT,
    "best_step": _COUNT,
    "wall_seconds": _AMOUNT,
    "compile_seconds": _AMOUNT,
    "peak_bytes": _COUNT,
    "validation": _SCORES,
    "test": _SCORES,
    "confusion": optional(_counts),
    "history": optional(listed(keyed(optional(number())))),
    "predictions": optional(wholes(0)),
    "detail": optional(text),
    "confidences": optional(numbers(0, 1)),
}
_COUNTS = ("parameters", "best_step", "peak_bytes")
_OF_TEST = ("test", "confusion", "predictions", "confidences")


def plain(value: Any, at: str = "the result", depth: int = _DEPTH) -> Any:
    """The value as JSON can hold it: lists for arrays, None for NaN and infinity.

    Raises:
      Misfit: lists and mappings lie too deep in one another, or in themselves.
    """
    if hasattr(value, "tolist"):  # a NumPy or JAX array or scalar
        value = value.tolist()
    if isinstance(value, Mapping | list | tuple):
        if not depth:
            raise Misfit(at, value, f"at most {_DEPTH} lists and mappings in one another")
        if isinstance(value, Mapping):
            return {str(key): plain(inner, at, depth - 1) for key, inner in value.items()}
        return [plain(inner, at, depth - 1) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    # Subclasses, such as those of enum, write themselves in ways of their own.
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def of_model(given: Mapping) -> dict[str, Any]:
    """Return what a model has returned as plain values that fit, without unknown fields.

    Raises:
      Misfit: a field is not what it must be.
    """
    found = {name: plain(given[name], name) for name in FIELDS if name in given}
    for name in _COUNTS:  # a count that was worked out in floats
        count = found.get(name)
        if isinstance(count, float) and count.is_integer() and abs(count) <= LARGEST_WHOLE:
            found[name] = int(count)
    check(found)
    return found


def check(result: Mapping) -> None:
    """Check every field that is there by itself.

    Raises:
      Misfit: the first one that is not what it must be.
    """
    for name, check_field in FIELDS.items():
        if name in result:
            check_field(result[name], name)


def check_against(
    result: Mapping, classes: int, labels: Sequence[int] | None, positive: int | None = None
) -> None:
    """Check the fields against the test split, and against each other.

    Args:
      result: fields that fit, each by itself.
      classes: how many there are.
      labels: of the test split, or None if unknown.
      positive: the class whose F1 is `test.f1`, or None if there is none.

    Raises:
      Misfit: the first contradiction.
    """
    size = None if labels is None else len(labels)
    confusion, predictions = result.get("confusion"), result.get("predictions")
    if confusion is not None:
        listed(wholes(0, length=classes), classes)(confusion, "confusion")
    if predictions is not None:
        wholes(0, classes - 1, size)(predictions, "predictions")
    if result.get("confidences") is not None:
        numbers(0, 1, size)(result["confidences"], "confidences")
    if labels is not None and confusion is not None:
        counts = Counter(labels)
        rows = [counts[label] for label in range(classes)]
        if [sum(row) for row in confusion] != rows:
            raise Misfit(
                "the sentences of each true class in confusion",
                [sum(row) for row in confusion],
                f"{shown(rows)} as in the test split, true classes in rows",
            )
    contradiction = disagreement(result, labels) or miscounted(result, labels, positive)
    if contradiction is not None:
        raise contradiction


def disagreement(result: Mapping, labels: Sequence[int] | None) -> Misfit | None:
    """Return how predictions, confusion and test accuracy disagree, or None if they agree.

    Args:
      result: fields that fit, each by itself.
      labels: of the test split, or None if unknown.
    """
    confusion, predictions = result.get("confusion"), result.get("predictions")
    if predictions is not None and labels is not None and len(predictions) != len(labels):
        return Misfit("the length of predictions", len(predictions), f"{len(labels)}, one a label")
    counted: list[tuple[str, int, int]] = []  # where, right answers, sentences
    if confusion is not None:
        right = sum(row[place] for place, row in enumerate(confusion) if place < len(row))
        counted.append(("confusion", right, sum(map(sum, confusion))))
    if predictions is not None and confusion is not None:
        columns = Counter(predictions)
        predicted = [sum(column) for column in zip(*confusion, strict=False)]
        if predicted != [columns[place] for place in range(len(predicted))] or sum(
            predicted
        ) != len(predictions):
            return Misfit(
                "predictions by class",
                dict(sorted(columns.items())),
                f"{shown(predicted)}, the columns of confusion",
            )
    if predictions is not None and labels is not None:
        counted.append(("predictions", sum(map(eq, predictions, labels)), len(labels)))
    if len(counted) == 2 and counted[0][1] != counted[1][1]:
        return Misfit(
            "the right answers of predictions", counted[1][1], f"{counted[0][1]} as in confusion"
        )
    test = result.get("test")
    accuracy = None if test is None else test.get("accuracy")
    if test is None and counted and result.get("status") == "done":
        return Misfit("test", None, "scores where a cell is done and has predictions")
    if test is not None and accuracy is None and result.get("status") == "done":
        return Misfit("test.accuracy", None, "a number from 0 to 1 where a cell is done")
    if accuracy is not None and labels and not counted:
        right = round(accuracy * len(labels))
        if abs(accuracy - right / len(labels)) > _ROUNDED:
            return Misfit(
                "test.accuracy", accuracy, f"a whole number of right answers over {len(labels)}"
            )
    for where, right, size in counted:
        if accuracy is not None and not is_share(accuracy, right, size):
            return Misfit(
                "test.accuracy", accuracy, f"{right / size:.6g}, {right} of {size} by {where}"
            )
    return None


def miscounted(
    result: Mapping, labels: Sequence[int] | None, positive: int | None = None
) -> Misfit | None:
    """The first test score beside accuracy that is not what predictions and confidences say.

    Args:
      result: fields among which there is no `disagreement`.
      labels: of the test split, or None if unknown.
      positive: the class whose F1 is `test.f1`, or None if unknown.
    """
    counts, predictions = result.get("confusion"), result.get("predictions")
    test = result.get("test") or {}
    if counts is None and predictions is not None and labels is not None:
        used = sorted({*labels, *predictions})
        counts = tallies.tally(labels, predictions, used)
        positive = used.index(positive) if positive in used else None
    if counts is not None:
        found = {"macro_f1": tallies.macro_f1(counts), "matthews": tallies.matthews(counts)}
        if positive is not None:
            found["f1"] = tallies.by_class(counts)[positive].f1
        for name, right in found.items():
            given = test.get(name)
            if given is not None and abs(given - right) > SLACK:
                return Misfit(f"test.{name}", given, f"{right:.6g} by its own predictions")
    return _unlike(test, result.get("confidences"), predictions, labels)


def _unlike(
    test: Mapping,
    sure: Sequence[float | None] | None,
    predictions: Sequence[int] | None,
    labels: Sequence[int] | None,
) -> Misfit | None:
    """Return how ECE or loss contradict confidences, or None if they do not or are unknown."""
    if sure is None or labels is None:
        return None
    if len(sure) != len(labels):
        return Misfit("the length of confidences", len(sure), f"{len(labels)}, one a label")
    known = [confidence for confidence in sure if confidence is not None]
    if predictions is None or len(known) < len(sure) or not known:
        return None
    right = list(map(eq, predictions, labels))
    ece, loss = test.get("ece"), test.get("loss")
    if ece is not None:
        low, high = tallies.calibration(known, right, _HALF)
        if not low - SLACK <= ece <= high + SLACK:
            exact, _ = tallies.calibration(known, right)
            return Misfit("test.ece", ece, f"{exact:.6g} by its own confidences")
    if loss is not None:
        least = tallies.least_loss(known, right, _HALF)
        if loss < least - SLACK * max(1.0, least):
            return Misfit("test.loss", loss, f"{least:.6g} or more by its own confidences")
    return None


def is_share(accuracy: float, right: int, size: int) -> bool:
    """Return whether an accuracy is that of so many right answers; without sentences, any is."""
    return not size or abs(accuracy - right / size) <= min(SLACK, 0.5 / size)


def scrubbed(letters: object) -> str | None:
    """Text of any origin as every store and terminal can hold it."""
    if letters is None:
        return None
    return (
        str(letters).encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
    )


def fit_to_store(result: Mapping) -> dict[str, Any]:
    """The result, or a failure where it could not be written; unknown fields are left out.

    Never raises: whatever a worker hands over, its cell fails alone.
    """
    found = {name: result[name] for name in FIELDS if name in result}
    try:
        if found.get("status") == "failed":  # words of an error, which may be any
            for name in ("reason", "detail"):
                found[name] = scrubbed(found.get(name))
        check(found)
        one_of(*STATUSES)(found.get("status"), "status")
    except (Misfit, RecursionError) as error:
        return {"status": "failed", "reason": f"the result cannot be stored: {error}."}
    return found


def leaves_test_alone(result: Mapping) -> bool:
    """Return whether a result says nothing about the test split, as a trial must not."""
    return not any(result.get(name) for name in _OF_TEST)
