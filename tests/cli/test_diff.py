"""diff: what it prints, as text and as JSON, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from attn_nlp import cli
from attn_nlp.store import Store
from attn_nlp.store.tolerance import TOLERANCE
from tests.store.records import record

HEAVY = ("jax", "datasets", "matplotlib", "sklearn", "scipy")


def settings(heads, seed=0):
    return {"model": "encoder", "dataset": "评论", "heads": heads, "seed": seed}


def write(path, records):
    with Store.open(path) as store:
        for spec, each in records.items():
            store.claim(spec)
            store.finish(spec, each)
    return str(path)


@pytest.fixture
def stores(tmp_path):
    """Two cells agree, one of them from elsewhere; one differs; each store has one of its own."""
    other = {"accuracy": 0.25, "loss": 1.0, "macro_f1": 0.5}
    shared = {name * 64: record(settings=settings(n)) for n, name in enumerate("abc")}
    first = {**shared, "d" * 64: record(settings=settings(8))}
    second = {
        **shared,
        "b" * 64: record(settings=settings(1), provenance={"jax": "2"}),
        "c" * 64: record(settings=settings(2), test=other, predictions=[1, 1]),
        "e" * 64: record(settings=settings(16, seed=3)),
    }
    return write(tmp_path / "a.sqlite", first), write(tmp_path / "b.sqlite", second)


@pytest.fixture
def diff(capsys):
    def call(*arguments):
        status = cli.main(["diff", *map(str, arguments)])
        return status, *capsys.readouterr()

    return call


def test_equal_stores_end_with_0(diff, stores):
    status, out, err = diff(stores[0], stores[0])
    assert (status, err) == (0, "")
    assert ["in", "both,", "equal", "4"] in [line.split() for line in out.splitlines()]
    assert "only in A:" not in out
    assert "largest difference" not in out


def test_different_stores_end_with_3_and_say_in_what(diff, stores):
    status, out, err = diff(*stores)
    assert (status, err) == (3, "")
    lines = [line.split() for line in out.splitlines()]
    for counted in (
        "only in A 1",
        "only in B 1",
        "in both, equal 2",
        "in both, different 1",
        "in different environments 1",
        "encoder heads=8 seed=0",
        "encoder heads=16 seed=3",
        "encoder heads=2 seed=0 test, predictions test.accuracy 0.25 1 same",
        "jax 1 against 2: 1 cell",
    ):
        assert counted.split() in lines, out


def test_as_json(diff, stores):
    status, out, _ = diff(*stores, "--json")
    found = json.loads(out)
    assert (status, found["same"], found["equal"]) == (3, False, 2)
    assert [each["spec"][0] for each in found["only_in_a"]] == ["d"]
    assert found["only_in_b"][0]["settings"]["heads"] == 16
    (pair,) = found["different"]
    assert pair["differ"] == ["test", "predictions"]
    assert (pair["metric"], pair["largest"], pair["predictions"]) == ("test.accuracy", 0.25, 1)
    (elsewhere,) = found["equal_in_different_environments"]
    assert elsewhere["environment"] == {"jax": ["1", "2"]}


def test_results_of_two_environments_may_differ_by_rounding(diff, tmp_path):
    near = {"accuracy": 0.5 + TOLERANCE / 2, "loss": 1.0, "macro_f1": 1 / 3}
    elsewhere = record(settings=settings(1), test=near, provenance={"jax": "2"})
    here = write(tmp_path / "a", {"a" * 64: record(settings=settings(1))})
    there = write(tmp_path / "b", {"a" * 64: elsewhere})
    status, out, _ = diff(here, there)
    assert status == 0
    lines = [line.split() for line in out.splitlines()]
    assert ["in", "both,", "within", "0.05", "in", "another", "environment", "1"] in lines
    assert ["encoder", "test", "test.accuracy", "0.025", "0", "other"] in lines, out
    status, out, _ = diff(here, there, "--json")
    assert (status, json.loads(out)["same"], json.loads(out)["different"]) == (0, True, [])
    assert json.loads(out)["close"][0]["largest"] == pytest.approx(0.025)
    same_place = write(tmp_path / "c", {"a" * 64: {**elsewhere, "provenance": {"jax": "1"}}})
    assert diff(here, same_place)[0] == 3


def test_long_lists_are_cut_and_say_so(diff, tmp_path):
    many = {f"{n:064d}": record(settings=settings(1, seed=n)) for n in range(30)}
    status, out, _ = diff(write(tmp_path / "a", many), write(tmp_path / "b", {}))
    assert status == 3
    assert out.count("seed=") == 20
    assert "... and 10 more; --json lists all" in out


def test_neither_store_is_changed_or_made(diff, stores, tmp_path):
    before = [Path(path).read_bytes() for path in stores]
    diff(*stores)
    assert [Path(path).read_bytes() for path in stores] == before
    status, out, err = diff(stores[0], tmp_path / "nowhere")
    assert (status, out) == (2, "")
    assert "there is no store" in err
    assert not (tmp_path / "nowhere").exists()


def test_a_file_that_is_no_store_ends_with_4(diff, stores, tmp_path):
    (tmp_path / "text").write_text("no database" * 100)
    status, out, err = diff(stores[0], tmp_path / "text")
    assert (status, out, err.count("\n")) == (4, "", 1)


def test_help_has_examples_and_exit_codes(diff):
    status, out, _ = diff("--help")
    assert status == 0
    assert "Examples:" in out
    assert "with 3 otherwise" in " ".join(out.split())


def test_nothing_heavy_is_imported(stores):
    code = "import sys; from attn_nlp.cli import main; main(sys.argv[1:])"
    code += "; print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code, "diff", *stores], capture_output=True, text=True
    )
    assert "attn_nlp.store.compare" in done.stderr.split()
    assert not set(done.stderr.split()) & set(HEAVY)


def test_equal_scores_of_other_data_are_no_equal_cells(tmp_path, diff):
    one = write(tmp_path / "a.sqlite", {"a" * 64: record(settings=settings(1))})
    changed = record(settings=settings(1), fingerprint="changed", tokenizer_hash="changed")
    other = write(tmp_path / "b.sqlite", {"a" * 64: changed})
    status, out = diff(one, other)[:2]
    assert status == 3
    assert "different data rows, different data tokens" in out


def test_cells_of_other_code_are_said_to_be_so(diff, tmp_path):
    one = {name * 64: record(settings=settings(n)) for n, name in enumerate("ab")}
    other = {name * 64: record(settings=settings(n)) for n, name in enumerate("cd", 1)}
    paths = write(tmp_path / "a.sqlite", one), write(tmp_path / "b.sqlite", other)
    status, out, _ = diff(*paths)
    assert status == 3
    assert ["the", "same", "settings,", "other", "code", "1"] in map(str.split, out.splitlines())
    assert "1 cell of A and B have the same settings but are listed separately" in " ".join(
        out.split()
    )
    _, out, _ = diff(*paths, "--json")
    assert json.loads(out)["same_settings_other_code"] == [{"a": "b" * 64, "b": "c" * 64}]
