"""Processes of a benchmark: each measures one thing, alone, within a time limit, and prints JSON.

Output goes to files rather than pipes: `torch.compile` leaves helper processes behind that would
keep a pipe open after the process itself has ended. A process that exceeds its limit is ended with
everything it started.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from attn_nlp.runner.cores import allowed_cores, pin
from attn_nlp.runner.environment import single_threaded

if TYPE_CHECKING:
    import numpy as np

    from attn_nlp.data import Prepared

LATE = "did not finish in time"
EVALUATION_BATCH = 32  # the fastest of 16, 32, 64 and 128 for PyTorch too
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")


class Child(NamedTuple):
    """A running process, and the files it writes to."""

    process: subprocess.Popen
    out: IO[bytes]
    errors: IO[bytes]
    until: float


class Ended(NamedTuple):
    """The output of a process: the JSON among its lines, why it failed or "", and all of it."""

    said: list
    fault: str
    text: str


class Clock:
    """Processor and wall seconds of a training run, with evaluations counted apart."""

    def __init__(self) -> None:
        self.evaluations = (0.0, 0.0)
        self.first_evaluation_seconds = 0.0
        self.first()

    def first(self) -> None:
        """Mark the first step as made: libraries are loaded and programs compiled."""
        self.first_done, self.first_at = _now(), time.time()
        self.timed_from = self.first_done

    def first_evaluation(self) -> None:
        """Mark an extra evaluation as made, for which some rivals compile another program."""
        self.timed_from = _now()
        self.first_evaluation_seconds = _minus(self.timed_from, self.first_done)[1]

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """Count what happens inside as an evaluation."""
        began = _now()
        yield
        self.evaluations = _plus(self.evaluations, _minus(_now(), began))

    def since_first(self) -> tuple[float, float]:
        """Return the seconds of steps and evaluations after the first ones."""
        return _minus(_now(), self.timed_from)


def accuracy(data: Prepared, split: str, predictions: np.ndarray) -> float:
    """Return the share of a split's labels that were predicted."""
    return float((predictions == data.labels_of(split)).mean())


def environment(threads: int, cache: Path) -> dict[str, str]:
    """Return the variables of a process with so many threads and compiled programs in `cache`."""
    variables = os.environ | single_threaded() | dict.fromkeys(_THREADS, str(threads))
    if threads > 1:
        flags = variables["XLA_FLAGS"]
        variables["XLA_FLAGS"] = flags.replace("--xla_cpu_multi_thread_eigen=false", "")
    return variables | {
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(cache / "xla"),
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor"),
        "TORCHINDUCTOR_COMPILE_THREADS": "1",  # no pool of processes that outlives its parent
        "HF_HUB_OFFLINE": "1",
    }


def start(
    module: str, task: object, *, cache: Path, threads: int = 1, core: int = 0, limit: float
) -> Child:
    """Start `python -m module --task JSON`: one thread on a core, or several on any.

    The JSON is [core or null, the time now, task]; `core` counts the cores that may be used.
    """
    pinned = allowed_cores()[core % len(allowed_cores())] if threads == 1 else None
    command = [sys.executable, "-m", module, "--task", json.dumps([pinned, time.time(), task])]
    return start_command(command, environment(threads, cache), limit)


def start_command(command: Sequence[str], variables: dict[str, str], limit: float) -> Child:
    """Start any command as a child of the same kind."""
    out, errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 - read later
    process = subprocess.Popen(
        command, env=variables, stdout=out, stderr=errors, start_new_session=True
    )
    return Child(process, out, errors, time.monotonic() + limit)


def with_cache(folder: Path) -> dict[str, str]:
    """Return the variables of a command of ours that keeps data and programs in `folder`."""
    variables = os.environ | {"ATTN_NLP_CACHE": str(folder)}
    variables.pop("JAX_COMPILATION_CACHE_DIR", None)
    return variables


def begin(task: str) -> tuple[float, list]:
    """Move this process to its core, and return when it was asked for and its task."""
    core, asked, given = json.loads(task)
    if core is not None:
        pin(core)
    return asked, given


def heed_termination() -> None:
    """Let SIGTERM act like Ctrl-C, so that no process is left behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while waiting for processes; `ended` is their output until then."""

    def __init__(self, ended: list[Ended]):
        super().__init__()
        self.ended = ended


def wait(children: Sequence[Child]) -> list[Ended]:
    """Wait for all of them, and return their outputs; none is left running.

    Raises:
      Interrupted: on Ctrl-C.
    """
    faults = []
    stopped = False
    for child in children:
        try:
            status = child.process.wait(max(0.0, child.until - time.monotonic()))
            faults.append("" if status == 0 else _last_words(child, status))
        except subprocess.TimeoutExpired:
            faults.append(LATE)
        except KeyboardInterrupt:
            stopped = True
            break
    faults += ["interrupted"] * (len(children) - len(faults))
    ended = [_end(child, fault) for child, fault in zip(children, faults, strict=True)]
    if stopped:
        raise Interrupted(ended)
    return ended


def _end(child: Child, fault: str) -> Ended:
    with suppress(ProcessLookupError, PermissionError, subprocess.TimeoutExpired):
        if child.process.poll() is None:
            os.killpg(child.process.pid, signal.SIGTERM)  # our runner then ends its workers
            child.process.wait(10.0)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.process.pid, signal.SIGKILL)  # what it has started may outlive it
    child.process.wait()
    child.out.seek(0)
    text = child.out.read().decode(errors="replace")
    child.out.close()
    child.errors.close()
    return Ended(_values(text), fault, text)


def dataset() -> str:
    """Return "sst2" if `ATTN_NLP_DATA` has it, else "docstrings", which are on every machine."""
    return "sst2" if (Path(os.environ.get("ATTN_NLP_DATA", "")) / "sst2").is_dir() else "docstrings"


def _values(text: str) -> list:
    values = []
    for line in text.splitlines():
        with suppress(ValueError):  # a library's own message, or half a line
            values.append(json.loads(line))
    return values


def _now() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()


def _plus(a: tuple, b: tuple) -> tuple[float, float]:
    return a[0] + b[0], a[1] + b[1]


def _minus(a: tuple, b: tuple) -> tuple[float, float]:
    return a[0] - b[0], a[1] - b[1]


def _last_words(child: Child, status: int) -> str:
    child.errors.seek(0)
    lines = child.errors.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"ended with status {status}"
