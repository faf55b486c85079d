"""The process that trains cells, one after another, as a driver hands them over its pipes.

Messages are lines of JSON: in come `hello`, `job` and `stop`, out go `ready`, `progress`, `note`,
`result` and `stopped`. When the driver's end closes, for whatever reason, the process ends.
"""

from __future__ import annotations

import contextlib
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

from attn_nlp.engines.environment import cores
from attn_nlp.train import compiling

COMMAND = "from attn_nlp.engines.worker import main; main()"


def main() -> None:
    """Read jobs from standard input until it closes."""
    gc.disable()  # until all is imported, see `_collect_less`
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
    # What a model prints must not be taken for messages.
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    hello = json.loads(sys.stdin.buffer.readline() or "{}")
    if not hello:
        return
    compiling.may_use(cores())
    sys.path[:] = hello["path"]
    _serve(hello["file"], hello["trains"], hello["core"], out)


def _serve(file: str | None, trains: bool, core: int, out: BinaryIO) -> None:
    from attn_nlp.engines.job import Job, Stopped
    from attn_nlp.engines.work import outcome
    from attn_nlp.experiment.load import load_file
    from attn_nlp.faults import pass_by, point

    if file is not None:
        load_file(file)  # its parts register themselves
    jobs: SimpleQueue[Job] = SimpleQueue()
    stopping = threading.Event()

    def listen() -> None:
        for line in sys.stdin.buffer:
            message = json.loads(line)
            if "job" in message:
                jobs.put(Job(**message["job"]))
            else:
                stopping.set()
        os._exit(0)  # the driver is gone, or has no more work: end, also amid a step

    threading.Thread(target=listen, daemon=True).start()
    _send(out, {"ready": os.getpid()})
    if trains:
        _warm_up()
    compiling.keep_on([core])
    _collect_less()
    while True:
        job = jobs.get()

        def report(progress: Mapping, spec: str = job.spec) -> None:
            if "note" in progress:  # also of a cell that is just keeping what it has
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


def _warm_up() -> None:
    """Import and start what training needs, while the driver still prepares data.

    After `ready`, so that a first job is claimed meanwhile, and a signal finds a worker that has
    trained nothing. What goes wrong here goes wrong again in the cell, which then says so.
    """
    with contextlib.suppress(Exception):
        import attn_nlp.train.loop  # noqa: F401 - for its imports

        compiling.start_threads()


def _collect_less() -> None:
    """Spare modules the search for garbage, and begin it less often.

    Tracing makes a great many objects that live. Looking through them and all modules again and
    again took a third of the time of tracing.
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
    """A message as the driver writes it."""
    return json.dumps(message, allow_nan=False).encode() + b"\n"


def job_message(job) -> bytes:
    """The message that hands over a job."""
    return encode({"job": asdict(job)})
