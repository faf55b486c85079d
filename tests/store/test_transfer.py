"""Cells move between stores without loss, and a contradiction is named."""

from __future__ import annotations

import pytest

from attn_nlp.experiment import Cell, Experiment, Row, Table, vary
from attn_nlp.store import Store, StoreError
from attn_nlp.store.schema import COLUMNS
from attn_nlp.store.transfer import Merged, export, merge, pack
from tests.store.records import SPEC, record

OTHER = "b" * 64
RESOLVED = Experiment(
    base=Cell(dataset="planted_lookup"),
    axes=[vary("heads", 1, 2)],
    tables=[Table("Heads", [Row("one", {"heads": 1}), Row("two", {"heads": 2})])],
).resolve("name", "Why?")


@pytest.fixture
def source(path):
    with Store.open(path) as store:
        store.finish(SPEC, record())
        store.finish(RESOLVED.cells[0]["spec"], record(status="failed", reason="why", test=None))
        store.save_experiment(RESOLVED)
        yield store


def everything(store):
    return store.records(None, list(COLUMNS)), store.names()[0][0]


def test_an_export_holds_the_same_and_is_one_file(source, tmp_path):
    target = tmp_path / "copy.sqlite"
    assert export(source, target) == 2
    assert [each.name for each in tmp_path.glob("copy*")] == ["copy.sqlite"]
    with Store.read(target) as copy:
        assert everything(copy) == everything(source)
    with pytest.raises(StoreError, match="exists already"):
        export(source, target)


def test_an_export_of_an_experiment_holds_its_cells_alone(source, tmp_path):
    target = tmp_path / "copy.sqlite"
    assert export(source, target, [RESOLVED]) == 1
    with Store.read(target) as copy:
        assert list(copy.records()) == [RESOLVED.cells[0]["spec"]]
        assert copy.experiment("name") == RESOLVED


def test_an_export_that_is_cut_short_leaves_nothing(source, tmp_path, monkeypatch):
    from attn_nlp import fault_injection

    monkeypatch.setattr(fault_injection, "_passed", fault_injection.Counter())
    monkeypatch.setenv("ATTN_NLP_FAULT", "copy.rename:before:1:full")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(StoreError, match=r"copy\.sqlite cannot be written: No space left"):
        export(source, tmp_path / "copy.sqlite")
    assert sorted(tmp_path.rglob("*")) == before


def test_merging_takes_what_is_new_and_checks_what_is_known(source, tmp_path):
    with Store.open(tmp_path / "other.sqlite") as target:
        target.finish(OTHER, record())
        target.finish(SPEC, record(wall_seconds=9.0))
        assert merge(source, target) == Merged(cells=2, added=1, known=1, kept_back=0)
        assert merge(source, target) == Merged(cells=2, added=1, known=1, kept_back=0)
        found = target.records(None, list(COLUMNS))
        assert set(found) == {SPEC, OTHER, RESOLVED.cells[0]["spec"]}
        assert found[SPEC]["wall_seconds"] == 9.0
        failed = RESOLVED.cells[0]["spec"]
        assert found[failed] == source.records([failed], list(COLUMNS))[failed]
        assert target.experiment("name") == RESOLVED


def test_a_contradiction_is_named(source, tmp_path):
    with Store.open(tmp_path / "other.sqlite") as target:
        target.finish(SPEC, record(predictions=[1, 1]))
        with pytest.raises(StoreError, match="different predictions"):
            merge(source, target)


def test_a_cell_in_training_is_kept_back(source, tmp_path):
    with Store.open(tmp_path / "other.sqlite") as target:
        with Store.open(tmp_path / "other.sqlite") as run:
            run.claim(SPEC)
            assert merge(source, target).kept_back == 1
            assert run.finish(SPEC, record())
        assert merge(source, target).known == 1


def test_sealing_needs_a_store_that_nobody_uses(path, tmp_path):
    with pytest.raises(StoreError, match="no store"):
        pack(tmp_path / "none.sqlite")
    with Store.open(path) as store:
        store.finish(SPEC, record())
        with pytest.raises(StoreError, match="locked"):
            pack(path)
    pack(path)
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    with Store.open(path) as store:  # and it can be written on
        assert store.finish(OTHER, record())
        assert set(store.records()) == {SPEC, OTHER}


def cell_of(seed, rows="rows", tokens="tokens", **settings):
    chosen = {"dataset": "trec6", "split_seed": 0, "fold": 0, "tokens": "word", "seed": seed}
    return record(settings={**chosen, **settings}, fingerprint=rows, tokenizer_hash=tokens)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (cell_of(1, rows="changed"), "the rows of dataset 'trec6' have the fingerprints rows"),
        (cell_of(1, tokens="changed"), "the tokens of dataset 'trec6' have"),
        (cell_of(1, rows="changed", tokens=""), "the rows of dataset"),
        (cell_of(1, rows="changed", split_seed=1), ""),
        (cell_of(1, rows="changed", dataset="mr"), ""),
        (cell_of(1, tokens="changed", length=64), ""),
        (cell_of(1, tokens=""), ""),
    ],
)
def test_disjoint_cells_of_one_dataset_are_of_the_same_data(path, tmp_path, other, says):
    with Store.open(path) as target, Store.open(tmp_path / "other.sqlite") as source:
        target.finish(SPEC, cell_of(0))
        source.finish("c" * 64, cell_of(2) if "tokens" in says else other)
        source.finish(OTHER, other)
        if says:
            with pytest.raises(StoreError, match=says):
                merge(source, target)
            assert set(target.records()) == {SPEC}
        else:
            assert merge(source, target).added == 2


def test_nothing_is_added_where_any_cell_contradicts(path, tmp_path):
    with Store.open(path) as target, Store.open(tmp_path / "other.sqlite") as source:
        target.finish(SPEC, record())
        source.finish(OTHER, record())
        source.finish(SPEC, record(predictions=[1, 0], confusion=[[1, 1], [0, 0]]))
        with pytest.raises(StoreError, match="different predictions"):
            merge(source, target)
        assert set(target.records()) == {SPEC}


def test_settings_of_another_spec_are_rejected(path, tmp_path):
    one, two = RESOLVED.cells
    with Store.open(path) as source, Store.open(tmp_path / "other.sqlite") as target:
        source.save_experiment(RESOLVED)
        source.finish(one["spec"], record(settings=two["settings"]))
        with pytest.raises(StoreError, match="its heads is not that of experiment 'name'"):
            merge(source, target)
        assert not target.records()
