"""A dataset of made sentences and a cell that learns it in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from attn_nlp.data import Prepared
from attn_nlp.experiment import Cell

LENGTH, VOCABULARY = 6, 11
TRAIN, VALIDATION = 48, 24
# Every kind of numeric setting is at work, so that one program serves nearly all tests.
CELL = Cell(
    width=8,
    heads=2,
    length=LENGTH,
    dropout=0.1,
    steps=60,
    batch_size=8,
    evaluate_every=20,
    learning_rate=0.02,
).replace(
    {
        "attention.dropout": 0.1,
        "attention.scale": "constant(0.5)",
        "attention.mixer": "query_mix('fixed(0.5)')",
    }
)


def prepared(
    rows: int = TRAIN + VALIDATION + 2100, edges: tuple[int, ...] = (4, LENGTH)
) -> Prepared:
    """Two classes: whether token 5 is in the sentence. Lengths from 2 to 6.

    The test split takes 66 batches of evaluation, more than one call holds.
    """
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, LENGTH + 1, rows).astype(np.int32)
    labels = (np.arange(rows) % 2).astype(np.int32)
    ids = rng.integers(6, VOCABULARY, (rows, LENGTH)).astype(np.int32)
    ids[labels == 1, rng.integers(0, lengths[labels == 1])] = 5
    ids[np.arange(LENGTH)[None, :] >= lengths[:, None]] = 0
    return Prepared(
        path=Path("nowhere"),
        name="tiny",
        fingerprint="f" * 64,
        tokenizer_hash="t" * 64,
        class_names=("without", "with"),
        vocabulary=VOCABULARY,
        edges=edges,
        ids=ids,
        lengths=lengths,
        labels=labels,
        splits={
            "train": (0, TRAIN),
            "validation": (TRAIN, TRAIN + VALIDATION),
            "test": (TRAIN + VALIDATION, rows),
        },
        deciding=None,
        facts={},
    )


def ignored(progress: dict) -> None:
    """A report that nobody reads."""


def measured(result: dict) -> dict:
    """Return the part of a result that the settings decide: everything but durations."""
    return {k: v for k, v in result.items() if k not in ("wall_seconds", "compile_seconds")}
