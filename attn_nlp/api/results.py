"""Results of an experiment as Python objects, read from its store whenever they are asked for."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attn_nlp.errors import unknown
from attn_nlp.experiment import Resolved
from attn_nlp.experiment.planned import Settings
from attn_nlp.store.file import check_log
from attn_nlp.store.results import Store

if TYPE_CHECKING:
    import pandas

    from attn_nlp.tables.grid import Grid

_TO_DO = "to do"
_COLUMNS = ("status", "reason", "validation", "test", "wall_seconds")


class TableView:
    """One table, or several together, in every format that the command line writes.

    `str()` is the text of a terminal; a notebook shows HTML.
    """

    def __init__(self, grids: Sequence[Grid]) -> None:
        self._grids = tuple(grids)

    def __str__(self) -> str:
        return self._render("terminal")

    def __repr__(self) -> str:
        titles = ", ".join(repr(grid.title) for grid in self._grids)
        return f"<TableView {titles}>"

    def _repr_html_(self) -> str:
        from attn_nlp.tables.formats.html import fragment
        from attn_nlp.tables.page import STYLE

        # Ids of their own: a notebook shows many tables on one page.
        name = "attn-" + hashlib.sha256(self.csv().encode()).hexdigest()[:8]
        shown = [fragment(grid, f"{name}-{place}") for place, grid in enumerate(self._grids, 1)]
        return "\n".join([f"<style>{STYLE}</style>", *shown])

    def html(self) -> str:
        """A page of its own, as `attn-nlp table --format html` prints it."""
        return self._render("html")

    def markdown(self) -> str:
        """The text of `--format markdown`."""
        return self._render("markdown")

    def latex(self) -> str:
        r"""The text of `--format latex`, with the rules of booktabs, to be \input."""
        return self._render("latex")

    def csv(self) -> str:
        """The text of `--format csv`, in full precision."""
        return self._render("csv")

    def json(self) -> str:
        """The text of `--format json`, which has a schema."""
        return self._render("json")

    def to_pandas(self) -> pandas.DataFrame:
        """The columns of `csv` as a data frame: a row for each entry of the table."""
        import pandas

        return pandas.read_csv(io.StringIO(self.csv()))

    def _render(self, format: str) -> str:
        from attn_nlp.tables.formats import render

        text = render(self._grids, format)
        return text if text.endswith("\n") else text + "\n"


class Results:
    """What is stored of an experiment: tables, a data frame, and how many cells have a result.

    A cell without a result is shown as such: it is a row of the data frame with its status, and it
    is counted in the table.

    Attributes:
      name: of the experiment.
      store: the path of its store.
    """

    def __init__(self, resolved: Resolved, store: str | Path) -> None:
        self._resolved = resolved
        self.name = resolved.name
        self.store = Path(store)

    @property
    def counts(self) -> dict[str, int]:
        """Cells by status: "done", "failed", "diverged", "skipped" and "to do", where there are."""
        with Store.read(self.store) as store:
            resolved = store.settled(self._resolved)
            cells = resolved.wanted
            records = store.records(cells, ["status"])
        counts = Counter(each["status"] for each in records.values())
        left = {
            "skipped": len(resolved.skipped),
            _TO_DO: len(cells) + len(resolved.open) - len(records),
        }
        return dict(counts + Counter({name: count for name, count in left.items() if count}))

    @property
    def titles(self) -> list[str]:
        """What the tables are called."""
        return list(dict.fromkeys(str(each["title"]) for each in self._resolved.tables))

    def table(self, title: str | None = None) -> TableView:
        """One table by its title, or all of them.

        Raises:
          UserError: no table has that title; the message names the nearest.
        """
        from attn_nlp.tables.stored import is_called, stored_grids

        if title is not None and not any(is_called(t, title) for t in self._resolved.tables):
            raise unknown("table", title, self.titles)
        with Store.read(self.store) as store:
            return TableView(stored_grids(self._resolved, store, _stale, title=title))

    def to_pandas(self) -> pandas.DataFrame:
        """A row for each cell, baselines and skipped cells among them.

        Returns:
          A column for each setting; "status" and "reason"; "validation.accuracy", "test.accuracy"
          and the other scores, accuracies from 0 to 1; and "seconds" of training. What a cell does
          not have is missing.
        """
        import pandas

        with Store.read(self.store) as store:
            resolved = store.settled(self._resolved)
            cells = resolved.wanted
            records = store.records(cells, _COLUMNS, own=True)
        found = [{**each, **_told(records.get(spec))} for spec, each in cells.items()]
        found += [{**each["settings"], "status": _TO_DO} for each in resolved.open]
        found += [
            {**each["settings"], "status": "skipped", "reason": each["reason"]}
            for each in resolved.skipped
        ]
        names = list(dict.fromkeys(name for row in found for name in row))
        told = [name for name in names if name in ("status", "reason") or "." in name]
        scores = [name for name in told if name.partition(".")[0] in ("validation", "test")]
        last = ["status", "reason", *scores, "seconds"]
        settings = [name for name in names if name not in last]
        return pandas.DataFrame(found, columns=pandas.Index([*settings, *last]))

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {status}" for status, count in self.counts.items())
        return f"<Results of {self.name!r} in {self.store}: {counts}>"

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def _told(record: Mapping[str, Any] | None) -> dict[str, object]:
    """What the data frame says of a cell; of one without a record, that it is to do."""
    if record is None:
        return {"status": _TO_DO}
    scores = {
        f"{split}.{name}": value
        for split in ("validation", "test")
        for name, value in (record[split] or {}).items()
    }
    told = {"status": record["status"], "reason": record["reason"], **scores}
    return {**told, "seconds": record["wall_seconds"]}


def _stale(cells: Mapping[str, Settings], records: Any) -> list[str]:
    """Sentences below a table: which results today's data or code would not give."""
    from attn_nlp.data.source_bytes import changed
    from attn_nlp.runner.other_code import of_records

    met = ((str(cells[spec]["dataset"]), each.get("data")) for spec, each in records.items())
    return [*changed(met), *of_records(records).notes]


def check_store(path: Path) -> None:
    """Refuse to look into a store that is not there.

    Raises:
      UserError: there is no such file.
    """
    from attn_nlp.errors import UserError

    check_log(path)
    if not path.is_file():
        raise UserError(f"there is no store {path}; give the path of one that a run has made.")
