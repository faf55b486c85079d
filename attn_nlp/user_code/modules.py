"""Modules of the user's: which they are, and that what is hashed is what is run.

The bytes of such a module are read once in a run of an experiment file, by whoever asks first: the
import that runs them or `own_code`, which hashes them. Both get the same bytes, also where an
editor saves the file in between, or where a hook function imports the module only hours later.
Kept bytecode is never run, since it is told apart by the second and the size of its source only.
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
# Files that it has run since `end` without having been asked for before, and others of modules.
unforeseen: list[str] = []
runs = 0  # how many times `begin` was called
began = 0.0  # when it was called last, in seconds of the clock
_kept: dict[str, bytes] | None = None  # None until `begin`, from when on all are run by `Fresh`
_ended = False


class Fresh(SourceFileLoader):
    """Runs the bytes that are kept, or those in the file where none are."""

    def path_stats(self, path):
        """No time and size, so that no bytecode is looked for."""
        raise OSError("no bytecode is read or kept")

    def get_data(self, path):
        """See `importlib.abc.ResourceLoader`."""
        if path != self.path:
            return super().get_data(path)
        if _ended and path not in (_kept or ()):
            unforeseen.append(path)
        return content(path)

    def exec_module(self, module: ModuleType) -> None:
        """See `importlib.abc.Loader`."""
        if "__builtins__" in vars(module) and _kept:  # run before: a reload is to read anew
            _kept.pop(self.path, None)
        ran.add(module.__name__)
        super().exec_module(module)


def note_foreign(file: str) -> None:
    """Note that a module of the user's is found that `Fresh` does not run, as a compiled one."""
    if _ended:
        unforeseen.append(file)


def content(file: str) -> bytes:
    """The bytes of a module's file, the same until `begin`.

    Raises:
      OSError: it cannot be read.
    """
    if _kept is None:
        return Path(file).read_bytes()
    if file not in _kept:
        _kept[file] = Path(file).read_bytes()
    return _kept[file]


def begin() -> None:
    """Before an experiment file is run: all modules are read anew."""
    global _kept, _ended, began, runs
    _kept, _ended, began = {}, False, time.time()
    runs += 1
    ran.clear()
    cache = getattr(sys.modules.get("linecache"), "cache", {})
    for name in [each for each in cache if each[:1] != "<" and is_own(os.path.abspath(each))]:
        del cache[name]
    unforeseen.clear()


def end() -> None:
    """When the file has been run: what it leads to is hashed next."""
    global _ended
    _ended = True


def is_own(path: str | None) -> bool:
    """Whether a file is the user's: not Python's, not installed, not of this package."""
    if not path or not os.path.isabs(path):
        return False
    return _is_own(path, tuple(each for each in sys.path if each.endswith(_INSTALLED)))


def shown(file: str, near: str) -> str:
    """A name for a file that stays when the whole folder moves."""
    folder = os.path.dirname(near)
    inside = file.startswith(os.path.join(folder, ""))
    return os.path.relpath(file, folder) if inside else os.path.basename(file)


def shown_among(files: Iterable[str], near: str) -> dict[str, str]:
    """Return a name for every file, no two alike; of a file elsewhere its last part, if unique."""
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
    """Folders of Python, of this package, and those that Python installs into.

    The name of such a folder alone says nothing: a project of the user's may lie below one.
    """
    paths = {*installed} - {_script_folder()}
    paths |= {os.path.dirname(os.path.abspath(os.__file__)), PACKAGE}
    paths |= {*site.getsitepackages(), site.getusersitepackages()}
    paths |= {os.path.realpath(path) for path in paths}
    return tuple(os.path.join(path, "") for path in paths)


def _script_folder() -> str | None:
    """Where the script lies that Python runs, which it puts on its path."""
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    return os.path.dirname(os.path.abspath(script)) if script else None
