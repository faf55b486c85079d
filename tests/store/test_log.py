"""A log belongs to one store: beside another one, or beside none, it is never used nor lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from attn_nlp.cli import main
from attn_nlp.store import Store, StoreError
from attn_nlp.store import file as store_file
from attn_nlp.store.doctor import repair
from attn_nlp.store.log import IN_USE, count_up
from attn_nlp.store.transfer import export, merge, pack
from tests.store.records import SPEC, record

OTHER, THIRD = "b" * 64, "c" * 64


def log_of(path, ending="-wal"):
    return path.with_name(f"{path.name}{ending}")


def killed(path, *specs):
    """Files as a killed run leaves them: the results of some cells are in the log alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    work = path.with_name("work") / path.name
    shutil.copytree(path.parent, work.parent, ignore=shutil.ignore_patterns("work"))
    with Store.open(work) as store:
        for spec in specs:
            assert store.finish(spec, record())
        for ending in ("", "-wal", "-journal"):
            if log_of(work, ending).exists():
                shutil.copy(log_of(work, ending), log_of(path, ending))
    shutil.rmtree(work.parent)


def amid_a_write(path):
    """A store of one file whose last transaction was cut off when all pages had been written."""
    with Store.open(path) as store:
        store.finish(SPEC, record())
    pack(path)
    work = path.with_name("work")
    shutil.copy(path, work)
    with closing(sqlite3.connect(work, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("DELETE FROM cells")
        count_up(db)
        # As it is when it has reached the disk, and pages are written.
        begun = log_of(work, "-journal").read_bytes()
        ready = bytes.fromhex("d9d505f920a163d7ffffffff") + begun[12:]
        log_of(path, "-journal").write_bytes(ready)
        db.execute("COMMIT")
    shutil.copy(work, path)
    for each in path.parent.glob("work*"):
        each.unlink()


def bytes_of(folder):
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}


def logs(folder):
    return {name: log for name, log in bytes_of(folder).items() if name[-4:] in ("-wal", "rnal")}


def rejected(path, says, capsys):
    before = bytes_of(path.parent)
    for use in (Store.open, Store.read, repair):
        with pytest.raises(StoreError, match=says):
            use(path)
    for command in ("status", "doctor", "pack"):
        assert main([command, "--store", str(path)]) == 4
        assert says in capsys.readouterr().err
    assert bytes_of(path.parent) == before


def read(path):
    with Store.read(path) as store:
        return set(store.records())


@pytest.mark.parametrize("emptied", [False, True])
@pytest.mark.parametrize("leave", [lambda path: killed(path, SPEC, OTHER), amid_a_write])
def test_the_log_of_a_store_that_was_moved_is_kept(path, capsys, leave, emptied):
    leave(path)
    whole = path.read_bytes()
    path.write_bytes(b"") if emptied else path.unlink()
    rejected(path, "holds results of a store that was moved or removed", capsys)
    path.write_bytes(whole)
    if leave is amid_a_write:
        with pytest.raises(StoreError, match="half of a write that was cut short"):
            Store.read(path)
        assert repair(path) == []
    assert SPEC in read(path)


def test_what_is_restored_beside_an_old_log_is_not_replaced_by_it(path, tmp_path, capsys):
    killed(path, SPEC)
    backup = tmp_path / "backup.sqlite"
    with Store.open(backup) as store:
        store.finish(OTHER, record())
    shutil.copy(backup, path)
    rejected(path, "is not the one that its log store.sqlite-wal belongs to", capsys)
    log_of(path).unlink()
    assert read(path) == {OTHER}


def test_an_older_copy_of_the_same_store_is_told_from_its_successor(path, tmp_path, capsys):
    with Store.open(path) as store:
        store.finish(SPEC, record())
    shutil.copy(path, tmp_path / "old")
    with Store.open(path) as store:
        store.finish(OTHER, record())
    killed(path, THIRD)
    assert read(path) == {SPEC, OTHER, THIRD}
    shutil.copy(tmp_path / "old", path)
    rejected(path, "is not the one that its log", capsys)


def test_its_own_log_is_read_whatever_was_folded_in(path, tmp_path):
    killed(path, SPEC)
    killed(path, OTHER)
    copy = tmp_path / "copy" / path.name
    shutil.copytree(path.parent, copy.parent)
    assert read(copy) == {SPEC, OTHER}
    Path(tmp_path / "link").symlink_to(copy)
    assert read(tmp_path / "link") == {SPEC, OTHER}
    with closing(sqlite3.connect(copy)) as db:
        db.execute("PRAGMA wal_checkpoint")
        shutil.copy(copy, path)  # its log as it was
        assert read(path) == {SPEC, OTHER}


def test_a_store_without_a_number_gets_one(path):
    Store.open(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA user_version = 0")
    killed(path, SPEC, OTHER)
    assert read(path) == {SPEC, OTHER}
    with Store.open(path) as store:
        assert store._db.execute("PRAGMA user_version").fetchone()[0] > 2


def test_a_transaction_that_changes_nothing_writes_nothing(path):
    with Store.open(path) as store:
        store.finish(SPEC, record())
        size = log_of(path).stat().st_size
        assert not store.claim(SPEC)
        assert log_of(path).stat().st_size == size


def test_nothing_is_exported_merged_or_copied_beside_a_log(path, tmp_path, capsys):
    with Store.open(path) as store:
        store.finish(SPEC, record())
        target = tmp_path / "paper.sqlite"
        log_of(target).write_bytes(b"results")
        with pytest.raises(StoreError, match=r"its log paper\.sqlite-wal holds results"):
            export(store, target)
        assert main(["export", "--store", str(path), "--out", str(target)]) == 4
        assert main(["merge", str(path), "--store", str(target)]) == 4
        assert logs(tmp_path) == {"paper.sqlite-wal": b"results"}
        assert not target.exists()


def test_a_store_without_tables_has_lost_its_log(path, capsys):
    """As an earlier version left it, which wrote all of a new store into its log."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
    for use in (Store.open, Store.read):
        with pytest.raises(StoreError, match=r"its log store\.sqlite-wal is missing"):
            use(path)
    assert main(["doctor", "--store", str(path)]) == 4


@pytest.mark.parametrize("links", [True, False])
def test_of_two_exports_to_one_name_the_first_stays(path, tmp_path, monkeypatch, links):
    from attn_nlp.store import file

    def no_link(*_):
        raise PermissionError(1, os.strerror(1))

    if not links:
        monkeypatch.setattr(file.os, "link", no_link)
    target = tmp_path / "copy.sqlite"
    backup = file._copy

    def then_another(db, unfinished, name):
        monkeypatch.setattr(file, "_copy", backup)
        with Store.open(tmp_path / "other.sqlite") as other:
            other.finish(OTHER, record())
            assert export(other, target) == 1
        backup(db, unfinished, name)

    with Store.open(path) as store:
        store.finish(SPEC, record())
        monkeypatch.setattr(file, "_copy", then_another)
        with pytest.raises(StoreError, match="exists already"):
            export(store, target)
    assert read(target) == {OTHER}
    assert not list(tmp_path.glob(".writing-*"))
    with Store.read(target) as one, Store.open(tmp_path / "all.sqlite") as every:
        assert merge(one, every).added == 1


def copied_alone(path, folder):
    """The file as it is now, copied without its log."""
    return Path(shutil.copy(path, folder / "copy.sqlite"))


def said_of(path, capsys, cells=None):
    store_file._warn_once.cache_clear()
    capsys.readouterr()
    with Store.read(path) as store:
        assert len(store.records()) == cells or (cells is None and len(store.records()) <= 1)
    return capsys.readouterr().err


def test_a_copy_of_a_store_in_use_says_that_its_log_is_missing(path, tmp_path, capsys):
    with Store.open(path) as store:
        assert store.claim(SPEC)
        store.finish(SPEC, record())
        copy = copied_alone(path, tmp_path)
        assert said_of(path, capsys) == ""
        said = said_of(copy, capsys)
        assert "copy.sqlite was in use when it was copied or moved" in said
        assert "its log copy.sqlite-wal is missing" in said
        export(store, tmp_path / "whole.sqlite")
        assert said_of(tmp_path / "whole.sqlite", capsys) == ""
        store.release()
    copy.unlink()
    assert said_of(copied_alone(path, tmp_path), capsys) == ""


def test_the_last_of_two_runs_ends_the_use_of_a_store(path, tmp_path, capsys):
    with Store.open(path) as first, Store.open(path) as second:
        assert first.claim(SPEC)
        assert second.claim(OTHER)
        first.release()
        assert IN_USE in marks(first)
        second.release()
        assert IN_USE not in marks(first)


def marks(store):
    return [name for (name,) in store._db.execute("SELECT name FROM meta")]


def test_repair_forgets_the_use_by_a_run_that_was_killed(path, capsys):
    with Store.open(path) as store:
        assert store.claim(SPEC)
        store._db.execute("UPDATE claims SET pid = 1, started = 'long ago'")
    repair(path)
    with Store.open(path) as store:
        assert IN_USE not in marks(store)


def test_a_store_in_use_is_not_a_copy_after_another_program_wrote_into_it(path, tmp_path, capsys):
    with Store.open(path) as run:
        assert run.claim(SPEC)
        with Store.open(path) as other:
            other.finish(OTHER, record())
        assert said_of(path, capsys, 1) == ""
        assert "was in use" in said_of(copied_alone(path, tmp_path), capsys, None)
        run.release()
    assert said_of(path, capsys, 1) == ""


def test_who_writes_into_the_store_of_a_killed_run_ends_its_use(path, tmp_path, capsys):
    left = tmp_path / "left" / path.name
    left.parent.mkdir()
    with Store.open(path) as store:
        assert store.claim(SPEC)
        store._db.execute("UPDATE claims SET pid = 1, started = 'long ago'")
        for file in (path, log_of(path)):
            shutil.copy(file, left.parent)
    assert said_of(left, capsys, 0) == ""
    with Store.open(left) as other:
        other.finish(OTHER, record())
    assert not log_of(left).exists()
    assert said_of(left, capsys, 1) == ""


@contextmanager
def reading_an_older_state(path):
    """A connection of another program that holds on to the state of a store with one cell."""
    with Store.open(path) as store:
        store.finish(SPEC, record())
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM cells").fetchone()
        yield reader


def test_a_copy_without_its_log_says_so_though_another_program_reads_an_older_state(
    path, tmp_path, capsys
):
    with reading_an_older_state(path) as reader, Store.open(path) as store:
        assert store.claim("b" * 64)
        assert store.finish("b" * 64, record())
        reader.execute("COMMIT")  # the next claim writes the mark into the file
        assert store.claim("c" * 64)
        copy = copied_alone(path, tmp_path)
        store.release()
    capsys.readouterr()
    with Store.read(copy):
        assert "was in use when it was copied or moved" in capsys.readouterr().err


def test_a_store_that_another_program_reads_at_the_end_needs_its_log(path, capsys):
    with reading_an_older_state(path):
        with Store.open(path) as store:
            assert store.claim("b" * 64)
            assert store.finish("b" * 64, record())
            store.release()
        assert "another program reads store" in capsys.readouterr().err


def test_the_mark_that_another_run_has_removed_is_written_again(path, tmp_path, capsys):
    with Store.open(path) as one, Store.open(path) as other:
        assert one.claim("b" * 64)
        assert one.finish("b" * 64, record())
        assert other.claim("c" * 64)
        assert other.finish("c" * 64, record())
        other.release()
        assert one.claim("d" * 64)
        copy = copied_alone(path, tmp_path)
    capsys.readouterr()
    with Store.read(copy):
        assert "was in use when it was copied or moved" in capsys.readouterr().err


def test_text_that_is_not_utf8_in_the_list_of_tables_is_damage(path):
    with Store.open(path) as store:
        store.finish(SPEC, record())
    content = path.read_bytes()
    at = content.index(b"CREATE TABLE cells")
    path.write_bytes(content[: at + 14] + b"\xff" + content[at + 15 :])
    with pytest.raises(StoreError, match="is damaged"):
        Store.read(path)
