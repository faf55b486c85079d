"""Named points at which a test makes this program fail or die; in normal use they do nothing.

A point stands on both sides of every step that a crash must not spoil: a transaction, a file that
is written, a message to a worker. The plan is the environment variable ATTN_NLP_FAULT,

    POINT:SIDE:N:MODE        store.commit:before:3:kill

the N-th time that this process comes to that side of that point. MODE is `kill` (the process ends
by SIGKILL, as in a power cut that spares the disk), `full` (the system says that the disk is full)
or `error` (it says that the disk is broken). Where ATTN_NLP_FAULT_ONCE names a file, the plan is
followed by the first process that comes there, which makes the file, and by no other. With
ATTN_NLP_FAULT_LOG a file gets one line for every point that is passed, so that a test can find all
of them and try each.
"""

from __future__ import annotations

import errno
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

MODES = {"full": errno.ENOSPC, "error": errno.EIO}

_passed: Counter[tuple[str, str]] = Counter()


@contextmanager
def point(name: str) -> Iterator[None]:
    """One step that may be made to fail, before it begins or when it has ended.

    Raises:
      OSError: where the plan says so.
    """
    pass_by(name, "before")
    yield
    pass_by(name, "after")


def pass_by(name: str, side: str) -> None:
    """One side of a point."""
    plan, log = os.environ.get("ATTN_NLP_FAULT"), os.environ.get("ATTN_NLP_FAULT_LOG")
    if plan is None and log is None:
        return
    _passed[name, side] += 1
    count = _passed[name, side]
    if log is not None:
        line = f"{name}:{side}:{count} {os.getpid()}\n".encode()
        handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        os.write(handle, line)
        os.close(handle)
    if plan is not None and plan.rpartition(":")[0] == f"{name}:{side}:{count}" and _first():
        _fail(plan.rpartition(":")[2], f"{name}:{side}")


def _first() -> bool:
    once = os.environ.get("ATTN_NLP_FAULT_ONCE")
    if once is None:
        return True
    try:
        os.close(os.open(once, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def _fail(mode: str, where: str) -> None:
    if mode == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    number = MODES[mode]
    raise OSError(number, f"{os.strerror(number)} (a test asked for this)", where)
