"""Carving: stratified, disjoint, seeded, and the same for every cell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold

from attn_nlp.data.rows import Rows
from attn_nlp.data.source import CARVED, HELD_OUT_FOLD, OFFICIAL
from attn_nlp.data.splits import carve, drop_repeats, held_out_fold, three_splits
from attn_nlp.mistakes import Mistake


def rows(labels: list[int]) -> Rows:
    return Rows([f"text {i}" for i in range(len(labels))], labels)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=2, max_size=120), st.integers(0, 3))
def test_the_carve_parts_the_rows(labels, seed):
    counts = np.bincount(labels)
    if counts.max() < 2:
        with pytest.raises(Mistake, match="no two of one class"):
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
    with pytest.raises(Mistake, match="cannot be split"):
        held_out_fold([0, 1, 2])


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


def test_a_fold_beyond_the_last_is_refused():
    with pytest.raises(Mistake, match="fold 3 is too large for 3 folds; choose 0 to 2"):
        three_splits({"train": rows([0, 1] * 3)}, 0, fold=3)


def test_only_train_gives_three_parts_and_a_test_no_seed_moves():
    given = {"train": rows([0, 1] * 100)}
    one, rules, _ = three_splits(given, 0)
    other, _, _ = three_splits(given, 1)
    assert rules == {"validation": CARVED, "test": f"{HELD_OUT_FOLD}: fold 0"}
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
