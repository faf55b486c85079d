"""Train cells one after another in this process: for a debugger, or where workers cannot run."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from attn_nlp.errors import UserError
from attn_nlp.experiment.cell import unflatten
from attn_nlp.experiment.own_parts import own_codes
from attn_nlp.runner.environment import jax_runs, of_workers, single_threaded_here
from attn_nlp.runner.job import Job, Stopped, is_training
from attn_nlp.runner.local import Done, Take, telling
from attn_nlp.runner.progress import Progress
from attn_nlp.runner.signals import Interrupt
from attn_nlp.runner.train_job import outcome
from attn_nlp.runner.worker import surroundings, warm_up
from attn_nlp.train import compile_cache
from attn_nlp.train.compile_cache import repair
from attn_nlp.user_code.code_text import parsed
from attn_nlp.user_code.frames import shown
from attn_nlp.user_code.hashing import reach
from attn_nlp.user_code.text_order import hangs_on_hashes

# XLA aborts on unknown flags, so they are probed in a subprocess.
_READS_FLAGS = "from jaxlib import xla_client; xla_client.CompileOptions()"


class HereEngine:
    """An engine that trains in this process, with the bits of a worker.

    Bits may differ only if code depends on how strings are hashed; see `text_order.py`.

    Args:
      trains: whether any job trains an encoder; JAX is then started before the first job.
    """

    def __init__(self, trains: bool = False) -> None:
        self._trains = trains
        self._warned = not sys.flags.hash_randomization
        self._known: set[str] = set()  # hashes of user code that was already searched

    def __enter__(self) -> HereEngine:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(
        self, jobs: Sequence[Job], take: Take, done: Done, interrupt: Interrupt, progress: Progress
    ) -> None:
        """Train the jobs that `take` allows, in the given order."""
        with single_threaded_here():
            repair(Path(os.environ["JAX_COMPILATION_CACHE_DIR"]))
            if self._trains and not jax_runs():
                _check_flags()
                with compile_cache.spread():
                    warm_up()
            for job in jobs:
                if interrupt.number:
                    return
                if not take(job):
                    continue
                self._warn(job, progress)

                def report(step: Mapping, job: Job = job) -> None:
                    if "note" in step:
                        progress.note(job, step["note"])
                        return
                    interrupt.check()
                    interrupt.idle = not is_training(step)
                    progress.running(0, job, step)
                    progress.tick()

                progress.running(0, job, {})
                interrupt.idle = True  # until it trains it compiles, and does not notice signals
                began = time.monotonic()
                try:
                    result = outcome(job, report)
                except Stopped:
                    return
                finally:
                    interrupt.idle = False
                    progress.release(0, time.monotonic() - began)
                done(job, result)
                progress.finished(result)

    def _warn(self, job: Job, progress: Progress) -> None:
        """Warn once if results may depend on the hash seed, which only workers fix."""
        if self._warned:
            return
        with contextlib.suppress(UserError, OSError):  # reported when the cell is trained
            for file in self._files(job):
                tree = parsed(file)
                if tree is not None and hangs_on_hashes(tree):
                    self._warned = True
                    progress.say(
                        f"warning: {shown(file)} uses sets or hash(), and Python hashes strings "
                        "differently in every process, so results may differ from those of a "
                        "worker; set PYTHONHASHSEED=0 before Python starts."
                    )
                    return

    def _files(self, job: Job) -> Iterator[str]:
        """Yield the user's files that the parts of a job reach, unless already yielded."""
        for code in own_codes(unflatten(job.settings)):
            if code.hash not in self._known:
                self._known.add(code.hash)
                starts = [*code.modules, *(code.load.untraced if code.load else ())]
                yield from filter(None, reach(starts).values())


def _check_flags() -> None:
    if len(os.environ["XLA_FLAGS"].split()) == 1:
        return  # only this package's
    command = [sys.executable, "-P", "-c", _READS_FLAGS]
    done = subprocess.run(command, env=of_workers(), capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"JAX cannot start: {telling(done.stderr)}{surroundings()}")
