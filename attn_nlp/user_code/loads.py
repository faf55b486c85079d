"""Record what one run of an experiment file imports, reads, asks for and sets."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from attn_nlp.errors import UserError
from attn_nlp.user_code import asked
from attn_nlp.user_code.families import taken_away
from attn_nlp.user_code.modules import is_own
from attn_nlp.user_code.opened import Opener, State

PREFIX = "attn_nlp_experiment_"
_COPY = (
    "reads all environment variables at once, so a change of one would go unnoticed; read the one "
    'that you need by name: os.environ.get("NAME").'
)
_CHILD = (
    "starts another program, and a change of what that reads would go unnoticed; read the file in "
    'Python, or name it in the part\'s decorator: files=["FILE"].'
)
_TAKEN = (
    "whose name begins like those of a library, so no process that trains cells inherits it; give "
    "yours another name, or unset it."
)


class Load:
    """One run of an experiment file.

    Most of what it records is by the file of the user's whose code is responsible.

    Attributes:
      file: absolute path of the experiment file.
      name: name of its module.
      brought: the user's modules that it imported.
      untraced: modules among them that no import statement leads to, or that change others.
      variables: file -> environment variables that it read, with all their values in order, None
        if unset.
      set_variables: file -> variables that it set, with their values, None if deleted.
      reads: file -> files that it opened for reading, with their states at the time.
      written: files that were opened for writing.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.name = PREFIX + os.path.basename(file).removesuffix(".py")
        self.brought: tuple[str, ...] = ()
        self.untraced: tuple[str, ...] = ()
        self.variables: dict[str, dict[str, list[str | None]]] = {}
        self.set_variables: dict[str, dict[str, str | None]] = {}
        self.reads: dict[str, dict[str, State]] = {}
        self.written: set[str] = set()
        self._looks: dict[str, set[tuple[str, str]]] = {}
        self._answers: dict[str, list[str]] = {}
        self._rejected: dict[str, dict[str, str]] = {}
        self._code: dict[str, State] = {}
        self._before = {*sys.modules, "__mp_main__"}  # another name of `__main__`
        self._environment = asked.kept()

    def end(self) -> None:
        """Record imported modules; drop modules and deleted files from what was read."""
        new = [name for name in [*sys.modules] if name not in self._before]
        self.brought = tuple(name for name in new if name != self.name and is_own(file_of(name)))
        modules = {file_of(name) for name in [*sys.modules]}
        for opener, files in list(self.reads.items()):
            self.reads[opener] = {
                file: state
                for file, state in files.items()
                if file not in modules and os.path.isfile(file)
            }
        files = [self.file, *filter(None, map(file_of, self.brought))]
        self._code = {file: State.of(file) for file in files}
        self._recall()
        for asker, looks in self._looks.items():
            answers = (asked.answer(what, path, asker) for what, path in sorted(looks))
            self._answers[asker] = [*filter(None, answers)]

    def _recall(self) -> None:
        """Add what an earlier run of the same code has read or loaded in this process.

        A library may cache what it has read, and a module of machine code is loaded only once.
        """
        before, _earlier[self.file] = _earlier.get(self.file), self
        if before is None or before.variables != self.variables:
            return
        if any(State.of(file) != state for file, state in before._code.items()):
            return
        for opener, files in before.reads.items():
            kept = {file: state for file, state in files.items() if os.path.isfile(file)}
            self.reads[opener] = kept | self.reads.get(opener, {})
        kept = (name for name in before.brought if name in sys.modules)
        self.brought = tuple(dict.fromkeys([*self.brought, *kept]))

    def note(self, what: str, path: str, opener: Opener) -> None:
        """Record what the user's code does with a file or folder; see `opened.listening`."""
        if what == "read":
            self.reads.setdefault(opener.file, {}).setdefault(path, State.of(path))
        elif what == "write":
            self.written.add(path)
        elif what == "start":
            self._rejected.setdefault(opener.file, {}).setdefault(
                what, f"{opener.line_name}, {_CHILD}"
            )
        elif what == "copy":
            self.note_copy(opener)
        else:
            self._looks.setdefault(opener.file, set()).add((what, path))

    def note_variable(self, what: str, name: str, value: str | None, asker: Opener) -> None:
        """Record that the user's code reads or sets an environment variable."""
        if what == "set":
            self.set_variables.setdefault(asker.file, {})[name] = value
            return
        outer = value is not None and value == self._environment.get(name)
        if outer and asker.directly and taken_away([name]):
            advice = f"{asker.line_name}, reads the environment variable {name}, {_TAKEN}"
            self._rejected.setdefault(asker.file, {}).setdefault("taken", advice)
        values = self.variables.setdefault(asker.file, {}).setdefault(name, [])
        if not values or values[-1] != value:
            values.append(value)

    def note_copy(self, opener: Opener) -> None:
        """Record that the user's code reads all environment variables at once."""
        self._rejected.setdefault(opener.file, {}).setdefault(
            "copy", f"{opener.line_name}, {_COPY}"
        )

    def lines(self, asker: str) -> Iterator[str]:
        """Yield what the code of a file has learned other than by reading files."""
        yield from asked.lines(self.variables.get(asker, {}))
        yield from self._answers.get(asker, ())

    def changes(self) -> list[Change]:
        """Return the variables that the user's code has set."""
        read = {name for variables in self.variables.values() for name in variables}
        now, found = asked.kept(), self._environment
        return [
            Change(name, found.get(name), now.get(name), name in read)
            for name in dict.fromkeys(chain(*self.set_variables.values()))
        ]

    def check(self, asker: str, *, declares: bool) -> None:
        """Reject a file whose code did something of which the result cannot be recorded.

        Args:
          asker: the file.
          declares: whether the part names the files that it depends on.

        Raises:
          UserError: naming the line.
        """
        for what, advice in self._rejected.get(asker, {}).items():
            if what != "start" or not declares:
                raise UserError(advice)


@dataclass(frozen=True)
class Change:
    """A variable that a run of an experiment file has set: the values that it found and left."""

    name: str
    found: str | None
    left: str | None
    read: bool  # whether it was also read


_earlier: dict[str, Load] = {}  # by experiment file, the last run that has ended


def file_of(name: str) -> str | None:
    """Return the file of a loaded module, or None if it has none."""
    file = getattr(sys.modules.get(name), "__file__", None)
    return os.path.abspath(file) if isinstance(file, str) and file else None
