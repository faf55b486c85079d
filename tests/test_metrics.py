"""Metrics against scikit-learn, and by hand."""

from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pytest
import sklearn.metrics

from attn_nlp.metrics import (
    by_class,
    calibration_error,
    confidences,
    confusion,
    evaluate,
    log_loss,
    matthews,
    reliability,
    scores,
)
from attn_nlp.result.tallies import calibration, least_loss


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_metrics_are_those_of_scikit_learn(classes, seed):
    rng = np.random.default_rng(seed)
    labels, predictions = rng.integers(0, classes, (2, 20 if seed else 3))
    found = scores(labels, predictions, classes)
    assert found["accuracy"] == sklearn.metrics.accuracy_score(labels, predictions)
    theirs = sklearn.metrics.f1_score(labels, predictions, average="macro")
    assert found["macro_f1"] == pytest.approx(theirs, rel=1e-12)
    theirs = sklearn.metrics.matthews_corrcoef(labels, predictions)
    assert found["matthews"] == pytest.approx(theirs, rel=1e-12, abs=1e-15)
    table = sklearn.metrics.confusion_matrix(labels, predictions, labels=range(classes))
    assert confusion(labels, predictions, classes) == table.tolist()
    theirs = sklearn.metrics.precision_recall_fscore_support(
        labels, predictions, labels=range(classes), zero_division=0
    )
    ours = list(zip(*by_class(table.tolist()), strict=True))
    np.testing.assert_allclose(ours, np.array(theirs))
    class_logits = rng.normal(size=(len(labels), classes)).astype(np.float32)
    raised = np.exp(class_logits.astype(np.float64))
    theirs = sklearn.metrics.log_loss(
        labels, raised / raised.sum(axis=1, keepdims=True), labels=range(classes)
    )
    assert log_loss(class_logits, labels) == pytest.approx(theirs, rel=1e-12)


def test_by_hand():
    labels, predictions = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1])
    assert confusion(labels, predictions, 3) == [[1, 1, 0], [0, 1, 0], [0, 1, 0]]
    found = scores(labels, predictions, 3)
    assert found["accuracy"] == 0.5
    assert found["macro_f1"] == pytest.approx((2 / 3 + 2 / 4 + 0) / 3)


def test_a_class_that_nobody_names_is_left_out_of_macro_f1():
    assert scores(np.array([0, 1]), np.array([0, 1]), 5)["macro_f1"] == 1.0


def test_log_loss_of_far_logits_is_finite():
    far = np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32)
    assert log_loss(far, np.array([0, 1])) == 0.0
    assert log_loss(far, np.array([1, 1])) == pytest.approx(1e4)


@pytest.mark.parametrize(
    ("labels", "predictions", "value"),
    [
        ([0, 1, 2], [0, 1, 2], 1.0),
        ([0, 1, 0, 1], [1, 0, 1, 0], -1.0),
        ([0, 0, 1, 1], [0, 1, 0, 1], 0.0),
        ([0, 0, 0], [0, 0, 0], 0.0),  # one class everywhere: 0 / 0
        ([0, 1, 1], [1, 1, 1], 0.0),  # one class predicted
        ([1, 1, 1], [0, 1, 1], 0.0),  # one class labeled
        ([0], [0], 0.0),
    ],
)
def test_matthews_at_its_ends_and_where_it_is_nothing_by_nothing(labels, predictions, value):
    found = matthews(confusion(np.array(labels), np.array(predictions), 3))
    assert found == value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a single label
        theirs = sklearn.metrics.matthews_corrcoef(labels, predictions)
    assert found == pytest.approx(theirs)


def test_matthews_of_two_classes_by_hand():
    """TP 6, TN 3, FP 1, FN 2: (18 - 2) / sqrt(7 * 8 * 4 * 5)."""
    assert matthews([[3, 1], [2, 6]]) == pytest.approx(16 / math.sqrt(1120))


def test_matthews_of_very_many_sentences_loses_no_digit():
    many = 10**9
    assert matthews([[many, 1], [1, many]]) == pytest.approx(1 - 2 / (many + 1), abs=1e-15)


def brute_force_error(sure, right, bins):
    """The definition of Guo et al., sentence by sentence: bin m holds ((m-1)/M, m/M]."""
    total = 0.0
    for m in range(1, bins + 1):
        inside = [
            place
            for place, each in enumerate(sure)
            if (m - 1) / bins < each <= m / bins or (m == 1 and each == 0)
        ]
        if inside:
            accuracy = sum(bool(right[place]) for place in inside) / len(inside)
            confidence = sum(sure[place] for place in inside) / len(inside)
            total += len(inside) / len(sure) * abs(accuracy - confidence)
    return total


@pytest.mark.parametrize("bins", [1, 10, 15])
@pytest.mark.parametrize("seed", range(4))
def test_calibration_error_is_that_of_its_definition(seed, bins):
    rng = np.random.default_rng(seed)
    sure = np.round(rng.uniform(0, 1, 200), 4)
    right = rng.uniform(size=200) < sure**2
    found = calibration_error(sure, right, bins)
    assert found == pytest.approx(brute_force_error(sure, right, bins), abs=1e-12)
    assert 0 < found < 1


def test_whoever_checks_a_result_counts_as_whoever_trains():
    """Rounded, confidences allow the ECE and the loss of what they were rounded from."""
    rng = np.random.default_rng(5)
    for classes, spread in ((2, 0.2), (2, 5.0), (4, 1.0)):
        class_logits = spread * rng.normal(size=(300, classes))
        class_logits[:40] = np.log(np.eye(classes)[0] * 0.6 + 0.4 / classes)  # many near one edge
        class_logits[:40] += 1e-6 * rng.normal(size=(40, classes))
        labels = rng.integers(0, classes, 300)
        evaluation = evaluate(labels, class_logits)
        sure, right = evaluation.confidences.tolist(), (evaluation.predictions == labels).tolist()
        exact = pytest.approx(evaluation.scores["ece"], abs=1e-12)
        assert calibration(sure, right) == (exact, exact)
        odds = np.exp(class_logits)
        unrounded = (odds / odds.sum(axis=1, keepdims=True)).max(axis=1)
        low, high = calibration(sure, right, 5e-5)
        assert low - 5e-5 <= calibration_error(unrounded, np.array(right)) <= high + 5e-5
        assert low - 1e-12 <= evaluation.scores["ece"] <= high + 1e-12
        least = least_loss(sure, right, 5e-5)
        assert least <= evaluation.scores["loss"]
        if spread < 1:  # of two classes, and no answer is sure
            assert least == pytest.approx(evaluation.scores["loss"], rel=1e-3)


def test_confidences_at_an_edge_still_tell_their_error():
    sure, right = [0.8] * 10, [True] * 7 + [False] * 3
    assert calibration(sure, right, 5e-5)[0] == pytest.approx(0.1)
    assert least_loss([1.0], [False]) == math.inf


def test_calibration_error_by_hand():
    """In (.6, .667]: two at .65, one right: |.5 - .65|. In (.933, 1]: two at .95, both right."""
    sure, right = np.array([0.65, 0.65, 0.95, 0.95]), np.array([True, False, True, True])
    assert calibration_error(sure, right) == pytest.approx(0.5 * 0.15 + 0.5 * 0.05)
    assert calibration_error(np.ones(3), np.ones(3, bool)) == 0.0
    assert calibration_error(np.ones(3), np.zeros(3, bool)) == 1.0


def test_an_edge_belongs_to_the_bin_below_it():
    edges = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])  # all edges of fifteenths with four decimals
    counts = [each.count for each in reliability(edges, np.ones(6, bool))]
    assert counts == [1, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1]
    empty = reliability(edges, np.ones(6, bool))[1]
    assert (empty.count, empty.confidence, empty.accuracy) == (0, None, None)


def test_confidence_is_the_probability_of_the_answer_to_four_decimals():
    class_logits = np.array([[0.0, 0.0], [math.log(3), 0.0], [1e4, -1e4], [0.0, 0.001]])
    assert confidences(class_logits).tolist() == [0.5, 0.75, 1.0, 0.5002]
    broken = confidences(np.array([[np.nan, 0.0], [0.0, 0.0], [np.inf, 0.0]]))
    np.testing.assert_array_equal(broken, [np.nan, 0.5, np.nan])


def test_a_verdict_on_a_split_agrees_with_itself():
    rng = np.random.default_rng(3)
    class_logits, labels = rng.normal(size=(50, 3)).astype(np.float32), rng.integers(0, 3, 50)
    found = evaluate(labels, class_logits)
    assert set(found.scores) == {"accuracy", "macro_f1", "matthews", "loss", "ece"}
    right = found.predictions == labels
    assert found.scores["accuracy"] == right.mean()
    assert found.scores["ece"] == calibration_error(found.confidences, right)
    assert json.loads(json.dumps(found.scores, allow_nan=False)) == found.scores
    positive = evaluate(labels, class_logits, positive=2).scores
    theirs = sklearn.metrics.f1_score(labels, found.predictions, labels=[2], average=None)
    assert positive == found.scores | {"f1": pytest.approx(np.ravel(theirs)[0])}


def test_logits_that_are_not_finite_have_neither_loss_nor_calibration():
    found = evaluate(np.array([0, 1]), np.array([[0.0, np.nan], [0.0, 1.0]]))
    assert math.isnan(found.scores["loss"])
    assert math.isnan(found.scores["ece"])
