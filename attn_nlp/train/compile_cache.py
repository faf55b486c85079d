"""JAX's cache of compiled programs, mended before a run uses it.

JAX writes an entry as two files, NAME-cache and then NAME-atime. A process that is killed between
the two, or a machine that stops before their bytes are on the disk, leaves an entry that is never
read again; and because JAX looks at every entry's second file before it writes a new one, nothing
is kept any more. No result is wrong: JAX compiles anew each time, and warns. What it takes out to
make room leaves its seal behind.

One process compiles a program, on every core of the run; the others read it from the cache.

Workers that begin a table come to its program at the same moment. Each on its one core, both would
compile the same for as long as two cores need for twice as much.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from attn_nlp.train import sealed
from attn_nlp.train.sealed import SEAL

_PROGRAM, _USED = "-cache", "-atime"
SETTLED_SECONDS = 60.0  # another process may be writing what is younger


def repair(folder: Path) -> int:
    """Remove entries that lack a file or have an empty one, and say how many there were.

    Args:
      folder: the cache's; it need not exist.
    """
    names = {
        path.name.removesuffix(suffix)
        for suffix in (_PROGRAM, _USED)
        for path in folder.glob(f"*{suffix}")
    }
    for path in folder.glob(f"*{SEAL}"):
        if path.name.removesuffix(SEAL) not in names and _settled(path):
            with suppress(OSError):
                path.unlink(missing_ok=True)
    return sum(
        _mended([folder / f"{name}{suffix}" for suffix in (_PROGRAM, _USED)]) for name in names
    )


def _mended(pair: list[Path]) -> bool:
    sizes, youngest = [], 0.0
    for path in pair:
        with suppress(FileNotFoundError):
            found = path.stat()
            sizes.append(found.st_size)
            youngest = max(youngest, found.st_mtime)
    if (len(sizes) == 2 and all(sizes)) or time.time() - youngest < SETTLED_SECONDS:
        return False
    for path in pair:
        with suppress(OSError):  # another run mends the same, or may alone write here
            path.unlink(missing_ok=True)
    return True


def _settled(path: Path) -> bool:
    with suppress(OSError):
        return time.time() - path.stat().st_mtime >= SETTLED_SECONDS
    return False


LONGEST_WAIT = 300.0  # seconds for another process, which may be halted; then both compile
CORES: set[int] = set()  # all that the run may use; none where nobody has pinned this process


def may_use(cores: Iterable[int]) -> None:
    """Say which cores compiling may use, before this process is pinned to one of them."""
    CORES.clear()
    CORES.update(cores)


def start_threads() -> None:
    """Start XLA with a compiling thread for each core, before this process is pinned to one.

    It makes those threads when it first compiles, as many as there are cores where it may run then.
    So something is compiled here, without the folder of compiled programs, from which it would be
    read instead.
    """
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    sealed.install()
    jax.devices()  # which says best what is wrong with a platform
    # Not every precision of products is known everywhere.
    square = jax.ShapeDtypeStruct((2, 2), "float32")
    jax.jit(lambda x: x @ x).lower(square)
    used = jax.config.jax_enable_compilation_cache  # pyright: ignore[reportAttributeAccessIssue]
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        jax.jit(lambda: 1).lower().compile()
    finally:
        jax.config.update("jax_enable_compilation_cache", used)
        compilation_cache.reset_cache()  # it remembers that it was not used


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Compile what is inside alone of all processes that come to this name, on all cores.

    Without a folder of compiled programs, or where it cannot be locked, nobody waits.

    Args:
      name: equal for equal programs. Other names are compiled side by side, nearly always.
    """
    sealed.install()
    folder = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    with _locked(Path(folder), name) if folder else nullcontext(), spread():
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
def spread() -> Iterator[None]:
    """Let every thread of this process on all cores; afterwards each is where it was."""
    before = keep_on(CORES) if CORES else {}  # else nothing was pinned
    try:
        yield
    finally:
        for thread, places in before.items():
            with suppress(OSError):
                os.sched_setaffinity(thread, places)


def keep_on(these: Iterable[int]) -> dict[int, set[int]]:
    """Keep every thread of this process, and those they start, on these cores, where Linux can.

    XLA compiles and computes on threads that it started before, each with a place of its own.

    Returns:
      thread -> the cores that it was allowed.
    """
    before: dict[int, set[int]] = {}
    if not hasattr(os, "sched_setaffinity"):
        return before
    for each in os.listdir("/proc/self/task"):
        with suppress(OSError):  # it has ended, or the system allows less
            thread = int(each)
            before[thread] = os.sched_getaffinity(thread)
            os.sched_setaffinity(thread, these)
    return before
