"""The `datasets` library, kept quiet, and what it raises in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def quiet_datasets() -> Iterator[Any]:
    """The `datasets` module, without its progress bars and its log for as long as the block lasts.

    What it logs it also raises, and that is said in a sentence of our own.
    """
    import datasets
    from datasets.utils import logging

    shown, level = not datasets.are_progress_bars_disabled(), logging.get_verbosity()
    datasets.disable_progress_bars()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield datasets
    finally:
        logging.set_verbosity(level)
        if shown:
            datasets.enable_progress_bars()


def one_line(error: BaseException) -> str:
    """What a library's error and its cause say, first lines only."""
    said = [str(e).strip().split("\n", 1)[0] for e in (error, error.__cause__) if e is not None]
    return ": ".join(dict.fromkeys(s.rstrip(".") for s in said if s)) or type(error).__name__
