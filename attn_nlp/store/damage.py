"""Check the values of each column of a store, and find the rows that are damaged.

A store may come from anywhere. Whatever is read is checked by the fields of `result.schema` and
by those below: all values of a column at once, so that a sound store is read about as fast as
without. Where that finds something, or SQLite or JSON stumbles, `rows` looks again row by row and
says where.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from attn_nlp.experiment import Resolved
from attn_nlp.result.schema import FIELDS, SCORES, STATUSES
from attn_nlp.result.shapes import (
    LARGEST_FLOAT,
    Check,
    Misfit,
    fields,
    keyed,
    listed,
    number,
    one_of,
    optional,
    scalar,
    text,
    truth,
    whole,
    wholes,
)
from attn_nlp.store import checksums
from attn_nlp.store.schema import COLUMNS, CORRECT, JSON, LARGE, SEALED, SHARED

_NONE = type(None)


def anything(value: Any, at: str, depth: int = 6) -> None:
    """Any JSON that is not deep and whose numbers are finite."""
    if isinstance(value, Mapping | list) and not depth:
        raise Misfit(at, value, "less lists and mappings in one another")
    if isinstance(value, Mapping):
        for name, inner in value.items():
            text(name, f"a name in {at}")
            anything(inner, f"{at}.{name}", depth - 1)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            anything(inner, f"{at}[{place}]", depth - 1)
    else:
        scalar(value, at)


def _time(value: Any, at: str) -> None:
    text(value, at)
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise Misfit(at, value, "a date and time") from None


def _bytes(value: Any, at: str) -> None:
    if type(value) is not bytes:
        raise Misfit(at, value, "bytes")


_SPLIT = fields(
    {
        "rows": optional(whole(0)),
        "class_counts": optional(wholes(0)),
        "majority_share": optional(number(0, 1)),
        "unknown_rate": optional(number(0, 1)),
        "mean_length": optional(number(0)),
        "max_length": optional(number(0)),
        "p95_length": optional(number(0)),
        "truncated": optional(number(0)),
        "empty": optional(number(0)),
    },
    others=anything,
)
_SETTINGS = fields({"steps": whole(1)}, others=scalar)
_DATA = fields(
    {
        "label": text,
        "class_names": listed(text),
        "splits": keyed(_SPLIT),
        "duplicates": keyed(optional(number(0))),
        "conflicting_labels": optional(whole(0)),
        "dropped_duplicates": optional(whole(0)),
        "real": optional(truth),
    },
    others=anything,
)
_CHECKS: Mapping[str, Check] = {
    **FIELDS,
    "spec": text,
    "key": text,
    "program": optional(text),
    "fingerprint": optional(text),
    "tokenizer_hash": optional(text),
    "finished_at": _time,
    "data": optional(_DATA),
    "provenance": optional(keyed(anything)),
    "settings": optional(_SETTINGS),
    "gold": optional(wholes(0)),
    CORRECT: optional(_bytes),
    "status": one_of(*STATUSES),
}


def check(record: Mapping[str, object]) -> None:
    """Check every column that a record has.

    Raises:
      Misfit: the first one that is not what it must be.
    """
    for name, value in record.items():
        _CHECKS[name](value, name)


def check_column(name: str, values: Sequence) -> None:
    """Check the values of one small column, all of them at once.

    Args:
      name: a column without JSON, or a part of one such as "test.accuracy".

    Raises:
      ValueError: one of them does not fit.
    """
    column, _, part = name.partition(".")
    kinds = set(map(type, values))
    if part and part in SCORES:
        known = [value for value in values if value is not None]
        low = {"matthews": -1 - 1e-9}.get(part, -1e-9)
        high = LARGEST_FLOAT if part == "loss" else 1 + 1e-9
        sound = kinds <= {float, int, _NONE} and _within(known, low, high)
    elif part:
        sound = all(map(_fits(optional(number())), values))
    elif column == "status":
        sound = set(values) <= set(STATUSES)
    elif column == "finished_at":
        sound = all(map(_fits(_time), values))
    elif column == CORRECT:
        sound = kinds <= {bytes, _NONE}
    elif COLUMNS[column].startswith("TEXT"):
        may_lack = FIELDS.get(column) or "NOT NULL" not in COLUMNS[column]
        sound = kinds <= ({str, _NONE} if may_lack and column != "spec" else {str})
    else:
        numbers = {int} if COLUMNS[column] == "INTEGER" else {int, float}
        known = [value for value in values if value is not None]
        sound = kinds <= {*numbers, _NONE} and _within(known, 0, LARGEST_FLOAT)
    if not sound:
        raise ValueError(name)


def _within(values: Sequence, low: float, high: float) -> bool:
    return not values or (low <= min(values) and max(values) <= high)


def _fits(inner: Check):
    def fits(value: Any) -> bool:
        try:
            inner(value, "")
        except Misfit:
            return False
        return True

    return fits


def parsed(name: str, texts: Sequence[str | None]) -> tuple:
    """The values of many JSON texts of a column; every distinct one is parsed and checked once.

    Raises:
      ValueError, TypeError, RecursionError: one of them is damaged.
    """
    distinct = list(dict.fromkeys(texts))
    # Parsed in one go, which is quicker; a number or a blob in the place of a text has no join.
    values = _loads("[" + ",".join("null" if text is None else text for text in distinct) + "]")
    if len(values) != len(distinct):
        raise ValueError("not one value for every text")
    if "." not in name:
        for value in values:
            _CHECKS[name](value, name)
    by_text = dict(zip(distinct, values, strict=True))
    return tuple(by_text[text] for text in texts)


EXPERIMENTS = f"SELECT {', '.join(SEALED['experiments'])}, {checksums.NAME} FROM experiments"  # noqa: S608


def experiment(name: str, resolved: object, *others: object) -> Resolved:
    """Return an experiment that is kept in a store, by its row of `EXPERIMENTS`.

    Raises:
      Misfit: it is not one, not of that name, or not as it was written.
    """
    try:
        found = Resolved.from_json(loaded(resolved))
    except Misfit:
        raise
    except RecursionError:
        raise Misfit("it", resolved, "JSON that is less deep") from None
    except (ValueError, TypeError):
        raise Misfit("it", resolved, "the JSON of an experiment") from None
    one_of(name)(found.name, "its name")
    if not experiment_fits(name, resolved, *others):
        raise Misfit("its checksum", "another", "that of what was written")
    return found


def experiment_fits(name: str, *others: object) -> bool:
    """Return whether a row of `EXPERIMENTS` has its checksums."""
    *values, sums = others
    return sums == checksums.of_row(name, name, *values)


class Damage(NamedTuple):
    """One value that is not what it must be: of which cell, in which column, and why."""

    spec: str
    column: str
    why: str


def rows(
    db: sqlite3.Connection, columns: Iterable[str], specs: Collection[str] | None = None
) -> Iterator[Damage]:
    """Everything that is damaged in some columns, of all cells or of some, row by row."""
    with as_it_stands(db):
        for column in dict.fromkeys(name.partition(".")[0] for name in columns):
            yield from _of_column(db, column, specs)


def _of_column(
    db: sqlite3.Connection, column: str, specs: Collection[str] | None
) -> Iterator[Damage]:
    table = "details" if column in LARGE else "cells"
    place = f"{table}.{column}"
    query = f"SELECT {table}.spec, {table}.{checksums.NAME}, {place}"
    if column in SHARED:
        query += f", shared.value FROM {table} LEFT JOIN shared"
        query += f" ON shared.id = {place} AND typeof({place}) = 'integer'"
    else:
        query += f", NULL FROM {table}"
    index = SEALED[table].index(column)
    known: dict[object, str] = {}  # many cells share what is kept once
    for spec, sums, value, shared in db.execute(query):
        if specs is not None and spec not in specs:
            continue
        if column in SHARED and value is not None:
            if value not in known:
                known[value] = "it refers to nothing" if shared is None else _why(column, shared)
            why = known[value]
        else:
            why = _why(column, value)
        if column in SHARED and value is not None:
            value = checksums.of_value(shared)
        if not why and not checksums.fits(sums, index, value, spec):
            why = "it is not what was written, by its checksum"
        if why:
            yield Damage(named(spec), column, why)


def _why(column: str, value: Any) -> str:
    """Return what is wrong with a value of a column, or ""."""
    try:
        if column in JSON | SHARED and value is not None:
            value = loaded(value)
        _CHECKS[column](value, column)
    except Misfit as error:
        return str(error)
    except RecursionError:
        return "its JSON is too deep"
    except (ValueError, TypeError):
        return "it is no JSON"
    return ""


def loaded(value: Any) -> Any:
    """The value of a JSON text.

    Raises:
      ValueError, TypeError, RecursionError: it is none.
    """
    if not isinstance(value, str):
        raise TypeError(type(value))
    return _loads(value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping of names that are given once: of two, SQLite and Python take different ones."""
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(
            name for name, count in Counter(name for name, _ in pairs).items() if count > 1
        )
        raise Misfit("a name given twice", twice, "one value for every name")
    return found


_loads = json.JSONDecoder(object_pairs_hook=_once).decode


def named(spec: object) -> str:
    """A spec as it may be printed, whatever stands there."""
    return spec if isinstance(spec, str) else f"({spec!r:.20})"


@contextmanager
def as_it_stands(db: sqlite3.Connection) -> Iterator[None]:
    """Text that is no UTF-8 comes with surrogates, which a check then rejects."""
    before = db.text_factory
    db.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        db.text_factory = before
