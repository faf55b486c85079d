"""A store lies at a path, and stays there while it is in use; else that is said."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing

import pytest

from attn_nlp.cli import main
from attn_nlp.store import Store, StoreError, place
from attn_nlp.store import file as store_file
from attn_nlp.store.doctor import repair
from attn_nlp.store.place import unusable
from attn_nlp.store.transfer import pack
from tests.store.records import SPEC, record

OTHER = "b" * 64


def looped(folder):
    (folder / "loop").symlink_to("loop")
    return "loop"


def broken(folder):
    (folder / "broken").symlink_to("nowhere")
    return "broken"


def pipe(folder):
    os.mkfifo(folder / "pipe")
    return "pipe"


def under_a_file(folder):
    (folder / "file").touch()
    return "file/store.sqlite"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (":memory:", "':memory:' is no file to SQLite"),
        ("file:x?mode=memory", "'file:x?mode=memory' is no file to SQLite"),
        ("", "the name of the store is empty"),
        (" ", "the name of the store is empty"),
        ("a\0b", "the name of the store holds a NUL"),
        ("a" * 257, "has 257 bytes; choose one of at most 243"),
        ("\u8bc4" * 82, "has 246 bytes; choose one of at most 243"),
        ("/".join(["a" * 99] * 6), "bytes; choose one of at most 504"),
        (".", "it is a folder"),
        ("/", "it is a folder"),
        ("/dev/null", "it is no regular file"),
        (pipe, "it is no regular file"),
        (looped, "it is a link to itself"),
        (broken, "it is a link to nowhere, which is not there"),
        (under_a_file, "a part of it is a file"),
    ],
)
def test_a_place_without_a_file_is_rejected(tmp_path, monkeypatch, capsys, name, says):
    monkeypatch.chdir(tmp_path)
    given = name if isinstance(name, str) else name(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert says in unusable(given)
    for arguments in (["status", "--store", given], ["merge", given, "--store", "s.sqlite"]):
        assert main(arguments) == 2
        err = capsys.readouterr().err
        assert says in err
        assert len(err.splitlines()) == 1
    if given and "\0" not in given:
        monkeypatch.setenv("ATTN_NLP_STORE", given)
        assert main(["doctor"]) == 2
    for opened in (Store.open, Store.read):
        with pytest.raises(StoreError):
            opened(given)
    assert sorted(tmp_path.iterdir()) == before


def test_the_longest_names_work(tmp_path):
    path = tmp_path / ("a" * 243)
    assert unusable(path) == ""
    with Store.open(path) as store:
        assert store.finish(SPEC, record())
    folder = tmp_path
    while len(str(folder)) < 390:
        folder /= "b" * 50
    path = folder / ("c" * (504 - len(str(folder)) - 1))
    assert len(str(path)) == 504
    with Store.open(path) as store:
        assert store.finish(SPEC, record())


def moved(path):
    path.rename(path.with_name("moved"))


def removed(path):
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()


def folder_renamed(path):
    path.parent.rename(path.parent.with_name("renamed"))


def replaced(path):
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    copy.replace(path)


def emptied(path):
    os.truncate(path, 0)


def without_log(path):
    path.with_name(f"{path.name}-wal").unlink()


CHANGES = {
    moved: "is no longer there: it was removed or moved away",
    removed: "is no longer there: it was removed or moved away",
    folder_renamed: "is no longer there: it was removed or moved away",
    replaced: "was replaced by another file",
    emptied: "was emptied",
    without_log: "lost its log store.sqlite-wal, which was removed or replaced",
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_store_that_changes_its_place_is_noticed_at_the_next_write(path, change):
    with Store.open(path) as store:
        store.finish(SPEC, record())
        change(path)
        for write in (
            lambda: store.finish(OTHER, record()),
            lambda: store.claim(OTHER),
            store.release,
            store.check_place,
        ):
            with pytest.raises(StoreError, match=f"{CHANGES[change]} while it was in use; results"):
                write()


def test_a_change_during_a_write_is_noticed_when_it_ends(path, monkeypatch):
    with Store.open(path) as store:
        give_up = store._claims.give_up

        def then_move(*given):
            give_up(*given)
            moved(path)

        monkeypatch.setattr(store._claims, "give_up", then_move)
        with pytest.raises(StoreError, match="no longer there"):
            store.finish(SPEC, record())


def test_a_log_that_was_lost_costs_no_result(path):
    store = Store.open(path)
    store.finish(SPEC, record())
    without_log(path)
    with pytest.raises(StoreError):
        store.finish(OTHER, record())
    store.close()
    with Store.read(path) as again:
        assert list(again.records()) == [SPEC]


def test_other_names_and_sealed_stores_are_no_change(path):
    Store.open(path).close()
    pack(path)
    with Store.open(path) as store:
        assert store.finish(SPEC, record())
        path.with_name("link").symlink_to(path.name)
        with Store.open(path.with_name("link")) as other:
            assert other.finish(OTHER, record())
        assert store.finish("c" * 64, record())
        store.check_place()


def test_a_file_of_two_names_is_not_written_under_either(path, monkeypatch, capsys):
    """Each name has a log of its own, and what is in one is not seen under the other."""
    monkeypatch.setattr(place, "_PAUSE", 0)
    second = path.with_name("second.sqlite")
    with Store.open(path) as store:
        assert store.finish(SPEC, record())
        os.link(path, second)  # as a backup does: the run goes on
        assert store.finish(OTHER, record())
        store_file.connect_to_write(path, 0.1, make=False).close()
        for name in (path, second):
            for use in (Store.open, repair, pack):
                with pytest.raises(StoreError, match=r"has another name \(hard link\)"):
                    use(name)
        assert main(["doctor", "--repair", "--store", str(second)]) == 4
        capsys.readouterr()
        assert not second.with_name("second.sqlite-wal").exists()
        assert store.finish("c" * 64, record())
    with Store.read(second), Store.read(second):
        says = capsys.readouterr().err
        assert len(says.splitlines()) == 1
        assert "what is kept under one is not seen under the other" in says
    second.unlink()
    with Store.open(path) as store:
        assert len(store.records()) == 3


def test_a_file_that_is_being_named_has_two_names_for_a_moment(path, monkeypatch):
    Store.open(path).close()
    path.with_name(".writing").hardlink_to(path)
    monkeypatch.setattr(place.time, "sleep", lambda _: path.with_name(".writing").unlink())
    with Store.open(path) as store:
        assert store.finish(SPEC, record())


def test_a_heart_makes_no_store_where_there_is_none(path):
    with pytest.raises(StoreError, match="is no longer there"):
        store_file.connect_to_write(path, 0.1, make=False)
    assert not path.parent.exists()


def test_a_disk_that_locks_no_files_is_named(path, monkeypatch):
    import errno

    def reject(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    Store.open(path).close()
    monkeypatch.setattr(place.fcntl, "lockf", reject)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="its disk does not lock files"):
            Store.open(path, wait=0.01)
