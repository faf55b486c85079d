"""A worker process, which trains one cell after another as a driver sends them through a pipe.

Messages are lines of JSON. A worker receives `handshake`, `job` and `stop`. It sends `ready`,
`warm`, `progress`, `note`, `result` and `stopped`, or `unfit` if it cannot train anything. When the
driver's end of the pipe closes, for whatever reason, the process exits.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from queue import SimpleQueue
from typing import BinaryIO

from attn_nlp.errors import UserError
from attn_nlp.library_code import VERSION
from attn_nlp.runner import paths
from attn_nlp.runner.cores import allowed_cores
from attn_nlp.runner.environment import settle, single_threaded
from attn_nlp.train import compile_cache

# The folders to import from are arguments; the folders that Python adds itself come after them.
COMMAND = (
    "import sys; given = sys.argv[1:]; "
    "sys.path[:] = given + [folder for folder in sys.path if folder not in given]; "
    "from attn_nlp.runner.worker import main; main()"
)


def main() -> None:
    """Read jobs from standard input until it closes."""
    gc.disable()  # until everything is imported; see `_collect_less`
    for number in (signal.SIGINT, signal.SIGHUP):  # the driver handles these
        signal.signal(number, signal.SIG_IGN)
    # Output of a model must not be mistaken for messages, and it must not read messages: a child
    # that it forks would close standard input while a thread reads from it here, and hang.
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    given = os.fdopen(os.dup(0), "rb")
    with open(os.devnull, "r+b", buffering=0) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.register_at_fork(after_in_child=lambda: _release(out.fileno(), given.fileno()))
    handshake = json.loads(given.readline() or "{}")
    if not handshake:
        return
    compile_cache.may_use(allowed_cores())
    try:
        _begin(handshake)
        _serve(handshake, given, out)
    except UserError as error:  # from before the first job
        _send(out, {"unfit": str(error)})


def _release(*pipes: int) -> None:
    """Close the pipes in a child that a model forks, so that they end with the worker."""
    with open(os.devnull, "r+b", buffering=0) as nothing:
        for pipe in pipes:
            os.dup2(nothing.fileno(), pipe, inheritable=False)


def code() -> list[str]:
    """Return which copy of this package runs in this process: its folder and version."""
    return [paths.PACKAGE, VERSION]


def _begin(handshake: Mapping) -> None:
    """Load the experiment file, which registers its parts, in the package that the driver uses."""
    if code() != handshake["code"]:
        ours, theirs = (" ".join(reversed(copy)) for copy in (code(), handshake["code"]))
        raise UserError(
            f"a worker process would train with attn_nlp {ours}, but this run uses attn_nlp "
            f"{theirs}; install only one of them and run it again."
        )
    if handshake["file"] is not None:
        from attn_nlp.experiment.load import load_file

        try:
            load_file(handshake["file"])
        except UserError as error:
            if not isinstance(error.__cause__, ModuleNotFoundError):
                raise
            raise UserError(
                f"{error} Worker processes import nothing from the working directory: put the "
                "module next to the file, or name its folder in PYTHONPATH."
            ) from error
        settle()  # the file may have set variables


def _serve(handshake: Mapping, given: BinaryIO, out: BinaryIO) -> None:
    from attn_nlp.fault_injection import pass_by, point
    from attn_nlp.runner.job import Job, Stopped
    from attn_nlp.runner.train_job import outcome

    jobs: SimpleQueue[Job] = SimpleQueue()
    stopping = threading.Event()

    def listen() -> None:
        for line in given:
            message = json.loads(line)
            if "job" in message:
                jobs.put(Job(**message["job"]))
            else:
                stopping.set()
        os._exit(0)  # the driver is gone or has no more work: exit, even during a step

    threading.Thread(target=listen, daemon=True).start()
    _send(out, {"ready": os.getpid()})
    if handshake["trains"] or "jax" in sys.modules:
        warm_up()
    compile_cache.keep_on([handshake["core"]])
    _collect_less()
    _send(out, {"warm": True})
    while True:
        job = jobs.get()

        def report(progress: Mapping, spec: str = job.spec) -> None:
            if "note" in progress:  # even from a cell that is saving its state to stop
                _send(out, {"note": progress["note"], "spec": spec})
                return
            if stopping.is_set():
                raise Stopped
            _send(out, {"progress": dict(progress), "spec": spec})

        try:
            if stopping.is_set():
                raise Stopped
            pass_by("worker.job", "before")
            result = outcome(job, report)
            with point("worker.result"):
                _send(out, {"result": result, "spec": job.spec})
        except Stopped:
            _send(out, {"stopped": job.spec})


def warm_up() -> None:
    """Import and start everything that training needs, while the driver still prepares data.

    This happens after `ready`, so that a first job is claimed meanwhile, and a signal finds a
    worker that has not trained anything.

    Raises:
      UserError: JAX cannot start with these environment variables, so every cell would fail.
    """
    try:
        import attn_nlp.train.loop  # noqa: F401 - for its imports

        compile_cache.start_threads()
    except Exception as error:
        raise UserError(f"JAX cannot start: {told(error)}{surroundings()}") from error


def told(error: BaseException) -> str:
    """Return an exception as one line that ends in a period."""
    lines = str(error).strip().splitlines()
    if isinstance(error, AssertionError) and not lines:  # raised by JAX for lack of a platform
        lines = ["none of the requested platforms is available"]
    return f"{type(error).__name__}{': ' if lines else ''}{''.join(lines[:1]).rstrip('.')}."


def surroundings() -> str:
    """Return variables that may keep JAX from starting as a sentence, or "" if none is set."""
    ours = single_threaded()
    names = ("JAX_PLATFORMS", "JAX_PLATFORM_NAME", "JAX_DEFAULT_MATMUL_PRECISION", "XLA_FLAGS")
    names += ("CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "LD_PRELOAD")
    given = {name: os.environ[name] for name in names if os.environ.get(name)}
    given["XLA_FLAGS"] = ours["XLA_FLAGS"].rpartition(" ")[0]  # without the last, set here
    if given.get("JAX_DEFAULT_MATMUL_PRECISION") == "highest":
        del given["JAX_DEFAULT_MATMUL_PRECISION"]
    said = ", ".join(f"{name}={value}" for name, value in given.items() if value)
    return f" The environment has {said}." if said else ""


def _collect_less() -> None:
    """Freeze imported objects and run the garbage collector less often.

    Tracing makes a great many long-lived objects. Scanning them and all modules again and again
    took a third of the time of tracing.
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
    gc.enable()


def _send(out: BinaryIO, message: Mapping) -> None:
    try:
        line = json.dumps(message, allow_nan=False).encode() + b"\n"
        while line:
            line = line[out.write(line) :]
    except BrokenPipeError:
        os._exit(1)


def encode(message: Mapping) -> bytes:
    """Return a message as the driver writes it."""
    return json.dumps(message, allow_nan=False).encode() + b"\n"


def job_message(job) -> bytes:
    """Return the message that sends a job."""
    return encode({"job": asdict(job)})
