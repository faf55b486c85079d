"""Changes that a model's own fit makes to its process do not reach the next cell."""

from __future__ import annotations

import os
import random
import sys
import threading
from pathlib import Path

import jax
import numpy as np
import pytest

from attn_nlp.data.dataset import Prepared
from attn_nlp.experiment import Cell
from attn_nlp.experiment.cell import flatten
from attn_nlp.experiment.identity import spec_of
from attn_nlp.parts.registry import model
from attn_nlp.runner import train_job
from attn_nlp.runner.job import Job

LABELS = np.array([0, 1, 1, 0, 1], np.int32)
GOOD = {"status": "done", "validation": {"accuracy": 0.5}, "test": {"accuracy": 1.0}}


@pytest.fixture
def outcome(catalogue, monkeypatch):
    """The outcome of a cell whose model is the function given."""
    prepared = Prepared(
        path=Path("nowhere"),
        name="five",
        fingerprint="f",
        tokenizer_hash="t",
        class_names=("no", "yes"),
        vocabulary=3,
        edges=(1,),
        ids=np.full((5, 1), 2, np.int32),
        lengths=np.ones(5, np.int32),
        labels=LABELS,
        splits={"train": (0, 3), "validation": (3, 4), "test": (4, 5)},
        deciding=None,
        facts={"rules": {"seen": 1}},
    )
    monkeypatch.setattr(train_job, "_prepared", lambda path, sealed: prepared)

    def of(function, report=lambda step: None, seed=0, **facts):
        model("fake", **facts)(function)
        cell = Cell(model="fake", dataset="planted_lookup", seed=seed)
        return train_job.outcome(Job(spec_of(cell), flatten(cell), "there", "p"), report)

    return of


def given(name):
    """A variable, not by `os.environ` itself: what a fit reads of it is rejected."""
    value = os.environ._data.get(os.environ.encodekey(name))  # pyright: ignore
    return value and os.environ.decodevalue(value)


def test_every_cell_finds_the_data_the_environment_and_the_folder_as_the_first_did(
    outcome, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEPT", "before")
    monkeypatch.setenv("GONE", "before")
    found = []

    def fit(prepared):
        environment = [given(name) for name in ("KEPT", "GONE", "NEW")]
        data = prepared.splits["train"], prepared.facts["rules"]["seen"]
        found.append((*data, *environment, os.getcwd(), jax.config.values["jax_enable_x64"]))
        prepared.splits["train"] = (0, 1)
        prepared.splits["test"] = (0, 5)
        prepared.facts["rules"]["seen"] += 1
        os.environ.update(KEPT="after", NEW="after", GONE="after")  # what it sets, it may delete
        del os.environ["GONE"]
        os.chdir("/")
        jax.config.update("jax_enable_x64", True)
        return GOOD | {"predictions": [1]}  # of the test split as it is, one sentence

    assert [outcome(fit)["status"] for _ in range(2)] == ["done", "done"]
    first = ((0, 3), 1, "before", "before", None, str(tmp_path), False)
    assert found == [first, first]
    assert (os.getcwd(), os.environ["KEPT"], "NEW" in os.environ) == (
        str(tmp_path),
        "before",
        False,
    )


def test_what_a_fit_prints_is_kept_out_of_the_table(outcome, capfd):
    def fit(prepared):
        print("by Python")
        os.write(1, b"by a library\n")
        return GOOD

    assert outcome(fit)["status"] == "done"
    print("the table")
    sys.stdout.flush()
    out, err = capfd.readouterr()
    assert out == "the table\n"
    assert "by Python\n" in err
    assert "by a library\n" in err


def test_a_fit_does_not_end_the_process(outcome):
    def fit(prepared):
        os._exit(0)

    leave = os._exit
    found = outcome(fit)
    assert found["status"] == "failed"
    assert found["reason"].endswith("in fit: SystemExit: os._exit(0) in the middle of a run")
    assert os._exit is leave


def test_whoever_watches_over_the_process_ends_it_all_the_same(outcome, monkeypatch):
    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)

    def fit(prepared):
        watcher = threading.Thread(target=lambda: os._exit(7))
        watcher.start()
        watcher.join()
        return GOOD

    assert outcome(fit)["status"] == "done"
    assert ended == [7]


@pytest.mark.parametrize(
    ("progress", "says"),
    [
        ({"step": "x"}, "progress.step is 'x'; allowed is a number from 0"),
        ({"step": float("nan"), "steps": 3}, "progress.step is None; allowed is a number from 0"),
        ({"step": 1, "steps": 10**400}, "progress.steps is 1000"),
        (
            {"steps": 3},
            "progress is {'steps': 3}; allowed is a mapping with 'step', or with 'note'",
        ),
        ({"step": 1, "loss": 0.5}, "a mapping without 'loss'"),
        ({"note": 5}, "progress.note is 5; allowed is text"),
        (None, "progress is None; allowed is a mapping"),
    ],
)
def test_progress_that_cannot_be_shown_fails_its_cell_alone(outcome, progress, says):
    heard = []

    def fit(report):
        report(progress)
        return GOOD

    found = outcome(fit, heard.append)
    assert found["status"] == "failed"
    assert found["reason"].startswith("model 'fake' reports wrong progress: ")
    assert says in found["reason"]
    assert heard == []


def test_progress_is_handed_on_as_plain_values(outcome):
    heard = []

    def fit(report):
        report({"step": np.int64(1), "steps": np.float32(4)})
        report({"note": "half way"})
        return GOOD

    assert outcome(fit, heard.append)["status"] == "done"
    assert heard == [{"step": 1, "steps": 4.0}, {"note": "half way"}]


def test_a_baseline_sees_only_what_its_identity_holds(outcome):
    """It is trained once for all seeds, whichever of them comes first."""
    found = []

    def fit(cell):
        found.append((cell.seed, random.random()))
        return GOOD

    for seed in (3, 4):
        assert outcome(fit, seed=seed, baseline=True)["status"] == "done"
    assert found == [(0, random.Random(0).random())] * 2
