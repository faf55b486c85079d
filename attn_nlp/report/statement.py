"""The docstring of an experiment file, split into a title and named sections.

    Does attention need its 1/sqrt(D)?

    Question.   The dot product of two D-vectors ...
                continues here, indented.
    Prediction. No scaling loses most ...

A section begins at the left margin with one capitalized word and a period, and its other lines are
indented. A date may follow the word, as in "Outcome (2026-11-24).": the day of the run with that
outcome. A docstring in another form is shown as it is: its first paragraph is the title, the rest
one section without a name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_HEAD = re.compile(r"([A-Z][a-z]+)(?: \((\d{4}-\d{2}-\d{2})\))?\.(?:\s+|$)(.*)")
_KNOWN = ("Question", "Prediction", "Protocol", "Cost", "Outcome")


@dataclass(frozen=True)
class Section:
    """A named part of a docstring; the name is "" for text without one.

    `date` is the ISO date after the name, or "".
    """

    name: str
    paragraphs: tuple[str, ...]
    date: str = ""


@dataclass(frozen=True)
class Statement:
    """A docstring in parts.

    Attributes:
      title: the first paragraph, in one line; "" if the docstring is empty.
      sections: in the order of the docstring.
    """

    title: str
    sections: tuple[Section, ...]

    def section(self, name: str) -> Section | None:
        """Return the section of that name, or None."""
        return next((section for section in self.sections if section.name == name), None)


def statement(docstring: str) -> Statement:
    """Return the parts of an experiment's docstring.

    Example:
      >>> found = statement("Why?\\n\\nPrediction. It rises,\\n            slowly.")
      >>> found.title, found.sections
      ('Why?', (Section(name='Prediction', paragraphs=('It rises, slowly.',), date=''),))
    """
    title, lines = _title(docstring.splitlines())
    sections: list[tuple[str, list[str], str]] = []
    for line, following in pairwise([*lines, ""]):
        head = _HEAD.fullmatch(line)
        if head and (head[1] in _KNOWN or following.startswith("  ")):
            sections.append((head[1], [head[3]], head[2] or ""))
        elif sections and not (line.strip() and not line.startswith(" ") and sections[-1][0]):
            sections[-1][1].append(line)
        elif line.strip():  # back at the margin: no longer part of the section above
            sections.append(("", [line], ""))
    return Statement(
        title,
        tuple(
            Section(name, paragraphs, date)
            for name, text, date in sections
            if (paragraphs := _paragraphs(text)) or name
        ),
    )


def _title(lines: Sequence[str]) -> tuple[str, list[str]]:
    """Return the first paragraph in one line, and the lines after it."""
    said = list(lines)
    while said and not said[0].strip():
        said.pop(0)
    head = _HEAD.fullmatch(said[0]) if said else None
    if head and head[1] in _KNOWN:
        return "", said
    first: list[str] = []
    while said and said[0].strip():
        first.append(said.pop(0).strip())
    return " ".join(first), said


def _paragraphs(lines: Sequence[str]) -> tuple[str, ...]:
    """Join lines to paragraphs, which empty lines separate."""
    text = "\n".join(line.strip() for line in lines)
    paragraphs = (" ".join(lines.split()) for lines in re.split(r"\n\s*\n", text))
    return tuple(filter(None, paragraphs))
