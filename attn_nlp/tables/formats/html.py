"""HTML: a fragment for each table, for a report to embed, and a whole page for a file.

A fragment is a `figure` of class `attn-table` without script, style or reference to anything
outside it. Its classes are stable: `attn-mean`, `attn-half`, `attn-count`, `attn-difference`,
`attn-mark`, `attn-missing`, `attn-legend`, `attn-footnotes`, `attn-notes`, and one for each kind
of row and each verdict. An entry has its number in full precision as `data-value`; one that holds a
range has the value to sort by as `data-sort`. Baselines are in a separate `tbody`, so that sorting
the first one leaves them below.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

from attn_nlp.stats import Comparison
from attn_nlp.tables.formats import Options
from attn_nlp.tables.grid import BASELINE, REFERENCE, Entry, Grid, GridRow, Quantity
from attn_nlp.tables.legend import MARKS, STATE_MARKS
from attn_nlp.tables.page import page
from attn_nlp.tables.text import (
    SIGNIFICANT,
    count_text,
    number,
    parameters,
    seeds_after,
    spread,
)
from attn_nlp.wording import clean

SUFFIX = ".html"
COMMENT = "<!-- {} -->"


def render(grids: Sequence[Grid], options: Options) -> str:
    """Return a complete page with all tables, light or dark as the reader's system asks."""
    fragments = [fragment(grid, f"table-{index}") for index, grid in enumerate(grids, 1)]
    titles = ", ".join(clean(grid.title) for grid in grids)
    return page(titles, "\n".join(fragments))


def fragment(grid: Grid, name: str = "table") -> str:
    """Return one table with its caption, legend, footnotes and notes.

    Args:
      grid: the table.
      name: prefix of every id in the fragment; letters, digits and hyphens, unique in the page.

    Returns:
      HTML in which every text of the user is escaped.
    """
    title = escape(grid.title)
    below = [*_legend(grid), *_footnotes(grid, name), *_notes(grid)]
    described = f' aria-describedby="{name}-below"' if below else ""
    lines = [
        f'<figure class="attn-table" id="{name}">',
        f'<div class="attn-scroll" role="region" aria-label="{title}" tabindex="0">',
        f"<table{described}>",
        f'<caption><strong class="attn-title">{title}</strong> '
        f'<span class="attn-subtitle">{escape(grid.subtitle)}</span></caption>',
        *_head(grid),
        *_bodies(grid, name),
        "</table>",
        "</div>",
    ]
    if below:
        lines += [f'<figcaption id="{name}-below">', *below, "</figcaption>"]
    return "\n".join([*lines, "</figure>"]) + "\n"


def escape(text: str) -> str:
    """Return text that shows as it is, between tags and in quoted attributes.

    Example:
      >>> escape('<b> & "c"')
      '&lt;b&gt; &amp; &quot;c&quot;'
    """
    return html.escape(clean(text))


def _head(grid: Grid) -> list[str]:
    """Return a line for each level of the header; without levels, columns show their quantity."""
    levels = len(grid.paths)
    right = _right_heads(grid)
    spanned = f' rowspan="{levels}"' if levels > 1 else ""
    heads = [f'<th scope="col" class="attn-{head}"{spanned}>{head}</th>' for head in right]
    lines = ["<thead>"]
    for level in range(levels):
        # The name of a level is at its left, as the head of the labels next to it.
        cells = [f'<th scope="row" class="attn-path">{escape(grid.paths[level])}</th>']
        for first, last in grid.groups(level):
            label = escape(grid.columns[first].labels[level])
            wide = last > first or level + 1 < levels
            scope = f'scope="colgroup" colspan="{last - first + 1}"'
            if not wide:
                scope = f'scope="col" class="{_kind(grid.columns[first].quantity)}"'
            cells.append(f"<th {scope}>{label}</th>")
        lines.append("<tr>" + "".join([*cells, *(heads if level == 0 else [])]) + "</tr>")
    if not levels:
        cells = [
            f'<th scope="col" class="{_kind(column.quantity)}">{escape(column.quantity.label)}</th>'
            for column in grid.columns
        ]
        lines.append("<tr>" + "".join(["<td></td>", *cells, *heads]) + "</tr>")
    return [*lines, "</thead>"]


def _right_heads(grid: Grid) -> list[str]:
    counted = any(parameters(row.entries) for row in grid.rows)
    cited = any(row.cite for row in grid.rows)
    return ["parameters"] * counted + ["source"] * cited


def _bodies(grid: Grid, name: str) -> list[str]:
    lines = []
    heads = _right_heads(grid)
    for baselines in (False, True):
        rows = [row for row in grid.rows if (row.kind == BASELINE) is baselines]
        if rows:
            kind = "baselines" if baselines else "rows"
            lines += [
                f'<tbody class="attn-{kind}">',
                *(_row(grid, row, name, heads) for row in rows),
            ]
            lines.append("</tbody>")
    return lines


def _row(grid: Grid, row: GridRow, name: str, heads: Sequence[str]) -> str:
    label = escape(row.label)
    if row.kind == REFERENCE:
        label += ' <span class="attn-tag">(reference)</span>'
    cells = [f'<th scope="row">{label}</th>']
    for column, entry in zip(grid.columns, row.entries, strict=True):
        cells.append(_cell(entry, column.quantity, name))
    for head in heads:
        cells.append(_parameters(row) if head == "parameters" else _source(row))
    return f'<tr class="attn-{row.kind}">' + "".join(cells) + "</tr>"


def _parameters(row: GridRow) -> str:
    """Return the parameters of a row, sorted by the fewest of its columns."""
    fewest = [entry.parameters[0] for entry in row.entries if entry.parameters]
    value = f' data-sort="{min(fewest)}"' if fewest else ""
    return f'<td class="attn-parameters"{value}>{parameters(row.entries)}</td>'


def _source(row: GridRow) -> str:
    return f'<td class="attn-source">{escape(row.cite)}</td>'


def _cell(entry: Entry, quantity: Quantity, name: str) -> str:
    note = _reference(entry, name)
    if entry.summary is None:
        word = escape(STATE_MARKS.get(entry.state, entry.state))
        return f'<td class="attn-missing"><span class="attn-state">{word}</span>{note}</td>'
    mean = _span("mean", number(entry.summary.mean, quantity))
    value = f'data-value="{entry.summary.mean!r}"'
    if not quantity.compared:
        return f'<td class="{_kind(quantity)}" {value}>{mean}{note}</td>'
    half = _span("half", spread(entry.summary.half_width, quantity))
    score = " ".join(filter(None, [mean, half, _span("count", count_text(entry)) + note]))
    difference = "" if entry.comparison is None else _difference(entry.comparison, quantity)
    own = f'<div class="attn-own">{score}</div>'
    return f'<td class="{_kind(quantity)}" {value}>{own}{difference}</td>'


def _kind(quantity: Quantity) -> str:
    """Return the HTML class of a number and of its head."""
    return "attn-score" if quantity.compared else "attn-cost"


def _difference(compared: Comparison, quantity: Quantity) -> str:
    """Return the difference from the reference; screen readers read its mark as the verdict."""
    verdict = str(compared.verdict)
    mark = (
        f'<span class="attn-mark" role="img" aria-label="{escape(verdict)}">'
        f"{MARKS[compared.verdict]}</span>{seeds_after(compared)}"
    )
    words = [
        _span("mean", number(compared.difference.mean, quantity, signed=True)),
        _span("half", spread(compared.difference.half_width, quantity)),
        mark,
    ]
    text = " ".join(filter(None, words))
    if compared.verdict in SIGNIFICANT:
        text = f"<strong>{text}</strong>"
    slug = verdict.replace(",", "").replace(" ", "-")
    value = f'data-value="{compared.difference.mean!r}"'
    return f'<div class="attn-difference attn-{slug}" {value}>{text}</div>'


def _span(kind: str, text: str) -> str:
    return f'<span class="attn-{kind}">{escape(text)}</span>' if text else ""


def _reference(entry: Entry, name: str) -> str:
    """Return the letter of a footnote, with a link to it."""
    if not entry.footnote:
        return ""
    return f'<sup><a href="#{name}-{entry.footnote}">[{entry.footnote}]</a></sup>'


def _legend(grid: Grid) -> list[str]:
    if not grid.legend:
        return []
    pairs = (
        f"<div><dt>{escape(mark)}</dt><dd>{escape(meaning)}</dd></div>"
        for mark, meaning in grid.legend
    )
    return ['<dl class="attn-legend">', *pairs, "</dl>"]


def _footnotes(grid: Grid, name: str) -> list[str]:
    if not grid.footnotes:
        return []
    pairs = (
        f'<div id="{name}-{letter}"><dt>[{letter}]</dt><dd>{escape(reason)}</dd></div>'
        for letter, reason in grid.footnotes
    )
    return ['<dl class="attn-footnotes">', *pairs, "</dl>"]


def _notes(grid: Grid) -> list[str]:
    if not grid.notes:
        return []
    return ['<ul class="attn-notes">', *(f"<li>{escape(n)}</li>" for n in grid.notes), "</ul>"]
