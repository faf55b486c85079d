"""A mutation: one line of the code written wrongly, and the test that must notice it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PARTS = "tests/nn/test_parts.py"


class DoesNotApply(ValueError):
    """A mutation that does not fit the code any more; the message says which and why."""


@dataclass(frozen=True)
class Mutation:
    """One line written wrongly.

    Attributes:
      name: what to call it on the command line.
      file: the file with the line, from the root of the project.
      old: the line, or as much of it as stands nowhere else in the file.
      new: what is written in its place.
      test: the one test that must fail, by its pytest node id.
      imitates: the mistake that somebody could make, in one sentence.
    """

    name: str
    file: str
    old: str
    new: str
    test: str
    imitates: str

    def apply(self, text: str) -> str:
        """The text of the file with the mutation in it.

        Raises:
          DoesNotApply: the old line is not found exactly once.
        """
        found = text.count(self.old)
        if found != 1:
            raise DoesNotApply(
                f"{self.name}: {self.old!r} stands {found} times in {self.file}, not once."
            )
        return text.replace(self.old, self.new)

    def make(self, root: Path) -> None:
        """Write the mutation into the copy of the project below `root`.

        Raises:
          DoesNotApply: there is no such file, or the old line is not found exactly once.
        """
        path = root / self.file
        if not path.is_file():
            raise DoesNotApply(f"{self.name}: there is no file {self.file}.")
        path.write_text(self.apply(path.read_text("utf-8")), "utf-8")


def agrees(part: str) -> str:
    """The test of a part against its float64 reference; the part is "score-dot", say."""
    return f"{PARTS}::test_a_part_agrees_with_its_reference[{part}]"


def hides(part: str) -> str:
    """The test that nothing hidden comes through a part."""
    return f"{PARTS}::test_what_is_hidden_changes_nothing[{part}]"
