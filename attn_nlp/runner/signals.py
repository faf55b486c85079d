"""Ctrl-C, SIGTERM and similar signals: the first asks a run to stop cleanly, the second ends it.

SIGHUP counts as SIGTERM, and so do SIGUSR1, SIGUSR2 and SIGXCPU, with which batch systems warn of a
limit. The same signal twice within a fifth of a second is one request: `timeout` sends it to its
child and then to the whole process group.

Python handles signals only between two bytecode instructions, and compiling a program is a single
call that takes many seconds. So a separate thread is told of every signal as it arrives. Because of
it, a second signal exits at once, and a first one soon if nothing would be lost.
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

GRACE_SECONDS = 1.0  # to stop cleanly; less than anyone at a keyboard would wait
ONE_REQUEST_SECONDS = 0.2
_POLL_SECONDS = 0.1
_LAST_WORDS = (
    b"attn-nlp: interrupted; repeat the command to continue with what is not stored yet.\n"
)
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WARNINGS = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU)
_SHOW_CURSOR = b"\x1b[?25h"
_listening: list[Interrupt] = []
_end = os._exit  # the real one, even while a model's `fit` sees another


class Interrupt:
    """Listens for signals within a `with` block, if that is in the main thread.

    Within the block, SIGCHLD has its default action even if the parent process ignores it, so that
    the exit status of child processes is known.

    Args:
      ends: whether a second signal, or work that does not stop, ends the process; it must not in a
        notebook or at a prompt.

    Attributes:
      number: the signal that arrived, or 0.
      idle: set by an engine while this process has nothing that is not stored; the process then
        exits if it has not stopped cleanly some time after a signal.
    """

    def __init__(self, ends: bool = True) -> None:
        self._ends = ends
        self.number = 0
        self._since = 0.0
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
            self._caught = tuple(n for n in (*_SIGNALS, *_WARNINGS) if _is_ours(n))
            self._watcher = threading.Thread(target=self._watch, args=self._pipe[:1], daemon=True)
            self._watcher.start()
            for number in self._caught:
                self._before[number] = signal.signal(number, self._arrived)
            _listening.append(self)
            if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:  # exit statuses would be lost
                self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()
        if self._pipe is not None:
            if self in _listening:  # not in a forked child
                _listening.remove(self)
            os.close(self._pipe[1])
            self._watcher.join()
            os.close(self._pipe[0])

    def _restore(self) -> None:
        """Restore the earlier signal handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._pipe is not None:
            signal.set_wakeup_fd(self._wakeup_before)

    def check(self) -> None:
        """Raise `Stopped` if a signal has arrived."""
        if self.number:
            raise Stopped

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Let a signal raise `Stopped` itself within the block, for work that never checks."""
        self._at_once = True
        try:
            self.check()
            yield
        finally:
            self._at_once = False

    def _arrived(self, number: int, _frame: object) -> None:
        if self.number:
            if number == self.number and _is_recent(self._since):
                return
            if not self._ends:
                raise KeyboardInterrupt
            _leave(number)
        self.number, self._since = number, time.monotonic()
        if self._at_once:
            raise Stopped

    def _watch(self, pipe: int) -> None:
        """Read the signals of this process until the pipe is closed; runs in its own thread."""
        first, since, deadline = 0, 0.0, None
        while True:
            ready, _, _ = select.select([pipe], [], [], None if deadline is None else _POLL_SECONDS)
            numbers = os.read(pipe, 64) if ready else None
            if numbers == b"":
                return
            for number in (numbers or b"") if self._ends else b"":
                if number not in self._caught or (number == first and _is_recent(since)):
                    continue
                if first:
                    _leave(number)
                first, since = number, time.monotonic()
                deadline = since + GRACE_SECONDS
            if deadline is not None and self.idle and time.monotonic() > deadline:
                _leave(first, _LAST_WORDS)


def _is_recent(since: float) -> bool:
    return time.monotonic() - since < ONE_REQUEST_SECONDS


def _deafen() -> None:
    """Stop listening in a forked child, whose signals must not be reported to the parent."""
    while _listening:
        _listening.pop()._restore()


os.register_at_fork(after_in_child=_deafen)


def _is_ours(number: signal.Signals) -> bool:
    """Return whether to handle a signal: not if nohup or the user's code handles it otherwise."""
    before = signal.getsignal(number)
    if number in _WARNINGS:
        return before == signal.SIG_DFL
    return number != signal.SIGHUP or before != signal.SIG_IGN


def _leave(number: int, words: bytes = b"") -> None:
    """Exit this process at once, with the status of one that a signal ended."""
    with suppress(OSError):
        os.write(2, (_SHOW_CURSOR if os.isatty(2) else b"") + words)
    _end(128 + number)
