"""A tiny dataset, an experiment with a model that only pretends, and the command line beside it.

What the model does in some cell is told by environment variables, so that worker processes,
drivers that are killed and drivers that resume all see the same file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

EXPERIMENT = '''"""Does pretending depend on the number of heads?"""

import hashlib
import os
import signal
import time
from pathlib import Path

from attn_nlp.parts import registry
from attn_nlp.experiment import Cell, Experiment, Row, Table, vary
from attn_nlp.parts.registry import model

registry.load_builtin()
registry._parts.pop(("model", "tfidf_logreg"), None)  # importing scikit-learn takes a second


def given(name, otherwise=""):
    # Not by os.environ itself: what a fit reads of it must be in its hash, or it is rejected.
    return os.environ._data.get(f"FAKE_{name}".encode(), otherwise.encode()).decode()


def asked(name, cell):
    return f"{cell.heads},{cell.seed}" in given(name).split()


@model("fake", label="Fake", cite="control")
def fake(cell, prepared, report):
    """Pretend to learn.

        accuracy = min(1, (heads + seed // 2) / sentences)
    """
    with open("log.txt", "a") as log:
        log.write(f"{cell.heads},{cell.seed} {os.getpid()}\\n")
    if asked("RAISE", cell):
        raise RuntimeError("first line\\nsecond line")
    if asked("KILL", cell):
        os.kill(os.getpid(), signal.SIGKILL)
    if asked("KILL_ONCE", cell) and not Path("killed").exists():
        Path("killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if asked("LEAVE", cell):  # a child that outlives the cell, and holds the pipe of its worker
        if child := os.fork():
            Path("left").write_text(str(child))
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)
    if asked("HANG", cell):
        time.sleep(60)
    if asked("COMPILE", cell):  # minutes in which Python hears nothing
        hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)
    if asked("STALL", cell):
        report({"step": 1, "steps": cell.steps})
        Path("stalled").touch()
        time.sleep(float(given("STALL_SECONDS")))
        report({"step": 2, "steps": cell.steps})
    if asked("VANISH", cell):
        for each in Path("runs").iterdir():
            each.unlink()
    if asked("DIVERGE", cell):
        return {"status": "diverged", "reason": "loss is NaN at step 1", "parameters": 1}
    for step in range(cell.steps):
        report({"step": step, "steps": cell.steps})
        time.sleep(float(given("SECONDS", "0")) / cell.steps)
    validation = {"accuracy": 50 * cell.learning_rate, "loss": 1.0, "macro_f1": 0.5}
    known = {
        "status": "done",
        "reason": None,
        "parameters": cell.heads,
        "best_step": 1,
        "validation": validation,
    }
    if cell.trial:
        return known
    labels = prepared.labels_of("test").tolist()
    right = cell.heads + cell.seed // 2
    right = min(right, len(labels))
    predictions = [y if place < right else 1 - y for place, y in enumerate(labels)]
    confusion = [[0, 0], [0, 0]]
    for label, predicted in zip(labels, predictions):
        confusion[label][predicted] += 1
    scores = {"accuracy": right / len(labels), "loss": 1.0}
    if asked("PERCENT", cell):
        scores["accuracy"] *= 100
    return {
        **known,
        "test": scores,
        "history": [],
        "confusion": confusion,
        "predictions": predictions,
        "wall_seconds": 0.5,
        "compile_seconds": 0.1,
        "peak_bytes": 1000,
    }


experiment = Experiment(
    base=Cell(model="fake", dataset="reviews.csv", steps=4),
    axes=[vary("heads", 1, 2, 4), vary("seed", 0, 1, 2)],
    tables=[
        Table(
            "Heads",
            [Row("one", {"heads": 1}, reference=True), Row("two", {"heads": 2}),
             Row("four", {"heads": 4})],
        )
    ],
)

if __name__ == "__main__":
    from attn_nlp.cli import run_file

    raise SystemExit(run_file(__file__))
'''
CELLS = 9
BASELINES = 1


def write_experiment(folder: Path) -> Path:
    """An experiment file beside its data, in a folder of its own."""
    words = ("fine", "dull")
    rows = [f"film number {place} is {words[place % 2]},{words[place % 2]}" for place in range(60)]
    (folder / "reviews.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    file = folder / "fake.py"
    file.write_text(EXPERIMENT)
    return file


def environment(cache: Path, **fake: object) -> dict[str, str]:
    """The variables of a command that is to know nothing of this machine's user.

    Of the flags of these tests it gets those that compile quickly; one thread it asks for itself.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FAKE_", "ATTN_NLP_")) and name != "NPROC"
    }
    flags = os.environ.get("XLA_FLAGS", "").split()
    return {
        **inherited,
        "XLA_FLAGS": " ".join(flag for flag in flags if "multi_thread" not in flag),
        "ATTN_NLP_CACHE": str(cache),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "NO_COLOR": "1",
        **{f"FAKE_{name.upper()}": str(value) for name, value in fake.items()},
    }


def start(folder: Path, env: Mapping[str, str], *arguments: str) -> subprocess.Popen:
    """`attn-nlp ARGUMENTS` as a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "attn_nlp", *arguments],
        cwd=folder,
        env=dict(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def command(
    folder: Path, env: Mapping[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """`attn-nlp ARGUMENTS`, waited for."""
    process = start(folder, env, *arguments)
    out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


class Here:
    """`attn-nlp ARGUMENTS` in this process, whose libraries are loaded already; workers are not."""

    def __init__(self, folder: Path, cache: Path, monkeypatch, capsys) -> None:
        monkeypatch.chdir(folder)
        for name in [each for each in os.environ if each.startswith(("FAKE_", "ATTN_NLP_"))]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("ATTN_NLP_CACHE", str(cache))
        monkeypatch.setenv("NO_COLOR", "1")
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: str, **fake: object) -> subprocess.CompletedProcess[str]:
        from attn_nlp.cli import main

        with self._monkeypatch.context() as context:
            for name, value in fake.items():
                context.setenv(f"FAKE_{name.upper()}", str(value))
            status = main(list(arguments))
        out, err = self._capsys.readouterr()
        return subprocess.CompletedProcess(arguments, status, out, err)


def trained(folder: Path) -> list[str]:
    """ "heads,seed" of every cell that the model began, in order."""
    log = folder / "log.txt"
    return [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []


def pids(folder: Path) -> set[int]:
    """The processes in which the model ran."""
    return {int(line.split()[1]) for line in (folder / "log.txt").read_text().splitlines()}


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """Tell whether a process has ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"
