"""Run an experiment file, and note which modules it imports, from where, and what it reads.

For imports in the user's code, the folder of the experiment file is searched first, as Python does
for a script. For other imports it is not: a library must not import a `queue.py` from there instead
of Python's own. `modules.py` decides which bytes of a module are run.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import sys
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from itertools import chain
from types import FrameType, ModuleType

from attn_nlp.user_code import asked, modules, started
from attn_nlp.user_code.families import is_settled
from attn_nlp.user_code.loads import PREFIX, Change, Load, file_of
from attn_nlp.user_code.modules import Fresh, is_own
from attn_nlp.user_code.opened import listening

_PYTHON = sys.stdlib_module_names


class _Seeded(SourceFileLoader):
    """Loads `numpy.random` while an experiment file runs, with the seed that such files get."""

    def exec_module(self, module):
        """See `importlib.abc.Loader`."""
        super().exec_module(module)
        module.seed(0)


_loads: list[Load] = []  # the current ones, the innermost last
_changed: dict[str, list[Change]] = {}  # by experiment file, since the last one ran
_brought: set[str] = set()  # the user's modules that earlier runs imported


def current() -> Load | None:
    """Return the current run of an experiment file, or None."""
    return _loads[-1] if _loads else None


def as_found(file: str, variables: Mapping[str, str]) -> dict[str, str]:
    """Return environment variables for a process that runs an experiment file again.

    Variables that the file reads and sets get the values that it found, so that it does the same
    again. Variables that it only sets are kept, since some are read when a process starts; and so
    are those that no hash covers.
    """
    given = dict(variables)
    for change in _changed.get(file, ()):
        if change.read and not is_settled(change.name):
            _put(given, change.name, change.found)
    return given


def _put(variables: MutableMapping[str, str], name: str, value: str | None) -> None:
    if value is None:
        variables.pop(name, None)
    else:
        variables[name] = value


def is_loading(file: str) -> bool:
    """Return whether a file is being run as an experiment file."""
    return any(load.file == file for load in _loads)


@contextlib.contextmanager
def loading(file: str) -> Iterator[Load]:
    """Prepare for running an experiment file in the block; its modules are loaded again.

    Modules next to the file can still be imported afterward, inside functions. What the file
    prints goes to stderr, and numbers that it draws from `random` or NumPy's global generator are
    the same in every process.
    """
    folder = os.path.dirname(file)
    _install()
    if not _loads:
        _undo()
        _forget(file)
        _finder.folders = []
    _finder.folders.insert(0, folder)
    load = Load(file)
    _loads.append(load)
    before = _folder()
    try:
        with (
            contextlib.redirect_stdout(sys.stderr),
            seeded(0),
            asked.noted(load.note_variable, load.note_copy, load.note),
            listening(load.note),
        ):
            yield load
    finally:
        _loads.pop()
        if not _loads:
            modules.end()
        load.end()
        _changed[file] = load.changes()
        _brought.update(load.brought)
        if before is not None and _folder() != before:
            with contextlib.suppress(OSError):
                os.chdir(before)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the shared random generators in the block, and restore their states afterward."""
    numpy = sys.modules.get("numpy.random")
    before, others = random.getstate(), numpy.get_state() if numpy else None
    random.seed(seed)
    if numpy:
        numpy.seed(seed % 2**32)
    try:
        yield
    finally:
        random.setstate(before)
        if numpy:
            numpy.set_state(others)
        elif "numpy.random" in sys.modules:
            sys.modules["numpy.random"].seed()


def _undo() -> None:
    """Restore variables that the last experiment file has set, before another one runs."""
    for change in chain(*reversed(_changed.values())):  # the outermost run ended last
        if os.environ.get(change.name) == change.left:
            _put(os.environ, change.name, change.found)
    _changed.clear()


def _forget(file: str) -> None:
    """Forget the user's modules from earlier runs, and from the script if it is this file."""
    main = sys.modules.get("__main__")
    script = getattr(main, "__file__", None)
    if script and os.path.abspath(script) == file:
        _brought.update(name for name in [*sys.modules] if name != "__main__" and _renewable(name))
        started.put_back([file, *filter(None, map(file_of, _brought))])
        if sys.path and os.path.abspath(sys.path[0]) == os.path.dirname(file):
            del sys.path[0]  # `_Neighbors` finds modules there, for the user's code only
    folder = os.path.join(os.path.dirname(file), "")
    for entry in [*sys.path_importer_cache]:  # listings, which may miss files of this clock tick
        if os.path.join(entry, "").startswith(folder):
            del sys.path_importer_cache[entry]
    for name in _brought | modules.ran:
        if _renewable(name):
            sys.modules.pop(name, None)
    _brought.clear()
    modules.begin()


def _renewable(name: str) -> bool:
    """Return whether a module is source code of the user's; machine code cannot load twice."""
    file = file_of(name)
    return is_own(file) and str(file).endswith(".py") and not name.startswith(PREFIX)


def _folder() -> str | None:
    with contextlib.suppress(OSError):
        return os.getcwd()
    return None


class _Neighbors:
    """Finds modules in the folder of the experiment file, for the user's code."""

    def __init__(self) -> None:
        self.folders: list[str] = []

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module; see `importlib.abc.MetaPathFinder`."""
        spec = self._spec(name, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader and is_own(spec.origin):
            spec.loader = Fresh(name, str(spec.origin))
            spec.cached = None
        elif spec is not None and spec.loader is not None and is_own(spec.origin):
            modules.note_foreign(str(spec.origin))
        if spec is None or not _loads or name != "numpy.random":
            return spec
        if type(spec.loader) is SourceFileLoader:
            spec.loader = _Seeded(name, str(spec.origin))
        return spec

    def _spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        neighbor = PathFinder.find_spec(name, self.folders) if path is None else None
        free = neighbor is not None and neighbor.loader is not None and name not in _PYTHON
        if free and _asked_by_own():
            return neighbor
        other = self.elsewhere(name, path, target)
        if other is not None and (other.loader is not None or neighbor is None):
            return other
        return neighbor

    def elsewhere(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module without searching the folder of the experiment file."""
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                return spec
        return None


_finder = _Neighbors()


def find(name: str, path: Sequence[str] | None = None) -> ModuleSpec | None:
    """Return where the user's code would import a module from; imports nothing."""
    neighbor = PathFinder.find_spec(name, _finder.folders) if path is None else None
    if neighbor is not None and neighbor.loader:
        return neighbor
    return _finder.find_spec(name, path)


def shadowed(name: str) -> str | None:
    """Return the file next to the experiment file that has the name of a foreign module, or None.

    A foreign module is part of Python or installed.
    """
    neighbor = PathFinder.find_spec(name, _finder.folders)
    if neighbor is None or neighbor.loader is None:
        return None
    other = _finder.elsewhere(name)
    if other is not None and _same(other.origin, neighbor.origin):
        return None  # for example, if this package is used from its own checkout
    taken = other is not None and other.loader is not None and not is_own(other.origin)
    return neighbor.origin if taken or name in _PYTHON else None


def _same(one: str | None, other: str | None) -> bool:
    return bool(one and other) and os.path.realpath(str(one)) == os.path.realpath(str(other))


def _asked_by_own() -> bool:
    """Return whether the current import comes from the user's code."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if file != __file__ and "importlib" not in file and not file.startswith("<"):
            return is_own(os.path.abspath(file))
        frame = frame.f_back
    return False


@functools.cache
def _install() -> None:
    sys.meta_path.insert(0, _finder)
