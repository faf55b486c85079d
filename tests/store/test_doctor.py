"""Damage inside a store is found and named; only safe repairs are made."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
from contextlib import closing

import pytest

from attn_nlp.experiment import Cell, Experiment, Row, Table, vary
from attn_nlp.experiment.identity import key_of
from attn_nlp.experiment.resolved import families_of
from attn_nlp.store import Store, StoreError
from attn_nlp.store.doctor import examine, repair
from attn_nlp.store.schema import seal
from tests.store.records import SPEC, record


def whole(spec=SPEC, **changes):
    return record(key=key_of(spec, "rows", "tokens"), **changes)


@pytest.fixture
def filled(path):
    with Store.open(path) as store:
        store.finish(SPEC, whole())
        store.finish("b" * 64, whole("b" * 64))
    return path


def change(path, *statements):
    with closing(sqlite3.connect(path)) as db, db:
        for statement in statements:
            db.execute(statement)
        seal(db)


def test_a_healthy_store_has_no_findings(filled, tmp_path):
    assert examine(filled) == []
    assert repair(filled) == []
    assert examine(tmp_path / "none.sqlite") == []


def test_a_claim_of_a_process_that_ended_is_given_up(filled):
    with Store.open(filled) as store:
        store.claim("c" * 64)
        (found,) = examine(filled)
        assert (found.severe, found.repair) == (False, "")
        assert found.message == f"1 cell is claimed by process {os.getpid()} of this machine."
        change(filled, "UPDATE claims SET started = 'earlier'")
        (found,) = examine(filled)
        assert (found.severe, found.specs) == (False, ("c" * 64,))
        assert repair(filled) == [f"gave up the claim on cell {'c' * 12}"]
        assert examine(filled) == []


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (
            "UPDATE cells SET test = '{' WHERE spec LIKE 'a%'",
            "1 cell has a damaged test: it is no JSON",
        ),
        ("UPDATE details SET history = '[1' ", "2 cells have a damaged history: it is no JSON"),
        ("UPDATE cells SET key = 'k' WHERE spec LIKE 'a%'", "1 cell has a key that is not its own"),
        (
            "UPDATE details SET predictions = '[0]'",
            "2 cells contradict themselves: predictions by class is {0: 1}",
        ),
        (
            "UPDATE cells SET correct = x'80' WHERE spec LIKE 'a%'",
            "1 cell has right answers that are not",
        ),
        ("DELETE FROM details WHERE spec LIKE 'a%'", "1 cell has lost its details"),
    ],
)
def test_damage_is_grave_and_is_not_repaired(filled, statement, says):
    change(filled, statement)
    (found,) = examine(filled)
    assert found.severe
    assert found.message.startswith(says)
    assert found.repair == ""
    assert repair(filled) == []
    assert examine(filled) == [found]


def test_details_without_a_cell_are_removed(filled):
    change(filled, "DELETE FROM cells WHERE spec LIKE 'a%'")
    (found,) = examine(filled)
    assert (found.severe, found.repair) == (False, "remove it")
    assert len(repair(filled)) == 1
    assert examine(filled) == []


def test_a_mixture_of_environments_is_worth_knowing(filled):
    with Store.open(filled) as store:
        store.finish("c" * 64, whole("c" * 64, provenance={"jax": "2"}))
    (found,) = examine(filled)
    assert not found.severe
    assert found.message == "cells come from 2 environments, which differ in jax."


def test_a_damaged_page_is_found(path):
    with Store.open(path) as store:
        for place in range(300):
            store.finish(f"{place:064}", whole(f"{place:064}"))
    content = bytearray(path.read_bytes())
    content[20_000:24_000] = b"\xff" * 4_000
    path.write_bytes(bytes(content))
    with pytest.raises(StoreError, match="damaged"):
        examine(path)


def test_an_index_that_lies_is_found(filled):
    change(
        filled,
        "CREATE INDEX cells_by_program ON cells (program)",
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = replace(sql, '(program)', '(key)') "
        "WHERE name = 'cells_by_program'",
    )
    (found,) = examine(filled)
    assert found.severe
    assert "SQLite finds the file damaged" in found.message


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"fingerprint": "changed"},
            "the rows of dataset 'trec6' have the fingerprints rows (1 cell), changed (1 cell)",
        ),
        ({"tokenizer_hash": "changed"}, "the tokens of dataset 'trec6' have the fingerprints"),
        (
            {"gold": [0, 0], "data": {"label": "L", "splits": {"test": {"rows": 60000}}}},
            "1 cell says that the test split has 60000 sentences; labels are there of 2.",
        ),
    ],
)
def test_what_cells_say_of_their_data_must_fit(path, changes, says):
    settings = {"dataset": "trec6", "split_seed": 0, "seed": 0}
    first, second = record(settings=settings), record(settings=settings, **changes)
    with Store.open(path) as store:
        for spec, each in ((SPEC, first), ("b" * 64, second)):
            key = key_of(spec, each["fingerprint"], each["tokenizer_hash"])
            store.finish(spec, {**each, "key": key})
    (found,) = examine(path)
    assert found.severe
    assert found.message.startswith(says)


@pytest.mark.parametrize("exchange", ["rows", "specs"])
def test_settings_that_are_not_those_of_the_spec_are_found(path, exchange):
    resolved = Experiment(
        base=Cell(dataset="planted_lookup"),
        axes=[vary("heads", 1, 2)],
        tables=[Table("Heads", [Row("one", {"heads": 1}), Row("two", {"heads": 2})])],
    ).resolve("name", "Why?")
    specs = [cell["spec"] for cell in resolved.cells]
    settings = [cell["settings"] for cell in resolved.cells]
    with Store.open(path) as store:
        for spec, each in zip(specs, settings[:: -1 if exchange == "rows" else 1], strict=True):
            store.finish(spec, whole(spec, settings=each))
        if exchange == "specs":
            swapped = zip(reversed(specs), settings, strict=True)
            cells = [{"spec": spec, "settings": each} for spec, each in swapped]
            resolved = dataclasses.replace(resolved, families=families_of(cells))
        store.save_experiment(resolved)
    (found,) = examine(path)
    assert (found.severe, set(found.specs)) == (True, set(specs))
    assert found.message == (
        "2 cells have settings that are not those of their specs: heads is not that of experiment "
        "'name'."
    )
