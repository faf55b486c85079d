"""Flaws of a drawing as sentences; none if it is well laid out."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from attn_nlp.figures.drawing import Arrow, Box, Drawing
from attn_nlp.figures.render import figure, settings


def renderer_of(drawn) -> Any:
    """Return what measures the texts of a figure."""
    return drawn.canvas.get_renderer()


SLACK = 0.01  # points
INSIDE = 1.0  # between a text and the border of its box


def faults(drawing: Drawing) -> list[str]:
    """All faults of a drawing."""
    return [*texts_that_leave(drawing), *boxes_that_touch(drawing), *arrows_that_cross(drawing)]


def texts_that_leave(drawing: Drawing) -> list[str]:
    """Texts, as matplotlib draws them, that are not within the box they belong to."""
    found = []
    with settings():
        made = figure(drawing)
        (axes,), renderer = made.axes, renderer_of(made)
        to_points = axes.transData.inverted()
        drawn = iter(axes.texts)
        for box in drawing.boxes:
            inside = -SLACK if box.look == "bare" else INSIDE
            for line in box.lines:
                text = next(drawn)
                assert text.get_text() == line.content
                found += _outside(box, text.get_window_extent(renderer), to_points, inside, line)
        assert next(drawn, None) is None
    return found


def boxes_that_touch(drawing: Drawing) -> list[str]:
    """Pairs of boxes that overlap, and boxes that leave the figure."""
    found = [
        f"{_name(box)} leaves the figure"
        for box in drawing.boxes
        if not (box.x >= 0 and box.right <= drawing.width)
        or not (box.y >= 0 and box.bottom <= drawing.height)
    ]
    return found + [
        f"{_name(one)} touches {_name(other)}"
        for one, other in combinations(drawing.boxes, 2)
        if _overlap(one, other)
    ]


def arrows_that_cross(drawing: Drawing) -> list[str]:
    """Arrows that run through a box, and heads that point at none."""
    found = []
    for arrow in drawing.arrows:
        for (x0, y0), (x1, y1) in zip(arrow.points, arrow.points[1:], strict=False):
            line = Box(min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0))
            found += [
                f"an arrow runs through {_name(box)}"
                for box in drawing.boxes
                if _overlap(_grown(line), box)
            ]
        if not any(_on_border(arrow, box) for box in drawing.boxes):
            found.append(f"an arrow ends at {arrow.points[-1]}, where no box is")
    return found


def _outside(box, extent, to_points, inside, line) -> list[str]:
    x0, y1, x1, y0 = extent.transformed(to_points).extents  # y grows downward
    left, right = x0 - box.x, box.right - x1
    above, below = y0 - box.y, box.bottom - y1
    if min(left, right, above, below) >= inside:
        return []
    return [f"{line.content!r} leaves its box by {inside - min(left, right, above, below):.1f}"]


def _overlap(one: Box, other: Box) -> bool:
    across = min(one.right, other.right) - max(one.x, other.x)
    down = min(one.bottom, other.bottom) - max(one.y, other.y)
    # Boxes without a border may share an edge; an arrow may touch the border that it points at.
    return across > SLACK and down > SLACK


def _grown(line: Box) -> Box:
    """A line as a thin box, pulled back at its ends so that touching a border is no crossing."""
    thin = 0.2
    if line.width > line.height:
        return Box(line.x + thin, line.y - thin, line.width - 2 * thin, 2 * thin)
    return Box(line.x - thin, line.y + thin, 2 * thin, line.height - 2 * thin)


def _on_border(arrow: Arrow, box: Box) -> bool:
    x, y = arrow.points[-1]
    if not (box.x - SLACK <= x <= box.right + SLACK and box.y - SLACK <= y <= box.bottom + SLACK):
        return False
    return min(abs(x - box.x), abs(x - box.right), abs(y - box.y), abs(y - box.bottom)) <= SLACK


def _name(box: Box) -> str:
    return repr(" ".join(line.content for line in box.lines) or box.look)
