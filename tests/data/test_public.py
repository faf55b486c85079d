"""Real sets as published, where this machine has them."""

from __future__ import annotations

import numpy as np
import pytest

from attn_nlp.data import DataSettings, prepare_dataset
from attn_nlp.data.loading import load
from attn_nlp.data.public import REAL_SETS
from attn_nlp.data.rows import check


@pytest.mark.parametrize(
    ("name", "rows", "repeats_dropped"),
    [
        ("sst2", (6_920, 872, 1_821), 0),
        ("trec6", (4_907, 545, 500), 0),
        ("chnsenticorp", (9_600, 1_200, 1_200), 0),
        ("sms_spam", (4_155, 462, 514), 443),
    ],
)
def test_sizes_and_labels(name, rows, repeats_dropped, real_data, kept):
    prepared = prepare_dataset(DataSettings(name), kept)
    assert tuple(stop - start for start, stop in prepared.splits.values()) == rows
    assert prepared.facts["dropped_duplicates"] == repeats_dropped
    assert prepared.facts["source"] == "local folder"
    assert set(prepared.labels.tolist()) == set(range(len(prepared.class_names)))
    assert len(prepared.texts("test")) == rows[2]


def test_sst2_says_what_its_labels_say(real_data, kept):
    prepared = prepare_dataset(DataSettings("sst2"), kept)
    start, stop = prepared.splits["train"]
    label = np.array(prepared.labels[start:stop])
    texts = prepared.texts("train")
    share = {
        word: label[[word in text.split() for text in texts]].mean() for word in ("bad", "moving")
    }
    assert prepared.class_names == ("negative", "positive")
    assert share["bad"] < 0.3 < 0.7 < share["moving"]
    assert prepared.facts["duplicates"]["test in train"] == 2
    assert prepared.fingerprint == (  # of the rows as published, for any copy of them
        "5a36451a19e1004198f56052e7ead5ae01b5f2dc69128d9a16946d001f27a46c"
    )


def test_chinese_reviews_are_read_by_character(real_data, kept):
    prepared = prepare_dataset(DataSettings("chnsenticorp"), kept)
    pieces = prepared.tokens_of(prepared.ids[0][: prepared.lengths[0]])
    han = [p for p in pieces if "\u4e00" <= p[0] <= "\u9fff"]
    assert len(han) > 20
    assert all(len(p) == 1 for p in han)
    assert prepared.facts["splits"]["test"]["unknown_rate"] < 0.01
    assert prepared.facts["duplicates"]["test in train"] == 331


def test_mpqa_counts_its_empty_text(real_data, kept):
    prepared = prepare_dataset(DataSettings("mpqa"), kept)
    counts = prepared.facts["splits"]
    assert sum(counts[split]["empty"] for split in counts) == 1  # three before repeats went


@pytest.mark.parametrize("source", REAL_SETS, ids=lambda s: s.name)
def test_every_registered_set_loads_and_has_the_registered_labels(source, real_data, tmp_path):
    if not (real_data / source.name).is_dir():
        pytest.skip(f"no folder {source.name} in ATTN_NLP_DATA")
    raw = load(source.name, tmp_path)
    _, class_names = check(raw)
    assert not source.labels or class_names == source.labels
    assert ("test" in raw.columns) == (source.test_rule == "official split")
    assert ("validation" in raw.columns) == (source.validation_rule == "official split")
