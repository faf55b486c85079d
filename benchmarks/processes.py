"""Processes of a benchmark: each measures one thing, alone, within a time limit, and prints JSON.

What a process prints goes to files and not to pipes: `torch.compile` leaves helpers behind that
would keep a pipe open after the process itself has ended. A process that overruns its limit is
ended with everything it started.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

from attn_nlp.runner.cores import allowed_cores, pin
from attn_nlp.runner.environment import single_threaded

LATE = "did not finish in time"
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")


class Child(NamedTuple):
    """A process on its way and where it writes."""

    process: subprocess.Popen
    out: IO[bytes]
    errors: IO[bytes]
    until: float


class Ended(NamedTuple):
    """What a process said: the JSON among its lines, why it did not finish or "", and all of it."""

    said: list
    fault: str
    text: str


def environment(threads: int, cache: Path) -> dict[str, str]:
    """Variables of a process with so many threads that keeps compiled programs in `cache`."""
    found = os.environ | single_threaded() | dict.fromkeys(_THREADS, str(threads))
    if threads > 1:
        found["XLA_FLAGS"] = found["XLA_FLAGS"].replace("--xla_cpu_multi_thread_eigen=false", "")
    return found | {
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(cache / "xla"),
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor"),
        "TORCHINDUCTOR_COMPILE_THREADS": "1",  # no pool of processes that outlives its parent
        "HF_HUB_OFFLINE": "1",
    }


def start(
    module: str, task: object, *, cache: Path, threads: int = 1, place: int = 0, limit: float
) -> Child:
    """`python -m module --task JSON`, one thread on the core at `place`, or several anywhere.

    The JSON is [core or null, the time now, task].
    """
    core = allowed_cores()[place % len(allowed_cores())] if threads == 1 else None
    command = [sys.executable, "-m", module, "--task", json.dumps([core, time.time(), task])]
    return start_command(command, environment(threads, cache), limit)


def start_command(command: Sequence[str], variables: dict[str, str], limit: float) -> Child:
    """Any command, as a child of the same kind."""
    out, errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 - live on
    process = subprocess.Popen(
        command, env=variables, stdout=out, stderr=errors, start_new_session=True
    )
    return Child(process, out, errors, time.monotonic() + limit)


def with_cache(folder: Path) -> dict[str, str]:
    """Variables of a command of ours that keeps data and compiled programs in `folder`."""
    found = os.environ | {"ATTN_NLP_CACHE": str(folder)}
    found.pop("JAX_COMPILATION_CACHE_DIR", None)
    return found


def begin(task: str) -> tuple[float, list]:
    """What a process does first: go to its core; when it was asked for, and for what."""
    core, asked, given = json.loads(task)
    if core is not None:
        pin(core)
    return asked, given


def heed_termination() -> None:
    """Let SIGTERM do what Ctrl-C does, so that no process is left behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while processes were waited for; `ended` is what they had said until then."""

    def __init__(self, ended: list[Ended]):
        super().__init__()
        self.ended = ended


def wait(children: Sequence[Child]) -> list[Ended]:
    """What each of them said; all are ended on the way out.

    Raises:
      Interrupted: by Ctrl-C.
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
    """sst2 where `ATTN_NLP_DATA` has it, else docstrings, which are on every machine."""
    return "sst2" if (Path(os.environ.get("ATTN_NLP_DATA", "")) / "sst2").is_dir() else "docstrings"


def _values(text: str) -> list:
    found = []
    for line in text.splitlines():
        with suppress(ValueError):  # a library's own message, or half a line
            found.append(json.loads(line))
    return found


def _last_words(child: Child, status: int) -> str:
    child.errors.seek(0)
    lines = child.errors.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"ended with status {status}"
