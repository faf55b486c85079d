"""Figures of results, from stored records alone.

What a report or a command calls:

    records = store.records(wanted(resolved), COLUMNS)
    for made in figures_of(resolved, records):        # every kind; or kinds=, axis=
        if isinstance(made, Drawn):
            svg_of(made.figure, prefix=made.name)     # "<svg ...>" for an HTML page
        else:
            made.title, made.reason                   # why there is no such figure

The kinds one by one take plain data: `forest(grid)`, and `draw(chart)` of a chart made by
`curves`, `sweep` or `pareto`. Each raises `Missing` rather than drawing an empty plot. Numbers
stand in the unit of the table. No figure needs JAX, matplotlib's global state or its fonts' cache.
"""

from attn_nlp.figures.results.chart import Chart, Line, Panel, Point, draw, pareto_front
from attn_nlp.figures.results.files import boxed, file_bytes, svg_of
from attn_nlp.figures.results.forest import forest
from attn_nlp.figures.results.kinds import COLUMNS, KINDS, Absent, Drawn, figures_of
from attn_nlp.figures.results.missing import Missing
from attn_nlp.figures.results.pareto import pareto
from attn_nlp.figures.results.series import axes_of, check_axis, curves, sweep

__all__ = [
    "COLUMNS",
    "KINDS",
    "Absent",
    "Chart",
    "Drawn",
    "Line",
    "Missing",
    "Panel",
    "Point",
    "axes_of",
    "boxed",
    "check_axis",
    "curves",
    "draw",
    "figures_of",
    "file_bytes",
    "forest",
    "pareto",
    "pareto_front",
    "svg_of",
    "sweep",
]
