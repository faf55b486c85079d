"""The baselines: what they answer, and that they need nothing but texts and labels."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax

from attn_nlp.baselines import FEATURES, STRENGTHS, majority, tfidf_logreg


@dataclass
class Data:
    """The members of a prepared dataset that a baseline reads."""

    rows: dict[str, list[tuple[str, int]]]
    class_names: tuple[str, ...] = ("bad", "good")
    facts: dict = field(default_factory=dict)
    read: list[str] = field(default_factory=list)

    @property
    def splits(self):
        found, start = {}, 0
        for split, rows in self.rows.items():
            found[split] = (start, start + len(rows))
            start += len(rows)
        return found

    @property
    def labels(self):
        return np.array([label for rows in self.rows.values() for _, label in rows], np.int32)

    positive = None

    def labels_of(self, split):
        start, stop = self.splits[split]
        return self.labels[start:stop]

    def texts(self, split):
        self.read.append(split)
        return [text for text, _ in self.rows[split]]


TRAIN = [("a fine film", 1), ("fine and good", 1), ("a dull film", 0), ("good fun", 1)]


def data(**changes) -> Data:
    rows = {
        "train": TRAIN * 5,
        "validation": [("fine", 1), ("dull", 0)],
        "test": [("a dull one", 0), ("so fine", 1), ("what a dull film", 0)],
    }
    return Data(rows | changes.pop("rows", {}), **changes)


def silent(step):
    pass


def test_the_majority_class_answers_everything():
    found = majority(data(), silent)
    assert found["status"] == "done"
    assert found["predictions"] == [1, 1, 1]
    assert found["test"]["accuracy"] == pytest.approx(1 / 3)
    assert found["test"]["macro_f1"] == pytest.approx(0.25)  # F1 0.5 for one class, 0 for the other
    assert found["test"]["loss"] == pytest.approx(-(2 * np.log(0.25) + np.log(0.75)) / 3)
    assert found["confusion"] == [[0, 2], [0, 1]]
    assert found["validation"]["accuracy"] == 0.5
    assert found["parameters"] == 2


def test_of_equal_classes_the_first_answers():
    found = majority(data(rows={"train": [("x", 1), ("y", 0)]}), silent)
    assert found["predictions"] == [0, 0, 0]


def test_a_class_unknown_to_training_has_a_finite_loss():
    three = data(class_names=("bad", "good", "odd"), rows={"test": [("x", 2)]})
    assert majority(three, silent)["test"]["loss"] == pytest.approx(-np.log(0.5 / 20.5))
    found = tfidf_logreg(three, silent)
    assert found["test"]["loss"] == pytest.approx(-np.log(1e-12))
    assert found["test"]["accuracy"] == 0.0


def test_words_tell_the_classes_apart():
    steps = []
    found = tfidf_logreg(data(), steps.append)
    assert found["predictions"] == [0, 1, 0]
    assert found["test"]["accuracy"] == found["test"]["macro_f1"] == 1.0
    assert found["confusion"] == [[2, 0], [0, 1]]
    # 7 words, 7 pairs of neighbors, one intercept.
    assert found["parameters"] == 15
    assert [each["step"] for each in steps] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert found["reason"] == "by words, C = 10", "of equals words win, and the smallest strength"


def test_of_strengths_equally_right_the_smallest_is_taken():
    """All four are right on both sentences of validation; only the loss tells them apart."""
    given = data(rows={"train": [("a fine film", 1), ("a dull film", 0)] * 10})
    found = tfidf_logreg(given, silent)
    x, labels = ({split: f(given, split) for split in given.rows} for f in (weighed, labels_of))
    losses = []
    for strength in STRENGTHS:
        log_shares = fitted(x["train"], labels["train"], 2, strength)(x["validation"])
        assert (log_shares.argmax(axis=1) == labels["validation"]).all()
        losses.append(-log_shares[[0, 1], labels["validation"]].mean())
    assert min(abs(losses[0] - loss) for loss in losses[1:]) > 0.01
    assert found["validation"]["loss"] == pytest.approx(losses[0], rel=1e-3)


def test_the_test_split_is_read_once_and_last():
    read = data()
    tfidf_logreg(read, silent)
    assert read.read == ["train", "validation", "test"]


@pytest.mark.parametrize("language", ["zh", "en", None])
def test_what_sets_no_spaces_is_read_by_characters_whatever_it_is_called(language):
    """No whole text of validation or test is in train, so that words are no better than chance."""
    rows = {
        "train": [("很好看", 1), ("不好看", 0)] * 4,
        "validation": [("很好", 1), ("不好", 0)],
        "test": [("我觉得不好", 0), ("真的很好", 1)],
    }
    found = tfidf_logreg(data(rows=rows, facts={"language": language}), silent)
    assert found["predictions"] == [0, 1]
    assert found["reason"] == "by characters, C = 0.1"
    assert [(each["characters"], each["strength"]) for each in found["history"]] == [
        (characters, strength) for characters in (0, 1) for strength in STRENGTHS
    ]
    assert [each["validation_accuracy"] for each in found["history"]] == [0.5] * 4 + [1.0] * 4


def test_short_words_and_marks_count():
    rows = {
        "train": [("x !", 1), ("x ?", 0)] * 4,
        "validation": [("!", 1)],
        "test": [("y ?", 0), ("y !", 1)],
    }
    assert tfidf_logreg(data(rows=rows), silent)["predictions"] == [0, 1]


def test_the_same_numbers_come_each_time():
    numbers = ("validation", "test", "confusion", "predictions", "parameters")
    first, again = tfidf_logreg(data(), silent), tfidf_logreg(data(), silent)
    assert [first[name] for name in numbers] == [again[name] for name in numbers]


def test_registering_baselines_imports_no_library():
    code = (
        "import sys; from attn_nlp.parts.registry import find; "
        "print(find('model', 'tfidf_logreg').facts['baseline'], "
        "[name for name in ('sklearn', 'jax', 'scipy') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "True []\n"


MADE = ("fine", "good", "dull", "weak", "the", "a", "film", "Film", "!", "x")
SIGNS = "很好看不坏片"


def made(language: str, classes: int) -> Data:
    """Random texts; each class prefers some words or signs."""
    rng = np.random.default_rng(classes)
    symbols, space = (SIGNS, "") if language == "zh" else (MADE, " ")
    rows = {}
    for split, count in {"train": 40, "validation": 20, "test": 20}.items():
        labels = rng.integers(classes, size=count).tolist()
        rows[split] = []
        for label in labels:
            likely = np.ones(len(symbols))
            likely[[2 * label, 2 * label + 1]] = 3.0
            drawn = rng.choice(len(symbols), rng.integers(1, 9), p=likely / likely.sum())
            rows[split].append((space.join(symbols[i] for i in drawn), label))
    return Data(rows, tuple("abc"[:classes]), {"language": language})


def terms(text: str, by: str) -> list[str]:
    """Count the features of a text, in plain loops."""
    if by == "characters":
        return [text[i : i + n].lower() for n in (1, 2, 3) for i in range(len(text) - n + 1)]
    words = re.findall(r"\w+|[^\w\s]", text.lower())
    return words + [f"{one} {two}" for one, two in pairwise(words)]


def labels_of(data: Data, split: str) -> np.ndarray:
    """The labels of a split, from its rows."""
    return np.array([label for _, label in data.rows[split]])


def weighed(data: Data, split: str, by: str = "words") -> np.ndarray:
    """x[d, w] = (1 + log tf[d, w]) (1 + log((1 + N) / (1 + df[w]))), each row to unit length."""
    train = [terms(text, by) for text, _ in data.rows["train"]]
    known = sorted({term for each in train for term in each})
    seen_in = Counter(term for each in train for term in set(each))
    x = np.zeros((len(data.rows[split]), len(known)))
    for d, (text, _) in enumerate(data.rows[split]):
        for term, count in Counter(terms(text, by)).items():
            if term in seen_in:
                rarity = 1 + math.log((1 + len(train)) / (1 + seen_in[term]))
                x[d, known.index(term)] = (1 + math.log(count)) * rarity
        x[d] /= max(math.sqrt(sum(x[d] ** 2)), 1e-12)
    return x


def fitted(x: np.ndarray, labels: np.ndarray, classes: int, strength: float):
    """W, b of the least sum of losses plus |W|^2 / (2 C); of two classes one vector, b apart."""
    free = 1 if classes == 2 else classes

    def logits(packed, x):
        both = packed.reshape(free, -1)
        found = x @ both[:, :-1].T + both[:, -1]
        return np.hstack([np.zeros_like(found), found]) if free == 1 else found

    def objective(packed):
        log_shares = log_softmax(logits(packed, x), axis=1)
        weights = packed.reshape(free, -1)[:, :-1]
        losses = -log_shares[np.arange(len(x)), labels].sum()
        slope = np.exp(log_shares) - np.eye(classes)[labels]
        slope = slope[:, 1:] if free == 1 else slope
        gradient = np.hstack([slope.T @ x + weights / strength, slope.sum(axis=0)[:, None]])
        return losses + (weights**2).sum() / (2 * strength), gradient.reshape(-1)

    start = np.zeros(free * (x.shape[1] + 1))
    best = minimize(objective, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-8})
    return lambda x: log_softmax(logits(best.x, x), axis=1)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_linear_baseline_and_its_oracle(language, classes):
    """The formula of the docstring worked out by hand, and its least value found by SciPy."""
    data = made(language, classes)
    labels = {split: labels_of(data, split) for split in data.rows}
    found = tfidf_logreg(data, silent)

    trials = []
    for by in FEATURES:
        x = {split: weighed(data, split, by) for split in data.rows}
        for strength in STRENGTHS:
            model = fitted(x["train"], labels["train"], classes, strength)
            right = (model(x["validation"]).argmax(axis=1) == labels["validation"]).mean()
            trials.append((right, by, strength, x, model))
    # scikit-learn stops early (below), so that a sentence near the boundary may fall otherwise.
    assert [each["validation_accuracy"] for each in found["history"]] == pytest.approx(
        [right for right, *_ in trials], abs=1.01 / len(labels["validation"])
    )
    best, by, strength, x, chosen = max(trials, key=lambda trial: trial[0])  # the first of the best
    assert found["reason"] == f"by {by}, C = {strength:g}"
    assert found["validation"]["accuracy"] == pytest.approx(best)
    for split in ("validation", "test"):
        log_shares = chosen(x[split])
        loss = -log_shares[np.arange(len(log_shares)), labels[split]].mean()
        # scikit-learn stops where the largest slope is below 1e-4.
        assert found[split]["loss"] == pytest.approx(loss, rel=1e-3)
    assert found["predictions"] == chosen(x["test"]).argmax(axis=1).tolist()
    free = 1 if classes == 2 else classes
    assert found["parameters"] == free * (x["train"].shape[1] + 1)
