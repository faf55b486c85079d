"""Numbers against a numeric axis, a line for every row and a panel for every column, as data.

In: plain points in the unit in which they are printed. Out: a figure. Learning curves, sweeps over
a setting and curves of the best of k are charts; `series.py` computes their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from attn_nlp.figures.drawing import Text, width_of
from attn_nlp.figures.library import settings
from attn_nlp.figures.render import GRAY
from attn_nlp.figures.results.arrange import MOST, arranged
from attn_nlp.figures.results.missing import Missing
from attn_nlp.figures.results.sheet import (
    GRID,
    SMALL,
    Sheet,
    Style,
    even,
    padded,
    padded_ratio,
    plain,
    spread_out,
    style,
    ticks,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT = 118.0  # of a panel, in points
CAP: dict[str, Any] = {
    "linestyle": "none",
    "marker": "_",
    "markersize": 3.5,
    "markeredgewidth": 0.9,
}
FEW = 14  # points of a line that are all marked
APART = 2.0  # points of paper between the intervals of two rows at one x


@dataclass(frozen=True)
class Point:
    """A value y at x, with its interval; `low` and `high` are None if there is none."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Line:
    """The points of one row in one panel, by ascending x; one of them may be ringed."""

    label: str
    points: tuple[Point, ...]
    ringed: Point | None = None


@dataclass(frozen=True)
class Panel:
    """One column: its values from the outermost, its title, and a line for every row.

    Attributes:
      levels: a value at every level of the header; panels of one outermost value share a scale.
      title: above the panel.
      lines: rows without any point are left out.
      references: (label, y) of numbers that do not depend on x, such as a baseline.
    """

    levels: tuple[object, ...]
    title: str
    lines: tuple[Line, ...]
    references: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Chart:
    """The content of a chart.

    Attributes:
      title, subtitle: its subject, and the quantity on the vertical axis with its unit.
      axis: the name of the horizontal axis.
      labels: of all rows in the order of the table, which decides their styles.
      panels: at least one with a line.
      reference: the label of the row that is drawn thicker; "" for none.
      band: draw intervals as bands, for many points, instead of bars.
      named: put ticks at the points, if there are few, instead of at round numbers.
      joined: join the points of a row by a line.
      front: one point per row; those that no other point beats in both are joined and filled.
      upward: True if a higher y is better.
      notes: small print below.
    """

    title: str
    subtitle: str
    axis: str
    labels: tuple[str, ...]
    panels: tuple[Panel, ...]
    reference: str = ""
    band: bool = False
    named: bool = True
    joined: bool = True
    front: bool = False
    upward: bool = True
    notes: tuple[str, ...] = field(default=())


def draw(chart: Chart) -> Figure:
    """Draw a chart.

    Returns:
      The figure, with x on a logarithmic axis if all are above zero and the largest is at least
      four times the smallest. Panels of one row share the limits of y and, except for fronts, of x.

    Raises:
      Missing: no panel has a point.
    """
    panels = [panel for panel in chart.panels if any(line.points for line in panel.lines)]
    if not panels:
        raise Missing("no finished run has the numbers")
    shown = [label for label in chart.labels if any(_line(panel, label) for panel in panels)]
    looks = {
        label: style(
            index, strong=label == chart.reference, joined=chart.joined and not chart.front
        )
        for index, label in enumerate(chart.labels)
    }
    points = [point for panel in panels for line in panel.lines for point in line.points]
    logarithmic = not chart.band and spread_out([point.x for point in points])
    references = dict.fromkeys(label for panel in panels for label, _ in panel.references)
    others = {label: _reference(index) for index, label in enumerate(references)}
    sheet = Sheet(f"{chart.title}: {chart.subtitle}, by {chart.axis}.")
    sheet.head(chart.title, chart.subtitle)
    order = arranged([panel.levels for panel in panels])
    left = max(_left(_heights([panels[index] for index in row])) for row in order)
    for row in order:
        sheet.row(
            [panels[index].title for index in row],
            left=left,
            height=HEIGHT,
            between=20.0,
            slots=min(MOST, max(map(len, order))),
            axis=chart.axis,
        )
    named = [
        (label + " (reference)" * (label == chart.reference), looks[label])
        for label in shown
        if len(chart.labels) > 1 or label
    ]
    sheet.keys([*named, *others.items()])
    sheet.notes(chart.notes)
    figure, axes = sheet.figure()
    with settings():
        for row in order:
            together = [panels[index] for index in row]
            for index, panel in zip(row, together, strict=True):
                alike = [panel] if chart.front else together
                _limits(axes[index], alike, together, logarithmic=logarithmic)
                _axes(axes[index], panel, first=index == row[0], named=chart.named)
                apart = APART if chart.joined and not (chart.band or chart.front) else 0.0
                _draw(axes[index], panel, looks, others, shown, band=chart.band, apart=apart)
                if chart.front:
                    _draw_front(axes[index], panel, looks, upward=chart.upward)
    return figure


def pareto_front(points: Sequence[Point], *, upward: bool = True) -> list[Point]:
    """Return the points that no other point beats in x or y without being worse in the other.

    Returns:
      By ascending x; points that are equal in both are all kept.

    Example:
      >>> [p.x for p in pareto_front([Point(1, 5), Point(2, 4), Point(3, 9)])]
      [1, 3]
    """
    sign = 1 if upward else -1

    def beaten(point: Point) -> bool:
        return any(
            other.x <= point.x
            and sign * other.y >= sign * point.y
            and (other.x, other.y) != (point.x, point.y)
            for other in points
        )

    return sorted((p for p in points if not beaten(p)), key=lambda p: (p.x, p.y))


def _line(panel: Panel, label: str) -> tuple[Point, ...]:
    return next((line.points for line in panel.lines if line.label == label), ())


def _reference(index: int) -> Style:
    """Return the style of a level that does not depend on x: gray, with dashes of its own."""
    dashes = ((0, (6, 3)), (0, (1, 2)), (0, (8, 2, 1, 2)))
    return Style(GRAY, "", dashes[index % len(dashes)], 1.0)


def _heights(panels: Sequence[Panel]) -> list[float]:
    ends = [
        end
        for panel in panels
        for line in panel.lines
        for point in line.points
        for end in (point.y, point.low, point.high)
        if end is not None
    ]
    return ends + [y for panel in panels for _, y in panel.references]


def _left(heights: Sequence[float]) -> float:
    """Return the room for the labels of the vertical axis."""
    low, high = padded(heights)
    digits = "0.00" if high - low < 1 else "0.0" if high - low < 5 else ""
    return width_of(Text(f"−{max(abs(low), abs(high)):.0f}{digits}", SMALL)) + 6


def _limits(
    axes: Axes, across: Sequence[Panel], upward: Sequence[Panel], *, logarithmic: bool
) -> None:
    """Set limits that hold the points of panels: x for those in `across`, y for `upward`."""
    xs = [point.x for panel in across for line in panel.lines for point in line.points]
    if logarithmic:
        axes.set_xscale("log")
    axes.set_xlim(padded_ratio(xs) if logarithmic else padded(xs))
    axes.set_ylim(padded(_heights(upward)))


def _axes(axes: Axes, panel: Panel, *, first: bool, named: bool) -> None:
    xs = sorted({point.x for line in panel.lines for point in line.points})
    if named and len(xs) <= FEW:
        ticks(axes, "x", xs)
    else:
        even(axes, "x", 4)
    even(axes, "y", 6)
    if not first:
        axes.tick_params(labelleft=False)
    axes.grid(axis="y", color=GRID, linewidth=0.5)


def _draw(
    axes: Axes,
    panel: Panel,
    looks: dict[str, Style],
    others: dict[str, Style],
    shown: Sequence[str],
    *,
    band: bool,
    apart: float,
) -> None:
    from matplotlib.transforms import ScaledTranslation

    for label, y in panel.references:
        look = others[label]
        axes.axhline(y, color=look.color, linestyle=look.dashes, linewidth=look.line, zorder=1)
    for line in panel.lines:
        if not line.points:
            continue
        look = looks[line.label]
        x = [point.x for point in line.points]
        shift = apart * (shown.index(line.label) - (len(shown) - 1) / 2) / 72
        moved = axes.transData + ScaledTranslation(shift, 0, axes.figure.dpi_scale_trans)
        known = [
            (point.x, point.low, point.high)
            for point in line.points
            if point.low is not None and point.high is not None
        ]
        at, lows, highs = ([interval[part] for interval in known] for part in range(3))
        if band and len(at) > 1:
            axes.fill_between(at, lows, highs, color=look.color, alpha=0.18, lw=0, zorder=1.5)
        else:
            axes.vlines(at, lows, highs, color=look.color, linewidth=0.9, transform=moved)
            for ends in (lows, highs):
                axes.plot(at, ends, color=look.color, transform=moved, zorder=2, **CAP)
        axes.plot(
            x,
            [point.y for point in line.points],
            markevery=max(1, len(x) // FEW),
            transform=moved,
            zorder=3,
            label=line.label,
            **plain(look),
        )
        if line.ringed is not None:
            axes.plot(
                [line.ringed.x],
                [line.ringed.y],
                color=look.color,
                marker="o",
                markersize=10.0,
                markerfacecolor="none",
                zorder=3,
                label="ring",
            )


def _draw_front(axes: Axes, panel: Panel, looks: dict[str, Style], *, upward: bool) -> None:
    """Draw a staircase through the front, and hollow marks for the points that are not on it."""
    front = pareto_front([p for line in panel.lines for p in line.points], upward=upward)
    if not front:
        return
    axes.step(
        [*(point.x for point in front), axes.get_xlim()[1]],
        [*(point.y for point in front), front[-1].y],
        where="post",
        color=GRAY,
        linewidth=0.9,
        zorder=1,
        label="front",
    )
    for line in panel.lines:
        if line.points and line.points[0] not in front:
            drawn = next(artist for artist in axes.lines if artist.get_label() == line.label)
            drawn.set_markerfacecolor("white")
