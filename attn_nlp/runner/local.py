"""Long-lived worker processes on this machine, with one thread and one core each.

Starting a process and compiling take seconds, so a worker trains one cell after another. Workers
start while the driver still prepares data, since their imports take about as long. If a worker
dies, only its cell is affected: it is tried once more in a new worker, and then fails with what the
system reported about the death.

A run that is stopped waits for workers that are training, which save their state. A worker that is
still starting or compiling has nothing to save, and is killed if it does not exit by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

from attn_nlp.errors import UserError
from attn_nlp.runner import paths
from attn_nlp.runner.cores import allowed_cores
from attn_nlp.runner.environment import of_workers, single_threaded
from attn_nlp.runner.job import Job, is_training
from attn_nlp.runner.progress import Progress
from attn_nlp.runner.queue import Queue
from attn_nlp.runner.signals import GRACE_SECONDS, Interrupt
from attn_nlp.runner.train_job import failure, shape
from attn_nlp.runner.worker import COMMAND, code, encode, job_message, surroundings
from attn_nlp.train.compile_cache import repair

_POLL_SECONDS = 0.2
_FALSE_STARTS = 3
_LONGEST = 500  # characters of a line that a process has written last
_STAMP = re.compile(r"^[A-Z]\d{4} \S+\s+\d+ \S+\] ")  # begins a log message of XLA
_STOP = encode({"stop": True})

Take = Callable[[Job], bool]
Done = Callable[[Job, dict], None]


@dataclass(eq=False)
class _Worker:
    process: subprocess.Popen
    log: IO[bytes]
    index: int
    warm: bool = False  # has imported and started all that training needs
    closed: bool = False
    job: Job | None = None
    began: float = 0.0  # when it began its job, on the monotonic clock
    training: bool = False  # whether its job has reached its first step
    programs: set[str] = field(default_factory=set)


class LocalEngine:
    """An engine of worker processes; `with` starts them, and at its end kills those still unused.

    Args:
      workers: how many.
      file: the experiment file, which registers parts that the workers need.
      first_core: index of the first worker's core, so that concurrent runs use different cores.
      trains: whether any job trains an encoder; workers then import JAX before the first job.
    """

    def __init__(
        self, workers: int, file: str | None = None, first_core: int = 0, trains: bool = False
    ) -> None:
        self._count = workers
        self._file = file
        self._first_core = first_core
        self._trains = trains
        self._waiting: list[_Worker] = []

    def __enter__(self) -> LocalEngine:
        repair(Path(single_threaded()["JAX_COMPILATION_CACHE_DIR"]))
        for index in range(self._count):
            self._waiting.append(self.start(index))
        return self

    def __exit__(self, *_: object) -> None:
        while self._waiting:
            worker = self._waiting.pop()
            _kill(worker)
            _reap(worker)

    def run(
        self, jobs: Sequence[Job], take: Take, done: Done, interrupt: Interrupt, progress: Progress
    ) -> None:
        """Train the jobs that `take` allows; each is either passed to `done` or stopped."""
        _Run(self, jobs, take, done, interrupt, progress).run()

    def worker(self, index: int) -> _Worker:
        """Return a worker that was started in advance, or else start one."""
        return self._waiting.pop(0) if self._waiting else self.start(index)

    def start(self, index: int) -> _Worker:
        """Start a worker process and send it the handshake.

        Raises:
          UserError: the system has no more processes, memory or files to give.
        """
        command = [sys.executable, "-P", *(["-s"] if sys.flags.no_user_site else []), "-c", COMMAND]
        named = paths.python_path()
        path = {"PYTHONPATH": os.pathsep.join(named)} if named else {}
        log = None
        try:
            log = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the worker lives
            process = subprocess.Popen(
                [*command, *paths.for_workers(self._file)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=of_workers(self._file) | path,
                start_new_session=True,  # Ctrl-C in a terminal reaches the driver only
            )
        except OSError as error:
            if log is not None:
                log.close()
            raise UserError(
                f"cannot start a worker process: {error.strerror}; raise the limit (ulimit), use "
                "fewer --workers, or use --in-process."
            ) from error
        allowed = allowed_cores()
        core = allowed[(self._first_core + index) % len(allowed)]
        worker = _Worker(process, log, index)
        file = None if self._file is None else str(Path(self._file).absolute())
        handshake = {"core": core, "code": code(), "file": file, "trains": self._trains}
        _write(worker, encode(handshake))
        return worker


class _Run:
    """One call of `LocalEngine.run`: its queue, its workers and their messages."""

    def __init__(self, engine, jobs, take, done, interrupt, progress) -> None:
        self._engine: LocalEngine = engine
        self._queue = Queue(jobs)
        self._count = min(engine._count, len(jobs))
        self._take: Take = take
        self._done: Done = done
        self._interrupt: Interrupt = interrupt
        self._progress: Progress = progress
        self._workers: set[_Worker] = set()
        self._events: SimpleQueue[tuple[_Worker, dict | None]] = SimpleQueue()
        self._died_with: set[str] = set()
        self._false_starts = 0
        self._any_warm = False
        self._grace_until: float | None = None  # on the monotonic clock, once asked to stop

    def run(self) -> None:
        try:
            for index in range(self._count):
                self._start(index)
            while self._workers:
                if self._interrupt.number:
                    self._stop()
                try:
                    worker, message = self._events.get(timeout=_POLL_SECONDS)
                except Empty:
                    self._progress.refresh()
                    self._progress.tick()
                    for worker in self._workers:
                        _end_children(worker, os.WNOHANG)
                    continue
                if message is None:
                    self._ended(worker)
                else:
                    self._heard(worker, message)
        finally:
            for worker in self._workers:
                _kill(worker)
                _reap(worker)

    def _start(self, index: int) -> None:
        worker = self._engine.worker(index)
        self._workers.add(worker)
        threading.Thread(target=self._listen, args=[worker], daemon=True).start()

    def _listen(self, worker: _Worker) -> None:
        assert worker.process.stdout is not None
        try:
            for line in worker.process.stdout:
                if line.endswith(b"\n"):  # a worker that was killed may leave half a line
                    self._events.put((worker, _message(line)))
        finally:
            self._events.put((worker, None))

    def _stop(self) -> None:
        """Ask every worker to stop; after a grace period, kill those with nothing to save."""
        if self._grace_until is None:
            self._grace_until = time.monotonic() + GRACE_SECONDS
            for worker in self._workers:
                if worker.job is None:
                    _close(worker)
                else:
                    _write(worker, _STOP)
        elif time.monotonic() > self._grace_until:
            self._grace_until = float("inf")
            for worker in self._workers:
                if not worker.training:
                    _kill(worker)
            if any(worker.training for worker in self._workers):
                self._progress.say(
                    "waiting for running cells to finish a step and save their state; press Ctrl-C "
                    "again to exit at once"
                )

    def _heard(self, worker: _Worker, message: dict) -> None:
        job = worker.job
        if "note" in message:
            self._progress.note(job, message["note"])
            return
        if "progress" in message:
            worker.training = is_training(message["progress"])
            self._progress.running(worker.index, job, message["progress"])
            return
        if "warm" in message:
            worker.warm = self._any_warm = True
            self._false_starts = 0
            return
        if "unfit" in message:
            if not self._interrupt.number:
                raise UserError(message["unfit"])
            return
        self._release(worker)
        self._next(worker)  # before storing, so that the worker need not wait for the disk
        if "result" in message:
            assert job is not None
            self._done(job, message["result"])
            self._progress.finished(message["result"])

    def _release(self, worker: _Worker) -> None:
        if worker.job is not None:
            self._progress.release(worker.index, time.monotonic() - worker.began)
        worker.job, worker.training = None, False

    def _next(self, worker: _Worker) -> None:
        taken = set().union(*(other.programs for other in self._workers))
        while not self._interrupt.number:
            job = self._queue.next(worker.programs, taken)
            if job is None:
                break
            if self._take(job):
                worker.job, worker.began = job, time.monotonic()
                worker.programs.add(job.program)
                self._progress.running(worker.index, job, {})
                _write(worker, job_message(job))
                return
        _close(worker)

    def _ended(self, worker: _Worker) -> None:
        self._workers.discard(worker)
        dismissed = worker.closed
        status, last_words = _reap(worker)
        if dismissed and worker.job is None:
            return
        if not worker.warm and not self._interrupt.number:
            self._false_start(status, last_words)
        job = worker.job
        self._release(worker)
        if job is not None and not self._interrupt.number:
            if not worker.warm:  # not the fault of the cell
                self._queue.back(job)
            elif job.spec in self._died_with:
                reason = f"its worker {_death(status)}, twice, with {shape(job.settings)}"
                self._done(job, failure(reason, last_words))
                self._progress.finished(failure(""))
            else:
                self._died_with.add(job.spec)
                self._queue.back(job)
        if self._queue and not self._interrupt.number:
            self._start(worker.index)

    def _false_start(self, status: int, last_words: str) -> None:
        """Count a worker that died before it could train, and give up if the next would die too.

        A worker that was killed from outside may be a coincidence, and so may one of several.
        """
        self._false_starts += 1
        by_chance = self._any_warm or status in (-signal.SIGKILL, -signal.SIGTERM)
        if self._false_starts >= (_FALSE_STARTS if by_chance else 1):
            words = telling(last_words)
            raise UserError(
                f"a worker process {_death(status)} before it could train"
                f"{': ' if words else '.'}{words}{surroundings()}"
            )


def _write(worker: _Worker, message: bytes) -> None:
    assert worker.process.stdin is not None
    # If the worker has died, its listener reports it.
    with contextlib.suppress(BrokenPipeError, ValueError):
        worker.process.stdin.write(message)
        worker.process.stdin.flush()


def _close(worker: _Worker) -> None:
    assert worker.process.stdin is not None
    worker.closed = True
    with contextlib.suppress(BrokenPipeError):
        worker.process.stdin.close()


def _death(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    name = signal.Signals(-status).name
    return f"was ended by {name}{_reason(name)}"


def _reason(name: str) -> str:
    if name in ("SIGKILL", "SIGXCPU"):
        import resource  # exists on every platform that has these signals

        if resource.getrlimit(resource.RLIMIT_CPU)[0] != resource.RLIM_INFINITY:
            return ", as the system does at the limit of processor time (ulimit -t)"
    return ", as the system does when memory runs out" if name == "SIGKILL" else ""


def telling(text: str) -> str:
    """Return the most telling line of a process's last output: the last outside a traceback."""
    lines = [line for line in text.splitlines() if line.strip()[:1].isalnum() and line[0] != " "]
    line = _STAMP.sub("", lines[-1]).strip() if lines else ""
    return f"{line[:_LONGEST].rstrip('.')}." if line else ""


def _kill(worker: _Worker) -> None:
    """Kill a worker and every process that it has started.

    Until it is reaped, no other process can have its number.
    """
    if worker.process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.process.pid, signal.SIGKILL)


def _message(line: bytes) -> dict:
    """Return a message of a worker; anything else is what Python printed as it started."""
    try:
        message = json.loads(line)
    except ValueError:
        message = None
    if isinstance(message, dict):
        return message
    return {"note": f"a worker printed {line.decode(errors='replace').strip()!r} as it started"}


def _end_children(worker: _Worker, options: int = 0) -> None:
    """Kill processes that outlive their worker, since they may hold its pipe open."""
    if os.waitid(os.P_PID, worker.process.pid, os.WEXITED | os.WNOWAIT | options) is not None:
        _kill(worker)


def _reap(worker: _Worker) -> tuple[int, str]:
    """Return exit status and last output of a worker that has ended; close its pipes and log."""
    _end_children(worker)
    status = worker.process.wait()
    _close(worker)
    assert worker.process.stdout is not None
    worker.process.stdout.close()
    size = worker.log.seek(0, os.SEEK_END)
    worker.log.seek(max(0, size - 2000))
    text = worker.log.read().decode(errors="replace").strip()
    worker.log.close()
    return status, text
