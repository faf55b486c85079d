"""Right answers: one bit for each test sentence, stored with the small columns.

Tables over sentences want no more of predictions than this, which is a sixteenth of their JSON and
needs no parsing. The bits are worked out from predictions and labels wherever a record is written;
`stats.right` reads them.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from operator import eq

_DIGITS = bytes.maketrans(bytes([False, True]), b"01")


def packed(predictions: Sequence[int] | None, gold: Sequence[int] | None) -> bytes | None:
    """Eight answers a byte, the first sentence in the highest bit; None where there are none.

    Example:
      >>> packed([0, 1, 1], [0, 1, 0])
      b'\\xc0'
    """
    if not predictions or not gold or len(predictions) != len(gold):
        return None
    digits = bytes(map(eq, predictions, gold)).translate(_DIGITS)
    size = -(-len(digits) // 8)
    return int(digits.ljust(8 * size, b"0"), 2).to_bytes(size, "big")


def packed_text(predictions: str | None, gold: str | None) -> bytes | None:
    """`packed` of two JSON texts; None where one of them is damaged, which `doctor` reports."""
    try:
        return packed(json.loads(predictions or "null"), _labels(gold or "null"))
    except (ValueError, TypeError, RecursionError):
        return None


@functools.lru_cache(maxsize=16)  # the cells of a dataset share their labels
def _labels(text: str) -> list[int] | None:
    return json.loads(text)
