"""Markdown as GitHub reads it: a pipe table, then the legend, the footnotes and the notes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from attn_nlp.tables.formats import Options
from attn_nlp.tables.grid import BASELINE, REFERENCE, Column, Entry, Grid, GridRow
from attn_nlp.tables.legend import brief
from attn_nlp.tables.notes import chosen
from attn_nlp.tables.text import (
    SIGNIFICANT,
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

SUFFIX = ".md"
COMMENT = "\n<!-- {} -->"
_SPECIAL = re.compile(r"([\\`*_\[\]|~$])")
# What begins a list, a heading or a rule, but only at the start of a text.
_FIRST = re.compile(r"^(\d*)([-+#=.)])")


def render(grids: Sequence[Grid], options: Options) -> str:
    """Return the tables one after another, each under a heading."""
    return "\n".join(_table(grid, options.caption) for grid in grids)


def escape(text: str) -> str:
    """Return text that shows as it is, never as a table border, markup, code or HTML.

    Example:
      >>> escape("a|b `c` <b>")
      'a\\\\|b \\\\`c\\\\` &lt;b&gt;'
    """
    text = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _FIRST.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", text))


def _table(grid: Grid, caption: str) -> str:
    counted = any(parameters(row.entries) for row in grid.rows)
    cited = any(row.cite for row in grid.rows)
    head = ["", *(_head(grid, column) for column in grid.columns)]
    head += ["parameters"] * counted + ["source"] * cited
    align = [":--", *["--:"] * len(grid.columns), *["--:"] * counted, *[":--"] * cited]
    lines = [f"### {escape(grid.title)}", "", f"{escape(grid.subtitle)}", "", _line(head)]
    lines.append(_line(align))
    for row in grid.rows:
        cells = [_label(row)]
        cells += [
            _cell(row, column, entry)
            for column, entry in zip(grid.columns, row.entries, strict=True)
        ]
        cells += [parameters(row.entries)] * counted + [escape(row.cite)] * cited
        lines.append(_line(cells))
    legend = " · ".join(f"{escape(symbol)} {escape(meaning)}" for symbol, meaning in grid.legend)
    if caption != "full":
        legend = escape(brief(grid.legend))
    lines += ["", legend] if legend else []
    notes = [f"\\[{letter}\\] {escape(reason)}" for letter, reason in grid.footnotes]
    notes += [escape(text) for text, _ in chosen(grid.caption, caption)]
    lines += ["", *(f"- {note}" for note in notes)] if notes else []
    return "\n".join(lines) + "\n"


def _head(grid: Grid, column: Column) -> str:
    if not column.labels:
        return escape(column.quantity.label)
    return escape(grid.name_of(column))


def _label(row: GridRow) -> str:
    label = escape(row.label)
    if row.kind == REFERENCE:
        return f"{label} (reference)"
    return f"*{label}*" if row.kind == BASELINE and label else label


def _cell(row: GridRow, column: Column, entry: Entry) -> str:
    if entry.summary is None:
        return escape(state_word(entry))
    quantity = column.quantity
    if not quantity.compared:
        words = [number(entry.summary.mean, quantity), escape(note_text(entry))]
        return " ".join(filter(None, words))
    half = spread(entry.summary.half_width, quantity)
    after = note_text(entry) if has_lost(entry) else tail(entry)
    words = [number(entry.summary.mean, quantity), half, escape(after)]
    text = " ".join(filter(None, words))
    text += f"<br>{escape(count_text(entry))}" if has_lost(entry) else ""
    if entry.comparison is None:
        return text
    difference = entry.comparison.difference
    words = [
        number(difference.mean, quantity, signed=True),
        spread(difference.half_width, quantity),
        mark(entry),
    ]
    second = " ".join(filter(None, words)).replace(">", "&gt;")
    if entry.comparison.verdict in SIGNIFICANT:
        second = f"**{second}**"
    return f"{text}<br>{second}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
