"""A page of panels: texts at measured positions, in points from the upper left corner.

There is no layout engine: margins follow from the measured widths of the labels, so that the same
data give the same bytes and a test can check that no two texts touch.

Rows of a table differ in color, marker and dashes, so that nothing is lost in print without color.
The colors are those of Okabe and Ito, without the yellow, which is invisible on white paper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal

from attn_nlp.figures.drawing import PAD_X, Text, width_of, wrap
from attn_nlp.figures.fonts import properties, undrawable
from attn_nlp.figures.library import settings
from attn_nlp.figures.render import GRAY, INK
from attn_nlp.tables.text import MINUS
from attn_nlp.wording import clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 504.0  # points: the text of a page in one column
MARGIN = 10.0
SMALL, NORMAL, LARGE = 7.0, 8.0, 9.5  # font sizes
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "p", ">", "h")
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)), (0, (2, 1)))
GRID = "#d9d9d9"
KEY = 24.0  # length of a sample line
DPI = 200


@dataclass(frozen=True)
class Style:
    """The style of a row in every panel of a figure."""

    color: str
    marker: str
    dashes: str | tuple
    line: float = 1.3


def style(number: int, *, strong: bool = False, joined: bool = True) -> Style:
    """Return the style of a row by its number; strong for the reference, no line if not joined.

    The numbers of colors, markers and dashes have no common divisor: 385 rows differ.
    """
    return Style(
        COLORS[number % len(COLORS)],
        MARKERS[number % len(MARKERS)],
        DASHES[number % len(DASHES)] if joined else "none",
        2.2 if strong else 1.3,
    )


@dataclass(frozen=True)
class Placed:
    """A text with the point where it begins, is centered or ends, in the middle of its height."""

    x: float
    y: float
    text: Text
    align: Literal["left", "center", "right"] = "left"


@dataclass(frozen=True)
class Rect:
    """The position of a panel; y grows downward."""

    x: float
    y: float
    width: float
    height: float


@dataclass
class Sheet:
    """A page that is filled from the top.

    Attributes:
      name: a description of the figure for screen readers.
      width: in points.
      bottom: y up to which it is filled.
      texts, samples, rects: the content.
    """

    name: str
    width: float = WIDTH
    bottom: float = MARGIN
    texts: list[Placed] = field(default_factory=list)
    samples: list[tuple[float, float, Style]] = field(default_factory=list)
    rects: list[Rect] = field(default_factory=list)

    def write(self, content: str, size: float = NORMAL, **look) -> None:
        """Add wrapped lines across the whole width."""
        for line in lines_of(content, self.width - 2 * MARGIN, size, **look):
            self.texts.append(Placed(MARGIN, self.bottom + line.height / 2, line))
            self.bottom += line.height

    def head(self, title: str, subtitle: str) -> None:
        """Add the title, and the quantity with its unit."""
        self.write(title, LARGE, bold=True)
        self.write(subtitle, NORMAL, gray=True)
        self.bottom += 4

    def row(
        self,
        titles: Sequence[str],
        *,
        left: float,
        height: float,
        right: float = 0.0,
        between: float = 14.0,
        widest: float = 250.0,
        slots: int = 1,
        axis: str = "",
    ) -> list[Rect]:
        """Add a row of panels with their titles above and the name of the horizontal axis below.

        Args:
          titles: of the panels, "" for none.
          left: room for labels to the left of the first panel.
          right: room to the right of every panel.
          between: space between panels.
          height: of a panel.
          widest: maximum width of a panel.
          slots: number of panels that the width is divided by if there are fewer.
          axis: name of the horizontal axis.
        """
        count = max(len(titles), slots)
        room = self.width - 2 * MARGIN - left - count * right - (count - 1) * between
        width = min(room / count, widest)
        wrapped = [lines_of(title, width + right, NORMAL) for title in titles]
        self.bottom += max((sum(t.height for t in lines) for lines in wrapped), default=0.0) + 3
        rects = []
        for number, lines in enumerate(wrapped):
            x = MARGIN + left + number * (width + right + between)
            base = self.bottom - 3 - sum(line.height for line in lines)
            for line in lines:
                self.texts.append(Placed(x + width / 2, base + line.height / 2, line, "center"))
                base += line.height
            rects.append(Rect(x, self.bottom, width, height))
        self.rects += rects
        self.bottom += height + 14  # the ticks' labels
        if axis:
            middle = (rects[0].x + rects[-1].x + rects[-1].width) / 2
            for line in lines_of(axis, self.width - 2 * MARGIN, NORMAL):
                self.texts.append(Placed(middle, self.bottom + line.height / 2, line, "center"))
                self.bottom += line.height
        self.bottom += 8
        return rects

    def keys(self, labels: Sequence[tuple[str, Style]]) -> None:
        """Add a legend of styles and rows, as many side by side as fit."""
        x, high = MARGIN, 0.0
        for label, look in labels:
            room = self.width - 2 * MARGIN - KEY - 6
            lines = lines_of(label, room, NORMAL) or [Text("", NORMAL)]
            needed = KEY + 6 + max(map(width_of, lines))
            if x > MARGIN and x + needed > self.width - MARGIN:
                self.bottom, x, high = self.bottom + high, MARGIN, 0.0
            self.samples.append((x, self.bottom + lines[0].height / 2, look))
            for number, line in enumerate(lines):
                y = self.bottom + (number + 0.5) * line.height
                self.texts.append(Placed(x + KEY + 6, y, line))
            high = max(high, sum(line.height for line in lines))
            x += needed + 16
        self.bottom += high + 4

    def notes(self, sentences: Sequence[str]) -> None:
        """Add notes in small print."""
        for sentence in sentences:
            self.write(sentence, SMALL, gray=True)

    def figure(self) -> tuple[Figure, list[Axes]]:
        """Return the page as a matplotlib figure, and the empty panels on it."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        height = self.bottom + MARGIN
        with settings():
            figure = Figure(figsize=(self.width / 72, height / 72), dpi=DPI, facecolor="white")
            FigureCanvasAgg(figure)
            figure.set_label(clean(self.name))
            page = figure.add_axes((0, 0, 1, 1), label="page", zorder=-1)
            page.set_axis_off()
            page.set_xlim(0, self.width)
            page.set_ylim(height, 0)
            for placed in self.texts:
                write(page, placed.x, placed.y, placed.text, placed.align)
            for x, y, look in self.samples:
                page.plot(
                    [x, x + KEY / 2, x + KEY], [y] * 3, markevery=[1], clip_on=False, **plain(look)
                )
            return figure, [self._panel(figure, rect, height) for rect in self.rects]

    def _panel(self, figure: Figure, rect: Rect, height: float) -> Axes:
        axes = figure.add_axes(
            (
                rect.x / self.width,
                1 - (rect.y + rect.height) / height,
                rect.width / self.width,
                rect.height / height,
            ),
            label="panel",
        )
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            axes.spines[side].set_color(GRAY)
            axes.spines[side].set_linewidth(0.7)
        axes.tick_params(length=2.5, width=0.7, pad=2, color=GRAY, labelcolor=INK, labelsize=SMALL)
        axes.set_axisbelow(True)
        return axes


def plain(look: Style, *, hollow: bool = False) -> dict:
    """Return a style as arguments of matplotlib."""
    return {
        "color": look.color,
        "linestyle": look.dashes,
        "linewidth": look.line,
        "marker": look.marker,
        "markersize": 5.0,
        "markerfacecolor": "white" if hollow else look.color,
        "markeredgecolor": look.color,
        "markeredgewidth": 1.0,
    }


def write(axes: Axes, x: float, y: float, text: Text, align: str = "left", **more) -> None:
    """Write one line of text, its capitals centered on y; never parsed as a formula.

    y is in points downward. Capitals are .73 of the font size high, so the baseline is half of
    that below y.
    """
    artist = _outlines()(
        x,
        y + 0.36 * text.size,
        text.content,
        fontproperties=properties(text.content, text.size, bold=text.bold, mono=text.mono),
        color=GRAY if text.gray else INK,
        ha=align,
        va="baseline",
        parse_math=False,
        clip_on=False,  # also outside the axes
        **{"transform": axes.transData, **more},
    )
    axes.add_artist(artist)


@cache
def _outlines() -> type:
    """Return a class of text that an SVG has as outlines, or as text if no font has a character.

    Such text is left to the fonts of the viewer; a PNG has boxes for the missing characters.
    """
    from matplotlib import rc_context
    from matplotlib.text import Text as Artist

    class Outlines(Artist):
        def draw(self, renderer):
            with rc_context({"svg.fonttype": "none" if undrawable([self.get_text()]) else "path"}):
                super().draw(renderer)

    return Outlines


def axes_width(axes: Axes) -> float:
    """Return the width of a panel in points."""
    return axes.get_window_extent().width * 72 / DPI


def lines_of(content: str, width: float, size: float, **look) -> list[Text]:
    """Return a text without control characters, as lines no wider than `width` points."""
    if not content:
        return []
    return list(wrap([Text(clean(content), size, **look)], width + 2 * PAD_X))


def ticks(axes: Axes, which: Literal["x", "y"], values: Sequence[float], words=None) -> None:
    """Set ticks at the values, with labels where they do not touch one another.

    Args:
      axes: a panel whose limits and scale are set.
      which: the axis.
      values: ascending.
      words: the labels; the numbers themselves by default.
    """
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

    words = [number(value) for value in values] if words is None else list(words)
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator(list(values)))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    shown, end = [], float("-inf")
    for value, word in zip(values, words, strict=True):
        # The other axis as a fraction of the panel, since a logarithmic one has no zero.
        if which == "x":
            at = axes.get_xaxis_transform().transform((value, 0.0))[0] * 72 / DPI
        else:
            at = axes.get_yaxis_transform().transform((0.0, value))[1] * 72 / DPI
        text = Text(word, SMALL)
        half = (width_of(text) if which == "x" else text.height) / 2
        fits = at - half > end + 3
        shown.append(word if fits else "")
        end = at + half if fits else end
    with settings():
        (axes.set_xticks if which == "x" else axes.set_yticks)(list(values), shown)
        for label in axis.get_majorticklabels():
            label.set_parse_math(False)
            label.set_fontproperties(properties(label.get_text(), SMALL))


def even(axes: Axes, which: Literal["x", "y"], count: int) -> None:
    """Set about `count` round numbers as ticks within the current limits."""
    from matplotlib.ticker import MaxNLocator

    low, high = sorted(axes.get_xlim() if which == "x" else axes.get_ylim())
    logarithmic = (axes.get_xscale() if which == "x" else axes.get_yscale()) == "log"
    if logarithmic:
        for digits in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
            powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
            values = [d * 10.0**p for p in powers for d in digits if low <= d * 10.0**p <= high]
            if len(values) > 1:
                return ticks(axes, which, values)
    rounded = MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return ticks(axes, which, [float(tick) for tick in rounded if low <= tick <= high])


def number(value: float) -> str:
    """Return a number as short as it can be read, with a true minus sign.

    Example:
      >>> number(-0.5), number(1e-05), number(2_000_000.0)
      ('−0.5', '1e−05', '2e+06')
    """
    return f"{value + 0.0:g}".replace("-", MINUS)


def padded(values: Sequence[float], share: float = 0.06) -> tuple[float, float]:
    """Return limits slightly beyond the values; for one value, slightly to both sides."""
    low, high = min(values), max(values)
    room = (high - low) * share or max(abs(high) * share, 1e-3)
    return low - room, high + room


def spread_out(values: Sequence[float]) -> bool:
    """Return True if values suit a logarithmic axis: all positive, largest >= 4 * smallest."""
    return min(values) > 0 and max(values) >= 4 * min(values)


def padded_ratio(values: Sequence[float], share: float = 0.08) -> tuple[float, float]:
    """Return the same as `padded`, on a logarithmic axis."""
    low, high = min(values), max(values)
    factor = (high / low) ** share
    return low / factor, high * factor
