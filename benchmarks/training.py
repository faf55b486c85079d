"""How fast a cell trains, beside the same model in other hands.

    python -m benchmarks.training                       S and M, three rounds
    python -m benchmarks.training --sizes S --rounds 1 --steps 200 --out bench

S is one layer of width 64 with two heads, M two of width 128 with four; feed-forward 4 x, batches
of 32, dropout 0.1, AdamW with clipping and warm-up, sentences of sst2 if `ATTN_NLP_DATA` has them,
else of docstrings. Everyone starts from the same weights and looks at the validation split every
100 steps and at the test split once. What the rivals are stands in `rivals.py` and `trainer.py`.

Each figure is taken in processes of its own, one rival after another and round by round; "two
processes" are two at once, with one thread and one core each. Ratios compare steps a second of the
whole machine by the clock, looks included, within a round: runs on one core with ours on one core,
runs on two with our two processes. Models that are not the same have no ratio: without dropout, the
losses of the first steps on the same batches must agree; rivals with random batches train the
module whose losses were compared. A run that overruns its limit is shown as such.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import click

from benchmarks import processes, rivals

AGREEING = 20  # steps whose losses are compared
TOLERANCE = 2e-3  # of a loss near 0.7: float32 sums in other orders, through Adam's division
ONE, TWO = "ours, one process", "ours, two processes"


class Run(NamedTuple):
    """How a rival is run; `cold`: for its start-up alone, without compiled programs."""

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
    f"{COMPILED}, two processes": Run(COMPILED, 2, 1),
    f"{NNX}, one process": Run(NNX, 1, 1),
    f"{NNX}, two processes": Run(NNX, 2, 1),
}
# Rivals that train the very module of another, whose losses are those that were compared.
SAME_MODULE = {USUAL: EAGER, rivals.TRAINER: EAGER}


def measure(rival: str, size: str, dataset: str, steps: int, folder: Path) -> dict[str, float]:
    """What one process needs, from its start on."""
    cell = rivals.cell_of(size, dataset, steps, dropout=0.1)
    data = rivals.data_of(cell, folder)
    clock = rivals.Clock()
    tested = rivals.whole(rival, cell, data, folder, clock)
    cpu, wall = clock.since_first()
    flops = rivals.useful_flops(cell, data, rivals.rows_of(rival, cell, data)[1:])
    return {
        "first_step_cpu_seconds": clock.first_done[0],
        "step_ms": (cpu - clock.looks[0]) / (steps - 1) * 1e3,
        "wall_ms": wall / (steps - 1) * 1e3,
        "gigaflops": flops / (cpu - clock.looks[0]) / 1e9,
        "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "test_accuracy": tested,
    }


def startup(rival: str, size: str, dataset: str, steps: int, folder: Path) -> dict[str, float]:
    """Processor seconds until the first step is made."""
    cell = rivals.cell_of(size, dataset, steps, dropout=0.1)
    data = rivals.data_of(cell, folder)
    lane = rivals.RIVALS[rival](cell, data, folder)
    lane.advance(1)
    return {"first_step_cpu_seconds": time.process_time()}


def first_losses(rival: str, size: str, dataset: str, steps: int, folder: Path) -> list[float]:
    """Losses of the first steps without dropout, on the same batches for all."""
    cell = rivals.cell_of(size, dataset, max(steps, AGREEING), dropout=0.0)
    lane = rivals.RIVALS[rival](cell, rivals.data_of(cell, folder), folder)
    return [lane.advance(1) for _ in range(AGREEING)]


def together(run: Run, task: list, cache: Path, limit: float) -> dict:
    """The mean over the processes of a run, or {"fault": why there is none}."""
    kind = "startup" if run.cold else "measure"
    began = [
        processes.start(
            "benchmarks.training",
            [kind, run.rival, *task],
            cache=cache,
            threads=run.threads,
            place=place,
            limit=limit,
        )
        for place in range(run.processes)
    ]
    found = processes.wait(began)
    for each in found:
        if each.fault:
            late = each.fault == processes.LATE
            return {"fault": f"did not finish in {limit:g} s" if late else each.fault}
    last = [each.said[-1] for each in found]
    return {key: statistics.mean(each[key] for each in last) for key in last[0]}


def ask(task: list, cache: Path, limit: float):
    """What a process answers; None and a line on standard error where it does not."""
    began = processes.start("benchmarks.training", task, cache=cache, limit=limit)
    found = processes.wait([began])[0]
    if found.fault:
        click.echo(f"  {found.fault}", err=True)
        return None
    return found.said[-1]


def compare(size: str, dataset: str, steps: int, folder: Path, cache: Path, limit: float) -> dict:
    """Largest difference of a first loss from ours, by rival with our batches."""
    losses = {}
    for rival in rivals.RIVALS:
        if rival not in rivals.RANDOM:
            click.echo(f"{size}: are the losses those of ours? {rival}", err=True)
            losses[rival] = ask(["losses", rival, size, dataset, steps, str(folder)], cache, limit)
    ours = losses.pop("ours")
    return {
        rival: max(abs(a - b) for a, b in zip(ours, those, strict=True))
        for rival, those in losses.items()
        if ours and those
    }


def summary(rounds: list[dict], peaks: list[float], agree: Mapping[str, float]) -> dict:
    """By run: medians, ratios to ours within rounds, share of the peak; or why there is none."""
    found = {}
    for name, run in RUNS.items():
        taken = [each for each in rounds if name in each and "fault" not in each[name]]
        if not taken:
            faults = [each[name]["fault"] for each in rounds if name in each]
            if faults:
                found[name] = {"fault": faults[0]}
            continue
        row = {key: statistics.median(each[name][key] for each in taken) for key in taken[0][name]}
        difference = agree.get(SAME_MODULE.get(run.rival, run.rival))
        row["loss_difference"] = difference
        if not run.cold:
            row["share_of_peak"] = row["gigaflops"] / statistics.median(peaks)
            row["machine_ms"] = row["wall_ms"] / run.processes
            same = run.rival == "ours" or (difference is not None and difference <= TOLERANCE)
            base = ONE if run.cores == 1 else TWO
            ratios = [
                each[name]["wall_ms"] / run.processes / (each[base]["wall_ms"] / run.cores)
                for each in taken
                if "fault" not in each.get(base, {"fault": ""})
            ]
            if same and ratios:
                row["ratio"] = [min(ratios), statistics.median(ratios), max(ratios)]
        found[name] = row
    return found


def markdown(size: str, found: dict) -> str:
    """One table of a size."""
    lines = [
        f"| {size} | clock ms a step | × ours (least–largest) | CPU ms a step, without looks "
        "| of peak | CPU s to the first step | peak MiB | test accuracy | losses differ by |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in found.items():
        if "fault" in row:
            lines.append(f"| {name} | {row['fault']} |" + " |" * 7)
            continue
        first, differs = f"{row['first_step_cpu_seconds']:.1f}", row["loss_difference"]
        if "machine_ms" not in row:
            lines.append(f"| {name} | – | – | – | – | {first} | – | – | – |")
            continue
        ratio = "–"
        if "ratio" in row:
            least, middle, most = row["ratio"]
            ratio = f"{middle:.2f} ({least:.2f}–{most:.2f})"
        lines.append(
            f"| {name} | {row['machine_ms']:.2f} | {ratio} | {row['step_ms']:.2f} "
            f"| {row['share_of_peak']:.0%} | {first} | {row['mebibytes']:.0f} "
            f"| {row['test_accuracy']:.3f} | {'–' if differs is None else f'{differs:.0e}'} |"
        )
    return "\n".join(lines)


def run_task(kind: str, *given) -> object:
    """What a process of this benchmark does."""
    if kind == "peak":
        return rivals.gemm_peak()
    *rest, folder = given
    task = {"measure": measure, "startup": startup, "losses": first_losses}[kind]
    return task(*rest, Path(folder))


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
        core, given = json.loads(task)
        processes.begin(core)
        print(json.dumps(run_task(*given)))
        return
    dataset = processes.dataset()
    report: dict = {"dataset": dataset, "steps": steps, "cores": os.cpu_count(), "sizes": {}}
    text = [
        f"{dataset}, {steps} steps a run, {rounds} rounds. Ours with a cold cache "
        "or two threads finds no compiled programs."
    ]
    processes.heed_termination()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "data"
        for size in sizes.split(","):
            taken: list[dict] = []
            peaks: list[float] = []
            agree = compare(size, dataset, steps, folder, Path(made) / "losses", limit)
            try:
                for turn in range(rounds):
                    cache = Path(made) / f"{size}{turn}"
                    peaks += [peak] if (peak := ask(["peak"], cache, limit)) else []
                    taken.append({})
                    for name, run in RUNS.items():
                        click.echo(f"{size}, round {turn + 1}: {name}", err=True)
                        given = [size, dataset, steps, str(folder)]
                        taken[-1][name] = together(run, given, cache, limit)
            except KeyboardInterrupt:
                text.append("Interrupted: what was measured until then.")
            found = summary(taken, peaks or [float("nan")], agree)
            report["sizes"][size] = {"peak_gigaflops": peaks, "runs": found, "rounds": taken}
            if peaks:
                text += ["", f"Peak {statistics.median(peaks):.0f} GFLOP/s a core.", ""]
            text.append(markdown(size, found))
    report["seconds"] = time.monotonic() - began
    report["load"] = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    processes.publish("training", report, "\n".join(text), out)


if __name__ == "__main__":
    main()
