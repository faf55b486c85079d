"""Notice which files and folders the user's code uses, and tell listeners.

Python has audit events for opening a file, listing a folder, connecting to an SQLite database,
loading a library of machine code and starting another program. Libraries that open files in C, such
as readers of HDF5 and Parquet, are not noticed. System files, hidden folders and caches do not
count as data of the user's.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from attn_nlp.user_code.modules import PACKAGE, is_own
from attn_nlp.user_code.threads import POOLS, followed, steps

# Called with what is done ("read", "write", "make", "list", "match", "start", or "copy" of the
# environment), the file, folder, pattern or program, and the line that does it; "make" follows
# "write" if the file will be new or empty.
Listener = Callable[[str, str, "Opener"], None]

_SYSTEM = ("/dev", "/proc", "/sys", "/etc", "/usr", "/bin", "/lib", "/lib64", "/run", "/var/lib")
_OF_ENVIRONMENT = ("bin", "include", "lib", "lib64", "share")
_CACHES = {  # variable -> what is written in the folder that it names
    "ATTN_NLP_CACHE": re.compile(r"(data/([^/]+-[0-9a-f]{16}|known)|xla)/"),
    "XDG_CACHE_HOME": re.compile(r"(attn_nlp|huggingface)/"),
    "HF_HOME": re.compile(r"(assets|datasets|hub|modules|xet)/"),
    "JAX_COMPILATION_CACHE_DIR": re.compile(r"[^/]+-(atime|cache)$"),
}
_PROGRAMS = ("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system")
_STARTING = ("os", "pty", "subprocess", *POOLS)
_MATCHING = ("glob", "pathlib")
_IMPORTING = ("importlib._bootstrap", "_frozen_importlib")
_IMPORTS = ("_find_and_load", "_exec")  # a module for the first time, or a reload
_LIBRARIES = (*_SYSTEM, "/opt")
_ENVIRON = re.compile(r"/proc/[^/]+(/task/[^/]+)?/environ")
_listeners: list[Listener] = []
noted: set[str] = set()  # files that the user's code uses: opened here, declared or named


class State(NamedTuple):
    """The state of a file, which tells its versions apart without reading them."""

    changed: int
    size: int
    number: int

    @classmethod
    def of(cls, file: str) -> State:
        """Return the current state; zeros if there is no such file."""
        try:
            now = os.stat(file)
        except OSError:
            return cls(0, 0, 0)
        return cls(now.st_mtime_ns, now.st_size, now.st_ino)


class Opener(NamedTuple):
    """The line of the user's code that opens a file, and how.

    Attributes:
      directly: whether no code of this package is in between.
      ways: modules and functions between that line and the file.
    """

    file: str
    line: int
    directly: bool
    ways: tuple[tuple[str, str], ...]

    @property
    def line_name(self) -> str:
        """The line as messages name it: "my_idea.py, line 12"."""
        return f"{os.path.basename(self.file)}, line {self.line}"


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Call the listener with each use within the block."""
    _install()
    _listeners.append(listener)
    try:
        with followed():
            yield
    finally:
        _listeners.remove(listener)


def is_data(file: str, folder: str) -> bool:
    """Return whether a file may be data of the user's: not a system file, hidden, or in a cache.

    Args:
      file: its absolute path.
      folder: the folder of the code that uses it, which may itself be hidden or in a system folder.
    """
    if f"{os.sep}.git{os.sep}" in file or not is_own(file):
        return False
    if _is_cached(file, folder):
        return False
    if _within(file, [folder]):
        return True
    shared = os.path.commonpath([file, folder])
    if f"{os.sep}." in file[len(shared) :]:
        return False
    return not any(
        _within(file, [place]) and not _within(shared, [place])
        for place in (*_SYSTEM, *_environment())
    )


@functools.cache
def _install() -> None:
    sys.addaudithook(_hear)


def _hear(event: str, arguments: tuple) -> None:
    """See `sys.addaudithook`; a hook must not fail, and cannot be removed."""
    uses = _EVENTS.get(event)
    if uses is None or not _listeners:
        return
    with contextlib.suppress(Exception):
        used = list(uses(*arguments))
        opener = _opener() if used else None
        for what, file in used:
            if opener is not None and _counts(what, file, opener):
                if opener.directly and what in ("read", "connect", "load"):
                    noted.add(file)
                for listener in _listeners:
                    listener("read" if what in ("connect", "load") else what, file, opener)


def _opened(name: object, mode: str | None, flags: int) -> Iterator[tuple[str, str]]:
    if isinstance(name, int):
        return
    file = os.path.abspath(os.fsdecode(name))  # type: ignore[arg-type]
    if _ENVIRON.fullmatch(file):
        yield "copy", file
    if f"{os.sep}__pycache__{os.sep}" in file:
        file = importlib.util.source_from_cache(file)
    reads = "r" in mode if mode is not None else flags & os.O_ACCMODE != os.O_WRONLY
    if reads:
        yield "read", file
    if not reads or "+" in (mode or ""):
        yield "write", file
        if flags & os.O_TRUNC or not os.path.exists(file):
            yield "make", file


def _connected(database: object) -> Iterator[tuple[str, str]]:
    name = os.fsdecode(database)  # type: ignore[arg-type]
    if name.startswith("file:"):
        from urllib.parse import unquote, urlsplit  # rarely needed

        name = unquote(urlsplit(name).path)
    for file in (name, f"{name}-wal"):  # the latter has content that the former lacks
        if State.of(file).size:
            yield "connect", os.path.abspath(file)


def _loaded(library: object) -> Iterator[tuple[str, str]]:
    name = os.fsdecode(library or "")  # type: ignore[arg-type]
    if os.path.isfile(name):  # a system library is given without a path
        yield "load", os.path.abspath(name)


def _made(folder: object, *_: object) -> Iterator[tuple[str, str]]:
    path = os.path.abspath(os.fsdecode(folder))  # type: ignore[arg-type]
    if not os.path.exists(path):
        yield "make", path


def _listed(folder: object = None) -> Iterator[tuple[str, str]]:
    if not isinstance(folder, int):
        yield "list", os.path.abspath(os.fsdecode(folder or "."))  # type: ignore[arg-type]


def _matched(
    pattern: object, _: bool = False, folder: object = None, *_more: object
) -> Iterator[tuple[str, str]]:
    path = os.fsdecode(pattern)  # type: ignore[arg-type]
    if folder is not None:
        path = os.path.join(_escaped(os.fsdecode(folder)), path)  # type: ignore[arg-type]
    yield "match", os.path.abspath(path)


def _matched_below(folder: object, pattern: object) -> Iterator[tuple[str, str]]:
    yield from _matched(os.path.join(_escaped(folder), str(pattern)))


def _matched_anywhere(folder: object, pattern: object) -> Iterator[tuple[str, str]]:
    yield from _matched(os.path.join(_escaped(folder), "**", str(pattern)))


def _escaped(folder: object) -> str:
    import glob  # rarely needed

    return glob.escape(str(folder))


def _started(program: object = None, *_: object) -> Iterator[tuple[str, str]]:
    yield "start", str(program)


_EVENTS: dict[str, Callable[..., Iterator[tuple[str, str]]]] = {
    "open": _opened,
    "sqlite3.connect": _connected,
    "ctypes.dlopen": _loaded,
    "os.mkdir": _made,
    "os.listdir": _listed,
    "os.scandir": _listed,
    "glob.glob/2": _matched,
    "pathlib.Path.glob": _matched_below,
    "pathlib.Path.rglob": _matched_anywhere,
    "subprocess.Popen": _started,
    **dict.fromkeys(_PROGRAMS, _started),
}


def _counts(what: str, file: str, opener: Opener) -> bool:
    """Return whether a use is by the user's code and of data of the user's."""
    tops = [module.partition(".")[0] for module, _ in opener.ways]
    if what == "start":
        return opener.directly and all(top in _STARTING for top in tops)
    if what == "connect" and not opener.directly:  # for example, to a store of results
        return False
    if what == "load" and _within(file, (*_LIBRARIES, *_environment())):
        return False
    if what in ("read", "copy", "load") and any(
        module in _IMPORTING and function in _IMPORTS for module, function in opener.ways
    ):
        return False  # a library reads settings once per process: no two runs would agree
    if what == "copy":
        return opener.directly
    if what in ("list", "match"):
        if not opener.directly or "importlib" in tops:  # a search for modules
            return False
        file = os.path.join(file, "")
    if what == "list" and any(
        top in _MATCHING and function not in ("iterdir", "walk")
        for top, (_, function) in zip(tops, opener.ways, strict=True)
    ):
        return False  # the pattern is recorded instead
    return is_data(file, os.path.dirname(opener.file))


def _opener() -> Opener | None:
    """Return the innermost active line of the user's code."""
    directly, ways = True, []
    for step in steps(sys._getframe(2)):
        if is_own(step.file):
            return Opener(step.file, step.line, directly, tuple(ways))
        loads = (step.module, step.function) == ("attn_nlp.user_code.modules", "get_data")
        directly = directly and (loads or not _within(step.file, [PACKAGE]))
        ways.append((step.module, step.function))
    return None


def _within(file: str, folders: Iterable[str]) -> bool:
    return any(file.startswith(os.path.join(folder, "")) for folder in folders)


def _environment() -> list[str]:
    """Return the folders of Python's environment, whose root may be the user's project."""
    prefixes = {sys.prefix, sys.base_prefix}
    return [os.path.join(prefix, name) for prefix in prefixes for name in _OF_ENVIRONMENT]


def _is_cached(file: str, folder: str) -> bool:
    """Return whether a file is in a cache.

    Of ours, and of one that the code is in, only what is written there belongs to the cache.

    Args:
      file: its absolute path.
      folder: the folder of the code.
    """
    for name, written in _CACHES.items():
        cache = os.path.join(os.path.abspath(os.environ.get(name) or os.devnull), "")
        if not file.startswith(cache):
            continue
        shares = name == "ATTN_NLP_CACHE" or f"{folder}{os.sep}".startswith(cache)
        if not shares or written.match(file[len(cache) :]):
            return True
    return False
