"""Tell the log of a store from that of another one.

SQLite takes any file of the right name for the log of a database. Beside another database it would
be deleted, where that is empty, or put over what stands there; either loses results in silence.

So every transaction that changes something counts a number up, `PRAGMA user_version`, which stands
on the first page. It begins at random in every store. A log holds the first page of each of its
transactions, and belongs to a store whose own number is the one before the log's first, or any of
the log's. The number of a store that only an older attn-nlp has written is 0, and says nothing.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO

from attn_nlp.store import journal_check
from attn_nlp.store.log_check import Lack, lack

META = "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
IN_USE = "in use"  # the row of `meta` that a run writes with its first claim and removes at its end
_NUMBERS = 2**31  # what SQLite keeps is a signed number of 32 bits
_APART = 2**12  # a store begins at a multiple of this
_NUMBER_AT = 60  # bytes into the first page
_LOOKS, _PAUSE = 10, 0.02  # another process may be at work between two looks


def beside(path: str | os.PathLike[str], ending: str) -> Path:
    """Return the file that SQLite puts next to a database, or next to the target of a link."""
    return Path(f"{os.path.realpath(path)}{ending}")


def has_log(path: Path) -> bool:
    """Return whether something is in the log of a store."""
    with suppress(ValueError):  # NUL in the name, which whoever opens it reports
        return _size(beside(path, "-wal")) > 0
    return False


def count_up(db: sqlite3.Connection) -> None:
    """Give the store its next number; the caller holds the transaction."""
    number = db.execute("PRAGMA user_version").fetchone()[0] % _NUMBERS
    following = (number + 1) % _NUMBERS or 1
    if not number:
        following = (1 + secrets.randbelow(_NUMBERS // _APART - 1)) * _APART
    db.execute(f"PRAGMA user_version = {following}")


def strange(path: Path) -> tuple[str, str]:
    """Return what is wrong with a log next to a path, and a warning; each may be "".

    Both are sentences without their end. Nothing is changed, and no lock is lost: the database is
    opened through SQLite alone.
    """
    # The log is looked at before the database, which another process may be making just now.
    logs = [log for log in (beside(path, "-wal"), beside(path, "-journal")) if _holds(log)]
    if not logs:
        return "", _without_log(path)
    if not _size(path):
        state = "is empty" if path.exists() else "is not there"
        return (
            f"store {path} {state}, and its log {logs[0].name} holds results of a store that was "
            "moved or removed; put that store back, move the log to where it is, or remove the log "
            "to begin anew",
            "",
        )
    found, warning = _lack(logs[0]), ""
    if found is not None and not found.certain:
        warning = (
            f"store {path}: the last write to its log {logs[0].name} was cut short, as by a power "
            "cut, and what it was to keep is lost"
        )
    elif found is not None:
        says = f"in frame {found.frame}, and {found.transactions} transactions cannot be read"
        if not found.frame:
            says = "at its beginning, and what it holds cannot be read"
        if logs[0].name.endswith("-journal"):
            says = "and cannot undo a write that was cut short"
        return (
            f"store {path} cannot be read whole: its log {logs[0].name} is damaged {says}; move "
            "both away, then restore a copy or run again",
            "",
        )
    for look in range(_LOOKS):
        if look:
            time.sleep(_PAUSE)
        if all(_fits(_number(path), _range(log)) for log in logs):
            return "", warning
    return (
        f"store {path} is not the one that its log {logs[0].name} belongs to, as when a copy is "
        "restored beside an old log; move the log to another folder, or put its own store back",
        "",
    )


def _without_log(path: Path) -> str:
    """Return a warning if a run was writing when the file lost its log; "" if none was."""
    log = beside(path, "-wal")
    for look in range(2):
        if look:
            time.sleep(_PAUSE)
        if not _is_in_use(path) or _size(log):  # the log last: a run may begin between the two
            return ""
    return (
        f"store {path} was in use when it was copied or moved, and its log {log.name} is missing: "
        "results that it held are not shown; copy both files, or 'attn-nlp export' to a new one"
    )


def _is_in_use(path: Path) -> bool:
    """Return whether the file alone, without a log, says that a run is writing into it."""
    if _head(path, 20)[18:19] != b"\2":  # an export: it never had a log
        return False
    try:
        with _alone(path) as db:
            # A view of somebody else's under that name could run anything.
            table = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'meta'"
            if db.execute(table).fetchone() != (META,):
                return False
            query = "SELECT 1 FROM meta WHERE name = ?"
            return db.execute(query, [IN_USE]).fetchone() is not None
    except (sqlite3.Error, UnicodeDecodeError):  # said where the store is opened
        return False


def _alone(path: Path) -> closing[sqlite3.Connection]:
    """Open a database without its log, taking no lock."""
    address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    return closing(sqlite3.connect(address, uri=True))


def _lack(log: Path) -> Lack | None:
    """Return what cannot be read of a log, however often it is tried, or None."""
    found = None
    for look in range(_LOOKS):
        if look:
            time.sleep(_PAUSE)
        if log.name.endswith("-wal"):
            found = lack(log)
        else:
            found = Lack(0, 1, certain=True) if journal_check.is_damaged(log) else None
        if found is None:
            break
    return found


def to_undo(path: Path) -> bool:
    """Return whether a journal tells how to undo a write that was cut short."""
    return _head(beside(path, "-journal"), 8) == journal_check.MAGIC


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _holds(log: Path) -> bool:
    """Return whether something would be lost with a log.

    A journal holds nothing where it has not been begun in earnest, or where the database was empty
    before; so a store that is being made, or was half made, is in nobody's way.
    """
    if not log.name.endswith("-journal"):
        return bool(_size(log))
    head = _head(log, 20)
    return any(head[:8]) and (_whole(head, 8) > 0 or _whole(head, 16) > 0)


def _head(log: Path, size: int) -> bytes:
    with suppress(OSError), open(log, "rb") as file:
        return file.read(size)
    return b""


def _whole(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 4])


def _number(path: Path) -> int | None:
    """The number that stands in the file itself, without its log; None where it cannot be told."""
    try:
        with _alone(path) as db:
            db.execute("PRAGMA writable_schema = ON")  # a file may be shorter than it says
            return db.execute("PRAGMA user_version").fetchone()[0] % _NUMBERS
    except sqlite3.Error:  # said where the store is opened
        return None


def _range(log: Path) -> tuple[int, int] | None:
    """The number before the first transaction of a log and after the last; None without any."""
    try:
        with open(log, "rb") as file:
            if log.name.endswith("-journal"):
                return _of_journal(file)
            return _of_wal(file)
    except OSError:
        return None


def _of_wal(file: BinaryIO) -> tuple[int, int] | None:
    head = file.read(32)
    page, found = _whole(head, 8), []
    if len(head) < 32 or page < 512:
        return None
    for place in range(32, os.fstat(file.fileno()).st_size, 24 + page):
        file.seek(place)
        frame = file.read(24 + _NUMBER_AT + 4)
        if frame[8:16] != head[16:24]:  # left over from before
            break
        if _whole(frame, 0) == 1 and len(frame) == 24 + _NUMBER_AT + 4:
            found.append(_whole(frame, 24 + _NUMBER_AT) % _NUMBERS)
    if not found:
        return None
    return (found[0] - 1) % _NUMBERS, found[-1]


def _of_journal(file: BinaryIO) -> tuple[int, int] | None:
    """The pages as they were before the one transaction of a journal."""
    head = file.read(28)
    page = _whole(head, 24)
    if len(head) < 28 or page < 512:
        return None
    for place in range(max(_whole(head, 20), 512), os.fstat(file.fileno()).st_size, 8 + page):
        file.seek(place)
        record = file.read(4 + _NUMBER_AT + 4)
        if _whole(record, 0) == 1 and len(record) == 4 + _NUMBER_AT + 4:
            before = _whole(record, 4 + _NUMBER_AT) % _NUMBERS
            return (before, (before + 1) % _NUMBERS) if before else None
    return None


def _fits(number: int | None, log: tuple[int, int] | None) -> bool:
    if number is None or log is None:
        return True
    first, last = log
    if not number:  # the first number was drawn in this log, or none
        return (first + 1) % _APART == 0
    return (number - first) % _NUMBERS <= (last - first) % _NUMBERS
