"""Critical-difference diagram: mean ranks over datasets, and which of them differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attn_nlp.figures.drawing import Text, width_of
from attn_nlp.figures.library import settings
from attn_nlp.figures.render import INK
from attn_nlp.figures.results.missing import Missing
from attn_nlp.figures.results.sheet import (
    NORMAL,
    SMALL,
    Placed,
    Rect,
    Sheet,
    lines_of,
    number,
    write,
)
from attn_nlp.stats.datasets import AcrossDatasets, across_datasets
from attn_nlp.tables.attainable import p_text
from attn_nlp.tables.grid import BASELINE, Grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELS = 120.0  # widest label next to the axis, in points
AXIS = 34.0  # from the upper edge of a panel to the axis, in points
BAR = 6.0  # between bars, and from the axis to the first
FEW = 10  # datasets, below which the tests rarely decide


@dataclass(frozen=True)
class Ranked:
    """Ranks over the datasets of a table, for one value of its other columns.

    Attributes:
      title: of those columns; "" if there are none.
      across: the ranks; see `attn_nlp.stats.datasets`.
      left_out: labels of rows that are not planned on every dataset, and of datasets without a
        score of every row.
    """

    title: str
    across: AcrossDatasets
    left_out: tuple[str, ...]


def ranked(grid: Grid) -> list[Ranked]:
    """Rank the rows of a table over its datasets, by their means.

    Rows that the experiment does not plan on every dataset are left out, and then datasets without
    a score of every row: ranks among different rows are not comparable.

    Raises:
      Missing: the columns are not datasets, or fewer than two rows or datasets are left.
    """
    if "dataset" not in grid.paths:
        raise Missing("the columns of the table are not datasets to rank over")
    at = grid.paths.index("dataset")
    groups: dict[tuple, list[int]] = {}
    for index, column in enumerate(grid.columns):
        groups.setdefault((*column.values[:at], *column.values[at + 1 :]), []).append(index)
    diagrams = [diagram for columns in groups.values() if (diagram := _ranked(grid, at, columns))]
    if not diagrams:
        raise Missing("ranks need two datasets with a score for every row, and two rows")
    return diagrams


def _ranked(grid: Grid, at: int, columns: Sequence[int]) -> Ranked | None:
    everyone = [row for row in grid.rows if row.kind != BASELINE]
    rows = [row for row in everyone if all(row.entries[column].expected for column in columns)]
    whole = [column for column in columns if all(row.entries[column].summary for row in rows)]
    if len(rows) < 2 or len(whole) < 2:
        return None
    scores = {
        row.label: [summary.mean for column in whole if (summary := row.entries[column].summary)]
        for row in rows
    }
    names = [grid.columns[column].labels[at] for column in whole]
    upward = grid.columns[0].quantity.higher_is_better
    first = grid.columns[columns[0]]
    others = [
        f"{path} {label}"
        for level, (path, label) in enumerate(zip(grid.paths, first.labels, strict=True))
        if level != at
    ]
    return Ranked(
        ", ".join(others),
        across_datasets(scores, names, higher_is_better=upward),
        (
            *(row.label for row in everyone if row not in rows),
            *(grid.columns[column].labels[at] for column in columns if column not in whole),
        ),
    )


def critical_difference(title: str, subtitle: str, diagrams: Sequence[Ranked]) -> Figure:
    """Draw one axis of mean ranks for each, the best at the left; groups are joined by bars.

    Args:
      title, subtitle: of the table, and its quantity.
      diagrams: at least one; see `ranked`.

    Returns:
      The figure. In a panel x is the mean rank and y counts points downward.

    References:
      Demsar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7, 2006.
    """
    sheet = Sheet(f"Critical-difference diagram. {title}: mean ranks by {subtitle}.")
    sheet.head(title, f"mean rank by {subtitle}; 1 is the best")
    layouts = []
    for diagram in diagrams:
        left, right = _sides(diagram.across)
        room = [
            max((width_of(line) for _, lines in side for line in lines), default=0.0) + 8
            for side in (left, right)
        ]
        down = AXIS + BAR * (len(diagram.across.groups) + 1) + 4
        heights = [_heights(side, down) for side in (left, right)]
        height = max([*heights[0], *heights[1]]) + 8
        rects = sheet.row(
            [diagram.title], left=room[0], right=room[1], height=height, widest=math.inf
        )
        for side, ys, align in zip((left, right), heights, ("right", "left"), strict=True):
            _labels(sheet, rects[0], side, ys, align)
        layouts.append((left, right, heights))
    sheet.notes(_notes(diagrams))
    figure, panels = sheet.figure()
    with settings():
        for axes, rect, diagram, layout in zip(panels, sheet.rects, diagrams, layouts, strict=True):
            _draw(axes, rect, diagram.across, *layout)
    return figure


Side = list[tuple[int, list[Text]]]


def _sides(across: AcrossDatasets) -> tuple[Side, Side]:
    """Return variants and labels, the better half from the best, the worse from the worst."""
    lines = [
        lines_of(f"{name}  {across.mean_ranks[variant]:.2f}", LABELS, NORMAL)
        for variant, name in enumerate(across.variants)
    ]
    order = across.order
    half = (len(order) + 1) // 2
    left = [(variant, lines[variant]) for variant in order[:half]]
    return left, [(variant, lines[variant]) for variant in reversed(order[half:])]


def _heights(side: Side, down: float) -> list[float]:
    """Return the middle of every label, from the upper edge of the panel."""
    heights = []
    for _, lines in side:
        height = sum(line.height for line in lines)
        heights.append(down + height / 2)
        down += height + 2
    return heights


def _labels(sheet: Sheet, rect: Rect, side: Side, heights: Sequence[float], align) -> None:
    x = rect.x - 4 if align == "right" else rect.x + rect.width + 4
    for (_, lines), middle in zip(side, heights, strict=True):
        y = rect.y + middle - sum(line.height for line in lines) / 2
        for line in lines:
            sheet.texts.append(Placed(x, y + line.height / 2, line, align))
            y += line.height


def _draw(
    axes: Axes,
    rect: Rect,
    across: AcrossDatasets,
    left: Side,
    right: Side,
    heights: Sequence[Sequence[float]],
) -> None:
    count = len(across.variants)
    axes.set_axis_off()
    axes.set_xlim(1, count)
    axes.set_ylim(rect.height, 0)
    thin: dict[str, Any] = {
        "color": INK,
        "linewidth": 0.9,
        "clip_on": False,
        "solid_capstyle": "butt",
    }
    axes.plot([1, count], [AXIS, AXIS], label="axis", **thin)
    for rank in range(1, count + 1):
        axes.plot([rank, rank], [AXIS - 4, AXIS], **thin)
        write(axes, rank, AXIS - 10, Text(str(rank), SMALL), "center")
    reach = across.critical_difference
    if reach is not None:
        end = min(1 + reach, count)
        axes.plot([1, end], [14, 14], label="critical difference", marker="|", **thin)
        more = ", more than all ranks" if 1 + reach > count else ""
        write(axes, 1, 5, Text(f"critical difference {number(round(reach, 2))}{more}", SMALL))
    for level, group in enumerate(across.groups):
        y = AXIS + BAR * (level + 1)
        ends = [across.mean_ranks[variant] for variant in group]
        grown = (count - 1) * 0.006  # a bar of equal ranks would be invisible
        axes.plot(
            [min(ends) - grown, max(ends) + grown],
            [y, y],
            label=f"group {level}",
            **{**thin, "linewidth": 3.0},
        )
    for side, ys, edge in ((left, heights[0], 1), (right, heights[1], count)):
        for (variant, _), y in zip(side, ys, strict=True):
            rank = across.mean_ranks[variant]
            axes.plot(
                [rank, rank, edge], [AXIS, y, y], label=across.variants[variant], **thin, zorder=1
            )


def _notes(diagrams: Sequence[Ranked]) -> list[str]:
    first = diagrams[0].across
    notes = [
        f"Ranks of the mean scores; the dataset is the replicate. Thick bar: rows whose mean ranks "
        f"lie within Nemenyi's critical difference at {first.alpha:g} and are not shown to differ."
    ]
    for diagram in diagrams:
        across = diagram.across
        where = f"{diagram.title}: " if diagram.title else ""
        assert across.friedman is not None  # exists for two datasets and two variants
        notes.append(
            f"{where}{len(across.datasets)} datasets ({', '.join(across.datasets)}); Friedman's "
            f"test in Iman and Davenport's form, p {p_text(across.friedman.f_p)}."
            + (f" Left out, incomplete: {', '.join(diagram.left_out)}." if diagram.left_out else "")
        )
    fewest = min(len(diagram.across.datasets) for diagram in diagrams)
    if fewest < FEW:
        notes.append(f"With {fewest} datasets these tests rarely detect a difference that exists.")
    return notes
