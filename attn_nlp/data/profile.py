"""Count what a reviewer would ask about the rows: sizes, losses, repeats, contradictions.

Given rows and their tokens, the functions return plain numbers for the facts of a prepared dataset,
which tables print in footnotes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from attn_nlp.data.rows import Rows
from attn_nlp.data.tokens import Encoded


def split_counts(rows: Rows, classes: int, encoded: Encoded, start: int) -> dict[str, Any]:
    """Return size, losses, lengths and balance of one split.

    Args:
      rows: the split.
      classes: number of classes.
      encoded: tokens of all rows of the dataset.
      start: index of the first row of the split in `encoded`.

    Returns:
      rows; empty (without any token, read as one [UNK]); truncated; unknown_rate, the share of
      [UNK] among kept tokens; mean, 95th percentile and maximum of the tokens before truncation;
      class_counts; majority_share, the accuracy of always predicting the largest class.
    """
    own = slice(start, start + len(rows))
    full = encoded.full_lengths[own]
    empty = full == 0
    kept = int(encoded.lengths[own].sum()) - int(empty.sum())
    counts = np.bincount(rows.labels, minlength=classes)
    return {
        "rows": len(rows),
        "empty": int(empty.sum()),
        "truncated": int(encoded.cut[own].sum()),
        "unknown_rate": float(encoded.unknown[own].sum() / max(1, kept)),
        "mean_length": float(full.mean()),
        "p95_length": float(np.percentile(full, 95)),
        "max_length": int(full.max()),
        "class_counts": counts.tolist(),
        "majority_share": float(counts.max() / len(rows)),
    }


def repeat_counts(splits: Mapping[str, Rows]) -> dict[str, Any]:
    """Count equal texts within and across splits, and texts with more than one label.

    Returns:
      duplicates: split -> number of rows beyond the first with their text, and "test in train" and
      so on -> number of rows of the first split whose text also occurs in the second;
      conflicting_labels: number of distinct texts with two labels or more anywhere.
    """
    texts = {split: Counter(rows.texts) for split, rows in splits.items()}
    duplicates = {split: counts.total() - len(counts) for split, counts in texts.items()}
    for one, other in (("validation", "train"), ("test", "train"), ("test", "validation")):
        shared = texts[one].keys() & texts[other].keys()
        duplicates[f"{one} in {other}"] = sum(texts[one][text] for text in shared)
    labels: defaultdict[str, set[int]] = defaultdict(set)
    for rows in splits.values():
        for text, label in zip(rows.texts, rows.labels, strict=True):
            labels[text].add(label)
    conflicting = sum(len(given) > 1 for given in labels.values())
    return {"duplicates": duplicates, "conflicting_labels": conflicting}
