"""Which test sentences a run answered as labelled: a bit each, beside the other small columns.

Tables over sentences want no more of predictions than this, which is a sixteenth of their JSON and
needs no parsing. The bits are worked out from predictions and labels wherever a record is written.
"""

from __future__ import annotations

import functools
import json
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def packed(predictions: Sequence[int] | None, gold: Sequence[int] | None) -> bytes | None:
    """Eight answers a byte, the first sentence in the highest bit; None where there are none.

    Example:
      >>> packed([0, 1, 1], [0, 1, 0])
      b'\\xc0'
    """
    import numpy as np

    if not predictions or not gold or len(predictions) != len(gold):
        return None
    # By way of an array of whole numbers, which NumPy takes over as it is.
    return np.packbits(np.asarray(array("q", predictions)) == np.asarray(gold)).tobytes()


def unpacked(rows: Sequence[bytes], sentences: int) -> np.ndarray:
    """(runs, sentences) bool: the answers of at least one run.

    Example:
      >>> unpacked([b"\\xc0"], 3).tolist()
      [[True, True, False]]
    """
    import numpy as np

    bits = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1)
    return np.unpackbits(bits, axis=1, count=sentences).view(bool)


def packed_text(predictions: str | None, gold: str | None) -> bytes | None:
    """`packed` of two JSON texts; None where one of them is damaged, which `doctor` reports."""
    try:
        return packed(json.loads(predictions or "null"), _labels(gold or "null"))
    except (ValueError, TypeError):
        return None


@functools.lru_cache(maxsize=16)  # the cells of a dataset share their labels
def _labels(text: str) -> array | None:
    labels = json.loads(text)
    return labels and array("q", labels)
