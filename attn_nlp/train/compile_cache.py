"""JAX's cache of compiled programs, repaired before a run uses it.

JAX writes an entry as two files, NAME-cache and then NAME-atime. A process that is killed between
the two, or a machine that stops before their bytes are on the disk, leaves an entry that is never
read again; and because JAX reads every entry's second file before it writes a new one, nothing is
stored any more. No result is wrong: JAX compiles again each time, and warns. An entry that JAX
evicts to make room leaves its seal behind.

One process compiles a program, on every core of the run; the others read it from the cache.

Workers that begin a table need its program at the same moment. Each on its one core, both would
compile the same program for as long as two cores need for twice as much.
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
SETTLED_SECONDS = 60.0  # a younger file may still be being written by another process


def repair(folder: Path) -> int:
    """Remove entries that lack a file or have an empty one, and return how many there were.

    Args:
      folder: of the cache; it need not exist.
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
        _repaired([folder / f"{name}{suffix}" for suffix in (_PROGRAM, _USED)]) for name in names
    )


def _repaired(pair: list[Path]) -> bool:
    sizes, youngest = [], 0.0
    for path in pair:
        with suppress(FileNotFoundError):
            status = path.stat()
            sizes.append(status.st_size)
            youngest = max(youngest, status.st_mtime)
    if (len(sizes) == 2 and all(sizes)) or time.time() - youngest < SETTLED_SECONDS:
        return False
    for path in pair:
        with suppress(OSError):  # another run repairs the same, or this one may not write here
            path.unlink(missing_ok=True)
    return True


def _settled(path: Path) -> bool:
    with suppress(OSError):
        return time.time() - path.stat().st_mtime >= SETTLED_SECONDS
    return False


LONGEST_WAIT = 300.0  # seconds for another process, which may hang; then both compile
CORES: set[int] = set()  # all that the run may use; empty if this process is not pinned


def may_use(cores: Iterable[int]) -> None:
    """Set the cores that compiling may use, before this process is pinned to one of them."""
    CORES.clear()
    CORES.update(cores)


def start_threads() -> None:
    """Start XLA with one compiler thread per core, before this process is pinned to one.

    XLA creates its thread pool when it first compiles, with as many threads as the process may use
    cores at that moment. So a trivial program is compiled here with the compilation cache disabled:
    a cache hit would not start the threads.
    """
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    sealed.install()
    jax.devices()  # gives the clearest error if a platform is wrong
    # Not every platform knows every precision of products.
    square = jax.ShapeDtypeStruct((2, 2), "float32")
    jax.jit(lambda x: x @ x).lower(square)
    used = jax.config.jax_enable_compilation_cache  # pyright: ignore[reportAttributeAccessIssue]
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        jax.jit(lambda: 1).lower().compile()
    finally:
        jax.config.update("jax_enable_compilation_cache", used)
        compilation_cache.reset_cache()  # it remembers that it was disabled


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Run the body while no other process runs one of the same name, on all cores, to compile.

    Without a folder of compiled programs, or if it cannot be locked, nobody waits.

    Args:
      name: equal for equal programs. Other names nearly always compile at the same time.
    """
    sealed.install()
    folder = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    with _locked(Path(folder), name) if folder else nullcontext(), spread():
        yield


@contextmanager
def _locked(folder: Path, name: str) -> Iterator[None]:
    from filelock import FileLock, Timeout  # commands that compile nothing load this module too

    # At most 256 files, however many programs there have been.
    path = folder / "locks" / hashlib.sha256(name.encode()).hexdigest()[:2]
    lock = FileLock(path)
    with suppress(OSError, NotImplementedError, Timeout):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=LONGEST_WAIT)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def spread() -> Iterator[None]:
    """Allow every thread of this process all cores, and afterward only those it had before."""
    before = keep_on(CORES) if CORES else {}  # else nothing was pinned
    try:
        yield
    finally:
        for thread, cores in before.items():
            with suppress(OSError):
                os.sched_setaffinity(thread, cores)


def keep_on(cores: Iterable[int]) -> dict[int, set[int]]:
    """Pin every thread of this process, and those they start, to these cores, on Linux.

    XLA compiles and computes on threads that it started before, each with an affinity of its own.

    Returns:
      The cores that each thread was allowed before, by thread.
    """
    before: dict[int, set[int]] = {}
    if not hasattr(os, "sched_setaffinity"):
        return before
    for name in os.listdir("/proc/self/task"):
        with suppress(OSError):  # it has ended, or the system allows less
            thread = int(name)
            before[thread] = os.sched_getaffinity(thread)
            os.sched_setaffinity(thread, cores)
    return before
