"""Where a store may lie, and whether the file that is open still lies there.

SQLite takes some names for no files at all (":memory:"), and goes on writing into a file that has
been removed or moved. Both would lose a run without a word.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import shutil
import stat
import tempfile
import time
from pathlib import Path

from attn_nlp.store.log import beside

_LOOKS, _PAUSE = 10, 0.02
ROOM_BYTES = 1 << 16
LONGEST_NAME = 243  # bytes: the files beside a store add up to 12, and a name has 255
LONGEST_PATH = 504  # bytes that SQLite opens, with its journal beside it


def unusable(path: str | os.PathLike[str]) -> str:
    """Why no store can be at a path, as a sentence; "" where nothing is known against it."""
    given = os.fspath(path)
    if not given.strip():
        return "the name of the store is empty; name a file, such as runs/attn_nlp.sqlite."
    if "\0" in given:
        return "the name of the store holds a NUL; name a file without one."
    if given.startswith((":memory:", "file:")):
        return (
            f"{given!r} is no file to SQLite and would keep nothing; name a file, such as "
            "runs/attn_nlp.sqlite."
        )
    name = os.fsencode(os.path.basename(given))
    if len(name) > LONGEST_NAME:
        return (
            f"the name of store {name[:40].decode(errors='replace')}... has {len(name)} bytes; "
            f"choose one of at most {LONGEST_NAME}."
        )
    whole = os.fsencode(os.path.abspath(given))
    if len(whole) > LONGEST_PATH:
        return (
            f"the path of store ...{whole[-40:].decode(errors='replace')} has {len(whole)} bytes; "
            f"choose one of at most {LONGEST_PATH}."
        )
    try:
        mode = os.stat(given).st_mode
    except OSError as error:
        return _of_error(given, error)
    if stat.S_ISDIR(mode):
        return f"store {given} cannot be opened: it is a folder; name a file."
    if not stat.S_ISREG(mode):
        return f"store {given} cannot be opened: it is no regular file; name one."
    return ""


def _of_error(given: str, error: OSError) -> str:
    if error.errno == errno.ENOTDIR:
        return f"cannot make the folder of store {given}: a part of it is a file; name another."
    if error.errno == errno.ELOOP:
        return f"store {given} cannot be opened: it is a link to itself; name a file."
    if error.errno == errno.ENAMETOOLONG:
        return f"store {given[:40]}... cannot be opened: a part of its path is too long."
    if error.errno == errno.ENOENT and os.path.islink(given):
        return (
            f"store {given} cannot be opened: it is a link to {os.readlink(given)}, which is not "
            "there; name a file."
        )
    return ""  # not there yet, or the system's to tell


def other_names(path: Path) -> str:
    """Return a sentence about a file with several names (hard links), or "" if it has one.

    SQLite's log goes by the name and not by the file, so that each name has its own. A store that
    is being made has two for a moment.
    """
    for look in range(_LOOKS):
        if look:
            time.sleep(_PAUSE)
        try:
            names = os.stat(path).st_nlink
        except OSError:  # not there yet, or the system's to tell
            return ""
        if names < 2:
            return ""
    return (
        f"store {path} has another name (hard link), and a log of its own under each: what is kept "
        f"under one is not seen under the other. Find it by 'find -samefile {path}' and remove it, "
        "or use a copy (cp); a symbolic link (ln -s) is a second name that works."
    )


def is_limited(path: Path) -> bool:
    """Return whether a file of the store is about as large as this process may make one."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if limit == resource.RLIM_INFINITY:
        return False
    files = [beside(path, ending) for ending in ("", "-wal", "-shm", "-journal")]
    return any(file.stat().st_size > limit - ROOM_BYTES for file in files if file.exists())


def is_full(folder: Path) -> bool:
    """Return whether the disk has no room for a page and its log; SQLite may call it an error."""
    try:
        usage = shutil.disk_usage(folder)
        return usage.total > 0 and usage.free < ROOM_BYTES  # of no size: no disk, such as /proc
    except OSError:
        return False


def can_lock(folder: Path) -> bool:
    """Return whether the disk locks files at all, tried on a file of our own.

    SQLite says the same of a disk without locks as of a file that another program has locked.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
    return True


class Place:
    """The file that is open at a path; made as soon as it is open.

    Args:
      path: the file.
      logged: whether the database writes ahead into a log beside it.
    """

    def __init__(self, path: Path, logged: bool) -> None:
        self._path = path
        self._file = _identity(path)
        self._log_path = beside(path, "-wal") if logged else None
        self._log: tuple[int, int] | None = None

    def change(self) -> str:
        """Return what has happened to the file since, as the end of a sentence, or ""."""
        found = _identity(self._path)
        if found is None:
            return "is no longer there: it was removed or moved away"
        if found != self._file:
            return "was replaced by another file"
        if _emptied(self._path):
            return "was emptied"
        if self._log_path is not None:
            log = _identity(self._log_path)
            if self._log is None:
                self._log = log
            elif log != self._log:
                return f"lost its log {self._log_path.name}, which was removed or replaced"
        return ""


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and number of a file, whatever its name; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _emptied(path: Path) -> bool:
    try:
        return not os.stat(path).st_size
    except OSError:  # gone since; the next look says so
        return False
