"""What parts of the user's own use while they are at work, of which no identity knows.

Their code and data are hashed when the experiment file has been run. A function that reads a file
or an environment variable, or imports a module by a name that it works out, does so only when it is
traced or fitted; a change of any would then leave stored results standing. So such a use is
refused, in one sentence that says how to declare it.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator

from attn_nlp import asked, sources
from attn_nlp.families import is_settled
from attn_nlp.mistakes import Mistake
from attn_nlp.opened import Opener, State, listening
from attn_nlp.own_code import Code

_TICK = 100_000_000  # nanoseconds by which the times of files may lag behind the clock

_untold: dict[str, str] = {}  # what to do, by file or variable
_run = 0  # the run of an experiment file that this is about


@contextlib.contextmanager
def watching(codes: Iterable[Code]) -> Iterator[None]:
    """While parts are at work inside, note what they use that no hash of theirs covers.

    Raises:
      Mistake: at the end, and at any later one until an experiment file is run anew, since a
        program that was compiled holds what was read.
    """
    global _run
    if _run != sources.runs:
        _run = sources.runs
        _untold.clear()
    began, before = time.time_ns() - _TICK, len(sources.unforeseen)
    covered = [code.covered for code in codes]
    files = {file for files, _ in covered for file in files}
    variables = {pair for _, pairs in covered for pair in pairs}
    given: set[str] = set()  # variables that were set inside

    def note(what: str, file: str, opener: Opener) -> None:
        if (
            what != "read"
            or file in files
            or not opener.directly
            or file.endswith((".py", ".pyc", ".so"))
        ):
            return
        # Otherwise it was made meanwhile, as a temporary file is.
        if os.path.isfile(file) and State.of(file).changed < began:
            _untold[file] = (
                f"{opener.place}, reads {file} only when a "
                "cell is trained, so that a change of it would go unseen; read it at the top of "
                f"the file, or name it in the part's line: files=[{os.path.basename(file)!r}]."
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

    with listening(note), asked.noted(note_variable, note_copy):
        yield
    for file in sources.unforeseen[before:]:
        _untold[file] = (
            f"{file} is imported only when a cell is trained, by a name that is worked out, so "
            "that a change of it would go unseen; import it by name at the top of the file."
        )
    for advice in _untold.values():
        raise Mistake(advice)
