"""One process compiles a program, on every core of the run; the others read it from the cache.

Workers that begin a table come to its program at the same moment. Each on its one core, both would
compile the same for as long as two cores need for twice as much.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

LONGEST_WAIT = 300.0  # seconds for another process, which may be halted; then both compile
CORES: set[int] = set()  # all that the run may use; none where nobody has pinned this process


def may_use(cores: Iterable[int]) -> None:
    """Say which cores compiling may use, before this process is pinned to one of them."""
    CORES.clear()
    CORES.update(cores)


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Compile what is inside alone of all processes that come to this name, on all cores.

    Without a folder of compiled programs, or where it cannot be locked, nobody waits.

    Args:
      name: equal for equal programs. Other names are compiled side by side, nearly always.
    """
    folder = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    with _locked(Path(folder), name) if folder else nullcontext(), _spread():
        yield


@contextmanager
def _locked(folder: Path, name: str) -> Iterator[None]:
    from filelock import FileLock, Timeout  # commands that compile nothing load this module too

    # 256 files and no more, however many programs there have been
    place = folder / "locks" / hashlib.sha256(name.encode()).hexdigest()[:2]
    lock = FileLock(place)
    with suppress(OSError, NotImplementedError, Timeout):
        place.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=LONGEST_WAIT)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _spread() -> Iterator[None]:
    """Let every thread of this process on all cores; afterwards each is where it was."""
    if not CORES or not hasattr(os, "sched_setaffinity"):  # no Linux, or nothing was pinned
        yield
        return
    before = {}
    # XLA compiles on threads that it started before, each with a place of its own.
    for each in os.listdir("/proc/self/task"):
        with suppress(OSError):  # it has ended, or the system allows less
            thread = int(each)
            before[thread] = os.sched_getaffinity(thread)
            os.sched_setaffinity(thread, CORES)
    try:
        yield
    finally:
        for thread, places in before.items():
            with suppress(OSError):
                os.sched_setaffinity(thread, places)
