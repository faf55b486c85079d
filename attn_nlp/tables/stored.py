"""From a store to grids: the records that a view of the tables reads, and what it makes of them."""

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
# What a table of scores reads, beside the split that its value is of.
_SCORES = (
    *("status", "reason", "data", "provenance", "fingerprint"),
    *("parameters", "correct", "gold"),
)


@dataclass(frozen=True)
class View:
    """A way to look at a table: what makes its grids, and the columns that it reads."""

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
    """The tables of an experiment, from what is stored by now.

    Args:
      resolved: the experiment.
      store: open for reading.
      notes: from the settings and the records of its cells to sentences below every table.
      view: scores, or another way to look.
      title: of the one table that is wanted, or of several that differ in their `each`; None for
        all.
    """
    resolved = store.settled(resolved)
    tables = [each for each in resolved.tables if title is None or is_called(each, title)]
    columns = view.columns
    if columns is _SCORES:
        columns = (*_SCORES, *sorted({quantity(table["value"]).name for table in resolved.tables}))
    cells = resolved.wanted
    records = store.records(cells, columns, own=True)
    said = notes(cells, records)
    return [
        grid.with_warnings(said) for each in tables for grid in view.make(each, resolved, records)
    ]


def is_called(table: TableSpec, title: str) -> bool:
    """Whether a table has a title, or is one of several that were made of a table of that title."""
    return table["title"] == title or str(table["title"]).startswith(f"{title}, ")
