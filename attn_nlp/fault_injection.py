"""Named points at which a test can make this program fail or die; otherwise they do nothing.

A point has two sides, before and after a step that a crash must not corrupt: a transaction, writing
a file, a message to a worker. The environment variable ATTN_NLP_FAULT says where to fail,

    POINT:SIDE:N:MODE        store.commit:before:3:kill

the N-th time that this process passes that side of that point. MODE is `kill` (the process dies by
SIGKILL, as in a power cut that spares the disk), `full` (as if the disk were full) or `error` (as
if the disk were broken). If ATTN_NLP_FAULT_ONCE names a file, only the first process that gets
there fails, and makes the file. If ATTN_NLP_FAULT_LOG names a file, a line is added to it for every
point that is passed, so that a test can find all points and try each.
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
    """Enclose a step that can be made to fail, before it begins or after it has ended.

    Raises:
      OSError: ATTN_NLP_FAULT says so.
    """
    pass_by(name, "before")
    yield
    pass_by(name, "after")


def pass_by(name: str, side: str) -> None:
    """Pass one side of a point, and fail there if ATTN_NLP_FAULT says so."""
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
