"""Ctrl-C, SIGTERM and their like: the first asks the run to stop in order, the second ends it.

SIGHUP, and SIGUSR1, SIGUSR2 and SIGXCPU, by which batch systems warn of a limit, are as SIGTERM.

Python hears a signal between two of its own steps, and compiling a program is one such step of many
seconds. So a thread beside is told of every signal as it comes. It is what makes the second one
leave at once, and the first one soon where nothing would be lost by it.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from attn_nlp.runner.job import Stopped

GRACE_SECONDS = 1.0  # for what could stop in order; less than anyone at a keyboard waits
_POLL_SECONDS = 0.1
_LAST_WORDS = b"attn-nlp: interrupted; the same command goes on with what is not yet stored.\n"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WARNINGS = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU)
_SHOW_CURSOR = b"\x1b[?25h"
_listening: list[Interrupt] = []
_end = os._exit  # the real one, also while a model's own fit has another


class Interrupt:
    """Listens for signals while it is entered; in a thread other than the main one, never.

    How a child process ends is told meanwhile, also where whoever started this one wants no word.

    Args:
      ends: whether a second signal, or work that does not stop, ends the process; in a notebook or
        at a prompt it must not.

    Attributes:
      number: the signal that came, or 0.
      idle: set by an engine while this process holds nothing that is not stored: it is then ended
        if it has not stopped in order some time after a signal.
    """

    def __init__(self, ends: bool = True) -> None:
        self._ends = ends
        self.number = 0
        self.idle = False
        self._at_once = False
        self._before: dict = {}
        self._caught: tuple[signal.Signals, ...] = ()
        self._pipe: tuple[int, int] | None = None
        self._wakeup_before = -1

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._pipe = os.pipe()
            os.set_blocking(self._pipe[1], False)
            self._wakeup_before = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
            self._caught = tuple(each for each in (*_SIGNALS, *_WARNINGS) if _is_ours(each))
            self._watcher = threading.Thread(target=self._watch, args=self._pipe[:1], daemon=True)
            self._watcher.start()
            for each in self._caught:
                self._before[each] = signal.signal(each, self._came)
            _listening.append(self)
            if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:  # how children end is then lost
                self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()
        if self._pipe is not None:
            _listening.remove(self)
            os.close(self._pipe[1])
            self._watcher.join()
            os.close(self._pipe[0])

    def _restore(self) -> None:
        """Let signals do what they did before."""
        for each, handler in self._before.items():
            signal.signal(each, handler)
        if self._pipe is not None:
            signal.set_wakeup_fd(self._wakeup_before)

    def check(self) -> None:
        """Raise `Stopped` if a signal came."""
        if self.number:
            raise Stopped

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Inside, the signal itself raises `Stopped`: for work that never asks."""
        self._at_once = True
        try:
            self.check()
            yield
        finally:
            self._at_once = False

    def _came(self, number: int, _frame: object) -> None:
        if self.number:
            if not self._ends:
                raise KeyboardInterrupt
            _leave(number)
        self.number = number
        if self._at_once:
            raise Stopped

    def _watch(self, pipe: int) -> None:
        """Read the signals of this process, until it hears no more; a thread of its own."""
        came, deadline = 0, None
        while True:
            ready, _, _ = select.select([pipe], [], [], None if deadline is None else _POLL_SECONDS)
            numbers = os.read(pipe, 64) if ready else None
            if numbers == b"":
                return
            for number in (numbers or b"") if self._ends else b"":
                if number in self._caught and came:
                    _leave(number)
                if number in self._caught:
                    came, deadline = number, time.monotonic() + GRACE_SECONDS
            if deadline is not None and self.idle and time.monotonic() > deadline:
                _leave(came, _LAST_WORDS)


def _deafen() -> None:
    """In a child that was forked: its signals are its own, and must not be told to the parent."""
    while _listening:
        _listening.pop()._restore()


os.register_at_fork(after_in_child=_deafen)


def _is_ours(number: signal.Signals) -> bool:
    """Whether a signal means an end: not where nohup or the user's own code has other plans."""
    before = signal.getsignal(number)
    if number in _WARNINGS:
        return before == signal.SIG_DFL
    return number != signal.SIGHUP or before != signal.SIG_IGN


def _leave(number: int, words: bytes = b"") -> None:
    """End this process here and now, as one that a signal ended."""
    with suppress(OSError):
        os.write(2, (_SHOW_CURSOR if os.isatty(2) else b"") + words)
    _end(128 + number)
