"""From a store to grids: the records that a view of the tables reads, and the grids it makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from attn_nlp.experiment import Resolved
from attn_nlp.experiment.planned import Settings, TableSpec
from attn_nlp.store import Store
from attn_nlp.store.records import Records
from attn_nlp.tables.grid import Grid
from attn_nlp.tables.quantities import quantity
from attn_nlp.tables.views.scores import build

SHOWN = (
    *("status", "reason", "validation", "test", "data", "provenance", "fingerprint"),
    *("parameters", "wall_seconds", "compile_seconds", "peak_bytes"),
)
# What a table of scores reads, in addition to the split of its value.
_SCORES = (
    *("status", "reason", "data", "provenance", "fingerprint"),
    *("parameters", "correct", "gold"),
)


@dataclass(frozen=True)
class View:
    """A view of a table: the function that makes its grids, and the record columns it reads."""

    make: Callable[..., Sequence[Grid]]
    columns: tuple[str, ...] = SHOWN


SCORES = View(lambda *given: [build(*given)], _SCORES)


def stored_grids(
    resolved: Resolved,
    store: Store,
    notes: Callable[[Mapping[str, Settings], Records], list[str]],
    view: View = SCORES,
    title: str | None = None,
) -> list[Grid]:
    """Return the tables of an experiment, from the results stored so far.

    Args:
      resolved: the experiment.
      store: open for reading.
      notes: a function from the settings and records of the cells to sentences below every table.
      view: scores by default.
      title: of the one table that is wanted, or of several made by `each=`; None for all.
    """
    resolved = store.settled(resolved)
    tables = [table for table in resolved.tables if title is None or is_called(table, title)]
    columns = view.columns
    if columns is _SCORES:
        columns = (*_SCORES, *sorted({quantity(table["value"]).name for table in resolved.tables}))
    cells = resolved.wanted
    records = store.records(cells, columns, own=True)
    warnings = notes(cells, records)
    return [
        grid.with_warnings(warnings)
        for table in tables
        for grid in view.make(table, resolved, records)
    ]


def is_called(table: TableSpec, title: str) -> bool:
    """Return True if a table has a title, or was made from a table of that title by `each=`."""
    return table["title"] == title or str(table["title"]).startswith(f"{title}, ")
