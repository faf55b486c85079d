"""Files that the user's code opens for reading, told to whoever listens.

Python itself says when a file is opened. Libraries that open one in C, such as readers of HDF5, say
nothing, and neither do system files, hidden folders and caches count as data of the user's.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import NamedTuple

from attn_nlp.sources import PACKAGE, is_own

Listener = Callable[[str, "Opener"], None]

_SYSTEM = ("/dev", "/proc", "/sys", "/etc", "/usr", "/bin", "/lib", "/lib64", "/run", "/var/lib")
_listeners: list[Listener] = []
noted: set[str] = set()  # files that the user's code has opened in this process


class State(NamedTuple):
    """What tells one content of a file from the next without reading it."""

    changed: int
    size: int
    number: int

    @classmethod
    def of(cls, file: str) -> State:
        """The state now; of no file, zeros."""
        try:
            found = os.stat(file)
        except OSError:
            return cls(0, 0, 0)
        return cls(found.st_mtime_ns, found.st_size, found.st_ino)


class Opener(NamedTuple):
    """The line of the user's code that opens a file; directly, or by a call of this package."""

    file: str
    line: int
    directly: bool


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Call the listener with each file that is opened inside, and who does so."""
    _install()
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@functools.cache
def _install() -> None:
    sys.addaudithook(_hear)


def _hear(event: str, arguments: tuple) -> None:
    """See `sys.addaudithook`; no hook may fail, or be removed."""
    if event != "open" or not _listeners:
        return
    with contextlib.suppress(Exception):
        name, mode, flags = arguments
        if isinstance(name, int) or not _for_reading(mode, flags):
            return
        file = os.path.abspath(os.fsdecode(name))
        if f"{os.sep}__pycache__{os.sep}" in file:
            file = importlib.util.source_from_cache(file)
        opener = _opener()
        if opener is not None and _is_data(file, os.path.dirname(opener.file)):
            if opener.directly:
                noted.add(file)
            for listener in _listeners:
                listener(file, opener)


def _for_reading(mode: str | None, flags: int) -> bool:
    if mode is not None:
        return "r" in mode
    return flags & os.O_ACCMODE != os.O_WRONLY


def _opener() -> Opener | None:
    """The innermost line of the user's code that is at work."""
    directly = True
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        file = os.path.abspath(name)
        if name[0] != "<" and is_own(file):
            return Opener(file, frame.f_lineno, directly)
        directly = directly and not _within(file, [PACKAGE])
        frame = frame.f_back
    return None


def _is_data(file: str, folder: str) -> bool:
    """Whether a file may be data of the user's: no file of the system, hidden or a cache."""
    if f"{os.sep}.git{os.sep}" in file or not is_own(file) or _within(file, _caches()):
        return False
    if _within(file, [folder]):
        return True
    return f"{os.sep}." not in file and not _within(file, (*_SYSTEM, sys.prefix, sys.base_prefix))


def _within(file: str, folders: Iterable[str]) -> bool:
    return any(file.startswith(os.path.join(folder, "")) for folder in folders)


def _caches() -> list[str]:
    names = ("ATTN_NLP_CACHE", "XDG_CACHE_HOME", "HF_HOME", "JAX_COMPILATION_CACHE_DIR")
    return [os.path.abspath(path) for name in names if (path := os.environ.get(name))]
