"""How fast a cell trains, beside the same model in other hands.

    python -m benchmarks.training                       S and M, three rounds
    python -m benchmarks.training --sizes S --rounds 1 --steps 200 --out bench

S is one layer of width 64 with two heads, M two of width 128 with four; feed-forward 4 x, batches
of 32, dropout 0.1, AdamW with clipping and warm-up, sentences of sst2 if `ATTN_NLP_DATA` has them,
else of docstrings. Every rival starts from the same weights, trains on the same batches, looks at
the validation split every 100 steps and at the test split once.

Each figure is taken in a process of its own, one rival after another and round by round. What is
shown are medians of processor time, which other programs on the machine disturb less than they
disturb the clock; ratios are taken within a round and shown with their least and largest. Models
that are not the same have no ratio: without dropout, the losses of the first steps must agree.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from attn_nlp.engines.environment import pin, single_threaded
from benchmarks import rivals

EVERY = 100  # steps between looks
AGREEING = 20  # steps whose losses are compared
TOLERANCE = 2e-3  # of a loss near 0.7: float32 sums in other orders, through Adam's division
# name -> (rival, processes, threads of each)
RUNS = {
    "ours, one thread": ("ours", 1, 1),
    "ours, two processes": ("ours", 2, 1),
    "PyTorch eager, one thread": ("PyTorch eager", 1, 1),
    "PyTorch eager, two threads": ("PyTorch eager", 1, 2),
    "PyTorch eager, two processes": ("PyTorch eager", 2, 1),
    "torch.compile, one thread": ("torch.compile", 1, 1),
    "nnx.jit, one thread": ("nnx.jit", 1, 1),
}


def measure(rival: str, size: str, dataset: str, steps: int, folder: Path) -> dict:
    """What one process needs, from its start on; processor and clock seconds."""
    cell = rivals.cell_of(size, dataset, steps, dropout=0.1)
    data = rivals.data_of(cell, folder)
    lane = rivals.RIVALS[rival](cell, data)
    lane.advance(1)
    start, began = time.process_time(), time.perf_counter()
    looks = 0.0
    for done in range(1, steps, EVERY):
        lane.advance(min(EVERY, steps - done))
        looked = time.process_time()
        lane.look("validation")
        looks += time.process_time() - looked
    looked = time.process_time()
    lane.look("test")
    looks += time.process_time() - looked
    cpu, wall = time.process_time() - start, time.perf_counter() - began
    flops = rivals.useful_flops(cell, data, rivals.plan(cell, data)[1:])
    return {
        "first_step_seconds": start,
        "step_ms": (cpu - looks) / (steps - 1) * 1e3,
        "all_ms": cpu / (steps - 1) * 1e3,
        "wall_ms": wall / (steps - 1) * 1e3,
        "gigaflops": flops / (cpu - looks) / 1e9,
        "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def first_losses(rival: str, size: str, dataset: str, folder: Path) -> list[float]:
    """Losses of the first steps without dropout."""
    cell = rivals.cell_of(size, dataset, 200, dropout=0.0)
    lane = rivals.RIVALS[rival](cell, rivals.data_of(cell, folder))
    return [lane.advance(1) for _ in range(AGREEING)]


def child(task: list, core: int | None, threads: int, cache: Path) -> subprocess.Popen:
    """A process that does one of the tasks above and prints JSON."""
    environment = os.environ | single_threaded() | {"JAX_PLATFORMS": "cpu"}
    environment["JAX_COMPILATION_CACHE_DIR"] = str(cache)
    environment["OMP_NUM_THREADS"] = environment["MKL_NUM_THREADS"] = str(threads)
    command = [sys.executable, "-m", "benchmarks.training", "--task", json.dumps([core, *task])]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def answer(process: subprocess.Popen):
    """What the process printed; None and a line on standard error where it failed."""
    out, errors = process.communicate()
    if process.returncode:
        click.echo(f"  failed: {(errors.strip().splitlines() or ['?'])[-1]}", err=True)
        return None
    return json.loads(out.splitlines()[-1])


def together(name: str, task: list, cache: Path) -> dict | None:
    """A run of one process, or the mean of several side by side, each on a core of its own."""
    rival, processes, threads = RUNS[name]
    started = [
        child(["measure", rival, *task], place if threads == 1 else None, threads, cache)
        for place in range(processes)
    ]
    found = [answer(each) for each in started]
    if None in found:
        return None
    return {key: statistics.mean(each[key] for each in found) for key in found[0]}


def summary(rounds: list[dict[str, dict]], peaks: list[float], agree: dict[str, float]) -> dict:
    """Medians by run, the ratio to ours within rounds, and the share of the peak."""
    found = {}
    for name, (rival, _, _) in RUNS.items():
        taken = [each for each in rounds if name in each]
        if not taken:
            continue
        middle = {
            key: statistics.median(each[name][key] for each in taken) for key in taken[0][name]
        }
        middle["share_of_peak"] = middle["gigaflops"] / statistics.median(peaks)
        middle["loss_difference"] = agree.get(rival)
        ours = "ours, two processes" if RUNS[name][1] == 2 else "ours, one thread"
        same = rival == "ours" or agree.get(rival, 1.0) <= TOLERANCE
        if same:
            ratios = [each[name]["all_ms"] / each[ours]["all_ms"] for each in taken if ours in each]
            middle["ratio"] = [min(ratios), statistics.median(ratios), max(ratios)]
        found[name] = middle
    return found


def markdown(size: str, found: dict) -> str:
    """One table of a size."""
    lines = [
        f"| {size} | CPU ms a step | with looks | × ours (least–largest) | of peak | clock ms "
        "| first step, CPU s | peak MiB | loss differs by |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in found.items():
        least, middle, most = row.get("ratio", [float("nan")] * 3)
        differs = row["loss_difference"]
        lines.append(
            f"| {name} | {row['step_ms']:.2f} | {row['all_ms']:.2f} "
            f"| {middle:.2f} ({least:.2f}–{most:.2f}) | {row['share_of_peak']:.0%} "
            f"| {row['wall_ms']:.2f} | {row['first_step_seconds']:.1f} | {row['mebibytes']:.0f} "
            f"| {'–' if differs is None else f'{differs:.1e}'} |"
        )
    return "\n".join(lines)


def compare(size: str, dataset: str, folder: Path, cache: Path) -> dict[str, float]:
    """Largest difference of a first loss from ours, by rival."""
    losses = {}
    for rival in rivals.RIVALS:
        click.echo(f"{size}: are the losses those of ours? {rival}", err=True)
        losses[rival] = answer(child(["losses", rival, size, dataset, str(folder)], 0, 1, cache))
    ours = losses.pop("ours")
    return {
        rival: max(abs(a - b) for a, b in zip(ours, those, strict=True))
        for rival, those in losses.items()
        if those is not None
    }


def run_task(core: int | None, kind: str, *given) -> object:
    """What a child process does."""
    if core is not None:
        pin(core)
    if kind == "peak":
        return rivals.gemm_peak()
    *rest, folder = given
    return {"measure": measure, "losses": first_losses}[kind](*rest, Path(folder))


@click.command()
@click.option("--sizes", default="S,M", help="Of S and M, by commas.")
@click.option("--rounds", default=3, help="How often each rival is run.")
@click.option("--steps", default=300, help="Steps of each run.")
@click.option("--out", type=click.Path(path_type=Path), help="A folder for JSON and Markdown.")
@click.option("--task", hidden=True)
def main(sizes: str, rounds: int, steps: int, out: Path | None, task: str | None) -> None:
    """Print how fast a cell trains, ours and the rivals'."""
    if task is not None:
        print(json.dumps(run_task(*json.loads(task))))
        return
    here = Path(os.environ.get("ATTN_NLP_DATA", "")) / "sst2"
    dataset = "sst2" if here.is_dir() else "docstrings"
    report = {"dataset": dataset, "steps": steps, "cores": os.cpu_count(), "sizes": {}}
    text = [f"{dataset}, {steps} steps a run; no HF Trainer: it wraps the same PyTorch steps."]
    with tempfile.TemporaryDirectory() as made:
        folder, cache = Path(made) / "data", Path(made) / "xla"
        for size in sizes.split(","):
            agree = compare(size, dataset, folder, cache)
            taken, peaks = [], []
            for turn in range(rounds):
                peaks.append(answer(child(["peak"], 0, 1, cache)))
                taken.append({})
                for name in RUNS:
                    click.echo(f"{size}, round {turn + 1}: {name}", err=True)
                    found = together(name, [size, dataset, steps, str(folder)], cache)
                    if found is not None:
                        taken[-1][name] = found
            found = summary(taken, peaks, agree)
            report["sizes"][size] = {"peak_gigaflops": peaks, "runs": found, "rounds": taken}
            text += ["", f"Peak {statistics.median(peaks):.0f} GFLOP/s a core.", ""]
            text.append(markdown(size, found))
    report["load"] = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    click.echo("\n".join(text))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "training.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        (out / "training.md").write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
