"""Report the progress of a run on standard error: live in a terminal, else an occasional line."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import IO, TYPE_CHECKING

from attn_nlp.runner.job import Job
from attn_nlp.wording import clean, duration, tell

if TYPE_CHECKING:
    from rich.text import Text

_LINE_SECONDS = 20.0
_TABLE_SECONDS = 2.0
_TABLE_SHARE = 0.02  # of the time of a run, at most, is spent on tables of results so far


class Progress:
    """Counts finished cells and shows the running ones.

    Args:
      total: number of cells of the experiment.
      before: number of cells that were finished before this run.
      stream: where to write; standard error by default.
      clock: returns seconds since any fixed moment.
      workers: number of workers.
      tables: returns the tables so far for a width in characters, with color codes; a terminal
        shows them below the running cells. They are made between cells, never while one is timed.
    """

    def __init__(
        self,
        total: int,
        before: int,
        stream: IO[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        workers: int = 1,
        tables: Callable[[int], str] | None = None,
    ) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._total, self._before = total, before
        self._finished = self._bad = 0
        self._workers, self._busy, self._compiled = workers, 0.0, 0.0
        self._began = self._last = clock()
        self._now: dict[int, str] = {}
        self._compiling: set[int] = set()  # workers
        self._live = None
        self._tables = tables
        self._shown: Text | None = None  # the tables as of the last refresh
        self._next_tables = self._began

    def __enter__(self) -> Progress:
        if self._stream is not None and self._stream.isatty() and self._before < self._total:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(file=self._stream), transient=True)
            self._live.start()
            self.refresh()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
        self._now.clear()
        self._compiling.clear()
        if self._finished:
            self._write(self.line())
            self._write(self.use())

    def running(self, worker: int, job: Job | None, progress: Mapping[str, int]) -> None:
        """Note that a worker has reached some step of a job."""
        if job is None:
            return
        steps = f" step {progress['step']}/{progress['steps']}" if "steps" in progress else ""
        self._compiling.discard(worker)
        if progress.get("compiling"):
            self._compiling.add(worker)
            steps = " compiling"
        self._now[worker] = job.label + steps
        self.tick()

    def release(self, worker: int, seconds: float) -> None:
        """Note that a worker is finished with a job after so many seconds."""
        self._busy += seconds
        self._now.pop(worker, None)
        self._compiling.discard(worker)

    def finished(self, result: Mapping) -> None:
        """Note that a cell is finished and stored."""
        self._finished += 1
        self._bad += result["status"] != "done"
        self._compiled += result.get("compile_seconds") or 0.0
        self.refresh()
        self.tick()

    def elsewhere(self, cells: int) -> None:
        """Note that another run on the same store has finished some cells of this one."""
        self._before += cells

    def tick(self) -> None:
        """Show what has changed, if it is time to."""
        if self._live is not None:
            from rich.text import Text

            running = [f"  {label}" for _, label in sorted(self._now.items())]
            lines = Text("\n".join(map(clean, [self.line(), *running])))
            shown = [] if self._shown is None else [Text(""), self._shown]
            self._live.update(Text("\n").join([lines, *shown]))
        elif self._clock() - self._last >= _LINE_SECONDS:
            self._last = self._clock()
            self._write(self.line())

    def refresh(self) -> None:
        """Make the tables of the live display again, if it is time to."""
        if self._live is None or self._tables is None or self._clock() < self._next_tables:
            return
        from rich.text import Text

        began = self._clock()
        self._shown = Text.from_ansi(self._tables(self._live.console.width))
        ended = self._clock()
        self._next_tables = ended + max(_TABLE_SECONDS, (ended - began) / _TABLE_SHARE)

    def say(self, text: str) -> None:
        """Write a line of its own, above the live display if there is one."""
        if self._live is not None:
            self._live.console.print(f"attn-nlp: {clean(text)}", markup=False, highlight=False)
        else:
            self._write(text)

    def note(self, job: Job | None, text: str) -> None:
        """Write a note from a cell in one line that names the cell."""
        self.say(f"{job.label}: {text}" if job is not None and job.label else text)

    def line(self) -> str:
        """Return a summary of the progress in one line.

        Time to compile is left out of the forecast, since later cells share what is compiled, and
        there is none while something compiles.
        """
        parts = [f"{self._before + self._finished} of {self._total} cells"]
        if self._bad:
            parts.append(f"{self._bad} failed or diverged")
        if self._now:
            parts.append(f"{len(self._now)} running")
        left = self._total - self._before - self._finished
        if self._compiling:
            parts.append(f"{len(self._compiling)} of them compiling")
        elif self._finished and left > 0:
            seconds = self._clock() - self._began - self._compiled / self._workers
            parts.append(f"about {duration(max(seconds, 0.0) / self._finished * left)} left")
        return ", ".join(parts)

    def use(self) -> str:
        """Return how busy the workers have been since the start, in one line."""
        seconds = self._clock() - self._began
        share = self._busy / (self._workers * seconds) if seconds else 0.0
        workers = "1 worker" if self._workers == 1 else f"{self._workers} workers"
        return (
            f"{workers} for {duration(seconds)}: {share:.0%} busy with cells, "
            f"{self._compiled:.0f} s of that compiling"
        )

    def _write(self, line: str) -> None:
        tell(self._stream, f"attn-nlp: {clean(line)}")


def waits_for(holders: Iterable[str]) -> str:
    """Return what a run is waiting for, by who is training each cell.

    Example:
      >>> waits_for(["process 7 of this machine"])
      'waiting for 1 cell that process 7 of this machine is training'
    """
    counts = Counter(holders)
    cells = [
        f"1 cell that {holder}" if count == 1 else f"{count} cells that {holder}"
        for holder, count in counts.items()
    ]
    return "waiting for " + ", and ".join(f"{some} is training" for some in cells)
