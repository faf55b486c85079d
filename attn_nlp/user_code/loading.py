"""One run of an experiment file: which modules it brings in, from where, and what it reads.

A name that the user's code imports is looked for beside the experiment file first, as Python does
for a script. A name that anything else imports is not: a `queue.py` beside the file must not become
what a library takes for Python's own. `modules.py` says which bytes of a module are run.
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
    """Loads `numpy.random` for an experiment file, with the seed that such files have."""

    def exec_module(self, module):
        """See `importlib.abc.Loader`."""
        super().exec_module(module)
        module.seed(0)


_loads: list[Load] = []  # the running ones, the innermost last
_changed: dict[str, list[Change]] = {}  # by experiment file, since the last one was run
_brought: set[str] = set()  # the user's modules of runs that have ended


def current() -> Load | None:
    """The run that goes on now."""
    return _loads[-1] if _loads else None


def as_found(file: str, variables: Mapping[str, str]) -> dict[str, str]:
    """Variables of the environment for a process that runs an experiment file again.

    What the file reads and sets is as it found it, so that it takes the same way once more. What it
    only sets stays, since some variables are read when a process starts; and so do those of which
    no hash knows.
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
    """Whether that file is being run as an experiment file."""
    return any(load.file == file for load in _loads)


@contextlib.contextmanager
def loading(file: str) -> Iterator[Load]:
    """Run an experiment file inside; its own modules are loaded anew, not taken from earlier runs.

    Names beside the file stay importable afterwards, for imports inside functions. What the file
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
    """Seed the generators that everybody shares, and put them back as they were."""
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
    """Put back the variables that the last experiment file has set: another one is another run."""
    for change in chain(*reversed(_changed.values())):  # the outermost run ended last
        if os.environ.get(change.name) == change.left:
            _put(os.environ, change.name, change.found)
    _changed.clear()


def _forget(file: str) -> None:
    """Let the user's modules of earlier runs go; also those of the script that this file is."""
    main = sys.modules.get("__main__")
    script = getattr(main, "__file__", None)
    if script and os.path.abspath(script) == file:
        _brought.update(name for name in [*sys.modules] if name != "__main__" and _renewable(name))
        started.put_back([file, *filter(None, map(file_of, _brought))])
        if sys.path and os.path.abspath(sys.path[0]) == os.path.dirname(file):
            del sys.path[0]  # what lies there is found by `_Beside`, and by the user's code only
    folder = os.path.join(os.path.dirname(file), "")
    for place in [*sys.path_importer_cache]:  # listings, which are as old as a clock tick
        if os.path.join(place, "").startswith(folder):
            del sys.path_importer_cache[place]
    for name in _brought | modules.ran:
        if _renewable(name):
            sys.modules.pop(name, None)
    _brought.clear()
    modules.begin()


def _renewable(name: str) -> bool:
    """Whether a module is the user's and made of text; compiled ones cannot be loaded twice."""
    file = file_of(name)
    return is_own(file) and str(file).endswith(".py") and not name.startswith(PREFIX)


def _folder() -> str | None:
    with contextlib.suppress(OSError):
        return os.getcwd()
    return None


class _Beside:
    """Finds what lies beside the experiment file, for the user's code."""

    def __init__(self) -> None:
        self.folders: list[str] = []

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a module is; see `importlib.abc.MetaPathFinder`."""
        spec = self._found(name, path, target)
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

    def _found(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        beside = PathFinder.find_spec(name, self.folders) if path is None else None
        free = beside is not None and beside.loader is not None and name not in _PYTHON
        if free and _asked_by_own():
            return beside
        found = self.elsewhere(name, path, target)
        if found is not None and (found.loader is not None or beside is None):
            return found
        return beside

    def elsewhere(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a module is without regard to the experiment file."""
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                return spec
        return None


_finder = _Beside()


def find(name: str, path: Sequence[str] | None = None) -> ModuleSpec | None:
    """Where the user's code would find a module; nothing is imported."""
    beside = PathFinder.find_spec(name, _finder.folders) if path is None else None
    return beside if beside is not None and beside.loader else _finder.find_spec(name, path)


def shadowed(name: str) -> str | None:
    """The file beside the experiment file whose name is Python's or of an installed module."""
    beside = PathFinder.find_spec(name, _finder.folders)
    if beside is None or beside.loader is None:
        return None
    other = _finder.elsewhere(name)
    if other is not None and _same(other.origin, beside.origin):
        return None  # as where this package is used from its own checkout
    taken = other is not None and other.loader is not None and not is_own(other.origin)
    return beside.origin if taken or name in _PYTHON else None


def _same(one: str | None, other: str | None) -> bool:
    return bool(one and other) and os.path.realpath(str(one)) == os.path.realpath(str(other))


def _asked_by_own() -> bool:
    """Whether code of the user's asks for an import."""
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
