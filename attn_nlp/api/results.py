"""Results of an experiment as Python objects, read from its store on every access."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attn_nlp import wording
from attn_nlp.errors import unknown
from attn_nlp.experiment import Resolved
from attn_nlp.experiment.identity import BASELINE_PATHS
from attn_nlp.experiment.planned import Settings
from attn_nlp.store.file import check_log
from attn_nlp.store.results import Store

if TYPE_CHECKING:
    import pandas

    from attn_nlp.store.records import Records
    from attn_nlp.tables.grid import Grid

_TO_DO = "to do"
_COLUMNS = ("status", "reason", "validation", "test", "wall_seconds")
_TRACED = ("data", "provenance")  # what a result was computed from


class TableView:
    """One table, or several together, in every format that the command line writes.

    `str()` is the text of a terminal; a notebook shows HTML. A caption says so if the current data
    or code would not reproduce the results; `csv` and `to_pandas` have no caption and warn instead.
    """

    def __init__(self, grids: Sequence[Grid], stale: Sequence[str] = ()) -> None:
        self._grids = tuple(grids)
        self._stale = stale

    def __str__(self) -> str:
        return self._render("terminal")

    def __repr__(self) -> str:
        titles = ", ".join(repr(grid.title) for grid in self._grids)
        return f"<TableView {titles}>"

    def _repr_html_(self) -> str:
        from attn_nlp.tables.formats.html import fragment
        from attn_nlp.tables.page import STYLE

        # Unique ids: a notebook shows many tables on one page.
        name = "attn-" + hashlib.sha256(self._render("csv").encode()).hexdigest()[:8]
        shown = [fragment(grid, f"{name}-{number}") for number, grid in enumerate(self._grids, 1)]
        return "\n".join([f"<style>{STYLE}</style>", *shown])

    def html(self) -> str:
        """Return a whole page, as `attn-nlp table --format html` prints it."""
        return self._render("html")

    def markdown(self) -> str:
        """Return the text of `--format markdown`."""
        return self._render("markdown")

    def latex(self) -> str:
        r"""Return the text of `--format latex`, to be used with \input; it needs booktabs."""
        return self._render("latex")

    def csv(self) -> str:
        """Return the text of `--format csv`, in full precision."""
        _warn(self._stale)
        return self._render("csv")

    def json(self) -> str:
        """Return the text of `--format json`, which has a schema."""
        return self._render("json")

    def to_pandas(self) -> pandas.DataFrame:
        """Return the columns of `csv` as a data frame, with a row for each entry of the table."""
        import pandas

        from attn_nlp.tables.formats.csv import NUMBERS

        # A row may be called "None" or "NA".
        lacking = {name: [""] for name in NUMBERS}
        return pandas.read_csv(
            io.StringIO(self.csv()), keep_default_na=False, na_values=lacking, dtype={"row": str}
        )

    def _render(self, format: str) -> str:
        from attn_nlp.tables.formats import render

        text = render(self._grids, format)
        return text if text.endswith("\n") else text + "\n"


class Results:
    """The stored results of an experiment: its tables, a data frame, and counts of its cells.

    A cell without a result is included: the data frame has a row with its status, and the table
    counts it.

    Attributes:
      name: the name of the experiment.
      store: the absolute path of its store; an error where it is no longer there.
    """

    def __init__(self, resolved: Resolved, store: str | Path) -> None:
        self._resolved = resolved
        self.name = resolved.name
        self.store = Path(store).absolute()  # a notebook may change its working directory

    @property
    def counts(self) -> dict[str, int]:
        """Cells by status, without zeros: "done", "failed", "diverged", "skipped" and "to do"."""
        with read_existing(self.store) as store:
            resolved = store.settled(self._resolved)
            cells = resolved.wanted
            records = store.records(cells, ["status"])
        counts = Counter(record["status"] for record in records.values())
        left = {
            "skipped": len(resolved.skipped),
            _TO_DO: len(cells) + len(resolved.open) - len(records),
        }
        return dict(counts + Counter({name: count for name, count in left.items() if count}))

    @property
    def titles(self) -> list[str]:
        """The titles of the tables."""
        return list(dict.fromkeys(str(table["title"]) for table in self._resolved.tables))

    def table(self, title: str | None = None) -> TableView:
        """Return one table by its title, or all of them.

        Raises:
          UserError: no table has that title; the message names the nearest.
        """
        from attn_nlp.tables.stored import is_called, stored_grids

        if title is not None and not any(is_called(t, title) for t in self._resolved.tables):
            raise unknown("table", title, self.titles)
        stale: list[str] = []

        def notes(cells: Mapping[str, Settings], records: Records) -> list[str]:
            stale.extend(_stale(cells, records))
            return stale

        with read_existing(self.store) as store:
            return TableView(stored_grids(self._resolved, store, notes, title=title), stale)

    def to_pandas(self) -> pandas.DataFrame:
        """Return a data frame with a row for each cell, including baselines and skipped cells.

        It warns if the current data or code would not reproduce the results.

        Returns:
          A column for each setting; "status" and "reason"; "validation.accuracy", "test.accuracy"
          and the other scores, accuracies from 0 to 1; and "seconds" of training. Values that a
          cell does not have are missing: a baseline has only the settings of its data.
        """
        import pandas

        with read_existing(self.store) as store:
            resolved = store.settled(self._resolved)
            cells = resolved.wanted
            records = store.records(cells, (*_COLUMNS, *_TRACED), own=True)
        _warn(_stale(cells, records))
        baselines = {cell["spec"] for cell in resolved.baselines}
        found = [
            {**(_of_baseline(cell) if spec in baselines else cell), **_told(records.get(spec))}
            for spec, cell in cells.items()
        ]
        found += [{**cell["settings"], "status": _TO_DO} for cell in resolved.open]
        found += [
            {**cell["settings"], "status": "skipped", "reason": cell["reason"]}
            for cell in resolved.skipped
        ]
        names = list(dict.fromkeys(name for row in found for name in row))
        told = [name for name in names if name in ("status", "reason") or "." in name]
        scores = [name for name in told if name.partition(".")[0] in ("validation", "test")]
        last = ["status", "reason", *scores, "seconds"]
        settings = [name for name in names if name not in last]
        frame = pandas.DataFrame(found, columns=pandas.Index([*settings, *last]))
        whole = [name for name in settings if _is_whole(row.get(name) for row in found)]
        return frame.astype(dict.fromkeys(whole, "Int64"))  # a missing value leaves them whole

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {status}" for status, count in self.counts.items())
        return f"<Results of {self.name!r} in {self.store}: {counts}>"

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def _of_baseline(settings: Mapping[str, object]) -> dict[str, object]:
    """Return the settings of a baseline, which has no encoder and is not drawn from a seed."""
    return {path: value for path, value in settings.items() if path in BASELINE_PATHS}


def _is_whole(values: Iterable[object]) -> bool:
    return {type(value) for value in values if value is not None} == {int}


def _told(record: Mapping[str, Any] | None) -> dict[str, object]:
    """Return the status and scores of a cell; without a record it is to do."""
    if record is None:
        return {"status": _TO_DO}
    scores = {
        f"{split}.{name}": value
        for split in ("validation", "test")
        for name, value in (record[split] or {}).items()
    }
    told = {"status": record["status"], "reason": record["reason"], **scores}
    return {**told, "seconds": record["wall_seconds"]}


def _stale(cells: Mapping[str, Settings], records: Records) -> list[str]:
    """Return warnings about results that the current data or code would not reproduce."""
    from attn_nlp.data.source_bytes import changed
    from attn_nlp.runner.other_code import of_records

    data = ((str(cells[spec]["dataset"]), record.get("data")) for spec, record in records.items())
    return [*changed(data), *of_records(records).notes]


def _warn(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        wording.warn(sentence)


def read_existing(path: Path) -> Store:
    """Open a store for reading.

    Raises:
      UserError: there is no such file.
      StoreError: the file is not a store, is damaged, or is newer than this package.
    """
    check_store(path)
    return Store.read(path)


def check_store(path: Path) -> None:
    """Refuse to read a store that does not exist.

    Raises:
      UserError: there is no such file.
    """
    from attn_nlp.errors import UserError

    check_log(path)
    if not path.is_file():
        raise UserError(f"there is no store {path}; give the path of an existing one.")
