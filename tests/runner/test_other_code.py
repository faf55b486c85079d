"""Cells that other code of the package has computed: said, kept, and trained again when asked."""

from __future__ import annotations

import html
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from attn_nlp.library_code import code_digest
from attn_nlp.store import Store
from attn_nlp.store.doctor import examine
from attn_nlp.store.results import StoreError
from attn_nlp.store.schema import seal
from tests.runner.fakes import BASELINES, CELLS, Here, trained
from tests.store.records import SPEC, record

STORE = "runs/attn_nlp.sqlite"
ALL = CELLS + BASELINES
RUN = ("run", "fake.py", "--in-process")


@pytest.fixture
def attn_nlp(folder, tmp_path_factory, catalogue, monkeypatch, capsys):
    return Here(folder, tmp_path_factory.getbasetemp() / "cache", monkeypatch, capsys)


@contextmanager
def edited(code: str | None = "edited") -> Iterator[None]:
    """The package as somebody has edited it, or as it was before it noted its code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("attn_nlp.runner.provenance.code_digest", lambda: code)
        patch.setattr("attn_nlp.runner.other_code.code_digest", lambda: code)
        yield


def news(done) -> list[str]:
    """Return the messages of a command other than its progress."""
    return [line for line in done.stderr.splitlines() if " of that compiling" not in line][:-1]


def codes(folder) -> list[str | None]:
    with Store.read(folder / STORE) as store:
        return [each["provenance"].get("code") for each in store.records().values()]


def test_every_cell_says_which_code_computed_it(folder, attn_nlp):
    first = attn_nlp(*RUN)
    assert (first.returncode, news(first)) == (0, [])
    assert codes(folder) == [code_digest()] * ALL


def test_other_code_is_reported_and_trained_again_when_asked(folder, attn_nlp):
    with edited():
        first = attn_nlp(*RUN, "--seeds", "2")
    done = len(trained(folder))
    second = attn_nlp(*RUN)  # the third seed is new
    assert second.returncode == 0
    assert news(second) == [
        "attn-nlp: 7 of 7 stored cells were computed by other code of attn_nlp than today's, "
        "under the same revisions; they are shown as they are. --retrain-changed trains them again."
    ]
    assert len(trained(folder)) == done + 3
    assert "Mixed environments: " in " ".join(second.stdout.split())
    assert "7 cells with code edited" not in first.stdout
    again = attn_nlp(*RUN, "--retrain-changed")
    assert (again.returncode, news(again)) == (0, [])
    assert sorted(trained(folder)[done + 3 :]) == [f"{h},{s}" for h in (1, 2, 4) for s in (0, 1)]
    assert codes(folder) == [code_digest()] * ALL
    assert "Mixed environments" not in again.stdout
    assert attn_nlp(*RUN, "--retrain-changed").stdout == again.stdout
    assert len(trained(folder)) == done + 3 + 6
    assert examine(folder / STORE) == []


def test_whatever_shows_results_of_other_code_says_so(folder, attn_nlp):
    with edited():
        assert attn_nlp(*RUN, "--seeds", "1").returncode == 0
    says = (
        "4 of 4 stored cells were computed by other code of attn_nlp than today's, under the same "
        "revisions; they are shown as they are."
    )
    for command in (
        ("table", "fake.py", "--seeds", "1"),
        ("table", "--name", "fake", "--cost"),
        ("table", "--name", "fake", "--format", "json"),
        ("report", "--name", "fake"),
        ("figure", "results", "--name", "fake", "--kind", "seconds", "--format", "svg"),
        ("status",),
    ):
        found = attn_nlp(*command)
        line = f"attn-nlp: {says} --retrain-changed trains them again."
        assert found.stderr.splitlines()[:1] == [line], command
        if command[0] == "table":
            assert says in " ".join(found.stdout.split())
    page = " ".join(html.unescape((folder / "report.html").read_text()).split())
    assert says in page
    with edited():
        assert "other code" not in attn_nlp("table", "--name", "fake").stderr


def test_another_experiment_of_the_same_name_is_not_replaced_in_silence(folder, attn_nlp):
    assert attn_nlp(*RUN, "--seeds", "1").returncode == 0
    source = (folder / "fake.py").read_text()
    assert "another file" not in attn_nlp(*RUN, "--seeds", "1", "--set", "steps=4").stderr
    assert "another file" not in attn_nlp(*RUN, "--seeds", "1").stderr
    title = re.search(r'Table\(\s*"([^"]+)"', source)[1]
    (folder / "fake.py").write_text(source.replace(f'"{title}"', '"Another"'))
    assert "another file" not in attn_nlp(*RUN, "--seeds", "1").stderr
    (folder / "fake.py").write_text(source)
    found = attn_nlp(*RUN, "--seeds", "1", "--set", "steps=5")
    assert found.returncode == 0
    assert (
        f"attn-nlp: experiment 'fake' in store {STORE} had other tables and none of these cells; "
        "--name fake now shows this one. If that was another file, rename one of them to keep both."
    ) in found.stderr.splitlines()


def test_a_cell_that_fails_when_trained_again_keeps_its_result(folder, attn_nlp):
    with edited():
        first = attn_nlp(*RUN)
    again = attn_nlp(*RUN, "--retrain-changed", **{"raise": "2,1"})
    assert again.returncode == 3
    assert again.stderr.endswith(
        "attn-nlp: 1 cell failed when trained again, and keeps its earlier result. "
        "The first reason: fake.py, line 35, in fake: RuntimeError: first line\n"
    )
    assert sorted(codes(folder)) == sorted(["edited"] + [code_digest()] * (ALL - 1))
    assert first.stdout.split("Mixed")[0][:300] == again.stdout.split("Mixed")[0][:300]
    assert attn_nlp(*RUN, "--retrain-changed").returncode == 0
    assert codes(folder) == [code_digest()] * ALL


def test_an_older_store_is_reported_once_without_an_alarm(folder, attn_nlp):
    with edited(None):
        attn_nlp(*RUN, "--seeds", "2")
    with closing(sqlite3.connect(folder / STORE)) as db, db:
        ((place, text),) = db.execute(
            "SELECT id, value FROM shared WHERE id IN (SELECT provenance FROM cells)"
        )
        old = {name: value for name, value in json.loads(text).items() if name != "code"}
        db.execute("UPDATE shared SET value = ? WHERE id = ?", [json.dumps(old), place])
        seal(db)
    assert examine(folder / STORE) == []
    found = attn_nlp(*RUN)
    assert news(found) == [
        "attn-nlp: 7 of 7 stored cells were stored before the code of attn_nlp was noted; whether "
        "it was today's is unknown."
    ]
    assert "Mixed environments" not in found.stdout
    (note,) = examine(folder / STORE)
    assert not note.severe
    assert note.message == "some cells were stored before the code of attn_nlp was noted."
    assert len(attn_nlp("diff", STORE, STORE).stderr) == 0


def test_trials_of_other_code_are_trained_again_before_what_they_choose(folder, attn_nlp):
    text = (folder / "fake.py").read_text()
    tuned = text.replace(
        "    tables=[",
        "    tuning=Tuning(budget=2, space={'learning_rate': log_uniform(1e-4, 1e-2)}),\n"
        "    tables=[",
    ).replace("Table, vary", "Table, Tuning, log_uniform, vary")
    (folder / "fake.py").write_text(tuned)
    with edited():
        first = attn_nlp(*RUN)
    assert first.returncode == 0, first.stderr
    done = len(trained(folder))
    again = attn_nlp(*RUN, "--retrain-changed")
    assert again.returncode == 0, again.stderr
    assert sorted(trained(folder)[done:]) == sorted(trained(folder)[:done])
    assert set(codes(folder)) == {code_digest()}


THEN = "2026-01-02T03:04:05+00:00"
FAR = {"test": {"accuracy": 0.1, "loss": 2.0, "macro_f1": 0.5}, "predictions": [1, 1]}
OTHER = {"provenance": {"jax": "1", "code": "b"}}


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "s.sqlite") as store:
        store.finish(SPEC, record(provenance={"jax": "1", "code": "a"}, finished_at=THEN))
        yield store


def test_a_result_is_replaced_only_by_who_names_it(store):
    assert not store.claim(SPEC, replaces=THEN)
    assert not store.claim(SPEC, replaces="2026-01-01T00:00:00+00:00", final=True)
    assert store.claim(SPEC, replaces=THEN, final=True)
    assert store.finish(SPEC, record(**FAR, **OTHER), replaces=THEN)
    assert store.records([SPEC], ["test"])[SPEC]["test"]["accuracy"] == 0.1


def test_a_result_is_not_replaced_by_a_failure_or_by_other_data(store):
    failed = record(status="failed", reason="why", test=None)
    store.claim(SPEC, replaces=THEN, final=True)
    assert not store.finish(SPEC, failed, replaces=THEN)
    assert store.records([SPEC])[SPEC]["status"] == "done"
    assert store.running() == set()
    with pytest.raises(StoreError, match="the data has changed"):
        store.finish(SPEC, record(fingerprint="other"), replaces=THEN)


def test_results_of_two_codes_are_compared_by_the_tolerance(store):
    near = {"accuracy": 0.51, "loss": 1.01, "macro_f1": 0.5}
    assert not store.finish(SPEC, record(test=near, **OTHER))
    with pytest.raises(StoreError, match="computed twice, in two environments, with test"):
        store.finish(SPEC, record(**FAR, **OTHER))
