"""Hash a part in the user's code: all code and data of the user's that it reaches.

Given the modules that define and register a part, this computes one hash, which enters the identity
of every cell that uses the part. The hash covers

- the file of the part, without comments, docstrings and the experiment itself, which change as
  results come in, and without `if __name__ == "__main__":`, which a run never enters; docstrings
  count if code reads them; the experiment counts if the user's code runs to make it or reads it,
  and so do tables and other values that only the experiment uses (`arranged.py`);
- every module that it imports, by statement or by `import_module("name")`, at the top or inside a
  function, and what those import in turn, as far as it is the user's: not part of Python, not
  installed into Python's folders, not part of this package;
- modules that the experiment file has loaded in any other way, and those that change others;
- files that were opened for reading while the experiment file was loaded, including SQLite
  databases and libraries that `ctypes` loads, and files that the part declares; what an earlier
  run of the same code in this process has read counts too, since a library may cache it;
- which files and folders exist, if the code asked for that meanwhile without opening them;
- files that strings in the code name, and data files beside the code and below it, if it imports
  `ctypes` or a library that may read them natively, without Python noticing (`native.py`);
- environment variables that such code reads while the experiment file is loaded, with all values
  that they have at that time; what it reads later is rejected (`watching.py`).

Programs that the file starts while it is loaded are rejected, unless the part declares files, and
so are copies of the whole environment. Not noticed are: a file elsewhere that such a library reads
under a name that is computed, or one with an unusual ending (declare it); answers of `os.stat`,
`os.readlink` and `os.access`; the home folder and the time zone; comments in a module that code
reads as text; variables that a library reads under a name that the file does not contain.

Draws from `random` and NumPy's global generator are the same at every load. Differences that come
from the clock, `uuid`, `os.urandom` or `secrets` are not noticed.

A part that reaches nothing but its own file has the hash of that file.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from attn_nlp.errors import UserError
from attn_nlp.user_code import code_text
from attn_nlp.user_code.code_text import (
    counting,
    left_out,
    names_own_file,
    parsed,
    reads_texts,
)
from attn_nlp.user_code.limits import unlimited
from attn_nlp.user_code.loading import find
from attn_nlp.user_code.loads import Load, file_of
from attn_nlp.user_code.modules import is_own, shown_among
from attn_nlp.user_code.named_files import named_files
from attn_nlp.user_code.opened import State, noted
from attn_nlp.user_code.origins import origins
from attn_nlp.user_code.state import values

_BYTES = 2**20


class Code:
    """The code of one part.

    Attributes:
      modules: names of the modules that define and register it.
      load: the run of an experiment file that registered it, or None.
      space: the namespace of the module that registered it; a new one for every run of a file.
      installed: whether an installed package registers it in every process.
    """

    def __init__(
        self,
        modules: Iterable[str],
        files: Iterable[Path] = (),
        load: Load | None = None,
        space: Mapping | None = None,
        text: str = "",
        *,
        installed: bool = False,
    ) -> None:
        self.modules = tuple(dict.fromkeys(modules))
        self.load = load
        self.space = space
        self.installed = installed
        self._files = tuple(files)
        self._text = text
        self._states: dict[str, tuple[State, str]] = {}
        self._variables: set[tuple[str, str | None]] = set()

    @functools.cached_property
    def hash(self) -> str:
        """Sixteen hexadecimal digits, computed after the experiment file has been loaded."""
        with unlimited():
            return self._hash()

    def _hash(self) -> str:
        starts = [*self.modules, *(self.load.untraced if self.load else ())]
        reached = reach(starts, {name.partition(".")[0] for name in self.modules})
        files = {file for file in reached.values() if file is not None}
        asked: set[str] = set()
        if self.load is not None:
            for file in sorted({*files, self.load.file}):
                self.load.check(file, declares=bool(self._files))
                asked.update(self.load.lines(file))
                values = self.load.variables.get(file, {})
                self._variables.update((name, texts[-1]) for name, texts in values.items())
                self._variables.update(self.load.set_variables.get(file, {}).items())
        read = {data for file in files for data in self._read_by(file)}
        read.update(map(str, self._files))
        known = {*read, *(self.load.written if self.load else ())}
        named = set(named_files(files, known, [*map(str, self._files)], owns))
        trees = {file: parsed(file) for file in files}
        texts = any(reads_texts(tree, of_others=True) for tree in trees.values() if tree)
        asked.update(self._values(reached, texts, trees))
        if len(files) == 1 and not read and not named and not asked and not self._text:
            return _digest(self._told(files.pop(), texts, {}))
        lines = [self._text]
        lines += sorted(
            f"{'' if name in self.modules else name} {_digest(self._told(file, texts, trees))}"
            for name, file in reached.items()
            if file is not None
        )
        names = shown_among({*read, *named}, str(self.load.file if self.load else self._home()))
        lines += sorted(f"{name} {self._data(file)}" for file, name in names.items())
        return _digest("\n".join(lines + sorted(asked)))

    @property
    def covered(self) -> tuple[Collection[str], Collection[tuple[str, str | None]]]:
        """Data files, and variables with their values, that the hash covers."""
        _ = self.hash
        return self._states.keys(), self._variables

    def newest(self) -> float:
        """Return when a file that the hash covers was last changed, in seconds since the epoch."""
        starts = [*self.modules, *(self.load.untraced if self.load else ())]
        reached = reach(starts, {name.partition(".")[0] for name in self.modules})
        files = {*filter(None, reached.values()), *self.covered[0]}
        states = [os.stat(file) for file in files if os.path.isfile(file)]
        return max((max(state.st_mtime, state.st_ctime) for state in states), default=0.0)

    def check(self) -> None:
        """Reject data that is no longer what was hashed.

        Raises:
          UserError: naming the file.
        """
        for file, (state, was) in self._states.items():
            now = State.of(file)
            if now == state:
                continue
            if not os.path.isfile(file) or digest(file) != was:
                raise _changed(file)
            self._states[file] = now, was

    def _data(self, file: str) -> str:
        """Return the hash of a data file, which must not have changed since it was opened."""
        now = State.of(file)
        for files in self.load.reads.values() if self.load else ():
            if files.get(file, now) != now:
                raise _changed(file)
        hashed = digest(file)
        self._states[file] = now, hashed
        noted.add(file)
        return hashed

    def _told(self, file: str, texts: bool, trees: Mapping[str, ast.Module | None]) -> str:
        """Return the code of a file that counts, as text."""
        tree = parsed(file)
        if tree is None:
            return self._data(existing(file))
        return counting(tree, owns, texts=texts, others=self._others(file, trees))

    def _others(self, file: str, trees: Mapping[str, ast.Module | None]) -> list[ast.Module] | None:
        """Return the code of all other files, or None if it is not known."""
        others = [other for path, other in trees.items() if path != file]
        known = [other for other in others if other is not None]
        return known if len(known) == len(others) and self.load is not None else None

    def _values(
        self, reached: Mapping[str, str | None], texts: bool, trees: Mapping[str, ast.Module | None]
    ) -> Iterator[str]:
        """Yield lines about what the modules hold that their text does not determine."""
        come_from = origins([tree for tree in trees.values() if tree is not None])
        for name, file in reached.items():
            tree = trees.get(file) if file is not None else None
            if file is None or tree is None:
                continue
            space = self.space if self.space and self.space.get("__name__") == name else None
            space = space or getattr(sys.modules.get(name), "__dict__", {})
            left = left_out(tree, owns, texts=texts, others=self._others(file, trees))
            shown = "" if name in self.modules else name
            yield from (f"{shown} {line}" for line in values(space, tree, left, come_from, owns))
            if any(names_own_file(node) for node in tree.body if node not in left):
                yield f"{shown} {os.path.basename(file)}"

    def _read_by(self, file: str) -> Iterator[str]:
        if self.load is None:
            return
        yield from self.load.reads.get(file, ())
        yield from self.load.reads.get(self.load.file, ())

    def _home(self) -> str | None:
        return next(filter(None, map(file_of, self.modules)), None)


def reach(starts: Iterable[str], tops: Collection[str] = ()) -> dict[str, str | None]:
    """Return the user's modules that some modules reach, with their files, themselves included.

    Args:
      starts: names of modules.
      tops: packages that count as the user's wherever they are installed.

    Returns:
      module -> file, or None for a module without one.
    """
    waiting, reached = list(starts), {}
    while waiting:
        name = waiting.pop()
        if name in reached or name.partition(".")[0] == "attn_nlp":
            continue
        known, file, package = _whereabouts(name)
        if not known or (file is not None and not (is_own(file) or name.split(".")[0] in tops)):
            continue
        reached[name] = file
        if file is not None:
            waiting += imports(file, package)
        waiting.append(name.rpartition(".")[0] or name)  # a package runs before its modules
    return reached


def imports(file: str, package: str = "") -> Iterator[str]:
    """Yield the names of everything that a file may import, including some that are not modules."""
    tree = parsed(file)
    for node in ast.walk(tree) if tree else ():
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = _resolved("." * level + (module or ""), package)
                yield base
                for alias in names:
                    yield from _modules_of(base) if alias.name == "*" else (f"{base}.{alias.name}",)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__")
                | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str() as name), *_],
            ):
                yield _resolved(name, package)


def writes(file: str | None) -> bool:
    """Return whether a file may change what it has imported; see `code_text.writes`."""
    tree = parsed(file) if file else None
    return tree is not None and code_text.writes(tree, owns)


def owns(name: str) -> bool:
    """Return whether a module is the user's."""
    known, file, _ = _whereabouts(name)
    if not known or name == "attn_nlp":
        return False
    return is_own(file) if file else _may_hold_own(name)


def digest(file: str) -> str:
    """Return the hash of the bytes of a file."""
    sha256 = hashlib.sha256()
    with open(file, "rb") as opened:
        while block := opened.read(_BYTES):
            sha256.update(block)
    return sha256.hexdigest()[:16]


def _changed(file: str) -> UserError:
    return UserError(f"{file} changed during the run; run it again.")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _resolved(name: str, package: str) -> str:
    """Return the absolute name of a module; relative names belong to the package."""
    try:
        return importlib.util.resolve_name(name, package)
    except ImportError:
        return name.lstrip(".")


def _modules_of(package: str) -> Iterator[str]:
    """Yield every module of a package of the user's, which `import *` may import."""
    known, file, _ = _whereabouts(package)
    if known and (file is None or is_own(file)):
        import pkgutil  # rarely needed

        for module in pkgutil.iter_modules(_paths(package)):
            yield f"{package}.{module.name}"


def _whereabouts(name: str) -> tuple[bool, str | None, str]:
    """Return whether a module exists, its file, and the package for its relative imports."""
    module = sys.modules.get(name)
    if module is not None:
        package = getattr(module, "__package__", None) or ""
        return True, file_of(name), package
    spec = _spec(name)
    if spec is None:
        return False, None, ""
    file = spec.origin if spec.has_location else None
    return True, os.path.abspath(file) if file else None, spec.parent or ""


def _paths(name: str) -> list[str]:
    module: ModuleType | ModuleSpec | None = sys.modules.get(name)
    if module is not None:
        return list(getattr(module, "__path__", None) or ())
    spec = _spec(name)
    return list((spec and spec.submodule_search_locations) or ())


def _spec(name: str) -> ModuleSpec | None:
    """Return where a module would be imported from; imports nothing, not even its package."""
    outer = name.rpartition(".")[0]
    if outer:
        top = name.partition(".")[0]
        if not _paths(outer) or (outer == top and not _may_hold_own(top)):
            return None
    try:
        return find(name, _paths(outer) if outer else None)
    except (ImportError, AttributeError, ValueError):
        return None


def _may_hold_own(package: str) -> bool:
    return any(is_own(os.path.join(path, "")) for path in _paths(package))


def existing(file: str) -> str:
    """Return the file of a module, or the archive that contains it."""
    while not os.path.isfile(file) and os.path.dirname(file) != file:
        file = os.path.dirname(file)
    return file
