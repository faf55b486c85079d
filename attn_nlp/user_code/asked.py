"""Note what the user's code learns without opening files: variables, and whether files exist.

A variable counts if a line of the user's reads it, even with `os.getenv` or `os.path.expandvars`.
If a library that the line calls reads it, it counts only if the user's file contains the name of
the variable, since libraries read variables, such as the width of the terminal, that decide
nothing.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

from attn_nlp.user_code.families import is_settled
from attn_nlp.user_code.modules import PACKAGE, content, is_own
from attn_nlp.user_code.opened import Listener, Opener, is_data
from attn_nlp.user_code.threads import POOLS, RUNNERS, followed, steps

_ENVIRONMENT = ("os", "_collections_abc", "collections.abc", "collections", "copy", __name__)
_READING = ("posixpath", "ntpath", "genericpath", "string", "re", "functools")  # for the caller
_QUESTIONS = {"exists": "there", "isfile": "a file", "isdir": "a folder"}
_OF_PATHS = {"exists": "exists", "is_file": "isfile", "is_dir": "isdir"}
_OUTPUTS = ("runs", "__pycache__")
_OUTPUT_ENDS = (".sqlite", ".sqlite-wal", ".sqlite-shm", ".sqlite-journal", ".pyc")

# Called with "read" or "set", the variable, its value or None if it has none, and the line that did
# it.
Variable = Callable[[str, str, str | None, Opener], None]
Copy = Callable[[Opener], None]
_noting: list[tuple[Variable, Copy, Listener | None]] = []


class _Noted(type(os.environ)):
    """An `os.environ` that notes what the user's code reads and sets."""

    def __getitem__(self, key):
        _note(key)
        return super().__getitem__(key)

    def __contains__(self, key):
        _note(key)
        return super().__contains__(key)

    def __iter__(self):
        _note_copy()
        return super().__iter__()

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        _note_set(key)

    def __delitem__(self, key):
        _note(key)  # a variable that is not set cannot be deleted
        super().__delitem__(key)
        _note_set(key)

    def setdefault(self, key, value):
        """Note the returned value as read, but not whether the variable was set before."""
        new = self.encodekey(key) not in self._data  # pyright: ignore
        if new:
            super().__setitem__(key, value)
        _note(key)
        if new:
            _note_set(key)
        return super().__getitem__(key)


class _Raw(dict):
    """A `posix.environ`, the environment at the start, which bypasses `_Noted`."""


def _raw(name: str) -> Callable:
    def read(environment, *args):
        _note_copy()
        return getattr(dict, name)(environment, *args)

    return read


for _name in ("__contains__", "__getitem__", "__iter__", "copy", "get", "items", "keys", "values"):
    setattr(_Raw, _name, _raw(_name))


@contextlib.contextmanager
def noted(variable: Variable, copy: Copy, question: Listener | None = None) -> Iterator[None]:
    """Note what code within the block reads and sets; also about files if `question` is given."""
    environments = [os.environ, *([os.environb] if os.supports_bytes_environ else ())]
    before, posix = os.environ.__class__, sys.modules.get("posix")
    raw = getattr(posix, "environ", {})
    for environment in environments:
        environment.__class__ = _Noted
    if posix is not None:
        posix.environ = _Raw(raw)  # type: ignore[attr-defined]
    first = question is not None and not any(other for *_, other in _noting)
    _noting.append((variable, copy, question))
    try:
        with followed(), _questioned() if first else contextlib.nullcontext():
            yield
    finally:
        _noting.pop()
        if posix is not None:
            posix.environ = raw  # type: ignore[attr-defined]
        for environment in environments:
            environment.__class__ = before


def lines(variables: Mapping[str, Sequence[str | None]]) -> Iterator[str]:
    """Yield one line per environment variable, with all values that were read, in order.

    Variables that workers do not inherit unchanged are left out.
    """
    for name, values in variables.items():
        if not is_settled(name):
            texts = ("is not set" if value is None else f"= {value!r}" for value in values)
            yield f"${name} {', then '.join(texts)}"


def kept() -> dict[str, str]:
    """Return the whole environment, without noting that it was read."""
    given = os.environ
    decoded = ((given.decodekey(name), text) for name, text in given._data.items())  # pyright: ignore
    return {name: given.decodevalue(text) for name, text in decoded}  # pyright: ignore


def answer(what: str, path: str, near: str) -> str:
    """Return a line that states the answer to a question about files.

    Args:
      what: "list" for the entries of a folder, "match" for files that match a pattern, or one of
        the questions whether a file exists; "make" is not a question.
      path: the folder, pattern or file.
      near: the file whose code asks.

    Returns:
      The line, or "" for "make" and for outputs of this package.
    """
    folder = os.path.dirname(near)
    name = os.path.relpath(path, folder)  # the last part alone may not be unique
    if what == "make" or is_output(name):
        return ""
    if what in _QUESTIONS:
        return f"{name} is {'' if getattr(os.path, what)(path) else 'not '}{_QUESTIONS[what]}"
    names: list[str] = []
    if what == "match":
        names = [os.path.relpath(file, folder) for file in glob.glob(path, recursive=True)]
    elif os.path.isdir(path):
        names = os.listdir(path)
    kept = sorted(entry for entry in names if not entry.startswith(".") and not is_output(entry))
    return f"{name} lists {hashlib.sha256(repr(kept).encode()).hexdigest()[:16]}"


def is_output(path: str) -> bool:
    """Return whether a path is of what a run of this package or of Python writes."""
    return not {*path.split(os.sep)}.isdisjoint(_OUTPUTS) or path.endswith(_OUTPUT_ENDS)


def _note(key: object) -> None:
    if not isinstance(key, str | bytes) or not _noting:
        return
    asker, name = _asker(), os.fsdecode(key)
    if asker is not None and (asker.directly or spells(asker.file, name)):
        _tell("read", name, asker)


def _note_set(key: object) -> None:
    asker = _asker()
    if asker is not None:
        _tell("set", os.fsdecode(key), asker)  # type: ignore[arg-type]


def _tell(what: str, name: str, asker: Opener) -> None:
    # As kept, since asking once more would be noted too.
    value = os.environ._data.get(os.environ.encodekey(name))  # pyright: ignore
    for variable, *_ in _noting:
        variable(what, name, None if value is None else os.environ.decodevalue(value), asker)


def _note_copy() -> None:
    asker = _asker()
    if asker is not None and asker.directly:
        for _, copy, _ in _noting:
            copy(asker)


def _asker() -> Opener | None:
    """Return the user's line that reads the environment; directly, if not through a library."""
    far = run = False
    for step in steps(sys._getframe(2)):
        if step.module in _ENVIRONMENT:
            continue
        if step.module.startswith("importlib") or step.function == "expanduser":
            break  # a library is being imported; or only a path is asked for
        if is_own(step.file):
            return Opener(step.file, step.line, not far, ())
        if step.file.startswith(os.path.join(PACKAGE, "")):
            break
        run = run or step.module in RUNNERS
        far = far or not (step.module in _READING or (run and step.top in POOLS))
    return None


def spells(file: str, name: str, *, quoted: bool = False) -> bool:
    """Return whether a file contains a variable's name, as a word or as a whole string."""
    word = re.escape(name)
    pattern = rf"""(["']){word}\1""" if quoted else rf"\b{word}\b"
    with contextlib.suppress(OSError):
        return bool(re.search(pattern.encode(), content(file)))
    return False


@contextlib.contextmanager
def _questioned() -> Iterator[None]:
    """Note questions whether files exist, for which Python has no audit event."""
    functions = [(os.path, name, name) for name in _QUESTIONS]
    functions += [(Path, name, what) for name, what in _OF_PATHS.items()]
    with contextlib.ExitStack() as stack:
        for owner, name, what in functions:
            before = getattr(owner, name)
            setattr(owner, name, _asking(before, what))
            stack.callback(setattr, owner, name, before)
        yield


def _asking(function: Callable, what: str) -> Callable:
    @functools.wraps(function)
    def asking(path, *args, **options):
        with contextlib.suppress(Exception):
            _note_question(what, path, sys._getframe(1))
        return function(path, *args, **options)

    return asking


def _note_question(what: str, path: object, frame: FrameType) -> None:
    if isinstance(path, int):
        return
    active = [*steps(frame)]
    if active[0].module in RUNNERS:
        active = [step for step in active if step.top not in POOLS]
    if not active or not is_own(active[0].file):
        return
    asker = active[0]
    named = os.path.abspath(os.fsdecode(path))  # type: ignore[arg-type]
    if is_data(named, os.path.dirname(asker.file)):
        for *_, question in _noting:
            if question is not None:
                question(what, named, Opener(asker.file, asker.line, True, ()))
