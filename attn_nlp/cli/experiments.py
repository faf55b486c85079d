"""plan, run, status: what an experiment costs, training it, how far it is."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from attn_nlp.cli import options, show

if TYPE_CHECKING:
    from attn_nlp.experiment import Resolved
    from attn_nlp.run import Summary
    from attn_nlp.store import Store

_REASONS = 3
_workers = click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="Processes; one a core by default."
)
_retry = click.option("--retry-failed", is_flag=True, help="Train failed cells again.")


@click.command()
@options.file_argument
@options.changes
@options.store_option
@_workers
@_retry
@options.as_json
def plan(file, overrides, store_path, workers, retry_failed, as_json) -> None:
    """Say what a run would do and cost, and which stars it could earn. Trains nothing.

    \b
    Examples:
      attn-nlp plan experiments/scaling.py
      attn-nlp plan experiments/scaling.py --dataset sst2 --seeds 20
      attn-nlp plan experiments/scaling.py --json
    """
    from attn_nlp.engines.environment import cache_folder, usable
    from attn_nlp.plan import check_data
    from attn_nlp.plan import plan as planned
    from attn_nlp.store import Store
    from attn_nlp.tables.stars import stars

    resolved = options.resolve(file, overrides)
    check_data(resolved)
    with Store.read(store_path) as store:
        found = planned(
            resolved,
            store,
            workers=workers or usable(),
            retry_failed=retry_failed,
            data=cache_folder() / "data",
        )
    if as_json:
        said = {
            **vars(found),
            "assumption": found.assumption,
            "stars": [vars(s) for s in stars(resolved)],
        }
        click.echo(show.as_text(said))
        return
    from attn_nlp.engines.progress import duration

    to_do = found.counts["to do"]
    floors = f", {found.floors} of them floors" if found.floors else ""
    click.echo(f"{found.name}: {show.counted(found.counts)}{floors}")
    if found.trials:
        click.echo(
            f"tuned: {found.trials} trials on validation; of the cells to do, {found.open} take "
            "the values that the trials choose"
        )
    if to_do:
        click.echo(f"programs to compile: {found.programs}")
        click.echo(
            f"time: about {duration(found.seconds)} on {found.workers} workers, an estimate; the "
            f"pace of {found.measured} of {to_do} cells is known from the store"
        )
        click.echo(f"memory: about {show.size(found.memory_bytes)}, an estimate")
        click.echo(f"the estimate {found.assumption}")
    for reason, cells in found.skipped.items():
        click.echo(f"skipped: {cells} cells: {reason}")
    for each in stars(resolved):
        click.echo(each.sentence)


@click.command()
@options.file_argument
@options.changes
@options.store_option
@_workers
@click.option("--in-process", is_flag=True, help="Train here, without worker processes.")
@_retry
@options.output_options
@click.pass_obj
def run(given, file, overrides, store_path, workers, in_process, retry_failed, format, out) -> int:
    """Train every cell that the store lacks, then print the tables.

    A run that was interrupted goes on where it stopped: give the same command again. Finished
    cells are never trained twice, also by several runs at once on one store.

    \b
    Examples:
      attn-nlp run experiments/scaling.py
      attn-nlp run experiments/scaling.py --dataset sst2 --seeds 20 --workers 2
      attn-nlp run experiments/scaling.py --only attention.scale=none,rsqrt_dim --set layers=2
      attn-nlp run experiments/scaling.py --out scaling.md
    """
    from attn_nlp.cli.tables import check_output, write
    from attn_nlp.engines.environment import settle
    from attn_nlp.run import run as train
    from attn_nlp.store import Store

    if in_process and workers:
        raise click.UsageError("--in-process has no workers; leave out --workers.")
    check_output(format, out)
    if in_process:
        settle()  # before the file imports a library that reads what is taken away
    resolved = options.resolve(file, overrides)
    with Store.open(store_path) as store:
        summary = train(
            resolved,
            store,
            file=file,
            workers=workers,
            in_process=in_process,
            retry_failed=retry_failed,
        )
        if summary.signal:
            _say(f"interrupted; {show.counted(summary.counts)}. To go on where it stopped:")
            click.echo("  " + shlex.join(["attn-nlp", *given]), err=True)
            return summary.status
        write(resolved, store, format=format, out=out)
        _say_bad(store.settled(resolved), store, summary, file)
    return summary.status


@click.command()
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@options.changes
@options.store_option
@options.as_json
def status(file, overrides, store_path, as_json) -> None:
    """Count the cells that are done, failed, diverged, running and to do.

    Without a file, of every experiment in the store.

    \b
    Examples:
      attn-nlp status
      attn-nlp status experiments/scaling.py
      attn-nlp status --store runs/attn_nlp.sqlite --json
    """
    from attn_nlp.experiment.load import Overrides
    from attn_nlp.mistakes import Mistake
    from attn_nlp.store import Store

    if file is None and overrides != Overrides():
        raise Mistake("options that change an experiment need its FILE; give it first.")
    with Store.read(store_path) as store:
        if file is None:
            found = [store.experiment(name) for name, _ in store.names()]
        else:
            found = [options.resolve(file, overrides)]
        entries = [_status_of(store.settled(resolved), store) for resolved in found]
    if as_json:
        click.echo(show.as_text(entries))
    elif not entries:
        click.echo(f"no experiment in store {store_path} yet")
    else:
        names = [name for name in entries[0] if name != "reasons"]
        rows = [[entry[name] for name in names] for entry in entries]
        click.echo(show.columns([names, *rows]))
        for entry in entries if file else ():
            for each in entry["reasons"]:
                click.echo(f"{each['status']}: {each['cell']}: {each['reason']}")


def _status_of(resolved: Resolved, store: Store) -> dict:
    from attn_nlp.plan import labels, wanted

    cells, label = wanted(resolved), labels(resolved)
    records = store.records(cells, ["status", "reason"])
    counts = Counter(record["status"] for record in records.values())
    running = len(store.running() & cells.keys() - records.keys())
    return {
        "experiment": resolved.name,
        "cells": len(cells) + len(resolved.open),
        **{name: counts[name] for name in ("done", "failed", "diverged")},
        "running": running,
        "to do": len(cells) + len(resolved.open) - len(records) - running,
        "reasons": [
            {"status": each["status"], "cell": label(cells[spec]), "reason": each["reason"]}
            for spec in cells
            if (each := records.get(spec)) and each["status"] in ("failed", "diverged")
        ],
    }


def _say_bad(resolved: Resolved, store: Store, summary: Summary, file: Path) -> None:
    """On standard error: which cells have no result, and why."""
    bad: Mapping = {name: summary.counts.get(name, 0) for name in ("failed", "diverged")}
    if not any(bad.values()):
        return
    entry = _status_of(resolved, store)
    _say(f"{show.counted(bad)}; 'attn-nlp status {file}' lists them. Reasons:")
    reasons = Counter(each["reason"] for each in entry["reasons"])
    for reason, count in reasons.most_common(_REASONS):
        click.echo(f"  {count} x {reason}", err=True)
    if bad["failed"]:
        click.echo("  --retry-failed trains failed cells again.", err=True)


def _say(message: str) -> None:
    click.echo(f"attn-nlp: {message}", err=True)
