"""Write a file or a folder whole, or not at all.

It is written under a name of its own in the folder of its target, synced to the disk, and renamed.
So a reader finds the old content or the new, never half of it, even after a crash or a power cut.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from attn_nlp.fault_injection import point


@contextmanager
def unfinished(target: Path) -> Iterator[Path]:
    """Yield a path next to `target` at which nothing exists yet.

    Whatever is still there when the block ends, a file or a folder, is removed.
    """
    path = target.with_name(f".writing-{os.getpid()}-{os.urandom(4).hex()}")
    try:
        yield path
    finally:
        try:
            path.unlink(missing_ok=True)
        except OSError:  # a folder
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def replacing(target: Path, faults: str = "") -> Iterator[Path]:
    """Yield an unfinished path, which replaces `target` if nothing is raised.

    Args:
      target: a file; its folder exists.
      faults: a prefix for the points of `fault_injection`; "" for none.

    Raises:
      OSError: the disk is full or broken; `target` is as it was.
    """
    with unfinished(target) as path:
        yield path
        put(path, target, faults)


def put(
    path: Path,
    target: Path,
    faults: str = "",
    rename: Callable[[Path, Path], None] = os.replace,
) -> None:
    """Sync a file or a folder, give it the name of `target`, and sync that name.

    Args:
      path: a path from `unfinished`.
      target: the name, in the same folder.
      faults: as for `replacing`.
      rename: called with both paths to give the name.

    Raises:
      OSError: the disk is full or broken, or `rename` fails.
    """
    with _point(faults, "fsync"):
        sync(path)
    with _point(faults, "rename"):
        rename(path, target)
    sync_names(target.parent)


def sync(path: Path) -> None:
    """Wait until a file, or a folder with everything in it, is on the disk."""
    if path.is_dir():
        for entry in path.iterdir():
            sync(entry)
        sync_names(path)
    else:
        _sync(path)


def sync_names(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, if this process may read the folder."""
    with suppress(PermissionError):  # Windows opens no folder
        _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _point(faults: str, step: str) -> AbstractContextManager[None]:
    return point(f"{faults}.{step}") if faults else nullcontext()
