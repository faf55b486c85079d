"""Reject uses of files and variables by parts in the user's code that no identity covers.

Code and data of a part are hashed after the experiment file has run. If a function reads a file or
an environment variable, or imports a module under a computed name, it does so only when it is
traced or fitted, and a change of any of these would not invalidate stored results. So such a use is
rejected, in one sentence that says how to declare it.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator

from attn_nlp.errors import UserError
from attn_nlp.user_code import asked, modules
from attn_nlp.user_code.families import is_settled
from attn_nlp.user_code.hashing import Code, existing
from attn_nlp.user_code.opened import Opener, listening
from attn_nlp.user_code.threads import POOLS
from attn_nlp.user_code.writers import Writers

_TICK = 100_000_000  # nanoseconds by which file times may lag behind the clock
_LOOKING = ("os", "posixpath", "glob", "pathlib", "fnmatch", *POOLS)  # for the line that calls them
_SHOWING = ("linecache", "tokenize", "inspect", "traceback", "shutil")
_MAGIC = re.compile(r"[*?\[]")

_untold: dict[str, str] = {}  # advice by file or variable
_rejected: dict[frozenset[str], str] = {}  # advice by hashes of the code, which may cache its data
_left: set[str] = set()  # files that cells of this process have made
_run = 0  # the number of the run of an experiment file that `_untold` is about


@contextlib.contextmanager
def watching(codes: Iterable[Code]) -> Iterator[None]:
    """Notice what parts use within the block that their hashes do not cover.

    Raises:
      UserError: at the end, and at every later end until an experiment file is run again, since a
        compiled program contains what was read.
    """
    global _run
    if _run != modules.runs:
        _run = modules.runs
        _untold.clear()
    began, codes = time.time_ns() - _TICK, list(codes)
    covered = [code.covered for code in codes]
    before = len(modules.unforeseen)
    loads = [code.load for code in codes if code.load is not None]
    files = {file for files, _ in covered for file in files}
    variables = {pair for _, pairs in covered for pair in pairs}
    given: set[str] = set()  # variables that were set within the block
    made: set[str] = set()  # files and folders that were made within the block
    older: set[str] = set()  # files that existed before and were written to

    writers = Writers()
    last = ""

    def is_made_here(folder: str, opener: Opener) -> bool:
        return any(
            folder == new or folder.startswith(f"{new}{os.sep}") for new in made
        ) or _is_temporary(folder, os.path.dirname(opener.file))

    def note(what: str, file: str, opener: Opener) -> None:
        nonlocal last
        before, last = last, file if what == "write" else ""
        if what == "make":
            made.add(file)
            advice = writers.wait(file) if before == file else ""  # else it is a folder
            if advice:
                _untold[file] = f"{opener.line_name}: {advice}"
        elif what == "write":
            if os.path.isfile(file) and (file in _left or not _is_new(file, began)):
                older.add(file)
        elif what == "read" and os.path.isdir(file):
            by_hand = all(module == "os" for module, _ in opener.ways)
            if by_hand and not is_made_here(file, opener):
                _untold[file] = (
                    f"{opener.line_name}, opens the folder {file} by a descriptor when a cell is "
                    "trained, so what it reads there would go unnoticed; open files by their paths."
                )
        elif what in ("list", "match"):
            note_look(what, file, opener)
        elif what == "copy":
            note_copy(opener)
        elif what == "read" and not (
            file in files
            or file in made
            or not opener.directly
            or _is_known(file, opener)
            or not os.path.isfile(file)
            or (
                _is_new(file, began)
                and file not in older
                and file not in _left
                and not writers.is_of_another(file)
            )
        ):
            _untold[file] = (
                f"{opener.line_name}, reads {file} only when a cell is trained, so a change of it "
                "would go unnoticed; read it at the top of the file, or name it in the part's "
                f"decorator: files=[{os.path.basename(file)!r}]."
            )

    def note_look(what: str, path: str, opener: Opener) -> None:
        folder = path if what == "list" else _listed(path)
        if (
            not all(module.partition(".")[0] in _LOOKING for module, _ in opener.ways)
            or not os.path.isdir(folder)
            or is_made_here(folder, opener)
        ):
            return
        line = asked.answer(what, path, opener.file)
        if line and not any(line in load.lines(opener.file) for load in loads):
            _untold[folder] = (
                f"{opener.line_name}, lists the files of {folder} only when a cell is trained, so "
                "another file there would go unnoticed; list them at the top of the file."
            )

    def note_variable(what: str, name: str, value: str | None, asker: Opener) -> None:
        if what == "set":
            given.add(name)
            return
        # A word such as PATH may mean something else in code that only calls a library.
        meant = asker.directly or asked.spells(asker.file, name, quoted=True)
        known = name in given or (name, value) in variables or is_settled(name)
        if meant and not known:
            _untold[f"${name}"] = (
                f"{asker.line_name}, reads the environment variable {name} only when a cell is "
                "trained, so another value would go unnoticed; read it at the top of the "
                "experiment file, or of a module imported there: "
                f"{name} = os.environ.get({name!r})."
            )

    def note_copy(asker: Opener) -> None:
        _untold["$"] = (
            f"{asker.line_name}, reads all environment variables at once when a cell is trained, "
            "so another value would go unnoticed; read the one that you need by name at the top of "
            'the experiment file: os.environ.get("NAME").'
        )

    try:
        with listening(note), asked.noted(note_variable, note_copy):
            yield
    finally:
        writers.end()
        _left.update(made)  # on which results of later cells must not depend
    for file in {*map(existing, modules.unforeseen[before:])} - files:
        _untold[file] = (
            f"{file} is imported only when a cell is trained, under a computed name, so a change "
            "of it would go unnoticed; import it by name at the top of the file."
        )
    hashes = frozenset(code.hash for code in codes)
    for advice in [*_untold.values(), *([_rejected[hashes]] if hashes in _rejected else ())]:
        if hashes:
            _rejected[hashes] = advice
        raise UserError(advice)


def _is_known(file: str, opener: Opener) -> bool:
    """Return whether a file is code that is hashed, already runs, or is only shown or copied."""
    if not file.endswith((".py", ".pyc")):
        return False
    return any(module.partition(".")[0] in _SHOWING for module, _ in opener.ways) or any(
        getattr(module, "__file__", None) == file for module in [*sys.modules.values()]
    )


def _is_new(file: str, began: int) -> bool:
    """Return whether a file was made since then; one with a future time, as from archives, was not.

    Anyone can set its modification time, but nobody its change time.
    """
    state = os.stat(file)
    return began <= min(state.st_mtime_ns, state.st_ctime_ns) and (
        state.st_mtime_ns <= time.time_ns() + _TICK
    )


def _is_temporary(folder: str, near: str) -> bool:
    """Return whether a folder is temporary and not below the user's own folder."""
    import tempfile  # rarely needed

    path = f"{folder}{os.sep}"
    in_temporary = path.startswith(os.path.join(tempfile.gettempdir(), ""))
    return in_temporary and not path.startswith(os.path.join(near, ""))


def _listed(pattern: str) -> str:
    """Return the folder in which files are matched with a pattern."""
    while (magic := _MAGIC.search(pattern)) is not None:
        pattern = os.path.dirname(pattern[: magic.start()] + "x")
    return pattern
