"""The notes of a caption, each with its importance to a reader.

A note's importance is chosen where its sentence is written; a format chooses how much to print. The
short caption has what every reader needs, then every warning; the full one has all notes in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

CAPTIONS = ("short", "full")
MORE = "This caption is shortened; --caption full prints all of it."


class Importance(StrEnum):
    """The importance of a note to a reader of the table."""

    SHORT = "short"  # without it the numbers cannot be read
    WARNING = "warning"  # without it they may be read wrongly: no caption leaves it out
    DETAIL = "detail"  # to check or to repeat them


@dataclass(frozen=True)
class Note:
    """One statement of a caption.

    Attributes:
      text: whole sentences.
      importance: which captions print it.
      brief: what the short caption prints instead; "" for the text itself.
    """

    text: str
    importance: Importance
    brief: str = ""


def short(text: str, brief: str = "") -> Note:
    """Return a note that every reader needs."""
    return Note(text, Importance.SHORT, brief)


def warning(text: str, brief: str = "") -> Note:
    """Return a note that no caption leaves out."""
    return Note(text, Importance.WARNING, brief)


def detail(text: str) -> Note:
    """Return a note that only the full caption has."""
    return Note(text, Importance.DETAIL)


def chosen(notes: Sequence[Note], caption: str) -> list[tuple[str, Importance]]:
    """Return what a caption prints, each with its importance.

    Args:
      notes: of the table, in their order.
      caption: one of `CAPTIONS`.

    Returns:
      The texts of all notes; or, in a short caption, the brief ones of the notes that it has, with
      warnings last, and a line on the full caption if that says more.

    Example:
      >>> notes = [warning("Few."), detail("By hand."), short("±: sd.")]
      >>> [text for text, _ in chosen(notes, "short")]
      ['±: sd.', 'Few.', 'This caption is shortened; --caption full prints all of it.']
    """
    if caption == "full":
        return [(note.text, note.importance) for note in notes]
    kept = [
        (note.brief or note.text, note.importance)
        for importance in (Importance.SHORT, Importance.WARNING)
        for note in notes
        if note.importance is importance
    ]
    if all(note.importance is not Importance.DETAIL and not note.brief for note in notes):
        return kept
    return [*kept, (MORE, Importance.DETAIL)]
