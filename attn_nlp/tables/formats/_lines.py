"""Lines of styled text, measured in terminal columns, so that Chinese text aligns."""

from __future__ import annotations

import io
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size


class Piece(NamedTuple):
    """A piece of text in one style; "" is plain."""

    text: str
    style: str = ""


Line = list[Piece]


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Return text padded with spaces to a width, on the left if `right` is set."""
    fill = " " * max(0, width - cell_len(text))
    return fill + text if right else text + fill


def width_of(line: Line) -> int:
    """Return the width of a line in terminal columns."""
    return sum(cell_len(piece.text) for piece in line)


def clip_line(line: Line, width: int) -> Line:
    """Return a line cut to a width with an ellipsis, for lines that nothing else made fit."""
    kept: Line = []
    if width_of(line) <= width:
        return line
    left = width - 1
    for piece in line:
        if cell_len(piece.text) > left:
            kept.append(Piece(set_cell_size(piece.text, left) + "…", piece.style))
            break
        kept.append(piece)
        left -= cell_len(piece.text)
    return kept


def wrap(text: str, first: int, width: int | None = None) -> list[str]:
    """Break a text into lines at spaces, and inside a word only if it is longer than a line.

    Args:
      text: one line.
      first: width of the first line, in terminal columns.
      width: width of the others; `first` if None.

    Example:
      >>> wrap("one two three", 8)
      ['one two', 'three']
    """
    width = first if width is None else width
    lines: list[str] = []
    line = ""
    for word in text.split():
        room = width if lines else first
        if line and cell_len(line) + 1 + cell_len(word) <= room:
            line += " " + word
            continue
        if line:
            lines.append(line)
            room = width
        while cell_len(word) > room:
            head = _head(word, room)
            lines.append(head)
            word, room = word[len(head) :], width
        line = word
    return [*lines, line] if line else lines


def to_text(lines: list[Line], color: bool) -> str:
    """Return the lines as one text without trailing spaces, with color codes if wanted."""
    if not color:
        return "".join("".join(piece.text for piece in line).rstrip() + "\n" for line in lines)
    from rich.console import Console
    from rich.text import Text

    out = io.StringIO()
    console = Console(
        file=out,
        force_terminal=True,
        color_system="standard",
        no_color=False,
        legacy_windows=False,
        width=max([1, *map(width_of, lines)]),
        _environ={},
    )
    for line in lines:
        # Text, never markup: a label may hold "[red]".
        text = Text.assemble(*((piece.text, piece.style) for piece in line))
        text.rstrip()
        console.print(text, no_wrap=True, overflow="ignore", crop=False, highlight=False)
    return out.getvalue()


def _head(word: str, room: int) -> str:
    """Return as many characters of a word as fit, at least one."""
    count = 1
    while count < len(word) and cell_len(word[: count + 1]) <= room:
        count += 1
    return word[:count]
