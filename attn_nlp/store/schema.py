"""The schema of a store: its tables, their columns and their version.

A table needs the small columns of many cells, and of a dataset's facts there are few. So large
columns stand in a table of their own, and JSON that many cells share is kept once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from attn_nlp.result.shapes import shown
from attn_nlp.store import checksums
from attn_nlp.store.correctness import packed_text
from attn_nlp.store.log import META, count_up

APPLICATION = 0x6174746E  # "attn"
VERSION = 5  # 5: a checksum of every value, and one of which cells there are
FINAL = ("done", "diverged", "skipped")  # statuses that a later result does not replace
ROWS = "rows"  # the row of `meta` with `checksums.of_rows` of all cells

COLUMNS = {
    "spec": "TEXT PRIMARY KEY",
    "key": "TEXT NOT NULL",
    "status": "TEXT NOT NULL",
    "reason": "TEXT",
    "program": "TEXT",
    "parameters": "INTEGER",
    "best_step": "INTEGER",
    "wall_seconds": "REAL",
    "compile_seconds": "REAL",
    "peak_bytes": "INTEGER",
    "fingerprint": "TEXT",
    "tokenizer_hash": "TEXT",
    "finished_at": "TEXT NOT NULL",
    "validation": "JSON",
    "test": "JSON",
    "data": "SHARED",
    "provenance": "SHARED",
    "settings": "JSON",
    "confusion": "JSON",
    "history": "JSON",
    "predictions": "JSON",
    "detail": "TEXT",
    "confidences": "JSON",
    "gold": "SHARED",  # the labels of the test split
}
LARGE = ("settings", "confusion", "history", "predictions", "detail", "confidences")
SMALL = tuple(name for name in COLUMNS if name not in LARGE)
CORRECT = "correct"  # of no record: worked out from predictions and gold when one is written
# The table of each column; both tables have the spec.
TABLES = {"cells": (*SMALL, CORRECT), "details": ("spec", *LARGE)}

JSON = frozenset(name for name, kind in COLUMNS.items() if kind == "JSON")
SHARED = frozenset(name for name, kind in COLUMNS.items() if kind == "SHARED")


def kind(name: str) -> str:
    """The type of a column as SQLite is told; shared JSON is kept by its place."""
    if name == CORRECT:
        return "BLOB"
    return "INTEGER" if name in SHARED else COLUMNS[name]


# The columns that have checksums, by table; the first is the name of the row.
SEALED = {**TABLES, "experiments": ("name", "resolved", "saved_at")}


def _columns(names: Iterable[str]) -> str:
    return ", ".join([*(f"{name} {kind(name)}" for name in names), _CHECKSUMS])


_CHECKSUMS = f"{checksums.NAME} BLOB"


CLAIMS = (
    "CREATE TABLE claims (spec TEXT PRIMARY KEY, owner TEXT NOT NULL, token INTEGER NOT NULL, "
    "pid INTEGER NOT NULL, started TEXT NOT NULL, boot TEXT NOT NULL, beat INTEGER NOT NULL)"
)
_STATEMENTS = (
    META,
    f"CREATE TABLE cells ({_columns(TABLES['cells'])}) WITHOUT ROWID",
    f"CREATE TABLE details ({_columns(TABLES['details'])})",
    "CREATE TABLE shared (id INTEGER PRIMARY KEY, value JSON NOT NULL UNIQUE)",
    CLAIMS,
    "CREATE TABLE experiments (name TEXT PRIMARY KEY, resolved JSON NOT NULL, "
    f"saved_at TEXT NOT NULL, {_CHECKSUMS})",
    f"INSERT INTO meta VALUES ('version', '{VERSION}')",  # noqa: S608
    f"INSERT INTO meta VALUES ('{ROWS}', '{checksums.of_rows([])}')",  # noqa: S608
    f"PRAGMA application_id = {APPLICATION}",
)


_OLD_COLUMNS = {"details": ("gold INTEGER",)}  # which an upgrade leaves where they are
_INDEXES = {"cells_by_program": "cells"}  # of older versions: SQLite read cells through it, and
# so without those that a damaged index lacks


def _defined(statement: str) -> tuple[str, list[str], str]:
    """Name, columns and ending of a table, by the statement that makes it."""
    head, _, rest = statement.partition(" (")
    columns, _, ending = rest.rpartition(")")
    return head.removeprefix("CREATE TABLE "), columns.split(", "), ending


_TABLES = {
    name: (columns, ending)
    for name, columns, ending in map(_defined, _STATEMENTS)
    if not name.startswith(("CREATE", "INSERT", "PRAGMA"))
}


def foreign(db: sqlite3.Connection) -> str:
    """Return what a database has or lacks that no version of the store does, or "".

    A view in the place of a table, a trigger, a generated column would change what is read or
    written. Only SQLite's list of tables is read, so that nothing of theirs is run.
    """
    missing = set(_TABLES)
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master"
    for kind_of, name, table, statement in db.execute(query).fetchall():
        if kind_of == "index" and (statement is None or _INDEXES.get(name) == table):
            continue
        if kind_of == "table" and str(name).startswith("sqlite_stat"):  # ANALYZE makes it
            continue
        if kind_of != "table" or name not in _TABLES:
            return f"has the {kind_of} {shown(name)}, which no attn-nlp makes"
        made, columns, ending = _defined(str(statement))
        ours, our_ending = _TABLES[name]
        known = (*ours, *_OLD_COLUMNS.get(name, ()))
        odd = [column for column in columns if column not in known]
        if made.strip('"') != name or ending != our_ending or odd:
            column = f": {shown(odd[0])}" if odd else ""
            return f"has a table {name} that no attn-nlp makes{column}"
        missing.discard(name)
    return f"lacks the table {min(missing)}" if missing else ""


def create(db: sqlite3.Connection) -> None:
    """Make the tables of an empty database; the caller holds the transaction."""
    for statement in _STATEMENTS:
        db.execute(statement)
    count_up(db)


def upgrade(db: sqlite3.Connection) -> None:
    """Bring the tables of an older version up to date; the caller holds the transaction.

    A version only ever adds columns, which are NULL in older rows, and claims outlive no run. So
    whatever the older version was, the missing columns are added and the claims are dropped. The
    labels, the right answers and the checksums are filled in; labels among the large columns stay
    there unread. An experiment is read in either of its forms.
    """
    for table, names in SEALED.items():
        there = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
        for name in (*names, checksums.NAME):
            if name not in there:
                type_of = "BLOB" if name == checksums.NAME else kind(name)
                db.execute(f"ALTER TABLE {table} ADD COLUMN {name} {type_of}")
    if db.execute("SELECT 1 FROM pragma_table_info('details') WHERE name = 'gold'").fetchone():
        db.create_function("packed", 2, packed_text)
        db.execute(
            "UPDATE cells SET (gold, correct) = (SELECT gold, packed(predictions, value)"
            " FROM details LEFT JOIN shared ON shared.id = gold WHERE spec = cells.spec)"
        )
    seal(db)
    db.execute("DROP INDEX IF EXISTS cells_by_program")
    db.execute("DROP TABLE claims")
    db.execute(CLAIMS)
    db.execute("UPDATE meta SET value = ? WHERE name = 'version'", [str(VERSION)])


def seal(db: sqlite3.Connection, table: str | None = None, row: str | None = None) -> None:
    """Write the checksums of values as they are stored now; the caller holds the transaction.

    Args:
      db: an open store.
      table: "cells", "details" or "experiments"; by default all three.
      row: its spec or its name; by default every row.
    """
    db.create_function("checksums_of", -1, checksums.of_row, deterministic=True)
    db.create_function("checksum_of", 1, checksums.of_value, deterministic=True)
    for name in SEALED if table is None else (table,):
        columns = SEALED[name]
        values = ", ".join(_checked(column) for column in (columns[0], *columns))
        query = f"UPDATE {name} SET {checksums.NAME} = checksums_of({values})"  # noqa: S608
        if row is None:
            db.execute(query)
        else:
            db.execute(f"{query} WHERE {columns[0]} = ?", [row])
    if table is None:
        count_rows(db)


def count_rows(db: sqlite3.Connection) -> None:
    """Record which cells there are now; the caller holds the transaction."""
    specs = (spec for (spec,) in db.execute("SELECT spec FROM cells").fetchall())
    _put_rows(db, checksums.of_rows(specs))


def add_row(db: sqlite3.Connection, spec: str, sign: int = 1) -> None:
    """Record that a cell was added, or with sign -1 removed; the caller holds the transaction."""
    found = db.execute("SELECT value FROM meta WHERE name = ?", [ROWS]).fetchone()
    rows = checksums.with_row(found and found[0], spec, sign)
    if rows is not None:  # else reading says that it is damaged
        _put_rows(db, rows)


def _put_rows(db: sqlite3.Connection, rows: str) -> None:
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [ROWS, rows])


def rows_differ(db: sqlite3.Connection) -> str:
    """Return a sentence about cells that are not the recorded ones, or ""."""
    # With a column of no index: one may be whole where the table is not.
    query = f"SELECT (SELECT value FROM meta WHERE name = ?), spec, {checksums.NAME} FROM cells"  # noqa: S608
    rows = db.execute(query, [ROWS]).fetchall()  # in one statement, so that no run is in between
    if rows:
        recorded = rows[0][0]
    else:
        query = "SELECT value, (SELECT count(*) FROM cells) FROM meta WHERE name = ?"
        found = db.execute(query, [ROWS]).fetchone()
        if found is not None and found[1]:
            return ""  # the first cell was stored between the two
        recorded = found and found[0]
    now = checksums.of_rows(spec for _, spec, _ in rows)
    if now == recorded:
        return ""
    counts = [str(text).partition(" ")[0] for text in (now, recorded)]
    if recorded is None or not counts[1].isdecimal():
        return "its cells are not those that were stored"
    if counts[0] == counts[1]:
        return "the spec of a cell is not what was written"
    return f"it has {counts[0]} of {counts[1]} cells that were stored"


def _checked(column: str) -> str:
    """Return what of a column its checksum is of, in SQL: text as bytes, valid UTF-8 or not.

    What many cells share is long; there it is the checksum of the text.
    """
    if column in SHARED:
        return f"(SELECT checksum_of(CAST(value AS BLOB)) FROM shared WHERE id = {column})"  # noqa: S608
    if COLUMNS.get(column) in ("INTEGER", "REAL"):
        return column
    return f"CAST({column} AS BLOB)"
