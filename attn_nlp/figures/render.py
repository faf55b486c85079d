"""From a drawing to a file, by matplotlib; the same bytes every time.

Looks differ in border and corners as well as in color, so that they remain distinct in print.
Colors are tints of the Okabe-Ito palette, which color-blind readers can distinguish. Text is drawn
as outlines, in the font that comes with matplotlib if it has the characters (`fonts.py`).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from attn_nlp.figures.drawing import (
    GRID_CELL,
    PAD_X,
    PAD_Y,
    Arrow,
    Box,
    Drawing,
    grid_height,
)
from attn_nlp.figures.fonts import properties
from attn_nlp.figures.library import settings
from attn_nlp.figures.marks import PNG, marked
from attn_nlp.files.outputs import replace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("svg", "png")
INK, GRAY = "#1a1a1a", "#5c5c5c"
_DPI = 200
_HEAD = 5.0  # length of an arrow's head


@dataclass(frozen=True)
class Look:
    """The style of a box."""

    ground: str = "none"
    border: str = "none"
    line: float = 0.0
    dashes: str | tuple = "solid"
    round: float = 0.0


LOOKS = {
    "bare": Look(),
    "data": Look("#ffffff", INK, 0.8),
    "step": Look("#ececec", "#8a8a8a", 0.8, round=5.0),
    "own": Look("#f9dda0", INK, 2.0, round=5.0),
    "array": Look("#cdebe1", "#006f51", 1.2, (0, (4, 2))),
    "setting": Look("#dcf0fb", "#00588a", 1.2, (0, (1, 1.6))),
    "formula": Look("#f5f5f5", "#d0d0d0", 0.6),
}


@settings()
def figure(drawing: Drawing) -> Figure:
    """Return the drawing as a matplotlib figure, one point of the drawing per point of paper."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    result = Figure(figsize=(drawing.width / 72, drawing.height / 72), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(result)
    axes = result.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, drawing.width)
    axes.set_ylim(drawing.height, 0)
    for arrow in drawing.arrows:
        _draw_arrow(axes, arrow)
    for box in drawing.boxes:
        _draw_box(axes, box)
    return result


def save(drawing: Drawing, folder: Path, formats: tuple[str, ...] = FORMATS) -> list[Path]:
    """Write the drawing in every format and return the paths.

    Raises:
      UserError: the folder cannot be made or written.
    """
    paths = [folder / f"{drawing.name}.{format}" for format in formats]
    plain = {
        "svg": {"Date": None, "Creator": None, "Title": drawing.title},
        "png": {**PNG, "Title": drawing.title},
    }
    with settings():
        rendered = figure(drawing)
        for path, format in zip(paths, formats, strict=True):
            content = io.BytesIO()
            rendered.savefig(content, format=format, metadata=plain[format])
            drawn = content.getvalue()
            replace(path, marked(drawn) if format == "svg" else drawn)
    return paths


def _draw_box(axes: Axes, box: Box) -> None:
    from matplotlib.patches import FancyBboxPatch

    look = LOOKS[box.look]
    if look != LOOKS["bare"]:
        style = f"round,pad=0,rounding_size={look.round}" if look.round else "square,pad=0"
        axes.add_patch(
            FancyBboxPatch(
                (box.x, box.y),
                box.width,
                box.height,
                boxstyle=style,
                facecolor=look.ground,
                edgecolor=look.border,
                linewidth=look.line,
                linestyle=look.dashes,
                zorder=2,
            )
        )
    _draw_lines(axes, box)
    _draw_grid(axes, box)


def _draw_lines(axes: Axes, box: Box) -> None:
    inner = sum(line.height for line in box.lines) + grid_height(box.grid)
    y = box.y + (box.height - inner) / 2
    for line in box.lines:
        # This baseline puts capitals in the middle of the line.
        base = y + line.height / 2 + 0.36 * line.size
        y += line.height
        x = box.middle if box.centered else box.x + (0 if box.look == "bare" else PAD_X)
        axes.text(
            x,
            base,
            line.content,
            fontproperties=properties(line.content, line.size, bold=line.bold, mono=line.mono),
            color=GRAY if line.gray else INK,
            ha="center" if box.centered else "left",
            va="baseline",
            parse_math=False,
            zorder=3,
        )


def _draw_grid(axes: Axes, box: Box) -> None:
    from matplotlib.patches import Rectangle

    for row, levels in enumerate(box.grid):
        left = box.middle - len(levels) * GRID_CELL / 2
        top = box.bottom - PAD_Y - (len(box.grid) - row) * GRID_CELL
        for column, level in enumerate(levels):
            corner = (left + column * GRID_CELL, top)
            shade = f"{1 - 0.85 * level:.3f}"
            axes.add_patch(
                Rectangle(
                    corner, GRID_CELL, GRID_CELL, facecolor=shade, edgecolor=GRAY, lw=0.4, zorder=3
                )
            )


def _draw_arrow(axes: Axes, arrow: Arrow) -> None:
    from matplotlib.patches import Polygon

    (x0, y0), (x1, y1) = arrow.points[-2:]
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    base = (x1 - dx * _HEAD, y1 - dy * _HEAD)
    points = [*arrow.points[:-1], base]
    axes.plot(*zip(*points, strict=True), color=INK, lw=1.0, solid_joinstyle="round", zorder=1)
    wing = _HEAD * 0.42
    corners = [(x1, y1), (base[0] - dy * wing, base[1] + dx * wing)]
    corners.append((base[0] + dy * wing, base[1] - dx * wing))
    axes.add_patch(Polygon(corners, facecolor=INK, edgecolor="none", zorder=1))
