"""How fast a cell trains, next to the same model in other libraries.

    python -m benchmarks.training                       S and M, three rounds
    python -m benchmarks.training --sizes S --rounds 1 --steps 200 --out bench

S is one layer of width 64 with two heads, M two of width 128 with four; feed-forward 4 x, batches
of 32, dropout 0.1, AdamW with clipping and warm-up, sentences of sst2 if `ATTN_NLP_DATA` has them,
else of docstrings. Everyone starts from the same weights, evaluates on the validation split every
100 steps and reads the test split once. `rivals.py` and `trainer.py` describe the rivals.

Each figure comes from separate processes, one rival after another and round by round; "two
processes" are two at once, with one thread and one core each. Ratios compare steps per second of
the whole machine by the clock, including evaluations, within a round: runs on one core with ours on
one core, runs on two with our two processes. Models that are not the same have no ratio
(`agreement.py`). A run that exceeds its limit is shown as such.

Start-up is by the clock and in two parts: from the start of the process until libraries and data
are loaded, and from there to the first step, which includes compilation; some rivals compile
another program at the first evaluation, which is timed separately. A "cold cache" has no compiled
program; the next run has those it left. The share of the peak counts the matrix products that
sentences need at their true lengths, by processor seconds in steps.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import click

from benchmarks import processes, rivals
from benchmarks.agreement import difference, differences, same
from benchmarks.reports import Report, shown, spread

ONE, TWO = "ours, one process", "ours, two processes"


class Run(NamedTuple):
    """How a rival is run; if `cold`, for its start-up alone, without compiled programs."""

    rival: str
    processes: int
    threads: int
    cold: bool = False

    @property
    def cores(self) -> int:
        return self.processes * self.threads


EAGER, USUAL = "PyTorch eager, our batches", "PyTorch eager, random batches"
COMPILED, NNX = "torch.compile, our batches", "nnx.jit, our batches"
# A cold run comes before a warm one of the same programs, and leaves them for it.
RUNS: dict[str, Run] = {
    "ours, cold cache": Run("ours", 1, 1, cold=True),
    ONE: Run("ours", 1, 1),
    "ours, two threads": Run("ours", 1, 2),
    TWO: Run("ours", 2, 1),
    f"{EAGER}, one process": Run(EAGER, 1, 1),
    f"{EAGER}, two threads": Run(EAGER, 1, 2),
    f"{EAGER}, two processes": Run(EAGER, 2, 1),
    f"{USUAL}, one process": Run(USUAL, 1, 1),
    f"{USUAL}, two threads": Run(USUAL, 1, 2),
    f"{USUAL}, two processes": Run(USUAL, 2, 1),
    f"{rivals.TRAINER}, two threads": Run(rivals.TRAINER, 1, 2),
    f"{rivals.TRAINER}, two processes": Run(rivals.TRAINER, 2, 1),
    f"{COMPILED}, cold cache": Run(COMPILED, 1, 1, cold=True),
    f"{COMPILED}, one process": Run(COMPILED, 1, 1),
    f"{COMPILED}, two threads": Run(COMPILED, 1, 2),
    f"{COMPILED}, two processes": Run(COMPILED, 2, 1),
    f"{NNX}, cold cache": Run(NNX, 1, 1, cold=True),
    f"{NNX}, one process": Run(NNX, 1, 1),
    f"{NNX}, two threads": Run(NNX, 1, 2),
    f"{NNX}, two processes": Run(NNX, 2, 1),
}


def measure(asked: float, kind: str, rival: str, settings: dict, folder: Path) -> dict[str, float]:
    """Return the seconds of one process since it was asked for: its `startup` only, or all."""
    rivals.load(rival)
    cell = rivals.cell_of(**settings)
    data = rivals.data_of(cell, folder)
    loaded, clock = time.time() - asked, processes.Clock()
    if kind == "startup":
        rivals.RIVALS[rival](cell, data, folder).advance(1)
        clock.first()
    tested = 0.0
    if kind == "measure":
        tested = rivals.whole(rival, cell, data, folder, clock, warmed=True)
    found = {
        "loading_seconds": loaded,
        "compiling_seconds": clock.first_at - asked - loaded,
        "first_step_seconds": clock.first_at - asked,
        "first_step_cpu_seconds": clock.first_done[0],
    }
    if kind == "startup":
        return found
    (cpu, wall), steps = clock.since_first(), cell.steps
    flops = rivals.useful_flops(cell, data, rivals.rows_of(rival, cell, data)[1:])
    return found | {
        "step_ms": (cpu - clock.evaluations[0]) / (steps - 1) * 1e3,
        "wall_ms": wall / (steps - 1) * 1e3,
        "gigaflops": flops / (cpu - clock.evaluations[0]) / 1e9,
        "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "first_look_seconds": clock.first_evaluation_seconds,
        "test_accuracy": tested,
    }


def together(run: Run, task: list, cache: Path, limit: float) -> dict:
    """Return the mean over the processes of a run, or {"fault": why there is none}."""
    kind = "startup" if run.cold else "measure"
    began = [
        processes.start(
            "benchmarks.training",
            [kind, run.rival, *task],
            cache=cache,
            threads=run.threads,
            core=core,
            limit=limit,
        )
        for core in range(run.processes)
    ]
    found = processes.wait(began)
    for ended in found:
        if ended.fault or not ended.said:
            late = ended.fault == processes.LATE
            return {
                "fault": f"did not finish in {limit:g} s" if late else ended.fault or "said nothing"
            }
    last = [ended.said[-1] for ended in found]
    return {key: statistics.mean(one[key] for one in last) for key in last[0]}


def summary(rounds: list[dict], peaks: list[float], agree: Mapping[str, float | None]) -> dict:
    """Return by run the least, median and largest of everything, or why there is none.

    `ratio` is to ours within a round, `share_of_peak` to the median peak, and `machine_ms` the
    wall-clock milliseconds in which all processes of a run together make one step.
    """
    found = {}
    for name, run in RUNS.items():
        taken = [turn for turn in rounds if name in turn and "fault" not in turn[name]]
        if not taken:
            faults = [turn[name]["fault"] for turn in rounds if name in turn]
            if faults:
                found[name] = {"fault": faults[0]}
            continue
        row: dict = {key: spread(turn[name][key] for turn in taken) for key in taken[0][name]}
        row["loss_difference"] = difference(run.rival, agree)
        if not run.cold:
            peak = statistics.median(peaks)
            row["share_of_peak"] = [value / peak for value in row["gigaflops"]]
            row["machine_ms"] = [value / run.processes for value in row["wall_ms"]]
            base = ONE if run.cores == 1 else TWO
            ratios = [
                turn[name]["wall_ms"] / run.processes / (turn[base]["wall_ms"] / run.cores)
                for turn in taken
                if "fault" not in turn.get(base, {"fault": ""})
            ]
            if same(run.rival, agree) and ratios:
                row["ratio"] = spread(ratios)
        found[name] = row
    return found


def markdown(size: str, found: dict) -> str:
    """Write the table of a size: medians, with least and largest where there is room."""
    lines = [
        f"| {size} | clock ms a step (least–largest) | × ours (least–largest) "
        "| CPU ms a step, without evaluations | of peak | s to load "
        "| s to compile, with the first step | s of the first evaluation "
        "| peak MiB a process | test accuracy | losses differ by |",
        "|---" * 11 + "|",
    ]
    for name, row in found.items():
        if "fault" in row:
            lines.append(f"| {name} | {row['fault']} |" + " |" * 9)
            continue
        first = f"{row['loading_seconds'][1]:.1f} | {row['compiling_seconds'][1]:.1f}"
        differs = row["loss_difference"]
        said = "–" if differs is None else f"{differs:.0e}"
        if "machine_ms" not in row:
            lines.append(f"| {name} | – | – | – | – | {first} | – | – | – | {said} |")
            continue
        lines.append(
            f"| {name} | {shown(row['machine_ms'])} "
            f"| {shown(row['ratio']) if 'ratio' in row else '–'} | {row['step_ms'][1]:.2f} "
            f"| {row['share_of_peak'][1]:.0%} | {first} | {row['first_look_seconds'][1]:.1f} "
            f"| {row['mebibytes'][1]:.0f} "
            f"| {row['test_accuracy'][1]:.3f} | {said} |"
        )
    return "\n".join(lines)


def page(report: Report, sizes: dict[str, dict]) -> str:
    """Return the page that is printed and written as Markdown."""
    given = report.settings
    text = [
        f"{given['dataset']}, {given['steps']} steps a run, {given['rounds']} rounds. With two "
        "threads, programs are compiled again in each round."
    ]
    for size, found in sizes.items():
        if found["peak_gigaflops"]:
            text += ["", f"Peak {shown(found['peak_gigaflops'], '.0f')} GFLOP/s a core.", ""]
        text.append(markdown(size, found["runs"]))
    return "\n".join(text)


def rounds_of(size: str, report: Report, folder: Path, sizes: dict[str, dict]) -> None:
    """Measure one size, keeping `sizes` and the report up to date all the time."""
    given = report.settings
    limit = given["limit"]
    settings = {"size": size, "dataset": given["dataset"], "steps": given["steps"], "dropout": 0.1}
    names = dict.fromkeys(run.rival for run in RUNS.values())
    agree = differences(names, settings, folder, folder / "losses", limit)
    taken: list[dict] = []
    peaks: list[float] = []
    for turn in range(given["rounds"]):
        cache = folder / f"{size}{turn}"
        began = processes.start("benchmarks.training", ["peak"], cache=cache, limit=limit)
        peaks += processes.wait([began])[0].said[-1:]
        taken.append({})
        for name, run in RUNS.items():
            click.echo(f"{size}, round {turn + 1}: {name}", err=True)
            taken[-1][name] = together(run, [settings, str(folder)], cache, limit)
            found = summary(taken, peaks or [float("nan")], agree)
            three = spread(peaks) if peaks else None
            sizes[size] = {"peak_gigaflops": three, "runs": found, "rounds": taken}
            report.write(sizes, page(report, sizes))


@click.command()
@click.option("--sizes", default="S,M", show_default=True, help="Of S and M, by commas.")
@click.option("--rounds", default=3, show_default=True, help="How often each rival is run.")
@click.option("--steps", default=300, show_default=True, help="Steps of each run.")
@click.option("--limit", default=180.0, show_default=True, help="Seconds that a run may take.")
@click.option("--out", type=click.Path(path_type=Path), help="A folder for JSON and Markdown.")
@click.option("--task", hidden=True)
def main(
    sizes: str, rounds: int, steps: int, limit: float, out: Path | None, task: str | None
) -> None:
    """Print how fast a cell trains, ours and the rivals'."""
    if task is not None:
        asked, (kind, *rest) = processes.begin(task)
        if kind == "peak":
            print(json.dumps(rivals.gemm_peak()))
        else:
            rival, settings, folder = rest
            print(json.dumps(measure(asked, kind, rival, settings, Path(folder))))
        return
    processes.heed_termination()
    settings = {"dataset": processes.dataset(), "sizes": sizes, "rounds": rounds, "steps": steps}
    report = Report("training", settings | {"limit": limit}, out)
    found: dict[str, dict] = {}
    with tempfile.TemporaryDirectory() as made:
        try:
            for size in sizes.split(","):
                rounds_of(size, report, Path(made), found)
        except KeyboardInterrupt:
            report.end(found, "Interrupted; measured until then: " + page(report, found), False)
            sys.exit(130)
    report.end(found, page(report, found))


if __name__ == "__main__":
    main()
