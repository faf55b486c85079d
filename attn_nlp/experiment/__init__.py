"""Experiments as data: cells, axes, tables, identity."""

from attn_nlp.experiment.axes import Axis, Skip, skip, together, vary
from attn_nlp.experiment.cell import Attention, Cell
from attn_nlp.experiment.definition import Experiment
from attn_nlp.experiment.resolved import Resolved
from attn_nlp.experiment.table import Row, Table
from attn_nlp.experiment.tuning import Span, Tuning, log_uniform, uniform

__all__ = [
    "Attention",
    "Axis",
    "Cell",
    "Experiment",
    "Resolved",
    "Row",
    "Skip",
    "Span",
    "Table",
    "Tuning",
    "log_uniform",
    "skip",
    "together",
    "uniform",
    "vary",
]
