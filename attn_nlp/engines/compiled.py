"""JAX's cache of compiled programs, mended before a run uses it.

JAX writes an entry as two files, NAME-cache and then NAME-atime. A process that is killed between
the two, or a machine that stops before their bytes are on the disk, leaves an entry that is never
read again; and because JAX looks at every entry's second file before it writes a new one, nothing
is kept any more. No result is wrong: JAX compiles anew each time, and warns. What it takes out to
make room leaves its seal behind.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from attn_nlp.train.sealed import SEAL

_PROGRAM, _USED = "-cache", "-atime"
SETTLED_SECONDS = 60.0  # another process may be writing what is younger


def mend(folder: Path) -> int:
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
