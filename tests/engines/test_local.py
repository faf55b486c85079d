"""Worker processes: what they survive, and the same bits as in this process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from attn_nlp import data, run
from attn_nlp.engines import local
from attn_nlp.mistakes import Mistake
from attn_nlp.store import Store
from tests.engines.fakes import (
    CELLS,
    Here,
    command,
    environment,
    gone,
    pids,
    start,
    trained,
    until,
    write_experiment,
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def folder(tmp_path):
    write_experiment(tmp_path)
    return tmp_path


@pytest.fixture
def attn_nlp(folder, cache, catalogue, monkeypatch, capsys):
    return Here(folder, cache, monkeypatch, capsys)


def records(folder, *columns):
    with Store.read(folder / "runs/attn_nlp.sqlite") as store:
        found = store.records(None, ["settings", *columns]).values()
    cells = [(each["settings"], each) for each in found]
    return {(c["heads"], c["seed"]): each for c, each in cells if c["model"] == "fake"}


def test_a_worker_that_is_killed_once_costs_nothing(folder, attn_nlp):
    found = attn_nlp("run", "fake.py", kill_once="2,0")
    assert (found.returncode, trained(folder).count("2,0")) == (0, 2)
    assert len(trained(folder)) == CELLS + 1


def test_a_worker_that_is_killed_again_fails_its_cell_alone(folder, attn_nlp):
    found = attn_nlp("run", "fake.py", "--workers", "2", kill="2,0")
    assert found.returncode == 3
    assert "1 failed" in found.stderr
    assert "2 of 3: 1 failed" in found.stdout
    reason = (
        "its worker was ended by SIGKILL, as the system does when memory runs out, twice, with "
        "batch_size=32, length=128, layers="
    )
    assert reason in found.stderr
    assert reason in records(folder, "reason")[2, 0]["reason"]
    states = [each["status"] for each in records(folder, "status").values()]
    assert (states.count("failed"), states.count("done")) == (1, CELLS - 1)


def test_an_exception_fails_its_cell_alone(folder, attn_nlp):
    found = attn_nlp("run", "fake.py", **{"raise": "1,1", "diverge": "4,2"})
    assert found.returncode == 3
    assert "1 failed, 1 diverged" in found.stderr
    assert "Traceback" not in found.stderr
    by_cell = records(folder, "status", "reason", "detail")
    assert by_cell[1, 1]["reason"] == "RuntimeError: first line"
    assert "second line" in by_cell[1, 1]["detail"]
    assert by_cell[4, 2]["reason"] == "loss is NaN at step 1"
    # Nothing is tried again unasked, and then only what failed.
    again = attn_nlp("run", "fake.py")
    assert (again.returncode, again.stdout, len(trained(folder))) == (3, found.stdout, CELLS)
    retried = attn_nlp("run", "fake.py", "--retry-failed")
    assert (retried.returncode, trained(folder)[CELLS:]) == (3, ["1,1"])
    assert records(folder, "status")[1, 1]["status"] == "done"


def test_workers_end_when_the_driver_is_killed(folder, cache):
    driver = start(folder, environment(cache, hang="1,0"), "run", "fake.py", "--workers", "1")
    until(lambda: trained(folder) == ["1,0"])
    driver.kill()
    driver.communicate()
    until(lambda: all(map(gone, pids(folder))), 10)


JAX_MODEL = '''"""Bits."""

from attn_nlp.experiment import Cell, Experiment, Table, vary
from attn_nlp.registry import model


@model("bits", label="Bits", cite="control")
def bits(cell, prepared, report):
    """Sum what rounding leaves.

        sum(tanh(x @ x))
    """
    import jax
    import jax.numpy as jnp

    x = jax.random.normal(jax.random.key(cell.seed), (300, 300))
    total = jax.jit(lambda x: jnp.tanh(x @ x @ x).sum())(x)
    scores = {"accuracy": 0.5, "loss": float(total), "macro_f1": 0.5}
    return {"status": "done", "reason": None, "validation": scores, "test": scores}


experiment = Experiment(
    base=Cell(model="bits", dataset="reviews.csv"),
    axes=[vary("seed", 0, 1)],
    tables=[Table("Bits", "model")],
)
'''


def test_a_worker_and_this_process_give_the_same_bits(folder, cache, attn_nlp):
    (folder / "bits.py").write_text(JAX_MODEL)
    workers = attn_nlp("run", "bits.py", "--store", "workers", "--workers", "1")
    options = ["--store", "here", "--in-process"]
    here = command(folder, environment(cache), "run", "bits.py", *options)
    assert (workers.returncode, here.returncode) == (0, 0), here.stderr
    assert workers.stdout == here.stdout
    found = []
    for name in ("workers", "here"):
        with Store.read(folder / name) as store:
            found.append(store.records(None, ["test", "provenance"]))
    assert found[0] == found[1]


def test_a_worker_that_cannot_begin_is_a_fault(attn_nlp, monkeypatch):
    """Not an endless chain of processes that start and die."""
    monkeypatch.setattr(local, "COMMAND", "raise SystemExit('no library')")
    with pytest.raises(RuntimeError, match="worker processes end before they begin: no library"):
        attn_nlp("run", "fake.py")


@pytest.fixture
def order(monkeypatch):
    """What a run does, as it comes: "start" of a worker, "prepare" of its data; and the workers."""
    happened, processes = [], []
    start, prepare = local.LocalEngine.start, data.prepare

    def started(self, place):
        worker = start(self, place)
        happened.append("start")
        processes.append(worker.process)
        return worker

    def prepared(*arguments):
        happened.append("prepare")
        return prepare(*arguments)

    monkeypatch.setattr(local.LocalEngine, "start", started)
    monkeypatch.setattr(data, "prepare", prepared)
    return happened, processes


def test_workers_start_before_data_is_prepared_and_only_for_what_is_left(attn_nlp, order):
    happened, processes = order
    assert attn_nlp("run", "fake.py", "--workers", "2").returncode == 0
    assert happened == ["start", "start", "prepare"]
    assert all(each.returncode == 0 for each in processes)
    happened.clear()
    assert attn_nlp("run", "fake.py", "--workers", "2").returncode == 0
    assert happened == ["prepare"]  # a local file may have changed
    happened.clear()
    assert attn_nlp("run", "fake.py", "--workers", "2", "--seeds", "4").returncode == 0
    assert happened.count("start") == 2


def test_workers_end_when_the_data_is_refused(folder, attn_nlp, order):
    (folder / "reviews.csv").write_text("text,label\nfine,fine\n")
    found = attn_nlp("run", "fake.py", "--workers", "2")
    assert (found.returncode, found.stdout, len(found.stderr.splitlines())) == (2, "", 1)
    happened, processes = order
    assert happened == ["start", "start", "prepare"]
    assert all(each.returncode is not None for each in processes)
    assert trained(folder) == []


def test_a_worker_imports_what_it_trains_with_before_its_first_job():
    """And nothing of JAX where no cell trains an encoder."""
    asked = "import sys; from attn_nlp.engines import worker; {} print('jax' in sys.modules, {})"
    loaded = "'attn_nlp.train.program' in sys.modules"
    for warm, expected in (("", "False False"), ("worker.warm_up();", "True True")):
        code = asked.format(warm, loaded)
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == expected


def test_only_encoders_are_worth_importing_jax_for(folder, attn_nlp, monkeypatch):
    told = []

    class Told(local.LocalEngine):
        def __init__(self, workers, file, first_core, trains):
            super().__init__(workers, file, first_core, trains)
            told.append(trains)

        def __enter__(self):
            raise Mistake("enough")

    monkeypatch.setattr(run, "LocalEngine", Told)
    attn_nlp("run", "fake.py")
    text = (folder / "fake.py").read_text()
    (folder / "real.py").write_text(text.replace('Cell(model="fake", ', "Cell("))
    attn_nlp("run", "real.py", "--store", "real.sqlite")
    assert told == [False, True]
