"""A store of every earlier version is read as it is, and upgraded whole or not at all."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from attn_nlp.store import Store, StoreError
from attn_nlp.store.correctness import packed
from attn_nlp.store.doctor import examine, repair
from attn_nlp.store.processes import this_process
from attn_nlp.store.schema import COLUMNS, VERSION
from tests.store.records import SPEC, record

OLD = sorted((Path(__file__).parent / "golden").glob("version*.sql"))
CLAIMED = "c" * 64
KEPT = record(  # what stands in them
    confusion=[[1, 0], [0, 1]], test={"accuracy": 0.5, "loss": 1.0, "macro_f1": 0.5}
)


@pytest.fixture(params=OLD, ids=lambda file: file.stem)
def old(request, path):
    """A store as an earlier version left it."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.executescript(request.param.read_text("utf-8"))
    return path


def version_of(path):
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()[0]


def without_time(found):
    return {name: value for name, value in found.items() if name != "finished_at"}


def test_every_earlier_version_has_a_golden_store():
    assert len(OLD) == VERSION - 1


def test_reading_an_old_store_changes_nothing(old):
    before = old.read_bytes()
    with Store.read(old) as store:
        found = store.records(None, list(COLUMNS))
        with pytest.raises(StoreError, match="read-only"):
            store.finish("d" * 64, record())
    expected = dict.fromkeys(COLUMNS) | {"spec": SPEC, **KEPT}
    assert without_time(found[SPEC]) == without_time(expected)
    assert found["b" * 64]["status"] == "diverged"
    assert old.read_bytes() == before
    assert [each.name for each in old.parent.iterdir()] == [old.name]


def test_writing_upgrades_and_keeps_a_copy(old, capsys):
    earlier = version_of(old)
    with Store.open(old) as store:
        assert set(store.records()) == {SPEC, "b" * 64}
        assert store.finish("d" * 64, KEPT)
        assert store.claim(CLAIMED), "whoever claimed it is long gone"
        found = store.records(None, list(COLUMNS))
    assert without_time(found[SPEC]) == without_time(found["d" * 64] | {"spec": SPEC})
    assert version_of(old) == str(VERSION)
    copy = old.with_name(f"{old.name}.version{earlier}")
    assert version_of(copy) == earlier
    said = capsys.readouterr().err
    assert (
        f"from version {earlier} to {VERSION}; the file as it was is kept as {copy.name}." in said
    )
    with Store.read(copy) as store:
        assert set(store.records()) == {SPEC, "b" * 64}


def test_an_upgrade_works_out_which_answers_were_right(old):
    expected = {"spec": SPEC, "correct": packed([0, 1], [0, 0]), "gold": [0, 0]}
    with closing(sqlite3.connect(old)) as db, db:
        if "gold" in {row[1] for row in db.execute("PRAGMA table_info(details)")}:
            place = db.execute("INSERT INTO shared (value) VALUES ('[0,0]')").lastrowid
            db.execute("UPDATE details SET gold = ?", [place])
        else:  # the first version kept no labels
            expected |= {"correct": None, "gold": None}
        db.execute("UPDATE details SET predictions = '[0,' WHERE spec = ?", ["b" * 64])
    for opened in (Store.read, Store.open, Store.open):
        with opened(old) as store:
            found = store.records(None, ["correct", "gold"])
        assert found[SPEC] == expected
        assert found["b" * 64]["correct"] is None, "what is damaged stops no upgrade"


def test_the_doctor_examines_every_version_before_and_after_its_upgrade(old):
    for _ in range(2):
        found = examine(old)
        assert any("key" in each.message for each in found)
        repair(old)


def test_a_store_in_use_by_an_older_run_is_left_alone(old):
    pid, started, _ = this_process()
    with closing(sqlite3.connect(old)) as db, db:
        db.execute("UPDATE claims SET pid = ?, started = ?", [pid, started])
    earlier = version_of(old)
    with pytest.raises(StoreError, match="in use by a run of an older attn-nlp"):
        Store.open(old)
    assert version_of(old) == earlier


@pytest.mark.parametrize(
    "fault",
    ["copy.write:before:1", "copy.fsync:after:1", "copy.rename:before:1", "store.commit:before:1"],
)
def test_an_upgrade_that_is_cut_short_leaves_the_old_store(old, monkeypatch, fault):
    from attn_nlp import fault_injection

    monkeypatch.setattr(fault_injection, "_passed", fault_injection.Counter())
    earlier = version_of(old)
    monkeypatch.setenv("ATTN_NLP_FAULT", f"{fault}:full")
    with pytest.raises(StoreError, match=os.strerror(28)):
        Store.open(old)
    monkeypatch.delenv("ATTN_NLP_FAULT")
    assert version_of(old) == earlier
    assert not [each for each in old.parent.iterdir() if each.name.startswith(".writing-")]
    with Store.open(old) as store:
        assert set(store.records()) == {SPEC, "b" * 64}


@pytest.mark.parametrize(
    "taken", ["by another store", "by a text", "by a folder", "by a dead link"]
)
def test_a_store_whose_copy_would_have_no_name_is_not_upgraded(old, taken):
    earlier = version_of(old)
    copy = old.with_name(f"{old.name}.version{earlier}")
    if taken == "by another store":
        with Store.open(copy) as store:
            assert store.finish("d" * 64, KEPT)
    elif taken == "by a text":
        copy.write_text("notes")
    elif taken == "by a folder":
        copy.mkdir()
    else:
        copy.symlink_to("nowhere")
    with pytest.raises(StoreError, match=rf"version {earlier}, .*{copy.name}, is taken by another"):
        Store.open(old)
    assert version_of(old) == earlier


def test_the_copy_of_an_upgrade_that_was_cut_short_serves(old):
    earlier = version_of(old)
    copy = old.with_name(f"{old.name}.version{earlier}")
    copy.write_bytes(old.read_bytes())
    with Store.open(old):
        assert version_of(old) == str(VERSION)
    assert version_of(copy) == earlier
