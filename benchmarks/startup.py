"""Seconds from the command to the first trained steps, with and without compiled programs.

    python -m benchmarks.startup --rounds 5
    python -m benchmarks.startup --rounds 5 --out bench

The command is `attn-nlp run` with two workers on the table of `twelve_scales.py` in size S: two
cells and the baselines of their dataset, into a new store. Its data has been prepared before, as
for every table after the first on a dataset. The clock runs from the start of the process until the
driver hears of trained steps, which is after the first ten. A "cold cache" has no compiled program,
a "warm cache" those of the run before.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click

from benchmarks import processes
from benchmarks.reports import Report, shown, spread

LIMIT = 120.0
COLD, WARM = "cold cache", "warm cache"


def first_steps(asked: float, arguments: list[str]) -> None:
    """Run the command, and at its first trained steps print the seconds and stop it."""
    from attn_nlp.cli import main
    from attn_nlp.runner.progress import Progress

    usual = Progress.running

    def running(self, worker, job, progress) -> None:
        usual(self, worker, job, progress)
        # Baselines count steps too.
        encoder = job is not None and job.settings["model"] == "encoder"
        if encoder and progress.get("step") and Progress.running is running:
            Progress.running = usual
            print(json.dumps(time.time() - asked), flush=True)
            os.kill(os.getpid(), signal.SIGINT)

    Progress.running = running
    sys.exit(main(arguments))


def once(dataset: str, folder: Path) -> float:
    """Return the seconds of one start, with the caches in `folder`."""
    # Not in the process that is timed, which is this module too.
    from benchmarks.whole_table import Given, command

    given = Given("S", dataset, variants=2, seeds=1, steps=1000)
    line = command(given, folder / f"{time.time_ns()}.sqlite")
    task = json.dumps([None, time.time(), line[line.index("run") :]])
    timed = [sys.executable, "-m", "benchmarks.startup", "--task", task]
    child = processes.start_command(timed, processes.with_cache(folder), LIMIT)
    (ended,) = processes.wait([child])
    if not ended.said:
        raise click.ClickException(f"no step was trained: {ended.fault or 'it said nothing'}")
    return ended.said[0]


def measure(rounds: int, dataset: str, folder: Path) -> Iterator[dict[str, list[float]]]:
    """Yield least, median and largest seconds of each kind of start, after every round."""
    click.echo("not timed: the data", err=True)
    once(dataset, folder)
    taken: dict[str, list[float]] = {COLD: [], WARM: []}
    for turn in range(rounds):
        click.echo(f"round {turn + 1}", err=True)
        shutil.rmtree(folder / "xla")
        for seconds in taken.values():
            seconds.append(once(dataset, folder))
        yield {name: spread(seconds) for name, seconds in taken.items()}


def page(found: dict[str, list[float]]) -> str:
    """Return the page that is printed and written as Markdown."""
    lines = ["| start | s to the first trained steps |", "|---|---|"]
    lines += [f"| {name} | {shown(three)} |" for name, three in found.items()]
    return "\n".join(lines)


@click.command()
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="A folder for JSON and Markdown.")
@click.option("--task", hidden=True)
def main(rounds: int, out: Path | None, task: str | None) -> None:
    """Print how soon a run trains."""
    if task is not None:
        first_steps(*processes.begin(task))
        return
    processes.heed_termination()
    dataset = processes.dataset()
    report = Report("startup", {"dataset": dataset, "rounds": rounds}, out)
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as made:
        try:
            for found in measure(rounds, dataset, Path(made)):
                report.write(found, page(found))
        except KeyboardInterrupt:
            report.end(found, f"Interrupted; measured until then:\n\n{page(found)}", complete=False)
            sys.exit(130)
    report.end(found, page(found))


if __name__ == "__main__":
    main()
