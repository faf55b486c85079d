"""Seconds of a whole ablation table, everything included, for our runner and for others.

    python -m benchmarks.whole_table --cold --out bench               S, all cells of the rivals
    python -m benchmarks.whole_table --size M --rival-cells 12 --out bench
    python -m benchmarks.whole_table --ours-only --rounds 3

The table of `twelve_scales.py`: 12 scales, ten seeds, 1,000 steps, an evaluation every 100 steps,
the best weights tested. Ours is the command a user types, `attn-nlp run` with two workers, from its
start to the printed table, including baselines, statistics and store. A rival is one process that
trains one cell after another with two threads, or two such processes with one thread and a core
each. The rivals read our prepared data and initial weights from files, which is not counted, and
store nothing. A share of a rival's cells is run before ours, between our rounds and after.

If fewer of a rival's cells are run than the table has, its seconds are start-up + mean seconds of a
cell x cells / processes, and the output says that they are extrapolated. A rival that does not
reproduce our losses without dropout has no ratio (`agreement.py`). Results are written after every
part, and on Ctrl-C.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click

from benchmarks import processes, rivals
from benchmarks.agreement import difference, differences, same
from benchmarks.reports import Report, shown, spread
from benchmarks.twelve_scales import SCALES

FILE = Path(__file__).with_name("twelve_scales.py")
WORKERS = 2
FOR_EVER = 24 * 3600.0
EAGER, SORTED = "PyTorch eager, random batches", "PyTorch eager, our batches"
# name -> (rival, processes, threads of each)
RIVALS = {
    "eager-threads": (EAGER, 1, 2),
    "eager-processes": (EAGER, 2, 1),
    "sorted-threads": (SORTED, 1, 2),
    "sorted-processes": (SORTED, 2, 1),
    "trainer-threads": (rivals.TRAINER, 1, 2),
    "trainer-processes": (rivals.TRAINER, 2, 1),
}


class Given(NamedTuple):
    """The table that is timed."""

    size: str
    dataset: str
    variants: int
    seeds: int
    steps: int

    @property
    def cells(self) -> list[tuple[str, int]]:
        """Scale and seed of every cell, seeds outermost as in our runner."""
        return [(scale, seed) for seed in range(self.seeds) for scale in SCALES[: self.variants]]


class Portion(NamedTuple):
    """Some cells of a rival, run together: start-up, the cells of each process, faults."""

    startup: float
    cells: list[list[dict]]
    faults: list[str]


def command(given: Given, store: Path) -> list[str]:
    """Return the command that fills our table."""
    sizes = [f"{path}={value}" for path, value in rivals.SIZES[given.size].items()]
    sizes.append(f"evaluate_every={min(100, given.steps)}")
    return [
        *(sys.executable, "-m", "attn_nlp", "run", str(FILE), "--store", str(store)),
        *("--workers", str(WORKERS), "--dataset", given.dataset),
        *("--seeds", str(given.seeds), "--steps", str(given.steps)),
        *("--only", "attention.scale=" + ",".join(SCALES[: given.variants])),
        *(part for size in sizes for part in ("--set", size)),
    ]


def ours(given: Given, folder: Path) -> dict:
    """Fill the table, and return its seconds and a summary of its stored cells."""
    store = folder / f"{time.time_ns()}.sqlite"
    began = time.perf_counter()
    child = processes.start_command(command(given, store), processes.with_cache(folder), FOR_EVER)
    ended = processes.wait([child])[0]
    seconds = time.perf_counter() - began
    if ended.fault:
        raise click.ClickException(f"our run ended: {ended.fault}")
    from attn_nlp.store import Store

    columns = ["status", "wall_seconds", "compile_seconds", "test"]
    with Store.read(store) as opened:
        settings = opened.experiment("twelve_scales").wanted
        found = opened.records(settings, columns)
    busy = sum(record["wall_seconds"] or 0.0 for record in found.values())
    trained: list[Any] = [r for spec, r in found.items() if settings[spec]["model"] == "encoder"]
    assert len(trained) == len(given.cells), "a table that is not whole"
    return {
        "seconds": seconds,
        "busy_seconds": busy,
        "utilization": busy / (WORKERS * seconds),
        "compile_seconds": sum(record["compile_seconds"] or 0.0 for record in found.values()),
        "test_accuracy": statistics.mean(record["test"]["accuracy"] for record in trained),
    }


def run_portion(
    name: str, given: Given, cells: list, folder: Path, portions: list[Portion]
) -> None:
    """Run some of a rival's cells, dealt out to its processes; on Ctrl-C keep what is done."""
    rival, count, threads = RIVALS[name]
    began, children = [], []
    for core in range(count):
        task = ["cells", rival, given, cells[core::count], str(folder)]
        began.append(time.time())
        children.append(
            processes.start(
                "benchmarks.whole_table",
                task,
                cache=folder / "rivals",
                threads=threads,
                core=core,
                limit=FOR_EVER,
            )
        )
    stopped = None
    try:
        ended = processes.wait(children)
    except processes.Interrupted as interrupt:
        stopped, ended = interrupt, interrupt.ended
    faults = [process.fault for process in ended if process.fault]
    for fault in faults:
        click.echo(f"  {name}: {fault}", err=True)
    lines = [[line for line in process.said if isinstance(line, dict)] for process in ended]
    starts = [each[0]["began"] - at for each, at in zip(lines, began, strict=True) if each]
    portions.append(Portion(max(starts, default=float("nan")), lines, faults))
    if stopped is not None:
        raise stopped


def train_cells(rival: str, given: Given, cells: list, folder: Path) -> None:
    """Train some cells in a rival's process, and print a line for each."""
    rivals.load(rival)  # libraries and data belong to the start-up
    if not cells:
        return
    data = rivals.data_of(cell_of(given, *cells[0]), folder)
    for scale, seed in cells:
        began, clock = time.time(), time.perf_counter()
        cell = cell_of(given, scale, seed)
        tested = rivals.whole(rival, cell, data, folder, processes.Clock())
        seconds = time.perf_counter() - clock
        print(json.dumps({"began": began, "seconds": seconds, "test_accuracy": tested}), flush=True)


def cell_of(given: Given, scale: str, seed: int):
    settings = {"attention.scale": scale, "seed": seed}
    return rivals.cell_of(given.size, given.dataset, given.steps, **settings)


def keep_weights(given: Given, folder: Path) -> None:
    """Store the initial weights of every seed for the rivals."""
    for seed in range(given.seeds):
        cell = cell_of(given, SCALES[0], seed)
        rivals.first_weights(cell, rivals.data_of(cell, folder), folder)


def total(name: str, given: Given, portions: list[Portion]) -> dict | None:
    """Return a rival's seconds for the whole table, or None if no cell has been run."""
    count = RIVALS[name][1]
    faults = list(dict.fromkeys(fault for portion in portions for fault in portion.faults))
    run = [cell for portion in portions for process in portion.cells for cell in process]
    if not run:
        return {"fault": faults[0]} if faults else None
    startup = statistics.median(
        portion.startup for portion in portions if portion.startup == portion.startup
    )
    seconds = [cell["seconds"] for cell in run]
    if len(run) == len(given.cells):
        work = sum(
            max(sum(cell["seconds"] for cell in process) for process in portion.cells)
            for portion in portions
        )
    else:
        work = statistics.mean(seconds) * len(given.cells) / count
    return {
        "seconds": startup + work,
        "startup_seconds": startup,
        "cell_seconds": spread(seconds),
        "cells_run": len(run),
        "extrapolated": len(run) < len(given.cells),
        "test_accuracy": statistics.mean(cell["test_accuracy"] for cell in run),
        "faults": faults,
    }


class Measured:
    """The measurements so far: our runs, the rivals' portions, and which models are the same."""

    def __init__(self, given: Given, chosen: list[str]):
        self.given = given
        self.agree: dict[str, float | None] = {}
        self.mine: dict[str, list[dict]] = {}
        self.portions: dict[str, list[Portion]] = {name: [] for name in chosen}

    def result(self) -> dict:
        """Return them as plain values, with ratios; spreads are least, median and largest."""
        ours = {
            name: {
                "seconds": spread(run["seconds"] for run in runs),
                "rounds": len(runs),
                "utilization": statistics.median(run["utilization"] for run in runs),
                "compile_seconds": statistics.median(run["compile_seconds"] for run in runs),
                "test_accuracy": runs[0]["test_accuracy"],
            }
            for name, runs in self.mine.items()
            if runs  # empty while the first is running
        }
        others = {}
        for name, some in self.portions.items():
            row = total(name, self.given, some)
            if row is None:
                continue
            rival = RIVALS[name][0]
            row["loss_difference"] = difference(rival, self.agree)
            if "seconds" in row and same(rival, self.agree):
                row["ratio"] = {
                    who: sorted(row["seconds"] / seconds for seconds in each["seconds"])
                    for who, each in ours.items()
                }
            others[name] = row
        return {"ours": ours, "rivals": others}


def counted(cells: int) -> str:
    """Write a number of cells in words."""
    return f"{cells:,} cell{'s' * (cells != 1)}"


def called(name: str) -> str:
    """Return the name of a rival in words."""
    # Not in a process that is timed, which is this module too.
    from attn_nlp.wording import plural

    rival, count, threads = RIVALS[name]
    each = f"{count} process{'es' * (count > 1)}, {plural(threads, 'thread')}"
    return f"{rival}, {each}{' each' * (count > 1)}"


def page(given: Given, found: dict) -> str:
    """Return the page that is printed and written as Markdown."""
    from attn_nlp.wording import plural

    cells, mine = len(given.cells), found["ours"]
    lines = [
        f"{given.size}, {given.dataset}: {given.variants} variants x {given.seeds} seeds x "
        f"{given.steps} steps = {cells} cells, on {len(processes.allowed_cores())} cores; data "
        "prepared beforehand for all.",
        "",
        "| who | seconds | x ours | how | test accuracy, mean | losses differ by |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in mine.items():
        how = (
            f"{WORKERS} workers, {row['utilization']:.0%} busy, {row['compile_seconds']:.1f} s "
            f"of it compiling, {plural(row['rounds'], 'round')}"
        )
        seconds = shown(row["seconds"], ".1f")
        lines.append(f"| {name} | {seconds} | 1 | {how} | {row['test_accuracy']:.4f} | – |")
    for name, row in found["rivals"].items():
        if "seconds" not in row:
            lines.append(f"| {called(name)} | {row['fault']} | | | | |")
            continue
        ratio = " / ".join(f"{three[1]:.2f}" for three in row.get("ratio", {}).values())
        run = f"all {cells} cells run"
        if row["extrapolated"]:
            run = f"**extrapolated** from {counted(row['cells_run'])}"
        run += f" of {shown(row['cell_seconds'])} s"
        if row["faults"]:
            run += f"; {'; '.join(row['faults'])}"
        apart = row["loss_difference"]
        lines.append(
            f"| {called(name)} | {row['seconds']:.1f} | {ratio or '–'} | {run} "
            f"| {row['test_accuracy']:.4f} | {'–' if apart is None else f'{apart:.0e}'} |"
        )
    if len(mine) > 1 and found["rivals"]:
        lines += ["", f"Ratios are to {' / '.join(mine)}."]
    return "\n".join(lines)


@click.command()
@click.option("--size", type=click.Choice(["S", "M"]), default="S", show_default=True)
@click.option("--variants", type=click.IntRange(1, len(SCALES)), default=12, show_default=True)
@click.option("--seeds", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--steps", type=click.IntRange(min=2), default=1000, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=1, show_default=True, help="Ours.")
@click.option(
    "--rivals",
    "names",
    default="eager-threads,eager-processes",
    show_default=True,
    help=f"Of {', '.join(RIVALS)}, by commas; NAME:24 runs 24 of its cells.",
)
@click.option("--ours-only", is_flag=True, help="No rival at all.")
@click.option(
    "--rival-cells", type=click.IntRange(min=1), help="Run this many of each; all by default."
)
@click.option("--cold", is_flag=True, help="Fill our table without compiled programs too.")
@click.option("--out", type=click.Path(path_type=Path), help="A folder for JSON and Markdown.")
@click.option("--task", hidden=True)
def main(
    size, variants, seeds, steps, rounds, names, ours_only, rival_cells, cold, out, task
) -> None:
    """Print the seconds of a whole table, ours and the rivals'."""
    if task is not None:
        _, (kind, *rest) = processes.begin(task)
        if kind == "weights":
            keep_weights(Given(*rest[0]), Path(rest[1]))
        else:
            train_cells(rest[0], Given(*rest[1]), rest[2], Path(rest[3]))
        return
    given = Given(size, processes.dataset(), variants, seeds, steps)
    chosen = {} if ours_only else cells_of(names, rival_cells or len(given.cells))
    processes.heed_termination()
    report = Report(f"whole_table_{size}", given._asdict() | {"rounds": rounds}, out)
    measured = Measured(given, list(chosen))
    with tempfile.TemporaryDirectory() as made:
        try:
            for _ in measure(measured, rounds, chosen, cold, Path(made)):
                report.write(result := measured.result(), page(given, result))
        except KeyboardInterrupt:
            text = "Interrupted; measured until then: " + page(given, measured.result())
            report.end(measured.result(), text, complete=False)
            sys.exit(130)
    report.end(result := measured.result(), page(given, result))


def cells_of(names: str, usual: int) -> dict[str, int]:
    """Return how many cells of each rival to run, from "NAME,NAME:24"."""
    found = {}
    for asked in names.split(","):
        name, _, cells = asked.partition(":")
        if name not in RIVALS or not (cells or "1").isdecimal():
            raise click.UsageError(
                f"--rivals may have {', '.join(RIVALS)}, each with :CELLS; {asked!r} was given."
            )
        found[name] = int(cells or usual)
    return found


def measure(
    measured: Measured, rounds: int, chosen: dict[str, int], cold: bool, folder: Path
) -> Iterator[None]:
    """Measure everything in turn, so many cells of each rival; yield after every measurement."""
    given = measured.given
    click.echo("not timed: data, initial weights, and a compilation", err=True)
    ours(given._replace(variants=1, seeds=1), folder)
    if chosen:
        task = ["weights", given, str(folder)]
        rivals_cache = folder / "rivals"
        child = processes.start("benchmarks.whole_table", task, cache=rivals_cache, limit=FOR_EVER)
        ended = processes.wait([child])[0]
        if ended.fault:
            raise click.ClickException(f"no initial weights: {ended.fault}")
        settings = {"size": given.size, "dataset": given.dataset, "steps": given.steps}
        settings |= {"attention.scale": SCALES[given.variants - 1]}
        measured.agree = differences(
            [RIVALS[name][0] for name in chosen], settings, folder, rivals_cache, FOR_EVER
        )
        yield
    for turn in range(rounds + 1):
        for name, count in chosen.items():
            cells = given.cells[:count]
            some = cells[slice(*(part * len(cells) // (rounds + 1) for part in (turn, turn + 1)))]
            if not some:
                continue
            click.echo(f"{name}: {counted(len(some))}", err=True)
            run_portion(name, given, some, folder, measured.portions[name])
            yield
        if turn == rounds:
            return
        for cache in ("cold", "warm") if cold else ("warm",):
            if cache == "cold":
                shutil.rmtree(folder / "xla")
            click.echo(f"ours, {cache} cache", err=True)
            measured.mine.setdefault(f"ours, {cache} cache", []).append(ours(given, folder))
            yield


if __name__ == "__main__":
    main()
