"""Seconds to print tables from a store of many finished cells, for the whole command.

    python -m benchmarks.tables                          100,000 cells, three rounds
    python -m benchmarks.tables --cells 10000 --sentences 1800 --out bench

The store is filled here with drawn results: 40 variants on 5 datasets, as one experiment with as
many seeds as the cells allow and also as experiments of ten seeds each. Every cell has predictions.
Timed is `attn-nlp table --name`, a separate process from start to end, in processor seconds and
wall-clock seconds: medians, with the least and the largest; and for comparison `attn-nlp --help`,
the least that a command can do.
"""

from __future__ import annotations

import dataclasses
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import click
import numpy as np

from attn_nlp import metrics
from attn_nlp.experiment import Cell, Experiment, Resolved, Row, Table, vary
from attn_nlp.experiment.identity import canonical_json, key_of
from attn_nlp.experiment.planned import PlannedCell
from attn_nlp.experiment.resolved import families_of
from attn_nlp.store import Store
from attn_nlp.store.file import copy_to
from attn_nlp.store.schema import TABLES, seal
from benchmarks.processes import heed_termination
from benchmarks.reports import Report, shown, spread

DATASETS = ("sst2", "trec6", "subj", "mr", "mpqa")
VARIANTS, FEW_SEEDS = 40, 10


def experiment(seeds: int) -> Resolved:
    """Return 40 variants on 5 datasets; their learning rates tell them apart."""
    rates = [round(1e-3 * 1.05**number, 6) for number in range(VARIANTS)]
    rows = [
        Row(f"variant {number}", {"learning_rate": rate}, reference=number == 0)
        for number, rate in enumerate(rates)
    ]
    axes = [vary("dataset", *DATASETS), vary("learning_rate", *rates), vary("seed", *range(seeds))]
    table = Table("All variants", rows, columns="dataset")
    return Experiment(Cell(), axes, [table]).resolve("all_seeds", "How long does it take?")


def in_tens(whole: Resolved, seeds: int) -> list[Resolved]:
    """Return the same cells as experiments of ten seeds each."""
    return [
        dataclasses.replace(
            whole,
            name=f"seeds_from_{first}",
            families=families_of(
                cell
                for cell in whole.cells
                if first <= cell["settings"]["seed"] < first + FEW_SEEDS
            ),
        )
        for first in range(0, seeds, FEW_SEEDS)
    ]


def fill(path: Path, seeds: int, sentences: int) -> None:
    """Write the store: results as a run leaves them, drawn by a fixed generator.

    The store itself writes one result for every dataset. All cells are copies of its rows except
    for what is drawn, and are written together, which takes a tenth of the time.
    """
    rng = np.random.default_rng(20_190_804)
    whole = experiment(seeds)
    gold = {name: rng.integers(0, 2, sentences) for name in DATASETS}
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        store = Store.beside(path, db)
        for name in DATASETS:
            store.finish(name, _record(name, gold[name]))
        copies = {name: _rows(db, name) for name in DATASETS}
        cells = [*whole.baselines, *whole.cells]
        drawn = [_drawn(cell, gold[cell["settings"]["dataset"]], rng) for cell in cells]
        db.execute("BEGIN")
        for table, names in TABLES.items():
            db.executemany(
                f"INSERT INTO {table} ({', '.join(names)}) "  # noqa: S608
                f"VALUES ({', '.join('?' * len(names))})",
                (
                    [row.get(name, known) for name, known in copies[row["dataset"]][table]]
                    for row in drawn
                ),
            )
        seal(db)
        db.execute("COMMIT")
        for name in DATASETS:
            store.delete(name)
        for one in (whole, *in_tens(whole, seeds)):
            store.save_experiment(one)
        copy_to(db, path)


def _rows(db: sqlite3.Connection, spec: str) -> dict[str, list[tuple[str, object]]]:
    """Return the (column, value) pairs of a cell's rows, by table."""
    return {
        table: list(
            zip(
                names,
                db.execute(
                    f"SELECT {', '.join(names)} FROM {table} WHERE spec = ?",  # noqa: S608
                    [spec],
                ).fetchone(),
                strict=True,
            )
        )
        for table, names in TABLES.items()
    }


def _drawn(cell: PlannedCell, labels: np.ndarray, rng: np.random.Generator) -> dict:
    """Draw the columns in which a cell differs from any other on its dataset."""
    wrong = rng.random(len(labels)) < 0.2
    predictions = labels ^ wrong
    scores = metrics.scores(labels, predictions, classes=2)
    scores |= {"loss": float(rng.random()), "ece": float(rng.random())}
    listed = np.full(2 * len(labels) + 1, ord(","), np.uint8)
    listed[1::2] = predictions + ord("0")
    return {
        "dataset": cell["settings"]["dataset"],
        "spec": cell["spec"],
        "key": key_of(cell["spec"], "rows", "tokens"),
        "wall_seconds": float(rng.random()),
        "validation": canonical_json(scores),
        "test": canonical_json(scores),
        "settings": canonical_json(cell["settings"]),
        "correct": np.packbits(~wrong).tobytes(),
        "confusion": canonical_json(metrics.confusion(labels, predictions, classes=2)),
        "predictions": "[" + listed[1:-1].tobytes().decode() + "]",
    }


def _record(dataset: str, labels: np.ndarray) -> dict:
    """Return a result on a dataset in the form that a run gives to the store."""
    return {
        "key": dataset,
        "status": "done",
        "program": "p",
        "parameters": 41_000,
        "best_step": 900,
        "wall_seconds": 1.0,
        "compile_seconds": 0.0,
        "peak_bytes": 400_000_000,
        "fingerprint": "rows",
        "tokenizer_hash": "tokens",
        "validation": {},
        "test": metrics.scores(labels, labels, classes=2),
        "data": {
            "label": dataset,
            "class_names": ["0", "1"],
            "validation_rule": "a tenth of train",
            "splits": {"train": {"rows": 9000}, "test": {"rows": len(labels)}},
        },
        "provenance": {"jax": "1", "device": "cpu"},
        "settings": {},
        "confusion": metrics.confusion(labels, labels, classes=2),
        "history": [{"step": 100 * n, "validation_accuracy": 0.8} for n in range(10)],
        "predictions": labels.tolist(),
        "gold": labels.tolist(),
    }


def timed(*arguments: str) -> tuple[float, float]:
    """Return processor seconds and wall-clock seconds of one command."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "attn_nlp", *arguments]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, time.perf_counter() - began


@click.command()
@click.option("--cells", default=100_000, show_default=True, help="Stored cells, about.")
@click.option("--sentences", default=1_000, show_default=True, help="Of every test split.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Where JSON goes.")
def main(cells: int, sentences: int, rounds: int, out: Path | None) -> None:
    """Time the printing of tables."""
    heed_termination()
    report = Report("tables", {"sentences": sentences, "rounds": rounds}, out)
    seeds = max(FEW_SEEDS, cells // (VARIANTS * len(DATASETS)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "many.sqlite"
        fill(path, seeds, sentences)
        stored = seeds * VARIANTS * len(DATASETS)
        names = {"seeds_from_0": FEW_SEEDS, "all_seeds": seeds}
        given = {name: ("table", "--name", name, "--store", str(path)) for name in names}
        found = {name: [timed(*given[name]) for _ in range(rounds)] for name in names}
        helped = [timed("--help") for _ in range(rounds)]
        size = path.stat().st_size
    lines = []
    for name, count in names.items():
        used, clock = (spread(column) for column in zip(*found[name], strict=True))
        shown_cells = count * VARIANTS * len(DATASETS)
        lines.append({"shown": shown_cells, "stored": stored, "processor": used, "clock": clock})
    used, clock = (spread(column) for column in zip(*helped, strict=True))
    result = {"tables": lines, "help": {"processor": used, "clock": clock}}
    report.end(result, markdown(result, size))


def markdown(result: dict, size: int) -> str:
    """Write seconds by size of the table, from a store of so many bytes."""
    lines = result["tables"]
    stored = f"from {lines[0]['stored']:,} stored cells, {size / 2**20:,.0f} MiB"
    text = [f"| one table of | {stored} | by the clock |", "|---|---|---|"]
    for line in lines:
        text.append(
            f"| {line['shown']:,} cells | {shown(line['processor'])} s | {shown(line['clock'])} s |"
        )
    used, clock = result["help"]["processor"], result["help"]["clock"]
    return "\n".join([*text, f"| `attn-nlp --help` | {shown(used)} s | {shown(clock)} s |"])


if __name__ == "__main__":
    main()
