"""A file that cannot be used is named in one clear line, and nothing in it is lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from attn_nlp.store import LARGE, Store, StoreError
from attn_nlp.store.schema import VERSION
from tests.store.records import SPEC, record


def both(path):
    """Return the messages of opening for writing and for reading."""
    said = []
    for opened in (Store.open, Store.read):
        with pytest.raises(StoreError) as error, opened(path) as store:
            store.records(None, ["spec", "test"])
        assert "\n" not in str(error.value)
        said.append(str(error.value))
    return said


def test_garbage_is_named(tmp_path):
    path = tmp_path / "store.sqlite"
    path.write_bytes(b"no database at all " * 100)
    assert all("no SQLite database" in each for each in both(path))
    assert path.read_bytes() == b"no database at all " * 100


def test_the_database_of_another_program_is_left_alone(tmp_path):
    path = tmp_path / "store.sqlite"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE theirs (a)")
    db.close()
    before = path.read_bytes()
    assert all("another program" in each for each in both(path))
    assert path.read_bytes() == before


def test_a_newer_store_is_rejected(path):
    Store.open(path).close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE meta SET value = '99'")
    db.close()
    assert all(f"version 99, newer than {VERSION}" in each for each in both(path))


def test_a_truncated_store_is_called_damaged(path):
    with Store.open(path) as store:
        for place in range(300):
            store.finish(f"{place:064}", record())
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match="damaged"), Store.read(path) as store:
        store.records(None, LARGE)


def test_damaged_json_is_called_damaged(path):
    with Store.open(path) as store:
        store.finish(SPEC, record())
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("""UPDATE cells SET test = '{"accuracy": '""")
    db.close()
    with pytest.raises(StoreError, match="damaged"), Store.read(path) as store:
        store.records()


def test_an_empty_file_becomes_a_store(tmp_path):
    path = tmp_path / "store.sqlite"
    path.touch()
    with Store.read(path) as store:
        assert store.records() == {}
    with Store.open(path) as store:
        assert store.records() == {}


def test_a_folder_is_no_store(tmp_path):
    assert all("cannot be opened" in each for each in both(tmp_path))


def test_a_file_in_the_way_of_the_folder_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot make the folder"):
        Store.open(tmp_path / "file" / "store.sqlite")


def test_a_locked_store_is_named(path):
    Store.open(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        Store.open(path, wait=0.05)
    other.close()


def test_a_full_disk_loses_nothing(path):
    with Store.open(path) as store:
        store.finish(SPEC, record())
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match="disk is full"):
            store.finish("b" * 64, record(predictions=[0] * 50_000))
        assert list(store.records()) == [SPEC]
        store._db.execute("PRAGMA max_page_count = 1000000")
        assert store.finish("b" * 64, record())


def test_a_full_disk_that_sqlite_calls_an_error_is_called_full(path, monkeypatch):
    from attn_nlp.store import file, place

    error = _error("SQLITE_IOERR_SHMSIZE")
    full, broken = "the disk is full", "the disk reports an error"
    for size, room, says in ((10**9, 0, full), (10**9, 10**9, broken), (0, 0, broken)):
        usage = type("Usage", (), {"total": size, "free": room})
        monkeypatch.setattr(place.shutil, "disk_usage", lambda folder, usage=usage: usage)
        with pytest.raises(StoreError, match=says), file.one_sentence(path):
            raise error


def test_a_read_only_medium_can_be_read(path, monkeypatch):
    """Where SQLite cannot make its side files, an idle store opens; one with pending changes does
    not. Permissions do not bind the superuser, so the rejection is simulated."""
    from attn_nlp.store import file

    with Store.open(path) as store:
        store.finish(SPEC, record())
    real, opened = file._version, []

    def reject_once(db, path):
        opened.append(db)
        if len(opened) == 1:
            raise _error("SQLITE_CANTOPEN")
        return real(db, path)

    monkeypatch.setattr(file, "_version", reject_once)
    with Store.read(path) as store:
        assert list(store.records()) == [SPEC]
    assert len(opened) == 2
    opened.clear()
    Path(f"{path}-wal").write_bytes(b"pending")
    with pytest.raises(StoreError, match=r"changes pending in store\.sqlite-wal"):
        Store.read(path)


def _error(name):
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorname = name
    return error
