"""Planted tasks: the label worked out again from the words alone."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from attn_nlp.data import DataSettings, prepare_dataset
from attn_nlp.errors import UserError
from attn_nlp.experiment.revisions import REVISIONS

TASKS = ("planted_lookup", "planted_keyword", "planted_negation")
FINGERPRINTS = {
    "planted_lookup": "3892158cecc94db095a047980202acd0a1afd57277b0e19ea1573975c1cdcd06",
    "planted_keyword": "b8a92d9cbfeb04e2f9c43889a972676fad35be6a713a24a4f753d43e98675d7c",
    "planted_negation": "9da6069d2d07b7fd616f42f15562fa9f366f37a092d0337fd60db5363a37897a",
}
PRAISE = {"good", "great", "fine", "lovely", "superb", "clever", "funny", "moving"}
BLAME = {"bad", "awful", "poor", "ugly", "weak", "silly", "boring", "empty"}


def look_up(words: list[str]) -> tuple[str, set[int]]:
    """The value beside the asked key, and where question and answer stand."""
    asked = words[0].removeprefix("q")
    pairs = [re.fullmatch(r"k(\d\d)v(\d)", word).groups() for word in words[1:]]
    assert len({key for key, _ in pairs}) == len(pairs) == 12
    (place,) = [i for i, (key, _) in enumerate(pairs) if key == asked]
    return f"v{pairs[place][1]}", {0, place + 1}


def key_word(words: list[str]) -> tuple[str, set[int]]:
    """The color named by the only word that is no filler."""
    (place,) = [i for i, word in enumerate(words) if not re.fullmatch(r"w\d\d\d", word)]
    return re.fullmatch(r"([a-z]+)\d", words[place])[1], {place}


def negate(words: list[str]) -> tuple[str, set[int]]:
    """Read left to right, remembering a negator until its scope ends."""
    standing = None
    for place, word in enumerate(words):
        if word in {"but", ","}:
            standing = None
        elif word in {"not", "never", "hardly", "no"}:
            standing = place
        elif word in PRAISE | BLAME:
            positive = (word in PRAISE) == (standing is None)
            deciding = {place} if standing is None else {place, standing}
            return "positive" if positive else "negative", deciding
    raise AssertionError("no judging word")


RULES = dict(zip(TASKS, (look_up, key_word, negate), strict=True))


@pytest.mark.parametrize("task", TASKS)
def test_labels_and_deciding_words_follow_the_rule(task, kept):
    prepared = prepare_dataset(DataSettings(task), kept)
    texts = [text for split in ("train", "validation", "test") for text in prepared.texts(split)]
    assert len(texts) == len(set(texts)) == 23_000
    for row, text in enumerate(texts):
        words = text.split()
        label, deciding = RULES[task](words)
        assert label == prepared.class_names[prepared.labels[row]]
        assert set(np.flatnonzero(prepared.deciding[row]).tolist()) == deciding
        assert prepared.lengths[row] == len(words)
    assert prepared.tokens_of(prepared.ids[0][: prepared.lengths[0]]) == texts[0].split()


@pytest.mark.parametrize("task", TASKS)
def test_classes_are_balanced_and_no_word_is_unknown(task, kept):
    prepared = prepare_dataset(DataSettings(task), kept)
    for split, rows in (("train", 20_000), ("validation", 1_000), ("test", 2_000)):
        facts = prepared.facts["splits"][split]
        classes = len(prepared.class_names)
        assert facts["class_counts"] == [rows // classes] * classes
        assert facts["unknown_rate"] == facts["truncated"] == facts["empty"] == 0
    assert prepared.facts["embedded"] is True
    assert prepared.facts["real"] is False


def test_lookup_is_one_bucket_without_padding(lookup):
    assert lookup.edges == (13,)
    assert lookup.ids.shape == (23_000, 13)
    assert (lookup.ids > 1).all()
    assert lookup.vocabulary == 2 + 32 + 32 * 4


def test_no_bag_of_words_fact_gives_negation_away(kept):
    prepared = prepare_dataset(DataSettings("planted_negation"), kept)
    positive = [prepared.class_names[i] == "positive" for i in prepared.labels]
    by_word, by_negator = Counter(), Counter()
    for text, label in zip(prepared.texts("train"), positive, strict=False):
        words = set(text.split())
        by_word[bool(words & PRAISE), label] += 1
        by_negator[bool(words & {"not", "never", "hardly", "no"}), label] += 1
    # 10,000 rows on each side: a fair coin stays within 4 standard deviations, 0.02
    for praise in (True, False):
        share = by_word[praise, True] / (by_word[praise, True] + by_word[praise, False])
        assert share == pytest.approx(0.5, abs=0.02)
    present = by_negator[True, True] / (by_negator[True, True] + by_negator[True, False])
    assert present == pytest.approx(0.5, abs=0.02)


def test_settings_that_would_hide_deciding_words_are_rejected(kept):
    for setting, said in (
        ({"length": 12}, "length 12 would cut words"),
        ({"tokens": "char"}, "made of whole words, so tokens 'char' does not apply"),
        ({"vocabulary": 100}, "choose 162 or more"),
    ):
        with pytest.raises(UserError, match=said):
            prepare_dataset(DataSettings("planted_lookup", **setting), kept)


@pytest.mark.parametrize(("task", "fingerprint"), FINGERPRINTS.items())
def test_rows_are_those_of_this_data_revision(task, fingerprint, kept):
    assert REVISIONS["data"] == 3
    assert prepare_dataset(DataSettings(task), kept).fingerprint == fingerprint
