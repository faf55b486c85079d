"""Commands that look after stores: what they print, and the status they end with."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing

import pytest

from attn_nlp.cli import main
from attn_nlp.experiment import Cell, Experiment, Row, Table, vary
from attn_nlp.experiment.identity import key_of
from attn_nlp.store import Store
from tests.store.records import SPEC, record

OTHER = "b" * 64


def whole(spec, **changes):
    return record(key=key_of(spec, "rows", "tokens"), **changes)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ATTN_NLP_STORE", raising=False)
    with Store.open("a.sqlite") as opened:
        opened.finish(SPEC, whole(SPEC))
    return tmp_path / "a.sqlite"


def change(path, statement):
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(statement)


def test_a_sound_store(store, capsys):
    assert main(["doctor", "--store", "a.sqlite"]) == 0
    assert capsys.readouterr().out == "store a.sqlite is sound\n"


def test_damage_ends_with_three_and_is_named(store, capsys):
    change(store, "UPDATE cells SET test = '{'")
    assert main(["doctor", "--store", "a.sqlite"]) == 3
    out = capsys.readouterr().out
    assert out == f"damage: 1 cell has a damaged test: it is no JSON. Cells: {SPEC[:12]}.\n"
    assert main(["doctor", "--store", "a.sqlite", "--json"]) == 3
    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert (found["severe"], found["specs"]) == (True, [SPEC])


def test_what_is_safe_is_repaired(store, capsys):
    change(store, "DELETE FROM cells")
    assert main(["doctor", "--store", "a.sqlite"]) == 3
    assert "--repair will remove it." in capsys.readouterr().out
    assert main(["doctor", "--store", "a.sqlite", "--repair"]) == 0
    out = capsys.readouterr().out
    assert "repaired: removed details" in out
    assert "repaired: keeps the cells that are left; the next run trains the others again" in out
    assert main(["doctor", "--store", "a.sqlite"]) == 0
    assert "sound" in capsys.readouterr().out


def test_export_and_merge(store, capsys):
    assert main(["export", "--store", "a.sqlite", "--out", "b.sqlite"]) == 0
    with Store.open("b.sqlite") as copy:
        copy.finish(OTHER, whole(OTHER))
    assert main(["merge", "b.sqlite", "--store", "a.sqlite"]) == 0
    assert main(["merge", "b.sqlite", "--store", "a.sqlite"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 cells written to b.sqlite",
        "b.sqlite: 1 added, 1 known already",
        "b.sqlite: 2 known already",
    ]
    assert main(["pack", "--store", "a.sqlite"]) == 0
    with Store.read(store) as found:
        assert set(found.records()) == {SPEC, OTHER}


def test_experiments_of_one_name_are_merged_by_no_guess(store, capsys):
    for path, titles in (("a.sqlite", ["One"]), ("b.sqlite", ["Two"]), ("c.sqlite", ["One"])):
        rows = [Row("all", {}, reference=True)]
        experiment = Experiment(
            base=Cell(dataset="planted_lookup"),
            axes=[vary("seed", 0, 1)],
            tables=[Table(title, rows) for title in titles],
        )
        with Store.open(path) as opened:
            opened.save_experiment(experiment.resolve("e", "Why?"))
    assert main(["merge", "c.sqlite", "b.sqlite", "--store", "a.sqlite"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "attn-nlp: experiment 'e' differs between b.sqlite and a.sqlite; that of a.sqlite is kept."
    ]
    with Store.read(store) as found:
        assert [table["title"] for table in found.experiment("e").tables] == ["One"]


def test_a_contradiction_ends_with_four_and_changes_nothing(store, capsys):
    with Store.open("b.sqlite") as other:
        other.finish(SPEC, whole(SPEC, predictions=[1, 1], confusion=[[0, 1], [0, 1]]))
    before = hashlib.sha256(store.read_bytes()).digest()
    assert main(["merge", "b.sqlite", "--store", "a.sqlite"]) == 4
    assert "different confusion, predictions" in capsys.readouterr().err
    with Store.read(store) as found:
        assert found.records([SPEC], ["predictions"])[SPEC]["predictions"] == [0, 1]
    assert hashlib.sha256(store.read_bytes()).digest() == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["doctor", "--store", "none.sqlite"], "there is no store none.sqlite"),
        (["pack", "--store", "none.sqlite"], "there is no store none.sqlite"),
        (["export", "--store", "none.sqlite", "--out", "b"], "there is no store none.sqlite"),
        (["export", "--store", "a.sqlite", "--out", "a.sqlite"], "a.sqlite exists already"),
        (["export", "--store", "a.sqlite", "--seeds", "2", "--out", "b"], "need its FILE"),
        (["merge", "none.sqlite", "--store", "a.sqlite"], "there is no store none.sqlite"),
        (["merge", "--store", "a.sqlite"], "Missing argument"),
    ],
)
def test_a_mistake_is_one_line_and_makes_no_file(store, capsys, arguments, says):
    before = sorted(store.parent.iterdir())
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert says in err
    assert len(err.splitlines()) == 1
    assert sorted(store.parent.iterdir()) == before
