"""One block of a terminal table: row labels, some columns, and a rule above the baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from attn_nlp.stats import Verdict
from attn_nlp.tables.formats._lines import Line, Piece, pad, width_of, wrap
from attn_nlp.tables.grid import BASELINE, REFERENCE, Entry, Grid, GridRow, Quantity
from attn_nlp.tables.text import (
    count_text,
    has_lost,
    mark,
    note_text,
    number,
    parameters,
    spread,
    state_word,
    tail,
)
from attn_nlp.wording import clean

GAP = "   "
LABEL_WIDTH = 34  # longer labels are wrapped, on a narrow terminal sooner
_STYLES = {
    Verdict.BETTER: "bold green",
    Verdict.WORSE: "bold red",
    Verdict.BETTER_WITHIN_MARGIN: "bold green",
    Verdict.WORSE_WITHIN_MARGIN: "bold red",
    Verdict.EQUIVALENT: "cyan",
    Verdict.UNDECIDED: "dim",
}


@dataclass(frozen=True)
class _Shown:
    """A number in three aligned parts, or a word instead of one."""

    parts: tuple[str, str, str] | None = None
    word: str = ""
    style: str = ""


def block_width(grid: Grid, block: Sequence[int], **style) -> int:
    """Return the width of a block in terminal columns; `style` as for `block_lines`."""
    return max(map(width_of, block_lines(grid, block, **style)), default=0)


def block_lines(
    grid: Grid,
    block: Sequence[int],
    *,
    inline: bool,
    label_width: int = LABEL_WIDTH,
    counted: bool = True,
) -> list[Line]:
    """Return header and rows of some columns; for an empty block, the parameters of all columns.

    Args:
      grid: the table.
      block: indices of the columns.
      inline: True to put a difference next to its mean, and sources in a column.
      label_width: terminal columns at which labels of rows and columns are wrapped.
      counted: True to show the parameters at the right.
    """
    columns = [_column(grid, number, label_width, inline=inline) for number in block]
    columns = _widened(grid, block, columns, label_width)
    numbers = (block or range(len(grid.columns))) if counted else []
    counts = [parameters(row.entries[number] for number in numbers) for row in grid.rows]
    stubs = [_stub(row, label_width, inline=inline) for row in grid.rows]
    paths = [clean(path) for path in grid.paths] if block else []
    stub = max([*map(cell_len, paths), *(width_of(line) for label in stubs for line in label)])
    right = _right(grid, counts, inline=inline)
    lines: list[Line] = []
    for level, path in enumerate(paths):
        for at, heads in enumerate(_heads(grid, block, columns, level, label_width)):
            lines.append([Piece(pad("" if at else path, stub), "dim"), *heads])
    lines = lines or [[Piece(" " * stub), *(Piece(GAP + " " * column.width) for column in columns)]]
    lines[-1] = [*lines[-1], *(Piece(GAP + head, "dim") for head in right.heads)]
    if not any(piece.text.strip() for piece in lines[-1]):
        lines.pop()
    body = [
        _body(stubs[index], stub, columns, index, right.texts[index])
        for index in range(len(grid.rows))
    ]
    width = max(width_of(line) for line in [*lines, *(line for row in body for line in row)])
    lines.append([Piece("─" * width, "dim")])
    for index, row in enumerate(grid.rows):
        first_baseline = row.kind == BASELINE and (
            index == 0 or grid.rows[index - 1].kind != BASELINE
        )
        if first_baseline and index:
            lines.append([Piece("─" * width, "dim")])
        elif index and not inline and row.kind != BASELINE:
            lines.append([])
        lines += body[index]
    return lines


def _body(
    label: list[Line], stub: int, columns: list[_Column], row: int, right: list[str]
) -> list[Line]:
    """Return the lines of one row: label, entries, and on the first line the texts at the right."""
    cells = [column.cells[row] for column in columns]
    lines = []
    for at in range(max(len(label), *(len(cell) for cell in [[], *cells]))):
        parts = [_filled(label, at, stub)]
        for cell, column in zip(cells, columns, strict=True):
            parts.append(_filled(cell, at, column.width))
        parts += [[Piece(text, "dim")] for text in right] if at == 0 else []
        lines.append(_joined(parts))
    return lines


@dataclass(frozen=True)
class _Column:
    """The entries of a column as lines, by row, all of the same width."""

    cells: list[list[Line]]
    width: int


@dataclass(frozen=True)
class _Right:
    """The texts at the right of the columns: heads and, for each row, texts."""

    heads: list[str]
    texts: list[list[str]]


def _right(grid: Grid, counts: list[str], *, inline: bool) -> _Right:
    heads: list[str] = []
    texts: list[list[str]] = [[] for _ in grid.rows]
    sources = [clean(row.cite) for row in grid.rows]
    wanted = [("parameters", counts, True), ("source", sources if inline else [], False)]
    for head, given, right in wanted:
        if not any(given):
            continue
        width = max(map(cell_len, [head, *given]))
        heads.append(pad(head, width, right=right))
        for text, of_row in zip(given, texts, strict=True):
            of_row.append(pad(text, width, right=right))
    return _Right(heads, texts)


def _stub(row: GridRow, width: int, *, inline: bool) -> list[Line]:
    """Return the label and, if there is no column for sources, the source below it."""
    style = "bold" if row.kind == REFERENCE else ""
    label = clean(row.label) + (" (reference)" if row.kind == REFERENCE else "")
    lines: list[Line] = [[Piece(line, style)] for line in wrap(label, width) or [""]]
    if not inline:
        lines += [[Piece(line, "dim")] for line in wrap(clean(row.cite), width)]
    return lines


def _column(grid: Grid, number: int, label_width: int, *, inline: bool) -> _Column:
    quantity = grid.columns[number].quantity
    means = [_mean(row.entries[number], quantity, inline=inline) for row in grid.rows]
    differences = [_difference(row, row.entries[number], quantity) for row in grid.rows]
    if inline:
        left, right = _aligned(means), _aligned(differences)
        wide = any(width_of(line) for line in right)
        cells = [
            [[*mean, Piece("  "), *difference] if wide else mean]
            for mean, difference in zip(left, right, strict=True)
        ]
    else:
        counts = [_count(row.entries[number], quantity, label_width) for row in grid.rows]
        both = _aligned([*means, *differences])
        above, below = both[: len(means)], both[len(means) :]
        cells = [
            [mean, *lost, difference]
            if any(piece.text.strip() for piece in difference)
            else [mean, *lost]
            for mean, lost, difference in zip(above, counts, below, strict=True)
        ]
    return _Column(cells, max(width_of(line) for cell in cells for line in cell))


def _mean(entry: Entry, quantity: Quantity, *, inline: bool) -> _Shown:
    if entry.summary is None:
        return _Shown(word=state_word(entry), style="dim")
    if not quantity.compared:
        return _Shown((number(entry.summary.mean, quantity), "", note_text(entry)))
    half = spread(entry.summary.half_width, quantity)
    after = tail(entry) if inline or not has_lost(entry) else note_text(entry)
    return _Shown((number(entry.summary.mean, quantity), half, after))


def _count(entry: Entry, quantity: Quantity, width: int) -> list[Line]:
    """Return the lines below a mean that say how many runs it lacks, and why."""
    if not (quantity.compared and has_lost(entry)):
        return []
    return [[Piece(line)] for line in wrap(count_text(entry), width)]


def _difference(row: GridRow, entry: Entry, quantity: Quantity) -> _Shown:
    if row.kind == REFERENCE and entry.summary and quantity.compared:
        return _Shown(word="reference", style="dim")
    if entry.comparison is None:
        return _Shown()
    difference = entry.comparison.difference
    return _Shown(
        (
            number(difference.mean, quantity, signed=True),
            spread(difference.half_width, quantity),
            mark(entry),
        ),
        style=_STYLES[entry.comparison.verdict],
    )


def _aligned(shown: Sequence[_Shown]) -> list[Line]:
    """Return lines of the same width, with numbers and ± aligned, and words at the left."""
    parts = [item.parts for item in shown if item.parts]
    widths = [max((cell_len(part[i]) for part in parts), default=0) for i in range(3)]
    lines: list[Line] = []
    for item in shown:
        if item.parts is None:
            text = item.word
        else:
            value, half, after = item.parts
            text = pad(value, widths[0], right=True)
            text += (" " + pad(half, widths[1])) if widths[1] else ""
            text += (" " + after) if after else ""
        lines.append([Piece(text.rstrip(), item.style)])
    width = max(map(width_of, lines))
    return [[*line, Piece(" " * (width - width_of(line)))] for line in lines]


def _widened(
    grid: Grid, block: Sequence[int], columns: list[_Column], label_width: int
) -> list[_Column]:
    """Widen columns to fit their heads; the last of a group makes room for the group's head."""
    widths = [column.width for column in columns]
    for level in reversed(range(len(grid.paths))):
        for first, last in grid.groups(level, block):
            own = _across(widths[first : last + 1])
            label = _head(grid, block[first], level, max(label_width, own))
            widths[last] += max(0, *(cell_len(line) - own for line in label))
    return [_Column(column.cells, width) for column, width in zip(columns, widths, strict=True)]


def _across(widths: Sequence[int]) -> int:
    """Return the width of columns side by side, in terminal columns."""
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _head(grid: Grid, number: int, level: int, width: int) -> list[str]:
    """Return the label of a column at a level, wrapped to a width."""
    return wrap(clean(grid.columns[number].labels[level]), width) or [""]


def _heads(
    grid: Grid, block: Sequence[int], columns: list[_Column], level: int, label_width: int
) -> list[Line]:
    """Return one level of the header; a label above several columns gets a rule across them."""
    labels = []
    for first, last in grid.groups(level, block):
        width = _across([column.width for column in columns[first : last + 1]])
        labels.append(
            (first < last, width, _head(grid, block[first], level, max(label_width, width)))
        )
    lines: list[Line] = []
    for at in range(max(len(label) for _, _, label in labels)):
        line: Line = []
        for several, width, label in labels:
            text = label[at] if at < len(label) else ""
            ruled = several and at == 0
            rule = " " + "─" * (width - cell_len(text) - 1) if ruled else ""
            line += [
                Piece(GAP),
                Piece(text, "bold"),
                Piece(pad(rule, width - cell_len(text)), "dim"),
            ]
        lines.append(line)
    return lines


def _filled(lines: list[Line], at: int, width: int) -> Line:
    line = lines[at] if at < len(lines) else []
    return [*line, Piece(" " * (width - width_of(line)))]


def _joined(cells: list[Line]) -> Line:
    joined = list(cells[0])
    for cell in cells[1:]:
        joined += [Piece(GAP), *cell]
    return joined
