"""The SQLite file under a store: how it is opened, and what can be wrong with it.

Every fault of the file becomes a `StoreError` of one sentence. Looking at a store changes nothing,
also on a read-only medium, and never makes a file where there is none. A store of an older version
is brought up to date when it is opened for writing, after a copy of it has been laid beside it.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from itertools import zip_longest
from pathlib import Path

from attn_nlp.fault_injection import point
from attn_nlp.files import atomic
from attn_nlp.store.log import beside, count_up, strange, to_undo
from attn_nlp.store.place import Place, can_lock, is_full, is_limited, other_names, unusable
from attn_nlp.store.processes import runs_here
from attn_nlp.store.schema import APPLICATION, VERSION, create, foreign, upgrade
from attn_nlp.wording import warn

MAPPED_BYTES = 1 << 30


class StoreError(Exception):
    """The store cannot be used: what is wrong with the file, and what to do."""


def connect_to_write(path: Path, wait: float, *, make: bool = True) -> sqlite3.Connection:
    """Open the file, by default making it where there is none; `wait` seconds for others.

    A run whose store gets another name meanwhile, as by a backup, goes on under its own; so a file
    that is not to be made may have several.
    """
    _check_place(path)
    if make:
        check_names(path)
    elif not path.exists():
        raise StoreError(f"store {path} is no longer there.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder of store {path}: {error.strerror}.") from error
    with one_sentence(path), point("store.open"):
        db = sqlite3.connect(path, timeout=wait, isolation_level=None)
        try:
            version = _version(db, path)
            if version is None:
                _create(db, path, wait)
            elif version < VERSION:
                _upgrade(db, path, version)
            db.execute("PRAGMA synchronous = FULL")
            # Says at once that a file or its folder is read-only, and changes no byte.
            db.execute("BEGIN IMMEDIATE")
            db.execute("ROLLBACK")
        except BaseException:
            db.close()
            raise
    return db


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open the file for reading only; where there is none, a store without rows in memory."""
    _check_place(path)
    if not path.exists():
        return _nothing()
    sentence = other_names(path)
    if sentence:
        _warn_once(sentence)
    address = f"{path.absolute().as_uri()}?mode=ro"
    with one_sentence(path):
        db = sqlite3.connect(address, uri=True, timeout=30, isolation_level=None)
        try:
            version = _version_or_close(db, path)
        except sqlite3.OperationalError as error:
            if _kind(error) not in ("CANTOPEN", "READONLY"):
                raise
            db = _connect_unchanging(path, address)
            version = _version_or_close(db, path)
    if version == VERSION:
        db.execute(f"PRAGMA mmap_size = {MAPPED_BYTES}")
        return db
    with closing(db):
        if version is None:  # another process is about to make it
            return _nothing()
        with one_sentence(path):
            return _upgraded_in_memory(db)


def _version_or_close(db: sqlite3.Connection, path: Path) -> int | None:
    """The version of a store; a file that has none is let go."""
    try:
        return _version(db, path)
    except BaseException:
        db.close()
        raise


def _check_place(path: Path) -> None:
    sentence = unusable(path)
    if sentence:
        raise StoreError(sentence)
    check_log(path)


def check_names(path: Path) -> None:
    """Refuse to change a file that has several names."""
    sentence = other_names(path)
    if sentence:
        raise StoreError(sentence)


_warn_once = cache(warn)  # a command opens a store several times


def check_log(path: Path) -> None:
    """Reject a path beside which the log of another store lies, or one that is damaged."""
    sentence, warning = strange(path)
    if sentence:
        raise StoreError(f"{sentence}.")
    if warning:
        _warn_once(f"{warning}.")


def place_of(db: sqlite3.Connection, path: Path) -> Place:
    """Where the file lies that a connection has just opened for writing."""
    with one_sentence(path):
        mode = db.execute("PRAGMA journal_mode").fetchone()[0]
    place = Place(path, logged=mode == "wal")
    check_place(place, path)
    return place


def check_place(place: Place | None, path: Path) -> None:
    """Refuse to go on with a file that is no longer at its path."""
    change = "" if place is None else place.change()
    if change:
        raise StoreError(
            f"store {path} {change} while it was in use; results since then are not kept. Put the "
            "file back or choose another --store, and run again."
        )


@contextmanager
def transaction(db: sqlite3.Connection, path: Path, place: Place | None = None) -> Iterator[None]:
    """All that is written inside, or nothing; into the file that lies at the path, or nowhere."""
    check_place(place, path)
    with one_sentence(path):
        try:
            with point("store.begin"):
                db.execute("BEGIN IMMEDIATE")
            before = db.total_changes
            yield
            if db.total_changes != before:
                count_up(db)
            with point("store.commit"):
                db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
    check_place(place, path)


_SENTENCES = {
    "NOTADB": "is no SQLite database; choose another --store",
    "CORRUPT": "is damaged; move it and its log {log} away, then restore a copy or run again",
    "FULL": "cannot be written: the disk is full; what was stored before is intact",
    "BUSY": "is locked by another program; try again when that has ended",
    "NOLCK": "cannot be locked: its disk does not lock files; choose a --store on another disk",
    "READONLY": "is read-only; choose another --store, or make the file and its folder writable",
    "CANTOPEN": "cannot be opened; check that it is a file in a folder that you may write to",
    "LIMIT": "cannot be opened or written: the system lets no file grow further (ulimit -f)",
    "IOERR": "cannot be read or written: the disk reports an error",
}


def _sentence(kind: str, path: Path) -> str:
    return _SENTENCES[kind].format(log=beside(path, "-wal").name)


@contextmanager
def one_sentence(path: Path) -> Iterator[None]:
    """Say what SQLite, or the system under it, found wrong in the user's words."""
    try:
        yield
    except sqlite3.Error as error:
        kind = "CORRUPT" if "Could not decode" in str(error) else _kind(error)
        if kind == "BUSY" and not can_lock(path.parent):
            kind = "NOLCK"
        elif kind == "IOERR" and is_limited(path):
            kind = "LIMIT"
        elif kind == "IOERR" and is_full(path.parent):
            kind = "FULL"
        sentence = _sentence(kind, path) if kind in _SENTENCES else f"cannot be used: {error}"
        raise StoreError(f"store {path} {sentence}.") from error
    except (json.JSONDecodeError, RecursionError, UnicodeDecodeError) as error:
        raise StoreError(f"store {path} {_sentence('CORRUPT', path)}.") from error
    except OSError as error:
        raise StoreError(f"store {path} cannot be written: {error.strerror}.") from error


def about_values(error: sqlite3.Error) -> bool:
    """Return whether an error of SQLite is about a value, such as invalid JSON, not the file."""
    return _kind(error) in ("ERROR", "MISMATCH", "TOOBIG", "")


def _kind(error: sqlite3.Error) -> str:
    """BUSY of SQLITE_BUSY_SNAPSHOT."""
    return getattr(error, "sqlite_errorname", "").removeprefix("SQLITE_").split("_")[0]


def _version(db: sqlite3.Connection, path: Path) -> int | None:
    """The version of a store that is understood; None where the file is empty."""
    application = db.execute("PRAGMA application_id").fetchone()[0]
    if application == 0:
        if not db.execute("SELECT 1 FROM sqlite_master").fetchone():
            # A store is made first, and set to write ahead into a log then.
            if db.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                raise StoreError(
                    f"store {path} is empty and its log {beside(path, '-wal').name} is missing, "
                    "which holds all that was stored; put the log back beside it, or remove the "
                    "file to begin anew."
                )
            return None
        # Another process may have made the store between the two looks.
        application = db.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION:
        raise StoreError(f"{path} is the database of another program; choose another --store.")
    odd = foreign(db)
    if odd:
        raise StoreError(
            f"store {path} {odd}: another program has changed it, and it is not read. Restore a "
            "copy of it, or choose another --store."
        )
    row = db.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()
    if row is None or not re.fullmatch("[1-9][0-9]{0,8}", str(row[0]), re.ASCII):
        raise StoreError(f"store {path} {_sentence('CORRUPT', path)}: it has no version of ours.")
    if int(row[0]) > VERSION:
        raise StoreError(
            f"store {path} has schema version {row[0]}, newer than {VERSION}, which this package "
            "understands; update attn-nlp or choose another --store."
        )
    return int(row[0])


def _create(db: sqlite3.Connection, path: Path, wait: float) -> None:
    with transaction(db, path):
        if _version(db, path) is None:  # another process may have been quicker
            create(db)
    deadline = time.monotonic() + wait
    while True:  # changing the mode does not wait for others by itself
        try:
            db.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            if _kind(error) != "BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _upgrade(db: sqlite3.Connection, path: Path, version: int) -> None:
    """Bring an older store up to date in one transaction, its copy laid beside it first."""
    copy = path.with_name(f"{path.name}.version{version}")
    if os.path.lexists(copy) and not _is_copy(copy, db) and _version(db, path) != VERSION:
        raise StoreError(
            f"store {path} is of version {version}, and the name under which it is kept, "
            f"{copy.name}, is taken by another file; move that away."
        )
    warn(  # a large store takes a while
        f"bringing store {path} from version {version} to {VERSION}; the file as it was is kept as "
        f"{copy.name}."
    )
    try:
        if not copy.exists():
            copy_to(db, copy)
    except StoreError:
        if not copy.exists():  # else another process was quicker
            raise
    with transaction(db, path):
        found = _version(db, path)
        if found == VERSION:  # another process was quicker
            return
        claims = db.execute("SELECT pid, started FROM claims").fetchall()
        if any(runs_here(*process) for process in claims):
            raise StoreError(
                f"store {path} is in use by a run of an older attn-nlp; try again when it has "
                "ended."
            )
        upgrade(db)


def _is_copy(path: Path, db: sqlite3.Connection) -> bool:
    """Return whether a file is a database with the same content."""
    if not path.is_file():
        return False
    address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    with suppress(sqlite3.Error), closing(sqlite3.connect(address, uri=True)) as copy:
        return all(ours == theirs for ours, theirs in zip_longest(db.iterdump(), copy.iterdump()))
    return False


def copy_to(db: sqlite3.Connection, target: Path) -> None:
    """A copy of a database as one file that opens anywhere, whole or not at all.

    Raises:
      StoreError: the target exists, the log of another store lies beside it, or it cannot be
        written.
    """
    check_log(target)
    with one_sentence(target), atomic.unfinished(target) as unfinished:
        try:
            _copy(db, unfinished, target)
        finally:
            for ending in ("-journal", "-wal", "-shm"):
                Path(f"{unfinished}{ending}").unlink(missing_ok=True)


def _copy(db: sqlite3.Connection, unfinished: Path, target: Path) -> None:
    with closing(sqlite3.connect(unfinished, isolation_level=None)) as copy:
        with point("copy.write"):
            db.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
    atomic.put(unfinished, target, "copy", rename=_name)


def _name(unfinished: Path, target: Path) -> None:
    """Give a file its name, which no other file has; of two at once, one is rejected."""
    try:
        try:
            os.link(unfinished, target)
        except FileExistsError:
            raise
        except OSError:  # a disk without links: the name is taken first
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            os.replace(unfinished, target)
    except FileExistsError:
        raise StoreError(
            f"{target} exists already; choose another name, or merge into it."
        ) from None


def _upgraded_in_memory(db: sqlite3.Connection) -> sqlite3.Connection:
    copy = sqlite3.connect(":memory:", isolation_level=None)
    db.backup(copy)
    upgrade(copy)
    copy.execute("PRAGMA query_only = ON")
    return copy


def _nothing() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    create(db)
    return db


def _connect_unchanging(path: Path, address: str) -> sqlite3.Connection:
    """Open a store on a read-only medium, where SQLite cannot make its side files."""
    log = beside(path, "-wal")
    if log.exists() and log.stat().st_size:
        # Opened without its log, the store would silently show an older state.
        raise StoreError(
            f"store {path} has changes pending in {log.name}, and cannot be opened for writing, "
            "which reading them takes; copy both files to a folder of your own and read them there."
        )
    if to_undo(path):  # without its journal, half of a write would be shown
        raise StoreError(
            f"store {path} holds half of a write that was cut short; 'attn-nlp doctor --repair "
            f"--store {path}' undoes it, in a folder that you may write to."
        )
    return sqlite3.connect(f"{address}&immutable=1", uri=True, isolation_level=None)
