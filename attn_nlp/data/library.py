"""Use the `datasets` library quietly, and describe its errors in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def quiet_datasets() -> Iterator[Any]:
    """Yield the `datasets` module, without its progress bars and its log within the block.

    It also raises what it logs, and that is reported in one sentence.
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
    """Return the first lines of the messages of an error and its cause."""
    said = [str(e).strip().split("\n", 1)[0] for e in (error, error.__cause__) if e is not None]
    return ": ".join(dict.fromkeys(s.rstrip(".") for s in said if s)) or type(error).__name__
