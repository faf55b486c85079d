"""Reading records: their columns by spec, every value checked on the way out.

A store may come from elsewhere, or from a disk that failed. What does not fit is never handed on:
the first damage is one sentence, and `doctor` lists all of it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import compress
from pathlib import Path

from attn_nlp.store import checksums, damage
from attn_nlp.store.consistency import (
    IDENTITY,
    Apart,
    check_answers,
    check_identities,
    check_results,
    check_shares,
    check_sizes,
)
from attn_nlp.store.damage import check_column, parsed
from attn_nlp.store.file import StoreError, about_values, one_sentence
from attn_nlp.store.records import Records
from attn_nlp.store.schema import COLUMNS, CORRECT, JSON, LARGE, SHARED, TABLES, rows_differ

_COUNTED = {"test.macro_f1", "test.matthews"}  # what the confusion of a cell tells
_SURE = {"test.ece", "test.loss"}  # what its confidences tell
_TOLD = {"spec", "status", "test", "confusion", "predictions", "confidences", "gold", CORRECT}
_ANSWERS = ("confusion", "predictions", "gold", CORRECT)


def damaged(path: Path, what: str) -> StoreError:
    """Return the error for a store that holds what it must not."""
    return StoreError(
        f"store {path} is damaged: {what}; 'attn-nlp doctor --store {path}' lists all damage."
    )


class Reading:
    """The records in an open file."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._db = connection

    def records(
        self, specs: Iterable[str] | None, columns: Sequence[str], own: bool = False
    ) -> Records:
        """Return the records by spec; see `Store.records`."""
        columns = list(dict.fromkeys(["spec", *columns]))
        wanted = None if specs is None else set(specs)
        with one_sentence(self._path):
            try:
                return Records(self._read(columns, wanted, own))
            except sqlite3.Error as error:
                if not about_values(error):
                    raise
                found = error
            except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
                found = error
            looked_at = [*columns, *COLUMNS, CORRECT] if own else columns
            raise self.damage(looked_at, wanted, found) from found

    def _read(self, columns: list[str], wanted: set[str] | None, own: bool) -> dict[str, Sequence]:
        """Columns of equal length, their values checked.

        Raises:
          sqlite3.Error, ValueError, TypeError, KeyError, OverflowError, RecursionError: a value is
            not what it must be, or the file cannot be read.
        """
        asked = columns
        if own and any(name.partition(".")[0] == "test" for name in asked):
            columns = list(dict.fromkeys([*asked, CORRECT, "gold"]))
        whole = dict.fromkeys(
            name.partition(".")[0] for name in (*columns, *(IDENTITY if own else ()))
        )
        selected = {name: _column(name) for name in (*columns, *whole)}
        selected["cells"] = f"cells.{checksums.NAME}"
        source = "cells"
        if whole.keys() & set(LARGE):
            selected |= {"details": f"details.{checksums.NAME}", "own": "details.spec"}
            source += " LEFT JOIN details ON details.spec = cells.spec"
        query = f"SELECT {', '.join(selected.values())} FROM "  # noqa: S608
        if wanted is None:
            rows = self._db.execute(f"{query}{source} ORDER BY finished_at").fetchall()
        elif len(wanted) > self._db.execute("SELECT count(*) FROM cells").fetchone()[0] / 2:
            # Reading all is faster than looking most of them up.
            rows = self._db.execute(f"{query}{source}").fetchall()
            rows = [row for row in rows if row[0] in wanted]
        else:
            joined = source.removeprefix("cells")
            source = f"json_each(?) AS wanted JOIN cells ON cells.spec = wanted.value{joined}"
            rows = self._db.execute(f"{query}{source}", [json.dumps(sorted(wanted))]).fetchall()
        values = list(zip(*rows, strict=True)) or [()] * len(selected)
        stored = dict(zip(selected, values, strict=True))
        if None in stored.get("own", ()):
            raise KeyError("details")
        if own:
            identities = zip(*(stored[name] for name in IDENTITY), strict=True)
            check_identities(stored["spec"], identities)
        found = {name: self._checked(name, stored[name], stored["spec"]) for name in columns}
        if "data" in found and "gold" in found:
            check_sizes(found["spec"], found["data"], found["gold"])
        if CORRECT in found and "gold" in found:
            check_answers(found[CORRECT], found["gold"])
            self._check_answered(found["spec"], found[CORRECT], found["gold"])
            accuracies = found.get("test.accuracy")
            if accuracies is None and "test" in found:
                accuracies = [test and test.get("accuracy") for test in found["test"]]
            if accuracies is not None:
                check_shares(found["spec"], accuracies, found[CORRECT], found["gold"])
        if own:
            self._check_results(found)
        self._check_sums(stored, whole)
        if wanted is None or (own and len(rows) < len(wanted)):
            self.check_rows()
        return {name: found[name] for name in asked}

    def _check_sums(self, stored: Mapping[str, Sequence], columns: Collection[str]) -> None:
        """Check that values are what was written.

        Args:
          stored: values as stored, by column, and the checksums by table.
          columns: those to check.

        Raises:
          ValueError: one of them is not.
        """
        starts = [checksums.of_value(spec) for spec in stored["spec"]]
        for table, names in TABLES.items():
            values = {
                names.index(name): stored[name]
                for name in columns
                if name in names and (name != "spec" or table == "cells")
            }
            for index in [index for index in values if names[index] in SHARED]:
                values[index] = self._sums_of_shared(values[index])
            odd = checksums.unfit(stored[table], values, starts, len(names)) if values else None
            if odd is not None:
                raise ValueError(names[odd])

    def _sums_of_shared(self, places: Sequence[int | None]) -> list[int | None]:
        """Return the checksums of texts of shared JSON, by their ids."""
        sums: dict[int | None, int | None]
        sums = {place: checksums.of_value(text) for place, text in self._texts(places).items()}
        sums[None] = None
        return [sums[place] for place in places]

    def check_rows(self) -> None:
        """Check that no cell, and no cell's spec, has been lost since it was stored.

        Raises:
          StoreError: the cells are not the recorded ones.
        """
        with one_sentence(self._path):
            says = rows_differ(self._db)
        if says:
            raise StoreError(
                f"store {self._path} is damaged: {says}. Restore a copy of it, or 'attn-nlp doctor "
                f"--repair --store {self._path}' keeps what is left."
            )

    def _check_results(self, found: Mapping[str, Sequence]) -> None:
        """Check that test results that will be shown agree with what they follow from.

        The large columns are read only for what cannot be told without them.
        """
        specs, asked = found["spec"], found.keys()
        tested = [name for name in asked if name.partition(".")[0] == "test"]
        if asked & {"predictions", "confidences", *_SURE}:
            names = [*(() if tested else ("test",)), *_ANSWERS]
            names += ["confidences"] if asked & {"confidences", *_SURE} else []
            check_results(self._beside(found, names, specs))
            return
        unsure: set[str] = set()
        if asked & {"confusion", *_COUNTED}:
            beside = self._beside(found, ["confusion", "gold"], specs)
            counted = [counts is not None for counts in beside["confusion"]]
            check_results(
                {name: list(compress(values, counted)) for name, values in beside.items()}
            )
            unsure |= {*specs} - {*compress(specs, counted)}
        if "test" in asked or "test.accuracy" in asked:
            unsure |= {spec for spec, right in zip(specs, found[CORRECT], strict=True) if not right}
        if unsure:
            check_results(self._beside(found, _ANSWERS, unsure))

    def _beside(
        self, found: Mapping[str, Sequence], names: Iterable[str], specs: Collection[str]
    ) -> Mapping[str, Sequence]:
        """Columns of test results of some cells, with others that are not there yet."""
        kept: dict[str, Sequence]
        kept = {name: values for name, values in found.items() if name in _TOLD or "test." in name}
        if len(specs) < len(found["spec"]):
            chosen = [spec in specs for spec in found["spec"]]
            kept = {name: list(compress(values, chosen)) for name, values in kept.items()}
        lacking = [name for name in names if name not in kept]
        if lacking:
            read = self._read(["spec", *lacking], {*kept["spec"]}, False)
            rows = {spec: row for row, spec in enumerate(read["spec"])}
            order = [rows[spec] for spec in kept["spec"]]
            kept |= {name: [read[name][row] for row in order] for name in lacking}
        return kept

    def _checked(self, name: str, values: Sequence, specs: Sequence[str]) -> Sequence:
        """Return the values of a column as readers get them."""
        if "." in name:
            values = tuple(value and value[0] for value in parsed(name, values))
            lacking = [spec for spec, value in zip(specs, values, strict=True) if value is None]
            if lacking:
                self._check_lacking(name, lacking)
        elif name in JSON:
            return parsed(name, values)
        elif name in SHARED:
            return self._shared(name, values)
        check_column(name, values)
        return values

    def _check_lacking(self, name: str, specs: list[str]) -> None:
        """A part that is not there must be of a whole that may be without it."""
        column = name.partition(".")[0]
        whole = self._db.execute(
            f"SELECT {_column(column)} FROM json_each(?) AS wanted "  # noqa: S608
            f"JOIN cells ON cells.spec = wanted.value WHERE {column} IS NOT NULL",
            [json.dumps(specs)],
        )
        parsed(column, [text for (text,) in whole.fetchall()])

    def _check_answered(
        self, specs: Sequence[str], answers: Sequence[bytes | None], gold: Sequence
    ) -> None:
        """Right answers are there wherever there are predictions and labels."""
        cells = zip(specs, answers, gold, strict=True)
        lacking = {spec: len(labels) for spec, packed, labels in cells if labels and packed is None}
        if not lacking:
            return
        rows = self._db.execute(
            "SELECT details.spec, iif(json_valid(predictions), json_array_length(predictions), 0) "
            "FROM json_each(?) AS wanted JOIN details ON details.spec = wanted.value",
            [json.dumps(list(lacking))],
        )
        for spec, length in rows:
            if length == lacking[spec]:
                raise Apart(f"cell {spec[:12]} has predictions and labels, and no right answers")

    def damage(
        self, columns: Sequence[str], specs: set[str] | None, error: Exception
    ) -> StoreError:
        """The first damage in some columns, in one sentence."""
        found = next(damage.rows(self._db, ["spec", *columns], specs), None)
        if found is not None:
            what = f"cell {found.spec[:12]} has a damaged {found.column}: {found.why}"
        elif "details" in str(error):
            what = "a cell has lost its details"
        elif isinstance(error, Apart):
            what = str(error)
        elif str(error) == CORRECT:
            what = "the right answers of a cell are not of its labels"
        else:
            what = "what is kept of a cell is damaged"
        return damaged(self._path, what)

    def _shared(self, name: str, places: Sequence[int | None]) -> tuple:
        """The values at the places of shared JSON."""
        texts = self._texts(places)
        values = dict(zip(texts, parsed(name, [*texts.values()]), strict=True))
        return tuple(None if place is None else values[place] for place in places)

    def _texts(self, places: Sequence[int | None]) -> dict[int, str]:
        """Return texts of shared JSON by id."""
        wanted = json.dumps(list(set(places) - {None}))
        rows = self._db.execute(
            "SELECT shared.id, shared.value FROM json_each(?) AS wanted"
            " JOIN shared ON shared.id = wanted.value",
            [wanted],
        )
        return dict(rows.fetchall())


def _column(name: str) -> str:
    """Where a column stands, or a part of one, as SQLite is asked for it."""
    column, _, part = name.partition(".")
    assert column == CORRECT or column in COLUMNS, name
    place = f"{'details' if column in LARGE else 'cells'}.{column}"
    if part:
        assert column in JSON, name
        assert part.isidentifier(), name
        # Asked for twice, it comes as the text of a list: as it was written, to the last digit.
        return f"json_extract({place}, '$.{part}', '$.{part}')"
    return place
