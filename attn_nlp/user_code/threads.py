"""Follow the active lines of code, from a thread on to the lines that started it.

A thread of a pool may call a function of a library without any line of the user's in between:
`pool.map(np.load, files)` reads files on behalf of the line that started the pool, or its thread.
"""

from __future__ import annotations

import _thread
import contextlib
import functools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NamedTuple
from weakref import WeakKeyDictionary

from attn_nlp.user_code.modules import is_own

# Modules that call a function in a thread on behalf of another, and packages that lead there.
RUNNERS = ("threading", "concurrent.futures.thread", "multiprocessing.pool")
POOLS = ("threading", "concurrent", "asyncio", "multiprocessing")

_followers = 0
_before: list[Callable] = []
_starters: WeakKeyDictionary[threading.Thread, list[Step]] = WeakKeyDictionary()
_here = threading.local()


class Step(NamedTuple):
    """An active line of code; its file is "" if the code was generated."""

    file: str
    line: int
    module: str
    function: str

    @classmethod
    def of(cls, frame: FrameType) -> Step:
        """Return the current line of a frame."""
        code = frame.f_code
        file = "" if code.co_filename[0] == "<" else os.path.abspath(code.co_filename)
        return cls(file, frame.f_lineno, frame.f_globals.get("__name__") or "", code.co_name)

    @property
    def top(self) -> str:
        """The outermost package of the module."""
        return self.module.partition(".")[0]


def steps(frame: FrameType | None) -> Iterator[Step]:
    """Yield a frame and its callers, the innermost first, and then the lines that started them."""
    while frame is not None:
        step = Step.of(frame)
        if step.module != __name__:
            yield step
        frame = frame.f_back
    # Not `current_thread`, which makes a new object if it does not know the thread.
    thread = threading._active.get(threading.get_ident())  # pyright: ignore
    yield from getattr(_here, "starter", None) or (_starters.get(thread, ()) if thread else ())


@contextlib.contextmanager
def followed() -> Iterator[None]:
    """Remember who starts a thread within the block, as long as the thread lives."""
    global _followers
    _followers += 1
    if _followers == 1:
        for owner, name, wrapper in _STARTS:
            _before.append(getattr(owner, name))
            setattr(owner, name, functools.wraps(_before[-1])(wrapper(_before[-1])))
    try:
        yield
    finally:
        _followers -= 1
        if not _followers:
            for owner, name, _ in reversed(_STARTS):
                setattr(owner, name, _before.pop())


def _starting(start: Callable) -> Callable:
    def starting(thread: threading.Thread) -> None:
        _starters[thread] = _starter()
        start(thread)

    return starting


def _starting_new(start: Callable) -> Callable:
    def starting_new(function, *arguments):
        starter = _starter()

        def begun(*args, **options):
            _here.starter = starter
            return function(*args, **options)

        return start(begun, *arguments)

    return starting_new


def _starter() -> list[Step]:
    """Return the lines that start a thread, up to the innermost line of the user's code."""
    lines = []
    for step in steps(sys._getframe(2)):
        lines.append(step)
        if is_own(step.file):
            break
    return lines


_STARTS = (
    (threading.Thread, "start", _starting),
    (_thread, "start_new_thread", _starting_new),
)
