"""What parts of the user's own use while they are at work, of which no identity knows.

Their code and data are hashed when the experiment file has been run. A function that reads a file
or an environment variable, or imports a module by a name that it works out, does so only when it is
traced or fitted; a change of any would then leave stored results standing. So such a use is
refused, in one sentence that says how to declare it.
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

_TICK = 100_000_000  # nanoseconds by which the times of files may lag behind the clock
_LOOKING = ("os", "posixpath", "glob", "pathlib", "fnmatch", *POOLS)  # for the line that calls them
_SHOWING = ("linecache", "tokenize", "inspect", "traceback", "shutil")
_MAGIC = re.compile(r"[*?\[]")

_untold: dict[str, str] = {}  # what to do, by file or variable
_refused: dict[frozenset[str], str] = {}  # what to do, by hashes of the code: what was read is kept
_left: set[str] = set()  # files that cells of this process have made
_run = 0  # the run of an experiment file that this is about


@contextlib.contextmanager
def watching(codes: Iterable[Code]) -> Iterator[None]:
    """While parts are at work inside, note what they use that no hash of theirs covers.

    Raises:
      UserError: at the end, and at any later one until an experiment file is run anew, since a
        program that was compiled holds what was read.
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
    given: set[str] = set()  # variables that were set inside
    made: set[str] = set()  # files and folders that were made inside
    older: set[str] = set()  # files that were there, and were written to

    def note(what: str, file: str, opener: Opener) -> None:
        if what == "make":
            made.add(file)
        elif what == "write":
            if os.path.isfile(file) and (file in _left or not _is_new(file, began)):
                older.add(file)
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
            or (_is_new(file, began) and file not in older and file not in _left)
        ):
            _untold[file] = (
                f"{opener.place}, reads {file} only when a "
                "cell is trained, so that a change of it would go unseen; read it at the top of "
                f"the file, or name it in the part's line: files=[{os.path.basename(file)!r}]."
            )

    def note_look(what: str, path: str, opener: Opener) -> None:
        folder = path if what == "list" else _listed(path)
        if (
            not all(module.partition(".")[0] in _LOOKING for module, _ in opener.ways)
            or not os.path.isdir(folder)
            or any(folder == each or folder.startswith(f"{each}{os.sep}") for each in made)
            or _is_temporary(folder, os.path.dirname(opener.file))
        ):
            return
        line = asked.found(what, path, opener.file)
        if line and not any(line in load.lines(opener.file) for load in loads):
            _untold[folder] = (
                f"{opener.place}, lists the files of {folder} only when a cell is trained, so that "
                "another one there would go unseen; list them at the top of the file."
            )

    def note_variable(what: str, name: str, value: str | None, asker: Opener) -> None:
        if what == "set":
            given.add(name)
            return
        # A word such as PATH may stand for another thing in code that a library is called from.
        meant = asker.directly or asked.spells(asker.file, name, quoted=True)
        known = name in given or (name, value) in variables or is_settled(name)
        if meant and not known:
            _untold[f"${name}"] = (
                f"{asker.place}, reads the environment variable {name} only when a cell is "
                "trained, so that another value would go unseen; read it at the top of the "
                "experiment file, or of a module imported there: "
                f"{name} = os.environ.get({name!r})."
            )

    def note_copy(asker: Opener) -> None:
        _untold["$"] = (
            f"{asker.place}, reads all environment variables at once when a cell is trained, so "
            "that another value would go unseen; read the one that counts by its name at the top "
            'of the experiment file: os.environ.get("NAME").'
        )

    try:
        with listening(note), asked.noted(note_variable, note_copy):
            yield
    finally:
        _left.update(made)  # of which the next cell must not make its result
    for file in {*map(existing, modules.unforeseen[before:])} - files:
        _untold[file] = (
            f"{file} is imported only when a cell is trained, by a name that is worked out, so "
            "that a change of it would go unseen; import it by name at the top of the file."
        )
    hashes = frozenset(code.hash for code in codes)
    for advice in [*_untold.values(), *([_refused[hashes]] if hashes in _refused else ())]:
        if hashes:
            _refused[hashes] = advice
        raise UserError(advice)


def _is_known(file: str, opener: Opener) -> bool:
    """Whether a file is of code that is hashed or runs already, or that is only shown or copied."""
    if not file.endswith((".py", ".pyc")):
        return False
    return any(module.partition(".")[0] in _SHOWING for module, _ in opener.ways) or any(
        getattr(module, "__file__", None) == file for module in [*sys.modules.values()]
    )


def _is_new(file: str, began: int) -> bool:
    """Whether a file was made since then; one whose time lies ahead was not, as out of an archive.

    Its time of change can be set by anyone, that of its entry by nobody.
    """
    state = os.stat(file)
    return began <= min(state.st_mtime_ns, state.st_ctime_ns) and (
        state.st_mtime_ns <= time.time_ns() + _TICK
    )


def _is_temporary(folder: str, near: str) -> bool:
    """Whether a folder is one of the system's for a while, unless all of the user's is."""
    import tempfile  # seldom needed

    below = [os.path.join(each, "") for each in (tempfile.gettempdir(), near)]
    return [f"{folder}{os.sep}".startswith(each) for each in below] == [True, False]


def _listed(pattern: str) -> str:
    """The folder in which files of a pattern are looked for."""
    while (found := _MAGIC.search(pattern)) is not None:
        pattern = os.path.dirname(pattern[: found.start()] + "x")
    return pattern
