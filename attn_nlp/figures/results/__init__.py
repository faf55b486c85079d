"""Figures of results, from stored records alone.

A report or a command calls:

    records = store.records(resolved.wanted, columns(kinds), own=True)
    for made in figures_of(resolved, records, kinds):     # some of KINDS; all by default
        if isinstance(made, Drawn):
            svg_of(made.figure, prefix=made.name)         # "<svg ...>" for an HTML page
        else:
            made.title, made.reason                       # why this figure cannot be drawn

The functions for single kinds take plain data: `forest(grid)`; `draw(chart)` of a chart made by
`curves`, `sweep`, `pareto`, `best_of`, `found_by` or `by_setting`; `critical_difference(title,
subtitle, ranked(grid))`; `reliability(title, subtitle, {row: runs})`. Each raises `Missing` rather
than drawing an empty plot. Numbers are in the unit of the table. No figure needs JAX or the global
state of matplotlib.
"""

from attn_nlp.figures.results.best_of import best_of
from attn_nlp.figures.results.calibration import Run, calibrations, reliability
from attn_nlp.figures.results.chart import Chart, Line, Panel, Point, draw, pareto_front
from attn_nlp.figures.results.files import boxed, file_bytes, svg_of
from attn_nlp.figures.results.forest import forest
from attn_nlp.figures.results.kinds import (
    COLUMNS,
    KINDS,
    Absent,
    Drawn,
    check_kinds,
    columns,
    figures_of,
)
from attn_nlp.figures.results.missing import Missing
from attn_nlp.figures.results.pareto import pareto
from attn_nlp.figures.results.ranks import Ranked, critical_difference, ranked
from attn_nlp.figures.results.series import axes_of, check_axis, curves, sweep
from attn_nlp.figures.results.trials import by_setting, found_by

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
    "Ranked",
    "Run",
    "axes_of",
    "best_of",
    "boxed",
    "by_setting",
    "calibrations",
    "check_axis",
    "check_kinds",
    "columns",
    "critical_difference",
    "curves",
    "draw",
    "figures_of",
    "file_bytes",
    "forest",
    "found_by",
    "pareto",
    "pareto_front",
    "ranked",
    "reliability",
    "svg_of",
    "sweep",
]
