"""What parts of the user's own use while they are at work, of which no identity knows.

Their code and data are hashed when the experiment file has been run. A hook function that reads a
file, or imports a module by a name that it works out, does so only when it is traced; a change of
either would then leave stored results standing. So such a use is refused, in one sentence that says
how to declare it.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

from attn_nlp import sources
from attn_nlp.mistakes import Mistake
from attn_nlp.opened import Opener, State, listening

_TICK = 100_000_000  # nanoseconds by which the times of files may lag behind the clock

covered: set[str] = set()  # data files that a hash covers
_untold: dict[str, str] = {}  # what to do, by file
_run = 0  # the run of an experiment file that this is about


@contextlib.contextmanager
def watching() -> Iterator[None]:
    """While parts are at work inside, note what they use that no hash covers.

    Raises:
      Mistake: at the end, and at any later one until an experiment file is run anew, since a
        program that was compiled holds what was read.
    """
    global _run
    if _run != sources.runs:
        _run = sources.runs
        _untold.clear()
    began, before = time.time_ns() - _TICK, len(sources.unforeseen)

    def note(what: str, file: str, opener: Opener) -> None:
        if (
            what != "read"
            or file in covered
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

    with listening(note):
        yield
    for file in sources.unforeseen[before:]:
        _untold[file] = (
            f"{file} is imported only when a cell is trained, by a name that is worked out, so "
            "that a change of it would go unseen; import it by name at the top of the file."
        )
    for advice in _untold.values():
        raise Mistake(advice)
