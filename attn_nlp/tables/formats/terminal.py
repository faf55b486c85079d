"""A table for the terminal: aligned, wrapped, and split into blocks if it is too wide.

If the whole table fits, a difference is next to its mean; otherwise it is below, and columns are
packed into blocks that keep the columns of one outermost value together.
"""

from __future__ import annotations

from collections.abc import Sequence

from attn_nlp.tables.formats import Options
from attn_nlp.tables.formats._lines import Line, Piece, clip_line, to_text, wrap
from attn_nlp.tables.formats._terminal_blocks import LABEL_WIDTH, block_lines, block_width
from attn_nlp.tables.grid import Grid
from attn_nlp.tables.legend import brief
from attn_nlp.tables.notes import Importance, chosen
from attn_nlp.wording import clean

SUFFIX = ".txt"
COMMENT = "\n{}"
DEFAULT_WIDTH = 100
LEAST_WIDTH = 40


def render(grids: Sequence[Grid], options: Options) -> str:
    """Return the tables one after another, with an empty line in between."""
    width = max(LEAST_WIDTH, options.width or DEFAULT_WIDTH)
    return "\n".join(to_text(_table(grid, width, options.caption), options.color) for grid in grids)


def _table(grid: Grid, width: int, caption: str) -> list[Line]:
    lines = _wrapped(clean(grid.title), width, "bold") + _wrapped(
        clean(grid.subtitle), width, "dim"
    )
    lines.append([])
    everything = range(len(grid.columns))
    if _width(grid, everything, width, inline=True) <= width:
        blocks, inline = [list(everything)], True
    else:
        blocks, inline = _packed(grid, width), False
    # On a very narrow terminal the parameters fit next to no number and get their own block.
    fits = all(_width(grid, block, width, inline=inline) <= width for block in blocks)
    for block in blocks if fits else [*blocks, []]:
        drawn = block_lines(
            grid,
            block,
            inline=inline,
            label_width=_label_width(width),
            counted=fits or not block,
        )
        lines += [clip_line(line, width) for line in drawn]
        lines.append([])
    legend = [f"{mark} {meaning}" for mark, meaning in grid.legend]
    if legend and caption != "full":
        legend = [brief(grid.legend)]
    for text in [*legend, *(f"[{letter}] {reason}" for letter, reason in grid.footnotes)]:
        lines += _wrapped(clean(text), width, "", hanging=4 if text.startswith("[") else 2)
    lines += [[]] if legend or grid.footnotes else []
    for text, importance in chosen(grid.caption, caption):
        style = "" if importance is Importance.WARNING else "dim"
        lines += _wrapped(clean(text), width, style, hanging=2)
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _packed(grid: Grid, width: int) -> list[list[int]]:
    """Return columns by block: as many outermost values as fit; one that is too wide is split."""
    groups: dict[object, list[int]] = {}
    for number, column in enumerate(grid.columns):
        # With one level, every column is a group of its own.
        groups.setdefault(column.values[:1] if len(column.values) > 1 else number, []).append(
            number
        )
    blocks: list[list[int]] = [[]]
    for group in groups.values():
        fits = _width(grid, group, width) <= width
        for part in [group] if fits else [[number] for number in group]:
            if blocks[-1] and _width(grid, [*blocks[-1], *part], width) > width:
                blocks.append([])
            blocks[-1] = [*blocks[-1], *part]
        if not fits:
            blocks.append([])
    return [block for block in blocks if block] or [[]]


def _width(grid: Grid, block: Sequence[int], width: int, *, inline: bool = False) -> int:
    return block_width(grid, block, inline=inline, label_width=_label_width(width))


def _label_width(width: int) -> int:
    return min(LABEL_WIDTH, width // 3)


def _wrapped(text: str, width: int, style: str, hanging: int = 0) -> list[Line]:
    first, *rest = wrap(text, width, width - hanging) or [""]
    return [[Piece(first, style)], *([Piece(" " * hanging + line, style)] for line in rest)]
