"""The models that read a sentence in their own way learn what they should be able to learn."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from attn_nlp.data import DataSettings, Prepared, prepare_dataset
from attn_nlp.experiment import Cell
from attn_nlp.train.loop import train
from tests.train.tiny import ignored, prepared


@pytest.fixture(scope="module")
def keyword(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The planted keyword, in one length, which is compiled once."""
    folder: Path = tmp_path_factory.mktemp("prepared")
    data = prepare_dataset(DataSettings("planted_keyword", length=40), folder)
    return dataclasses.replace(data, edges=data.edges[-1:])


def learned(text: str, data: Prepared, **settings) -> float:
    """Accuracy on the test split after a short training."""
    few = {"width": 16, "heads": 2, "steps": 300, "learning_rate": 0.01, "evaluate_every": 100}
    cell = Cell(model=text, length=data.edges[-1], **(few | settings))
    result = train(cell, data, ignored)
    assert result["status"] == "done"
    return result["test"]["accuracy"]


@pytest.mark.parametrize("text", ["bag_of_embeddings", "cnn(16)", "bilstm"])
def test_a_keyword_is_learned(text, keyword):
    """One class answers a quarter of the sentences, who reads the word all: halfway at least."""
    assert np.bincount(keyword.labels).max() == len(keyword.labels) / 4
    assert learned(text, keyword) > (1 / 4 + 1) / 2


def in_order() -> Prepared:
    """Does word 5 stand right before word 6, or right after? Each sentence comes turned round too.

    So a model that knows no order is right in exactly half of the sentences.
    """
    data = prepared(rows=1200, edges=(6,))
    rng = np.random.default_rng(3)
    ids = rng.integers(7, 11, (600, 6)).astype(np.int32)
    place = rng.integers(0, 5, 600)
    ids[np.arange(600), place], ids[np.arange(600), place + 1] = 5, 6
    both = np.stack([ids, ids[:, ::-1]], axis=1).reshape(1200, 6)
    return dataclasses.replace(
        data,
        ids=both,
        lengths=np.full(1200, 6, np.int32),
        labels=np.tile(np.array([0, 1], np.int32), 600),
        splits={"train": (0, 800), "validation": (800, 1000), "test": (1000, 1200)},
    )


@pytest.mark.parametrize("text", ["bag_of_embeddings", "cnn(16)", "bilstm"])
def test_order_is_learned_where_a_model_knows_it(text):
    """Whatever the bag answers, one of a sentence and its mirror image is wrong."""
    accuracy = learned(text, in_order())
    if text == "bag_of_embeddings":
        # Sums in another order may tip a sentence over.
        assert accuracy == pytest.approx(0.5, abs=0.05)
    else:
        assert accuracy > 0.75
