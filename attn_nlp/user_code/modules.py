"""Recognize the user's modules, and make sure that the code that is hashed is the code that runs.

The bytes of such a module are read once per run of an experiment file, either by the import that
runs them or by `own_code`, which hashes them. Both get the same bytes, even if an editor saves the
file in between, or if a hook function imports the module hours later. Cached bytecode is never run,
since Python compares only the second and the size of its source.
"""

from __future__ import annotations

import functools
import os
import site
import sys
import time
from collections import Counter
from collections.abc import Iterable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_INSTALLED = ("site-packages", "dist-packages")

ran: set[str] = set()  # names of modules that `Fresh` has run since `begin`
# Files of modules that were first imported after `end`, by `Fresh` or otherwise.
unforeseen: list[str] = []
runs = 0  # how often `begin` was called
began = 0.0  # when `begin` was last called, in seconds since the epoch
_kept: dict[str, bytes] | None = None  # None until `begin`; from then on `Fresh` runs all modules
_ended = False


class Fresh(SourceFileLoader):
    """Loads a module from the kept bytes, or from the file if there are none."""

    def path_stats(self, path):
        """Give no time and size, so that Python does not look for bytecode."""
        raise OSError("no bytecode is read or cached")

    def get_data(self, path):
        """See `importlib.abc.ResourceLoader`."""
        if path != self.path:
            return super().get_data(path)
        if _ended and path not in (_kept or ()):
            unforeseen.append(path)
        return content(path)

    def exec_module(self, module: ModuleType) -> None:
        """See `importlib.abc.Loader`."""
        if "__builtins__" in vars(module) and _kept:  # a reload, which must read the file again
            _kept.pop(self.path, None)
        ran.add(module.__name__)
        super().exec_module(module)


def note_foreign(file: str) -> None:
    """Record a module of the user's that `Fresh` does not load, such as machine code."""
    if _ended:
        unforeseen.append(file)


def content(file: str) -> bytes:
    """Return the bytes of a module's file, the same ones until the next `begin`.

    Raises:
      OSError: the file cannot be read.
    """
    if _kept is None:
        return Path(file).read_bytes()
    if file not in _kept:
        _kept[file] = Path(file).read_bytes()
    return _kept[file]


def begin() -> None:
    """Forget all kept bytes, before an experiment file is run."""
    global _kept, _ended, began, runs
    _kept, _ended, began = {}, False, time.time()
    runs += 1
    ran.clear()
    cache = getattr(sys.modules.get("linecache"), "cache", {})
    for name in [file for file in cache if file[:1] != "<" and is_own(os.path.abspath(file))]:
        del cache[name]
    unforeseen.clear()


def end() -> None:
    """Note that the experiment file has run, so that its code is about to be hashed."""
    global _ended
    _ended = True


def is_own(path: str | None) -> bool:
    """Return whether a file is the user's: not Python's, not installed, not of this package."""
    if not path or not os.path.isabs(path):
        return False
    return _is_own(path, tuple(entry for entry in sys.path if entry.endswith(_INSTALLED)))


def shown(file: str, near: str) -> str:
    """Return a name for a file that does not change if its whole folder is moved."""
    folder = os.path.dirname(near)
    inside = file.startswith(os.path.join(folder, ""))
    return os.path.relpath(file, folder) if inside else os.path.basename(file)


def shown_among(files: Iterable[str], near: str) -> dict[str, str]:
    """Return unique names for files; for those elsewhere, their last parts if these are unique."""
    names = {file: shown(file, near) for file in files}
    often = Counter(names.values())
    folder = os.path.dirname(near)
    return {
        file: name if often[name] == 1 else os.path.relpath(file, folder)
        for file, name in names.items()
    }


@functools.lru_cache(maxsize=4096)
def _is_own(path: str, installed: tuple[str, ...]) -> bool:
    return not path.startswith(_foreign(installed))


@functools.lru_cache(maxsize=16)
def _foreign(installed: tuple[str, ...]) -> tuple[str, ...]:
    """Return the folders of Python, of this package, and of installed packages.

    The name of such a folder proves nothing: a project of the user's may be inside one.
    """
    paths = {*installed} - {_script_folder()}
    paths |= {os.path.dirname(os.path.abspath(os.__file__)), PACKAGE}
    paths |= {*site.getsitepackages(), site.getusersitepackages()}
    paths |= {os.path.realpath(path) for path in paths}
    return tuple(os.path.join(path, "") for path in paths)


def _script_folder() -> str | None:
    """Return the folder of the script that Python runs, which it adds to its path."""
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    return os.path.dirname(os.path.abspath(script)) if script else None
