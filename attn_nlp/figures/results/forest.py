"""Forest plot: paired differences from the reference with their intervals and the margin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attn_nlp.figures.drawing import Text, width_of
from attn_nlp.figures.library import settings
from attn_nlp.figures.render import INK
from attn_nlp.figures.results.arrange import arranged
from attn_nlp.figures.results.missing import Missing
from attn_nlp.figures.results.sheet import (
    GRID,
    MARGIN,
    NORMAL,
    SMALL,
    Placed,
    Rect,
    Sheet,
    axes_width,
    even,
    lines_of,
    padded,
    write,
)
from attn_nlp.stats import Verdict
from attn_nlp.tables.grid import BASELINE, MEASURED, Entry, Grid, Quantity
from attn_nlp.tables.legend import MARKS
from attn_nlp.tables.text import mark, state_word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELS = 150.0  # widest label of a row, in points
NO_PAIR = "no pair"
SPACE = 6.0  # between rows
BAND = "#e8e8e8"
# Filled for a difference, hollow if there is none or none is shown.
SHAPES = {
    Verdict.BETTER: ("^", True),
    Verdict.WORSE: ("v", True),
    Verdict.BETTER_WITHIN_MARGIN: ("^", False),
    Verdict.WORSE_WITHIN_MARGIN: ("v", False),
    Verdict.EQUIVALENT: ("s", False),
    Verdict.UNDECIDED: ("o", False),
}
COLOR_OF = {
    Verdict.BETTER: "#0072B2",
    Verdict.WORSE: "#D55E00",
    Verdict.BETTER_WITHIN_MARGIN: "#0072B2",
    Verdict.WORSE_WITHIN_MARGIN: "#D55E00",
}


def forest(grid: Grid) -> Figure:
    """Draw a panel for every column, with a line for every row but reference and baselines.

    Args:
      grid: a table of scores; see `attn_nlp.tables.views.scores`.

    Returns:
      The figure. In a panel x is the difference in the printed unit; a row is at the height of
      its label, in points from the upper edge; the margin is a gray band around 0.

    Raises:
      Missing: the table has no reference, or no pair of runs has ended.
    """
    if grid.reference is None:
        raise Missing("the table has no reference row, so nothing is compared")
    rows = [row for row in grid.rows if row.kind != BASELINE and row is not grid.reference]
    columns = [
        index
        for index in range(len(grid.columns))
        if any(row.entries[index].comparison for row in rows)
    ]
    if not columns:
        raise Missing("no row has a finished run to pair with one of the reference")
    labels = [lines_of(row.label, LABELS, NORMAL) for row in rows]
    steps = [sum(line.height for line in lines) + SPACE for lines in labels]
    marks = [Text(mark(row.entries[column]), SMALL) for row in rows for column in columns]
    order = [
        [columns[index] for index in line]
        for line in arranged([grid.columns[column].values for column in columns])
    ]
    quantity = grid.columns[0].quantity
    sheet = Sheet(f"Paired differences. {grid.title}: {grid.subtitle}.")
    sheet.head(
        grid.title, f"{quantity.label}: difference from {grid.reference.label}, {quantity.points}"
    )
    for line in order:
        rects = sheet.row(
            [grid.name_of(grid.columns[column]) for column in line],
            left=max((width_of(line) for lines in labels for line in lines), default=0.0) + 8,
            right=max(map(width_of, marks)) + 4,
            height=sum(steps),
            slots=max(map(len, order)),
        )
        _labels(sheet, labels, steps, rects[0])
    sheet.notes(_notes(grid, [row.entries[column] for row in rows for column in columns]))
    figure, panels = sheet.figure()
    with settings():
        for line in order:
            limits = _limits([row.entries[column] for row in rows for column in line], quantity)
            for column in line:
                entries = [row.entries[column] for row in rows]
                _panel(panels.pop(0), entries, steps, limits, quantity.scale)
    return figure


def _labels(sheet: Sheet, labels: list[list[Text]], steps: list[float], rect: Rect) -> None:
    """Add the labels of the rows to the left of the first panel of a line."""
    for lines, middle in zip(labels, middles(steps), strict=True):
        y = rect.y + middle - sum(line.height for line in lines) / 2
        for line in lines:
            sheet.texts.append(Placed(MARGIN, y + line.height / 2, line))
            y += line.height


def middles(steps: Sequence[float]) -> list[float]:
    """Return the middle of every row, from the upper edge."""
    return [sum(steps[:row]) + step / 2 for row, step in enumerate(steps)]


def _limits(entries: Sequence[Entry], quantity: Quantity) -> tuple[float, float]:
    reached = [0.0]
    for entry in entries:
        if (compared := entry.comparison) is not None:
            difference = compared.difference
            margin = compared.margin or 0.0
            ends = (difference.mean, difference.low, difference.high, margin, -margin)
            reached += [end * quantity.scale for end in ends if end is not None]
    return padded(reached)


def _panel(
    axes: Axes,
    entries: Sequence[Entry],
    steps: Sequence[float],
    limits: tuple[float, float],
    scale: float,
) -> None:
    axes.set_xlim(limits)
    axes.set_ylim(sum(steps), 0)
    even(axes, "x", 5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=GRID, linewidth=0.5)
    margin = next((e.comparison.margin for e in entries if e.comparison and e.comparison.margin), 0)
    if margin:
        axes.axvspan(-margin * scale, margin * scale, color=BAND, zorder=0.5, label="margin")
    axes.axvline(0, color=INK, linewidth=0.8, zorder=1)
    behind = axes.get_yaxis_transform()
    for entry, y in zip(entries, middles(steps), strict=True):
        compared = entry.comparison
        if compared is None:
            word = Text(state_word(entry) if entry.state != MEASURED else NO_PAIR, SMALL, gray=True)
            ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
            write(axes, 0.5, y, word, "center", transform=behind, bbox=ground)
            continue
        difference, color = compared.difference, COLOR_OF.get(compared.verdict, INK)
        if difference.low is not None and difference.high is not None:
            ends = [difference.low * scale, difference.high * scale]
            axes.plot(ends, [y, y], color=color, linewidth=1.2, marker="|", markersize=4.5)
        shape, filled = SHAPES[compared.verdict]
        axes.plot(
            [difference.mean * scale],
            [y],
            color=color,
            marker=shape,
            markersize=5.5,
            markerfacecolor=color if filled else "white",
            markeredgewidth=1.1,
            linestyle="none",
        )
        label = Text(mark(entry), SMALL)
        write(axes, 1.0 + 3 / axes_width(axes), y, label, transform=behind)


def _notes(grid: Grid, entries: Sequence[Entry]) -> list[str]:
    compared = [entry.comparison for entry in entries if entry.comparison]
    pairs = sorted({comparison.difference.n for comparison in compared})
    count = f"{pairs[0]}" if len(pairs) == 1 else f"{pairs[0]} to {pairs[-1]}"
    text = "One pair per difference, so no interval can be given."
    if pairs[-1] > 1:
        percent = 100 * compared[0].difference.confidence
        text = f"Line: {percent:g}% t interval of the paired difference, {count} pairs."
    if any(comparison.margin for comparison in compared):
        text += " Gray band: margin of equivalence."
    verdicts = {MARKS[comparison.verdict] for comparison in compared}
    marks = [f"{sign} {meaning}" for sign, meaning in grid.legend if sign in verdicts]
    letters = {entry.footnote for entry in entries if entry.comparison is None}
    reasons = [f"[{letter}] {why}" for letter, why in grid.footnotes if letter in letters]
    return [text, "; ".join(marks) + ".", *reasons]
