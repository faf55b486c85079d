"""Flaws of a finished figure as sentences, and the texts on it."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from matplotlib.text import Text

from attn_nlp.figures.render import settings
from tests.figures.measuring import renderer_of

SLACK = 0.5  # pixels


def faults(figure) -> list[str]:
    """Texts that leave the figure or are cut off by their panel, and pairs that overlap."""
    with settings():
        figure.canvas.draw()
        boxes = [(text.get_text(), extent(text)) for text in texts(figure)]
    right, top = figure.bbox.x1, figure.bbox.y1
    found = [
        f"{text.get_text()!r} is cut off"
        for text in texts(figure)
        if text.axes is not None and text.get_clip_on() and not _inside(text.axes.bbox, text)
    ]
    found += [
        f"{said!r} leaves the figure"
        for said, (x0, y0, x1, y1) in boxes
        if x0 < 0 or y0 < 0 or x1 > right or y1 > top
    ]
    return found + [
        f"{one!r} overlaps {other!r}"
        for (one, a), (other, b) in combinations(boxes, 2)
        if min(a[2], b[2]) - max(a[0], b[0]) > SLACK and min(a[3], b[3]) - max(a[1], b[1]) > SLACK
    ]


def _inside(panel, text: Text) -> bool:
    x0, y0, x1, y1 = extent(text)
    return panel.x0 <= x0 and x1 <= panel.x1 and panel.y0 <= y0 and y1 <= panel.y1


def texts(figure) -> list[Text]:
    """Every text that is drawn."""
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def extent(text: Text) -> tuple[float, float, float, float]:
    """Left, lower, right and upper edge of the letters, without a ground behind them."""
    with settings():
        return text.get_window_extent(renderer_of(text.get_figure(root=True))).extents


def words(figure) -> str:
    """All that is said on a figure, line by line."""
    return "\n".join(text.get_text() for text in texts(figure))


def panels(figure) -> list:
    """The panels without the page below them."""
    return [axes for axes in figure.axes if axes.get_label() == "panel"]


def line(axes, label: str):
    """The line of a row in a panel: its points as an array (N, 2)."""
    (found,) = [each for each in axes.lines if each.get_label() == label]
    return np.column_stack(found.get_data())


def pixels(figure) -> np.ndarray:
    """The figure as (height, width, 3) numbers from 0 to 255."""
    with settings():
        figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]
