"""Lift limits of Python on how deep code and how long numbers may be."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

_DEEPEST = 50_000  # calls in one another


@contextlib.contextmanager
def unlimited() -> Iterator[None]:
    """Work on code that is as deep, and on numbers that are as long, as Python itself takes."""
    depth, digits = sys.getrecursionlimit(), sys.get_int_max_str_digits()
    sys.setrecursionlimit(max(depth, _DEEPEST))
    sys.set_int_max_str_digits(0)
    try:
        yield
    finally:
        sys.setrecursionlimit(depth)
        sys.set_int_max_str_digits(digits)
