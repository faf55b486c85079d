"""Whole runs: interrupted, killed, shared and repeated, they end in the same tables."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from attn_nlp.errors import UserError
from attn_nlp.experiment.load import Overrides, resolve_file
from attn_nlp.runner.run import run
from attn_nlp.store import Store
from tests.runner.fakes import (
    BASELINES,
    CELLS,
    command,
    environment,
    gone,
    pids,
    start,
    trained,
    until,
    write_experiment,
)

STORE = "runs/attn_nlp.sqlite"
SLOW = 0.3


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, cache):
    """Return the output of an undisturbed run."""
    folder = tmp_path_factory.mktemp("undisturbed")
    write_experiment(folder)
    found = command(folder, environment(cache), "run", "fake.py", "--workers", "2")
    assert found.returncode == 0, found.stderr
    assert sorted(trained(folder)) == [f"{h},{s}" for h in (1, 2, 4) for s in (0, 1, 2)]
    return found.stdout


def done(folder) -> int:
    with Store.read(folder / STORE) as store:
        return len(store.records(None, ["status"]))


def in_store(folder):
    with Store.read(folder / STORE) as store:
        return store.records(None, ["settings"])


def test_a_repeated_run_trains_nothing_and_prints_the_same(folder, attn_nlp, uninterrupted):
    first, again = attn_nlp("run", "fake.py"), attn_nlp("run", "fake.py")
    assert (first.returncode, again.returncode) == (0, 0)
    assert first.stdout == again.stdout == uninterrupted
    assert len(trained(folder)) == CELLS
    assert again.stderr == ""


def test_a_driver_killed_midway_resumes_to_the_same_bytes(folder, cache, attn_nlp, uninterrupted):
    driver = start(folder, environment(cache, seconds=SLOW), "run", "fake.py", "--workers", "2")
    until(lambda: done(folder) >= 4)
    driver.kill()
    driver.communicate()
    before = done(folder)
    assert 4 <= before < CELLS + BASELINES
    until(lambda: all(map(gone, pids(folder))), 10)
    begun = len(trained(folder))
    resumed = attn_nlp("run", "fake.py", "--workers", "2")
    assert (resumed.returncode, resumed.stdout) == (0, uninterrupted)
    assert len(trained(folder)) - begun == CELLS + BASELINES - before


def test_deleting_one_row_trains_exactly_that_cell(folder, attn_nlp, uninterrupted):
    attn_nlp("run", "fake.py")
    spec = next(
        spec
        for spec, each in in_store(folder).items()
        if (each["settings"]["heads"], each["settings"]["seed"]) == (2, 1)
    )
    with Store.open(folder / STORE) as store:
        store.delete(spec)
    again = attn_nlp("run", "fake.py")
    assert again.stdout == uninterrupted
    assert trained(folder)[CELLS:] == ["2,1"]


def test_two_drivers_share_a_store_and_train_each_cell_once(folder, cache, uninterrupted):
    env = environment(cache, seconds=SLOW)
    drivers = [start(folder, env, "run", "fake.py", "--workers", "1") for _ in range(2)]
    printed = [driver.communicate(timeout=60) for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], printed
    assert [out for out, _ in printed] == [uninterrupted] * 2
    assert len(trained(folder)) == CELLS


@pytest.mark.parametrize(
    ("number", "options"),
    [(signal.SIGINT, []), (signal.SIGTERM, ["--in-process"]), (signal.SIGHUP, [])],
)
def test_the_first_signal_stops_in_order(folder, cache, attn_nlp, uninterrupted, number, options):
    driver = start(folder, environment(cache, seconds=SLOW), "run", "fake.py", *options)
    until(lambda: done(folder) >= 2)
    driver.send_signal(number)
    out, err = driver.communicate(timeout=30)
    assert driver.returncode == 128 + number
    assert out == ""
    assert "interrupted" in err
    assert "Traceback" not in err
    assert err.splitlines()[-1].strip() == " ".join(["attn-nlp run fake.py", *options])
    with Store.read(folder / STORE) as store:
        assert store.running() == set()
    assert not (folder / (STORE + "-wal")).exists() or done(folder) < CELLS
    resumed = attn_nlp("run", "fake.py")
    assert (resumed.returncode, resumed.stdout) == (0, uninterrupted)


@pytest.mark.parametrize("options", [["--workers", "1"], ["--in-process"]], ids=str)
def test_the_first_signal_does_not_wait_for_what_has_not_trained(
    folder, cache, attn_nlp, uninterrupted, options
):
    """Amid compiling nothing can be lost and nothing hears: the process is ended."""
    env = environment(cache, compile="2,0")
    driver = start(folder, env, "run", "fake.py", *options)
    until(lambda: trained(folder)[-1:] == ["2,0"])
    driver.send_signal(signal.SIGINT)
    _, err = driver.communicate(timeout=20)
    assert driver.returncode == 130
    assert "interrupted" in err
    until(lambda: all(map(gone, pids(folder))), 10)
    resumed = attn_nlp("run", "fake.py")
    assert (resumed.returncode, resumed.stdout) == (0, uninterrupted)
    assert len(trained(folder)) == CELLS + 1


def test_the_first_signal_waits_for_what_trains(folder, cache):
    env = environment(cache, stall="1,0", stall_seconds=2.5)
    driver = start(folder, env, "run", "fake.py", "--workers", "1")
    until((folder / "stalled").exists)
    driver.send_signal(signal.SIGINT)
    _, err = driver.communicate(timeout=20)
    assert driver.returncode == 130
    assert "waiting for running cells to finish a step" in err
    assert len(trained(folder)) == 1


@pytest.mark.parametrize("fake", ["stall", "compile"])
@pytest.mark.parametrize("options", [["--workers", "1"], ["--in-process"]], ids=str)
def test_the_second_signal_leaves_at_once(folder, cache, options, fake):
    env = environment(cache, **{fake: "1,0", "stall_seconds": 60})
    driver = start(folder, env, "run", "fake.py", *options)
    began = (folder / "stalled").exists if fake == "stall" else lambda: bool(trained(folder))
    until(began)
    driver.send_signal(signal.SIGINT)
    with pytest.raises(Exception, match="timed out"):
        driver.communicate(timeout=0.5)
    driver.send_signal(signal.SIGINT)
    driver.communicate(timeout=5)
    assert driver.returncode == 130
    until(lambda: all(map(gone, pids(folder))), 10)


LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (160_000, 160_000))
os.execv(sys.executable, [sys.executable, "-m", "attn_nlp", *sys.argv[1:]])
"""


def test_a_system_that_lets_no_file_grow_costs_no_finished_cell(
    folder, cache, attn_nlp, uninterrupted
):
    """A limit of the system binds the superuser too; permissions do not."""
    found = subprocess.run(
        [sys.executable, "-c", LIMITED, "run", "fake.py", "--in-process"],
        cwd=folder,
        env=environment(cache),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (found.returncode, found.stdout) == (4, ""), found.stderr
    (said,) = (line for line in found.stderr.splitlines() if " cells" not in line)
    limit = "the system lets no file grow further (ulimit -f)"
    assert said == f"attn-nlp: store {STORE} cannot be opened or written: {limit}."
    before = done(folder)
    assert 0 < before < CELLS + BASELINES
    again = attn_nlp("run", "fake.py", "--in-process")
    assert (again.returncode, again.stdout) == (0, uninterrupted)
    assert len(trained(folder)) <= CELLS + 1


def test_an_experiment_file_is_a_command_of_its_own(folder, attn_nlp, monkeypatch, uninterrupted):
    """Its parts are then registered twice: by the script and by the run that loads it."""
    monkeypatch.setattr(sys, "argv", ["fake.py", "--seeds", "1"])
    before = dict(sys.modules)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path("fake.py", run_name="__main__")
    sys.modules |= before  # a script's own modules are loaded anew, and these tests count as such
    assert ended.value.code == 0
    assert sorted(trained(folder)) == ["1,0", "2,0", "4,0"]
    again = attn_nlp("run", "fake.py")
    assert again.stdout.endswith(uninterrupted)
    assert len(trained(folder)) == CELLS


# In this process


@pytest.fixture
def here(folder, cache, catalogue, monkeypatch):
    """The folder as the current one, and the variables put back afterward."""
    before = dict(os.environ)
    monkeypatch.chdir(folder)
    os.environ["ATTN_NLP_CACHE"] = str(cache)
    yield folder
    os.environ.clear()
    os.environ.update(before)


def test_what_is_stored_describes_the_cell(here):
    resolved = resolve_file("fake.py", Overrides(seeds=1))
    with Store.open(STORE) as store:
        summary = run(resolved, store, in_process=True)
        assert (summary.counts, summary.status) == ({"done": 3 + BASELINES}, 0)
        found = store.records([resolved.cells[0]["spec"]], ["settings", "data", "program", "key"])
        baseline = store.records([resolved.baselines[0]["spec"]])
        assert store.experiment("fake") == resolved
    (kept,) = found.values()
    assert kept["settings"] == resolved.cells[0]["settings"]
    assert kept["data"]["splits"]["train"]["rows"] == 49
    assert len(kept["key"]) == 64
    assert next(iter(baseline.values()))["tokenizer_hash"] == ""


def test_changed_data_is_rejected_with_both_fingerprints(here):
    resolved = resolve_file("fake.py", Overrides(seeds=1))
    with Store.open(STORE) as store:
        run(resolved, store, in_process=True)
        then = {each["fingerprint"] for each in store.records().values()}
        text = (here / "reviews.csv").read_text()
        (here / "reviews.csv").write_text(text.replace("number 7", "number seven"))
        with pytest.raises(
            UserError, match=r"the rows of dataset 'reviews\.csv' have changed"
        ) as error:
            run(resolved, store, in_process=True)
        assert len(then) == 1
        assert f"was {then.pop()} and is " in str(error.value)


def test_seeds_come_before_the_next_seed_of_any_row(here):
    with Store.open(STORE) as store:
        run(resolve_file("fake.py"), store, in_process=True)
    assert trained(here) == [f"{heads},{seed}" for seed in (0, 1, 2) for heads in (1, 2, 4)]


def test_an_unknown_dataset_is_rejected_before_the_store_changes(here):
    with Store.open(STORE) as store:
        with pytest.raises(UserError, match="no such file"):
            run(resolve_file("fake.py", Overrides(datasets=["revews.csv"])), store)
        assert store.names() == []


def test_a_run_says_once_whom_it_waits_for(folder, attn_nlp, monkeypatch):
    resolved = resolve_file(folder / "fake.py", Overrides())
    spec = resolved.cells[0]["spec"]
    slept = []
    with Store.open(folder / STORE) as other:
        assert other.claim(spec)

        def sleep(seconds):
            slept.append(seconds)
            if len(slept) == 3:
                other.release()

        clock = SimpleNamespace(sleep=sleep, monotonic=time.monotonic)
        monkeypatch.setattr("attn_nlp.runner.run.time", clock)
        monkeypatch.setattr("attn_nlp.runner.run._SAY_AFTER", 0.0)
        found = attn_nlp("run", "fake.py", "--in-process")
    assert found.returncode == 0
    says = f"waiting for 1 cell that process {os.getpid()} of this machine is training"
    assert found.stderr.count(says) == 1
    assert len(slept) == 3
