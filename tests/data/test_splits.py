"""Carving: stratified, disjoint, seeded, and the same for every cell."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold

from attn_nlp.data.rows import Rows
from attn_nlp.data.source import CARVED, OFFICIAL
from attn_nlp.data.splits import carve, drop_repeats, held_out_fold, three_splits
from attn_nlp.errors import UserError


def rows(labels: list[int]) -> Rows:
    return Rows([f"text {i}" for i in range(len(labels))], labels)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=2, max_size=120), st.integers(0, 3))
def test_the_carve_parts_the_rows(labels, seed):
    counts = np.bincount(labels)
    if counts.max() < 2:
        with pytest.raises(UserError, match="no two of one class"):
            carve(labels, seed)
        return
    train, validation = carve(labels, seed)
    assert sorted([*train.tolist(), *validation.tolist()]) == list(range(len(labels)))
    in_train = np.bincount(np.array(labels)[train], minlength=len(counts))
    in_validation = np.bincount(np.array(labels)[validation], minlength=len(counts))
    assert np.all(in_train[counts > 0] >= 1)
    assert np.all((in_validation >= 1) == (counts >= 2))


def test_the_carve_is_a_tenth_of_every_class():
    labels = [0] * 700 + [1] * 200 + [2] * 100
    train, validation = carve(labels, 0)
    assert np.bincount(np.array(labels)[validation]).tolist() == [70, 20, 10]
    assert len(train) == 900


def test_the_seed_draws_the_carve():
    labels = [0, 1] * 50
    first, again, other = (carve(labels, seed)[1].tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_a_held_out_fold_is_the_documented_one():
    labels = [0] * 30 + [1] * 20
    kept, held = held_out_fold(labels)
    folds = StratifiedKFold(10, shuffle=True, random_state=0).split(labels, labels)
    expected = sorted(next(iter(folds))[1].tolist())
    assert held.tolist() == expected
    assert kept.tolist() == sorted(set(range(50)) - set(expected))
    assert len(held_out_fold([0] * 5 + [1] * 3)[1]) == 2  # five folds, one row of each class
    with pytest.raises(UserError, match="cannot be split"):
        held_out_fold([0, 1, 2])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=4, max_size=80), st.data())
def test_no_fold_takes_a_class_from_train(labels, data):
    of = np.array(labels)
    counts = np.bincount(of)
    folds = min(10, counts.max())
    if folds < 2:
        return
    fold = data.draw(st.integers(0, int(folds) - 1))
    kept, held = held_out_fold(labels, fold)
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(len(labels)))
    in_train = np.bincount(of[kept], minlength=len(counts))
    assert np.all(in_train[counts > 0] >= 1)
    assert set(of[held]) <= set(np.flatnonzero(counts > 1))
    again = held_out_fold(labels, fold)
    assert [each.tolist() for each in again] == [kept.tolist(), held.tolist()]


@pytest.mark.parametrize("place", [0, 80])
def test_a_class_of_one_row_keeps_it_in_train_in_every_fold(place):
    """And the rows of other classes stay where they are without it being moved."""
    labels = [0, 1] * 40
    labels.insert(place, 2)
    theirs = StratifiedKFold(10, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        divided = [test for _, test in theirs.split(labels, labels)]
    said = "; the one row of a class stays in train"
    for fold, test in enumerate(divided):
        splits, rules, _ = three_splits({"train": rows(labels)}, 0, fold=fold)
        assert splits["test"] == rows(labels).take([row for row in sorted(test) if row != place])
        assert splits["train"].labels.count(2) == 1
        assert rules["test"].endswith(said)


def test_two_classes_of_one_row_are_told():
    _, rules, _ = three_splits({"train": rows([0] * 40 + [1, 2])}, 0)
    assert rules["test"].endswith("; the one row of each of 2 classes stays in train")
    assert rules["validation"].startswith("11% of train (4 of 38 rows), stratified by class")


@pytest.mark.parametrize(
    ("classes", "each", "test", "validation"),
    [
        (
            *(
                40,
                4,
                "no official test split: fold 0 of 4, held out from train (4 and not 10, since",
            ),
            "33% of train (40 of 120 rows), stratified by class, drawn with split_seed",
        ),
        (
            *(
                30,
                3,
                "no official test split: fold 0 of 3, held out from train (3 and not 10, since",
            ),
            "50% of train (30 of 60 rows), stratified by class, drawn with split_seed",
        ),
        (2, 100, "no official test split: fold 0 of 10, held out from train (Strat", CARVED),
    ],
)
def test_the_rules_say_what_was_done(classes, each, test, validation):
    splits, rules, _ = three_splits({"train": rows(list(range(classes)) * each)}, 0)
    assert rules["test"].startswith(test)
    assert rules["validation"] == validation
    assert all(set(part.labels) == set(range(classes)) for part in splits.values())


def test_too_few_rows_of_every_class_are_counted_before_the_fold():
    with pytest.raises(UserError, match=r"^60 rows with no three of one class leave nothing"):
        three_splits({"train": rows(list(range(30)) * 2)}, 0)


def test_official_splits_are_left_alone():
    given = {"train": rows([0, 1] * 20), "validation": rows([0, 1]), "test": rows([1])}
    for seed in (0, 1):
        splits, rules, dropped = three_splits(given, seed)
        assert splits == given
        assert rules == {"validation": OFFICIAL, "test": OFFICIAL}
        assert dropped == 0


def test_ten_folds_hold_out_every_row_once():
    """They are those of StratifiedKFold(10, shuffle, random_state=0), whatever is held out."""
    given = {"train": rows([0, 1] * 100)}
    folds = [three_splits(given, 0, fold=fold)[0] for fold in range(10)]
    held = [text for splits in folds for text in splits["test"].texts]
    assert sorted(held) == sorted(given["train"].texts)
    assert len(set(held)) == len(held)
    division = StratifiedKFold(10, shuffle=True, random_state=0)
    theirs = list(division.split(np.zeros(200), given["train"].labels))
    for splits, (_, test) in zip(folds, theirs, strict=True):
        assert splits["test"] == given["train"].take(test.tolist())
        parts = [set(part.texts) for part in splits.values()]
        assert sum(map(len, parts)) == len(set().union(*parts)) == 200
        assert len(splits["validation"]) == 18


def test_a_fold_beyond_the_last_is_rejected():
    with pytest.raises(UserError, match="fold 3 is too large for 3 folds; choose 0 to 2"):
        three_splits({"train": rows([0, 1] * 3)}, 0, fold=3)


def test_only_train_gives_three_parts_and_a_test_no_seed_moves():
    given = {"train": rows([0, 1] * 100)}
    one, rules, _ = three_splits(given, 0)
    other, _, _ = three_splits(given, 1)
    assert rules == {
        "validation": CARVED,
        "test": "no official test split: fold 0 of 10, held out from train "
        "(StratifiedKFold(10, shuffle, random_state=0))",
    }
    assert {split: len(part) for split, part in one.items()} == {
        "train": 162,
        "validation": 18,
        "test": 20,
    }
    assert one["test"] == other["test"]
    assert one["validation"] != other["validation"]
    texts = [set(part.texts) for part in one.values()]
    assert len(set.union(*texts)) == 200


def test_repeats_are_dropped_before_the_split():
    spam = Rows(["U win!", "u  WIN", "", "", "!!", "other"], [0, 1, 0, 1, 1, 1])
    assert drop_repeats(spam) == Rows(["U win!", "", "!!", "other"], [0, 0, 1, 1])
    many = Rows(["same", *[f"t{i}" for i in range(40)], "Same."], [0, *([0, 1] * 20), 1])
    splits, _, dropped = three_splits({"train": many}, 0, dedup=True)
    assert dropped == 1
    assert sum(len(part) for part in splits.values()) == 41
