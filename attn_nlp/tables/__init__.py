"""Tables: stored records in, one `Grid` out, written in any format.

Nothing here imports JAX, so a table prints at once.
"""

from collections.abc import Sequence

from attn_nlp.tables.attainable import Attainable, attainable
from attn_nlp.tables.formats import FORMATS, Options, render, suffix
from attn_nlp.tables.grid import Column, Entry, Grid, GridRow, Quantity
from attn_nlp.tables.quantities import QUANTITIES, quantity
from attn_nlp.tables.views.cost import cost
from attn_nlp.tables.views.scores import build

__all__ = [
    "FORMATS",
    "QUANTITIES",
    "Attainable",
    "Column",
    "Entry",
    "Grid",
    "GridRow",
    "Options",
    "Quantity",
    "attainable",
    "build",
    "cost",
    "csv",
    "html",
    "markdown",
    "quantity",
    "render",
    "suffix",
    "terminal",
]


def terminal(grid: Grid, width: int | None = None, color: bool = False) -> str:
    """Return a table for a terminal of a given width in characters; None for 100."""
    return render([grid], "terminal", width=width, color=color)


def markdown(grid: Grid) -> str:
    """Return a table in Markdown."""
    return render([grid], "markdown")


def csv(grids: Grid | Sequence[Grid], safe_spreadsheet: bool = False) -> str:
    """Return tables as CSV, in full precision."""
    grids = [grids] if isinstance(grids, Grid) else grids
    return render(grids, "csv", safe_spreadsheet=safe_spreadsheet)


def html(grid: Grid, name: str = "table") -> str:
    """Return a table as a fragment of HTML whose ids begin with `name`."""
    from attn_nlp.tables.formats.html import fragment

    return fragment(grid, name)
