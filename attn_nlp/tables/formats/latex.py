"""LaTeX for a paper: one `table` environment for each table, to be included with `\\input`.

It needs no special class and few packages, named in its first lines. A table that is wider than the
line, or taller than the page together with its notes, is scaled down to fit. Numbers are typeset as
mathematics and aligned in three columns: the value, its interval, and what follows. Legend,
footnotes and notes are below the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from attn_nlp.tables.formats import Options
from attn_nlp.tables.formats._tex import HAN, code_point, escape, odd
from attn_nlp.tables.grid import (
    BASELINE,
    MEASURED,
    REFERENCE,
    Column,
    Entry,
    Grid,
    GridRow,
    Quantity,
)
from attn_nlp.tables.legend import MARKS, STATE_MARKS
from attn_nlp.tables.text import (
    MINUS,
    SIGNIFICANT,
    count_text,
    number,
    parameters,
    seeds_after,
    spread,
)
from attn_nlp.wording import clean

SUFFIX = ".tex"
COMMENT = "% {}"
# Characters of a label, and of a source, which is smaller; a longer one is set as a paragraph.
_LONGEST, _LONGEST_SMALL = 34, 40
_PARAGRAPH = r"\parbox[{position}]{{0.3\linewidth}}{{\raggedright\strut {text}\strut}}"
_TOP = r"""% Tables of attn-nlp, to be included with \input. In the preamble:
%   \usepackage{amssymb,booktabs,graphicx}"""
_TOP_HAN = r"""%   \usepackage{CJKutf8}
% The last one is for pdflatex, with the font gbsn; XeLaTeX and LuaLaTeX need a font with Chinese
% characters instead."""


def render(grids: Sequence[Grid], options: Options) -> str:
    """Return all tables, each a float with a caption and a label made from its title."""
    names = _names([grid.title for grid in grids])
    tables = [_table(grid, name) for grid, name in zip(grids, names, strict=True)]
    han = any(r"\attnhan" in table for table in tables)
    top = [_TOP, *([_TOP_HAN, HAN] if han else [])]
    return "\n".join([*top, *tables])


def _names(titles: Sequence[str]) -> list[str]:
    """Return the labels after "tab:", all different, of letters, digits and hyphens."""
    names: list[str] = []
    for title in titles:
        name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40] or "table"
        number, unused = 1, name
        while unused in names:
            number += 1
            unused = f"{name}-{number}"
        names.append(unused)
    return names


def _table(grid: Grid, name: str) -> str:
    counted = any(parameters(row.entries) for row in grid.rows)
    subtitle = f" ({escape(grid.subtitle)})" if grid.subtitle else ""
    lines = [
        r"\begin{table}[tbp]",
        # Boxes 0 and 2 are free for such use. The first is as wide as the table wants to be, the
        # second as tall as table and notes: a float that is too tall would be cut off.
        r"\setbox0=\hbox{\small\setlength{\tabcolsep}{4pt}%",
        rf"\begin{{tabular}}{{{_columns(grid, counted)}}}",
        r"\toprule",
        *_head(grid, counted),
        r"\midrule",
        *_rows(grid, counted),
        r"\bottomrule",
        r"\end{tabular}}",
        r"\setbox2=\vbox{\centering",
        rf"\caption{{{escape(grid.title)}{subtitle}}}",
        rf"\label{{tab:{name}}}",
        r"\ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\box0}\else\leavevmode\box0\fi\par",
        *_below(grid),
        "}",
        r"\ifdim\ht2>0.99\textheight\resizebox*{!}{0.99\textheight}{\box2}\else\leavevmode\box2\fi",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _columns(grid: Grid, counted: bool) -> str:
    kinds = [r"r@{\,}l@{\ }l" if column.quantity.compared else "r" for column in grid.columns]
    return "@{}l" + "".join(kinds) + "r" * counted + "@{}"


def _width(column: Column) -> int:
    """Return the number of LaTeX columns that a column takes."""
    return 3 if column.quantity.compared else 1


def _head(grid: Grid, counted: bool) -> list[str]:
    lines = []
    widths = [_width(column) for column in grid.columns]
    for level, path in enumerate(grid.paths):
        innermost = level == len(grid.paths) - 1
        cells, rules = [escape(path)], []
        for first, last in grid.groups(level):
            wide = sum(widths[first : last + 1])
            start = 2 + sum(widths[:first])
            cells.append(_spanning(grid.columns[first].labels[level], wide))
            rules.append(rf"\cmidrule(lr){{{start}-{start + wide - 1}}}")
        cells += ["parameters" if innermost else ""] * counted
        lines.append(_line(cells))
        lines += [] if innermost else ["".join(rules)]
    if not grid.paths:
        heads = [_spanning(column.quantity.label, _width(column)) for column in grid.columns]
        lines.append(_line(["", *heads, *["parameters"] * counted]))
    return lines


def _spanning(label: str, width: int) -> str:
    return rf"\multicolumn{{{width}}}{{c}}{{{_wrapped(label, 'b')}}}"


def _rows(grid: Grid, counted: bool) -> Iterator[str]:
    before = None
    for row in grid.rows:
        if before is not None:
            first_baseline = row.kind == BASELINE != before.kind
            yield r"\midrule" if first_baseline else r"\addlinespace[2pt]"
        before = row
        above, below = (
            [_label(row)],
            [rf"\footnotesize {_wrapped(row.cite, 't', _LONGEST_SMALL)}" if row.cite else ""],
        )
        for column, entry in zip(grid.columns, row.entries, strict=True):
            above += _mean(entry, column.quantity)
            below += _difference(entry, column.quantity)
        yield _line(above + [escape(parameters(row.entries))] * counted)
        if any(below):
            yield _line(below + [""] * counted)


def _label(row: GridRow) -> str:
    text = _wrapped(row.label, "t")
    return rf"\textbf{{{text}}} (reference)" if row.kind == REFERENCE else text


def _wrapped(text: str, position: str, longest: int = _LONGEST) -> str:
    if len(clean(text)) <= longest:
        return escape(text)
    return _PARAGRAPH.format(position=position, text=escape(text))


def _mean(entry: Entry, quantity: Quantity) -> list[str]:
    """Return the content of the LaTeX columns of one number; a word instead of one spans them."""
    note = rf"\textsuperscript{{{entry.footnote}}}" if entry.footnote else ""
    if entry.state != MEASURED or entry.summary is None:
        word = escape(STATE_MARKS.get(entry.state, entry.state))
        spans = "{3}{l}" if quantity.compared else "{1}{r}"
        return [rf"\multicolumn{spans}{{{word}{note}}}"]
    value = _math(number(entry.summary.mean, quantity))
    if not quantity.compared:
        return [value + note]
    half = _math(spread(entry.summary.half_width, quantity))
    return [value, half, escape(count_text(entry)) + note]


def _difference(entry: Entry, quantity: Quantity) -> list[str]:
    compared = entry.comparison
    if compared is None:
        return [""] * (3 if quantity.compared else 1)
    bold = compared.verdict in SIGNIFICANT
    value = _math(number(compared.difference.mean, quantity, signed=True), bold=bold)
    half = _math(spread(compared.difference.half_width, quantity), bold=bold)
    return [value, half, escape(MARKS[compared.verdict]) + escape(seeds_after(compared))]


def _math(text: str, *, bold: bool = False) -> str:
    """Return a printed number as mathematics, where "," is not punctuation and "-" is a minus."""
    if not text:
        return ""
    text = text.replace(",", "{,}").replace(MINUS, "-").replace("±", r"\pm ")
    return rf"$\mathbf{{{text}}}$" if bold else f"${text}$"


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _below(grid: Grid) -> list[str]:
    """Return marks, reasons and notes, in small print across the width of the text."""
    marks = r";\quad ".join(f"{escape(mark)} {escape(meaning)}" for mark, meaning in grid.legend)
    reasons = [
        rf"\textsuperscript{{{letter}}} {escape(reason)}" for letter, reason in grid.footnotes
    ]
    notes = [escape(note) for note in grid.notes]
    notes += [_named(character) for character in odd(_texts(grid))]
    paragraphs = [*([marks] if marks else []), *reasons, *([" ".join(notes)] if notes else [])]
    if not paragraphs:
        return []
    return [
        r"\medskip",
        r"\begin{minipage}[b]{\linewidth}\scriptsize\raggedright",
        "\n\n".join(paragraphs),
        r"\end{minipage}",
    ]


def _named(character: str) -> str:
    import unicodedata

    name = unicodedata.name(character, "a character without a name").lower()
    return rf"\texttt{{{code_point(character)}}} stands for: {name}."


def _texts(grid: Grid) -> Iterator[str]:
    """Yield every text of a table that is printed."""
    yield from (grid.title, grid.subtitle, *grid.paths, *grid.notes)
    for column in grid.columns:
        yield from (*column.labels, column.quantity.label)
    for row in grid.rows:
        yield from (row.label, row.cite)
    for letter, text in (*grid.legend, *grid.footnotes):
        yield from (letter, text)
