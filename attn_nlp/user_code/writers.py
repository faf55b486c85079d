"""Keep cells that are trained side by side from writing one file, as `best.npy`, at once.

    numpy.save("best.npy", weights); ...; weights = numpy.load("best.npy")

Such a model would get the weights of another cell. So whoever starts to write a file waits until no
other cell that runs has written it. A lock that the system takes away when a process ends serves
for that; beside it stands who held it last, so that a file that another cell has left is told from
one of this cell.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path

from attn_nlp.wording import warn

_PAUSE, _PATIENCE = 0.05, 60.0  # seconds


class Writers:
    """The files that one cell has written."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._name = f"{self._process}-{uuid.uuid4().hex}"
        self._held: dict[str, int] = {}
        self._began = time.time() - 1.0

    def wait(self, file: str) -> str:
        """Wait until no other cell has written a file, and keep others from it until `end`.

        Returns:
          A sentence about why this cannot be waited for, or "".
        """
        path = _lock_of(file)
        if path is None or file in self._held or os.getpid() != self._process:
            return ""
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + _PATIENCE
        while not _taken(number):
            if not self._held:  # so nobody waits for this cell
                warn(f"waiting for another cell that writes {file}.")
                fcntl.flock(number, fcntl.LOCK_EX)
                break
            if time.monotonic() > deadline:
                os.close(number)
                return (
                    f"{file} is written by another cell that runs, which may be waiting for this "
                    "one; write to a folder of each cell's own: tempfile.mkdtemp()."
                )
            time.sleep(_PAUSE)
        self._held[file] = number
        os.ftruncate(number, 0)
        os.pwrite(number, self._name.encode(), 0)
        return ""

    def is_of_another(self, file: str) -> bool:
        """Return whether another cell has written a file since this one began."""
        path = _lock_of(file)
        with suppress(OSError):
            if path is not None and os.stat(path).st_mtime > self._began:
                return path.read_text("utf-8") != self._name
        return False

    def end(self) -> None:
        """Let others write."""
        for number in self._held.values():
            os.close(number)
        self._held.clear()


def _taken(number: int) -> bool:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _lock_of(file: str) -> Path | None:
    """Return the file that is locked for another one, in a folder that nobody else can write to."""
    folder = Path(tempfile.gettempdir(), f"attn-nlp-{os.getuid()}")
    try:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        state = folder.lstat()
    except OSError:
        return None
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid() or state.st_mode & 0o022:
        return None
    return folder / hashlib.sha256(os.fsencode(os.path.realpath(file))).hexdigest()[:32]
