"""Worker processes: what they survive, and the same bits as in this process."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from attn_nlp import data
from attn_nlp.errors import UserError
from attn_nlp.runner import local, run
from attn_nlp.store import Store
from tests.runner.fakes import (
    CELLS,
    command,
    environment,
    gone,
    pids,
    start,
    trained,
    until,
)


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


def test_what_a_killed_worker_leaves_running_is_ended(folder, attn_nlp):
    found = attn_nlp("run", "fake.py", "--workers", "1", leave="1,1")
    assert found.returncode == 3
    assert "its worker was ended by SIGKILL" in records(folder, "reason")[1, 1]["reason"]
    assert len(records(folder)) == CELLS
    assert gone(int((folder / "left").read_text()))


RAISES = r'        raise RuntimeError("first line\nsecond line")'


def test_an_exception_fails_its_cell_alone(folder, attn_nlp):
    found = attn_nlp("run", "fake.py", **{"raise": "1,1", "diverge": "4,2"})
    assert found.returncode == 3
    assert "1 failed, 1 diverged" in found.stderr
    assert "Traceback" not in found.stderr
    by_cell = records(folder, "status", "reason", "detail")
    line = 1 + (folder / "fake.py").read_text().splitlines().index(RAISES)
    reason = f"fake.py, line {line}, in fake: RuntimeError: first line"
    assert by_cell[1, 1]["reason"] == reason
    assert f"  1 x {reason}\n" in found.stderr
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


def test_every_reason_is_shown_once_with_its_traceback(folder, cache, attn_nlp):
    """And is the same of a worker and of this process."""
    text = (folder / "fake.py").read_text()
    changed = text.replace('    if asked("RAISE", cell):', "    if cell.heads != 4:")
    changed = changed.replace(
        '    if asked("KILL", cell)', "    if cell.heads == 4:\n        1 / 0\n    if 0"
    )
    (folder / "fake.py").write_text(changed)
    assert attn_nlp("run", "fake.py", "--workers", "1").returncode == 3
    here = ["--in-process", "--store", "here"]
    assert command(folder, environment(cache), "run", "fake.py", *here).returncode == 3
    plain = attn_nlp("status", "fake.py").stdout
    assert plain == attn_nlp("status", "fake.py", "--store", "here").stdout
    assert plain.count("in fake: RuntimeError: first line") == 6
    assert "Traceback" not in plain
    for options in (["fake.py"], [], ["fake.py", "--store", "here"]):
        told = attn_nlp("status", *options, "--verbose").stdout
        assert told.count("in fake: RuntimeError: first line\n") == 1
        assert told.count("  and 5 more: ") == 1
        assert told.count("in fake: ZeroDivisionError: division by zero\n  and 2 more: ") == 1
        assert told.count("    Traceback (most recent call last):\n") == 2
        assert "\n        1 / 0\n" in told
        assert "\n    second line\n" in told
    (entry,) = json.loads(attn_nlp("status", "fake.py", "--json").stdout)
    assert [each["detail"].splitlines()[-1] for each in entry["reasons"]].count("second line") == 6


JAX_MODEL = '''"""Bits."""

from attn_nlp.experiment import Cell, Experiment, Table, vary
from attn_nlp.parts.registry import model


@model("bits", label="Bits", cite="control")
def bits(cell, prepared, report):
    """Sum what rounding leaves.

        sum(tanh(x @ x))
    """
    import jax
    import jax.numpy as jnp

    x = jax.random.normal(jax.random.key(cell.seed), (300, 300))
    total = jax.jit(lambda x: jnp.tanh(x @ x @ x).sum())(x)
    scores = {"accuracy": 0.5, "loss": abs(float(total)), "macro_f1": 0.5}
    return {"status": "done", "reason": None, "validation": scores, "test": scores}


experiment = Experiment(
    base=Cell(model="bits", dataset="reviews.csv"),
    axes=[vary("seed", 0, 1)],
    tables=[Table("Bits", "model")],
)
'''


# Each changes bits or makes every cell fail where it reaches JAX or what is beneath it.
HOSTILE = {
    "JAX_RANDOM_SEED_OFFSET": "7",
    "JAX_DEFAULT_PRNG_IMPL": "rbg",
    "JAX_THREEFRY_PARTITIONABLE": "0",
    "JAX_ENABLE_X64": "1",
    "JAX_DISABLE_JIT": "1",
    "JAX_NUMPY_DTYPE_PROMOTION": "strict",
    "JAX_NUMPY_RANK_PROMOTION": "raise",
    "NPY_DISABLE_CPU_FEATURES": "AVX2",
    "OPENBLAS_CORETYPE": "Prescott",
    "OMP_NUM_THREADS": "7",
}


def test_a_worker_and_this_process_give_the_same_bits(folder, cache, attn_nlp, monkeypatch):
    """Whatever the variables of the run with workers say."""
    (folder / "bits.py").write_text(JAX_MODEL)
    with monkeypatch.context() as context:
        for name, value in HOSTILE.items():
            context.setenv(name, value)
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


UNFIT = {
    "JAX_PLATFORMS=nonsense": "Unable to initialize backend 'nonsense'",
    "XLA_FLAGS=--garbage": "Unknown flag in XLA_FLAGS: --garbage.",
    "JAX_DEFAULT_MATMUL_PRECISION=TF32_TF32_F32": "'TF32_TF32_F32' is not supported",
}


@pytest.mark.parametrize(
    ("where", "variable"),
    [*(("workers", each) for each in UNFIT), *(("here", each) for each in [*UNFIT][:2])],
)
def test_where_jax_cannot_start_nothing_is_tried(
    folder, cache, attn_nlp, monkeypatch, variable, where
):
    """One line, status 2, and no cell is stored: not as failed, and no baseline either."""
    text = (folder / "fake.py").read_text()
    (folder / "real.py").write_text(text.replace('Cell(model="fake", ', "Cell("))
    name, value = variable.split("=", 1)
    if where == "here":
        env = environment(cache) | {name: value}
        found = command(folder, env, "run", "real.py", "--in-process")
    else:
        monkeypatch.setenv(name, value)
        found = attn_nlp("run", "real.py", "--workers", "2")
    assert (found.returncode, found.stdout, len(found.stderr.splitlines())) == (2, "", 1)
    assert UNFIT[variable] in found.stderr
    assert variable in found.stderr
    with Store.read(folder / "runs/attn_nlp.sqlite") as store:
        assert store.records(None, ["status"]) == {}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "raise SystemExit('no library')",
            "ended with status 1 before it could train: no library.",
        ),
        ("import os; os.abort()", "was ended by SIGABRT before it could train."),
        ("import os; os.kill(os.getpid(), 9)", "was ended by SIGKILL, as the system does"),
    ],
)
def test_a_worker_that_cannot_begin_ends_the_run(attn_nlp, monkeypatch, folder, code, said):
    """Not an endless chain of processes that start and die, and no cell is to blame."""
    monkeypatch.setattr(local, "COMMAND", code)
    found = attn_nlp("run", "fake.py")
    assert (found.returncode, found.stdout, len(found.stderr.splitlines())) == (2, "", 1)
    assert said in found.stderr
    assert records(folder, "status") == {}


def test_a_limit_of_processor_time_is_named(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda which: (60, 60))
    for number in (signal.SIGKILL, signal.SIGXCPU):
        assert local._death(-number).endswith("at the limit of processor time (ulimit -t)")
    assert local._death(-signal.SIGABRT) == "was ended by SIGABRT"


def test_a_worker_of_another_package_is_rejected(attn_nlp, monkeypatch):
    monkeypatch.setattr(local, "code", lambda: ["/elsewhere/attn_nlp", "0.0.1"])
    found = attn_nlp("run", "fake.py")
    assert (found.returncode, len(found.stderr.splitlines())) == (2, 1)
    assert "but this run uses attn_nlp 0.0.1 /elsewhere/attn_nlp" in found.stderr


@pytest.mark.parametrize("error", [BlockingIOError(11, "no more"), OSError(24, "no more")])
def test_no_more_processes_or_files_are_one_line(attn_nlp, monkeypatch, error):
    def reject(*_, **__):
        raise error

    monkeypatch.setattr(subprocess, "Popen", reject)
    found = attn_nlp("run", "fake.py")
    assert (found.returncode, len(found.stderr.splitlines())) == (2, 1)
    assert "cannot start a worker process: no more; raise the limit" in found.stderr


FOREIGN = """
import pathlib
(pathlib.Path(__file__).parent / f"ran-{__name__}").touch()
raise SystemExit("foreign code was run")
"""
NAMES = ("json", "queue", "jax", "numpy", "statistics", "sitecustomize")


@pytest.mark.parametrize("place", ["elsewhere", "beside the file"])
@pytest.mark.parametrize("python_path", ["", ":/nowhere"])
def test_nothing_of_the_working_directory_is_run(
    folder, cache, attn_nlp, monkeypatch, place, python_path
):
    """Neither by workers, nor where it lies beside a file that does not ask for it."""
    names = NAMES
    if place == "elsewhere":
        (folder / "below").mkdir()
        monkeypatch.chdir(folder / "below")
        (folder / "below/reviews.csv").write_text((folder / "reviews.csv").read_text())
        names += ("signal", "attn_nlp")  # the file asks for these; beside it they are rejected
    for name in names:
        Path(f"{name}.py").write_text(FOREIGN)
    monkeypatch.setenv("PYTHONPATH", python_path)
    found = attn_nlp("run", str(folder / "fake.py"), "--workers", "1")
    assert (found.returncode, list(Path.cwd().glob("ran-*"))) == (0, []), found.stderr


def test_the_module_form_of_the_command_runs_nothing_of_it_either(folder, cache):
    for name in ("json", "queue", "click"):
        (folder / f"{name}.py").write_text(FOREIGN)
    found = command(folder, environment(cache), "run", "fake.py", "--workers", "1")
    assert (found.returncode, list(folder.glob("ran-*"))) == (0, []), found.stderr


def test_another_copy_of_the_package_in_the_working_directory_trains_nothing(
    folder, attn_nlp, monkeypatch
):
    below = folder / "below"
    (below / "attn_nlp/runner").mkdir(parents=True)
    for place in ("attn_nlp", "attn_nlp/runner"):
        (below / place / "__init__.py").write_text(FOREIGN)
    monkeypatch.chdir(below)
    data = ("--dataset", str(folder / "reviews.csv"))
    found = attn_nlp("run", str(folder / "fake.py"), *data, "--workers", "1")
    assert (found.returncode, list(folder.rglob("ran-*"))) == (0, []), found.stderr


def test_a_module_that_only_the_driver_finds_is_reported_by_a_worker(folder, attn_nlp, monkeypatch):
    (folder / "below").mkdir()
    (folder / "helper.py").write_text("")
    text = (folder / "fake.py").read_text()
    (folder / "below/own.py").write_text(text.replace("import hashlib", "import hashlib, helper"))
    monkeypatch.syspath_prepend(str(folder))
    found = attn_nlp("run", "below/own.py", "--workers", "1")
    assert (found.returncode, len(found.stderr.splitlines())) == (2, 1)
    assert "No module named 'helper'. Worker processes import nothing from the" in found.stderr
    monkeypatch.setenv("PYTHONPATH", str(folder))
    assert attn_nlp("run", "below/own.py", "--workers", "1").returncode == 0


@pytest.fixture
def order(monkeypatch):
    """Return the events of a run in order ("start" of a worker, "prepare"), and the workers."""
    happened, processes = [], []
    start, prepare = local.LocalEngine.start, data.prepare_dataset

    def started(self, place):
        worker = start(self, place)
        happened.append("start")
        processes.append(worker.process)
        return worker

    def prepared(*arguments):
        happened.append("prepare")
        return prepare(*arguments)

    monkeypatch.setattr(local.LocalEngine, "start", started)
    monkeypatch.setattr(data, "prepare_dataset", prepared)
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


def test_workers_end_when_the_data_is_rejected(folder, attn_nlp, order):
    (folder / "reviews.csv").write_text("text,label\nfine,fine\n")
    found = attn_nlp("run", "fake.py", "--workers", "2")
    assert (found.returncode, found.stdout, len(found.stderr.splitlines())) == (2, "", 1)
    happened, processes = order
    assert happened == ["start", "start", "prepare"]
    assert all(each.returncode is not None for each in processes)
    assert trained(folder) == []


def test_a_worker_imports_what_it_trains_with_before_its_first_job():
    """And nothing of JAX where no cell trains an encoder."""
    asked = "import sys; from attn_nlp.runner import worker; {} print('jax' in sys.modules, {})"
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
            raise UserError("enough")

    monkeypatch.setattr(run, "LocalEngine", Told)
    attn_nlp("run", "fake.py")
    text = (folder / "fake.py").read_text()
    (folder / "real.py").write_text(text.replace('Cell(model="fake", ', "Cell("))
    attn_nlp("run", "real.py", "--store", "real.sqlite")
    assert told == [False, True]
