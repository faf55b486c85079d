"""Boxes with text, and arrows between them, in points from the upper left corner.

Every text belongs to a box that was made large enough for it, so a test can check of any figure
that no text leaves its box, no two boxes touch, and no arrow runs through a box.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from attn_nlp.figures.fonts import properties
from attn_nlp.figures.library import settings
from attn_nlp.wording import clean, without_controls

LEADING = 1.32  # line height over font size
PAD_X, PAD_Y = 6.0, 4.5


@dataclass(frozen=True)
class Text:
    """One piece of text in one font.

    Attributes:
      content: without line breaks once it is in a box.
      size: in points.
      bold: a heavier weight.
      mono: a monospaced font, for code and formulas.
      gray: less important.
    """

    content: str
    size: float = 8.5
    bold: bool = False
    mono: bool = False
    gray: bool = False

    def __post_init__(self) -> None:
        """Remove characters that XML forbids, which a user's part may contain."""
        object.__setattr__(self, "content", without_controls(self.content, "\n\t"))

    @property
    def height(self) -> float:
        """The height of its line."""
        return self.size * LEADING


@dataclass(frozen=True)
class Box:
    """A rectangle with lines of text.

    Attributes:
      x, y, width, height: of the rectangle; y grows downward.
      lines: from the top.
      look: a key of `render.LOOKS`; "bare" has neither border nor background.
      centered: True for centered lines, False for lines that begin at the left.
      grid: levels from 0 (white) to 1 (black) of small squares below the text.
    """

    x: float
    y: float
    width: float
    height: float
    lines: tuple[Text, ...] = ()
    look: str = "bare"
    centered: bool = True
    grid: tuple[tuple[float, ...], ...] = ()

    @property
    def right(self) -> float:
        """x of the right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """y of the lower edge."""
        return self.y + self.height

    @property
    def middle(self) -> float:
        """x of the middle."""
        return self.x + self.width / 2

    def moved(self, dx: float, dy: float) -> Box:
        """Return the same box, moved by (dx, dy)."""
        return replace(self, x=self.x + dx, y=self.y + dy)


@dataclass(frozen=True)
class Arrow:
    """A line through points, with a head at its end."""

    points: tuple[tuple[float, float], ...]

    def moved(self, dx: float, dy: float) -> Arrow:
        """Return the same arrow, moved by (dx, dy)."""
        return Arrow(tuple((x + dx, y + dy) for x, y in self.points))


@dataclass
class Drawing:
    """A figure.

    Attributes:
      name: of its files.
      title: the text for screen readers.
      width, height: in points.
      boxes, arrows: the content.
    """

    name: str
    title: str
    width: float = 0.0
    height: float = 0.0
    boxes: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Clean the title, which is written to the files too."""
        self.title = clean(self.title)

    def add(self, boxes: Iterable[Box], arrows: Iterable[Arrow] = (), dx=0.0, dy=0.0) -> None:
        """Add boxes and arrows to the figure, moved by (dx, dy)."""
        self.boxes += [box.moved(dx, dy) for box in boxes]
        self.arrows += [arrow.moved(dx, dy) for arrow in arrows]

    def trim(self, margin: float) -> None:
        """Make the figure as large as its content, with a margin."""
        self.width = max(box.right for box in self.boxes) + margin
        self.height = max(box.bottom for box in self.boxes) + margin


GRID_CELL = 7.0


def grid_height(grid: Sequence[Sequence[float]]) -> float:
    """Return the height of a grid, including the space above it."""
    return len(grid) * GRID_CELL + 4.0 if grid else 0.0


def height_of(lines: Sequence[Text], grid: Sequence[Sequence[float]] = ()) -> float:
    """Return the height of a box with these lines."""
    return sum(line.height for line in lines) + grid_height(grid) + 2 * PAD_Y


def stacked(x: float, y: float, width: float, texts: Iterable[Text], look="bare", **more) -> Box:
    """Return a box of a given width whose height fits the texts, each wrapped."""
    lines = wrap(texts, width)
    return Box(x, y, width, height_of(lines), lines, look, **more)


def wrap(texts: Iterable[Text], width: float) -> tuple[Text, ...]:
    """Return lines that fit into a box of a width; continued lines of code are indented."""
    lines: list[Text] = []
    inner = width - 2 * PAD_X
    for given in texts:
        text = _smaller(given, inner) if given.mono else given
        wrapped = _wrap_code if text.mono else _wrap_words
        for line in text.content.split("\n"):
            pieces = wrapped(replace(text, content=line), inner)
            lines += [replace(text, content=piece) for piece in pieces]
    return tuple(lines)


def width_of(text: Text) -> float:
    """Return the width of a text in points."""
    return _measured(text.content, text.bold, text.mono) * text.size


@cache
def _measured(content: str, bold: bool, mono: bool) -> float:
    from matplotlib.textpath import text_to_path

    font = properties(content, 1.0, bold=bold, mono=mono)
    with settings():
        return text_to_path.get_text_width_height_descent(content, font, ismath=False)[0]


def _smaller(text: Text, width: float) -> Text:
    """Return code in a slightly smaller font, if that saves it from being broken."""
    for size in (text.size, text.size - 0.5, text.size - 1.0):
        lines = [Text(line, size, mono=True) for line in text.content.split("\n")]
        if all(width_of(line) <= width for line in lines):
            return replace(text, size=size)
    return text


def _wrap_words(text: Text, width: float) -> list[str]:
    return _filled(text, width, re.findall(r"\S+\s*", text.content), indent="")


def _wrap_code(text: Text, width: float) -> list[str]:
    body = text.content.lstrip(" ")
    indent = " " * (len(text.content) - len(body))
    if width_of(text) <= width:
        return [text.content]
    lines = []
    for clause in re.split(r"(?<=,) {2,}", body):  # formulas side by side are separated first
        pieces = [indent, *re.findall(r"\S+\s*", clause)]
        lines += _filled(text, width, pieces, indent=indent + "  ")
    return lines


def _filled(text: Text, width: float, pieces: Sequence[str], indent: str) -> list[str]:
    """Join pieces into lines no wider than `width`; a longer piece is cut anywhere."""

    def fits(line: str) -> bool:
        return width_of(replace(text, content=line.rstrip())) <= width

    lines, line = [], ""
    for piece in pieces:
        if fits(line + piece) or not line.strip():
            line += piece
        else:
            lines.append(line)
            line = indent + piece
        while (cut := _longest(line, len(indent) + 1, fits)) < len(line):
            lines.append(line[:cut])
            line = indent + line[cut:]
    return [line.rstrip() for line in (*lines, line)]


def _longest(line: str, least: int, fits: Callable[[str], bool]) -> int:
    """Return the length of the longest beginning that fits, or `least` if none does.

    By doubling, then by bisection, so that nothing much longer than the answer is measured.
    """
    most = least
    while most < len(line) and fits(line[: min(2 * most, len(line))]):
        most = min(2 * most, len(line))
    least, most = most, min(2 * most, len(line) + 1) - 1
    while least < most:
        middle = (least + most + 1) // 2
        if fits(line[:middle]):
            least = middle
        else:
            most = middle - 1
    return least
