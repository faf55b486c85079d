"""plan, run, status: what an experiment costs, training it, and its progress."""

from __future__ import annotations

import functools
import os
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from attn_nlp import wording
from attn_nlp.cli import options, show
from attn_nlp.cli.stale import warn_of_code, warn_of_data

if TYPE_CHECKING:
    from attn_nlp.experiment import Resolved
    from attn_nlp.runner.run import Summary
    from attn_nlp.store import Store

_REASONS = 3
_BAD = ("failed", "diverged")
_workers = click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of worker processes; default: one per core.",
)
_retry = click.option("--retry-failed", is_flag=True, help="Retry failed cells.")


@click.command()
@options.file_argument
@options.changes
@options.store_option
@_workers
@_retry
@options.as_json
def plan(file, overrides, store_path, workers, retry_failed, as_json) -> None:
    """Show what a run would train, for how long, and what it could detect. Trains nothing.

    \b
    Examples:
      attn-nlp plan my_idea.py
      attn-nlp plan my_idea.py --dataset sst2 --seeds 20
      attn-nlp plan my_idea.py --json
    """
    from attn_nlp.runner.cores import usable
    from attn_nlp.runner.environment import cache_folder
    from attn_nlp.runner.plan import cells_ahead, check_data, check_parts
    from attn_nlp.runner.plan import plan as planned
    from attn_nlp.store import Store
    from attn_nlp.tables.attainable import attainable

    resolved = options.resolve(file, overrides)
    check_data(resolved)
    with Store.read(store_path) as store:
        for warning in check_parts(cells_ahead(resolved, store, retry_failed)):
            wording.warn(f"warning: {warning}")
        cells = store.settled(resolved).wanted
        warn_of_data(cells, store.records(cells, ["data"]))
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
            "attainable": [vars(shape) for shape in attainable(resolved)],
        }
        wording.show(show.as_text(said))
        return
    to_do = found.counts["to do"]
    baselines = f", {found.baselines} of them baselines" if found.baselines else ""
    wording.say(f"{found.name}: {show.counted(found.counts)}{baselines}")
    if found.trials:
        wording.say(
            f"tuned: {found.trials} trials on validation; of the cells to do, {found.open} take "
            "the values that the trials choose"
        )
    if to_do:
        wording.say(f"programs to compile: {found.programs}")
        timed = (
            f"stored timings cover {found.measured} of {to_do} cells"
            if found.measured
            else "no timings stored yet for these cells"
        )
        wording.say(
            f"time: about {wording.duration(found.seconds)} on {found.workers} workers, an "
            f"estimate; {timed}"
        )
        wording.say(f"memory: about {wording.gigabytes(found.memory_bytes)}, an estimate")
        wording.say(f"the estimate {found.assumption}")
    for reason, cells in found.skipped.items():
        wording.say(f"skipped: {cells} cells: {reason}")
    for shape in attainable(resolved):
        wording.say(shape.sentence)


@click.command()
@options.file_argument
@options.changes
@options.store_option
@_workers
@click.option("--in-process", is_flag=True, help="Train in this process, without workers.")
@_retry
@click.option(
    "--retrain-changed",
    is_flag=True,
    help="Retrain cells that a different version of attn_nlp trained.",
)
@options.output_options
@click.pass_obj
def run(
    given,
    file,
    overrides,
    store_path,
    workers,
    in_process,
    retry_failed,
    retrain_changed,
    format,
    out,
    caption,
) -> int:
    """Train every cell that is not stored yet, then print the tables.

    To resume an interrupted run, repeat the command. A finished cell is never trained again, even
    if several runs share a store. In a terminal, the tables update as cells finish.

    \b
    Examples:
      attn-nlp run my_idea.py
      attn-nlp run my_idea.py --dataset sst2 --seeds 20 --workers 2
      attn-nlp run my_idea.py --only attention.scale=none,rsqrt_dim --set layers=2
      attn-nlp run my_idea.py --out scaling.md
    """
    from attn_nlp.cli.tables import check_output, write
    from attn_nlp.cli.watch import tables_so_far
    from attn_nlp.runner.preflight import check_store, check_workers, code_warnings
    from attn_nlp.runner.progress import Progress
    from attn_nlp.runner.run import run as train
    from attn_nlp.store import Store

    check_workers(workers, in_process)
    resolved = options.resolve(file, overrides)
    check_output(format, out, store_path, resolved)
    check_store(store_path, resolved)
    with Store.open(store_path) as store:
        _say_replaced(resolved, store)
        if not retrain_changed:
            for sentence in code_warnings(store, resolved):
                wording.warn(sentence)
        color = "NO_COLOR" not in os.environ

        def tables(width: int) -> str:
            return tables_so_far(store.settled(resolved), store, width=width, color=color)

        summary = train(
            resolved,
            store,
            file=file,
            workers=workers,
            in_process=in_process,
            retry_failed=retry_failed,
            retrain_changed=retrain_changed,
            progress=functools.partial(Progress, tables=tables if sys.stdout.isatty() else None),
        )
        if summary.signal:
            wording.warn(f"interrupted; {show.counted(summary.counts)}. To resume:")
            wording.warn("  " + shlex.join(["attn-nlp", *given]), before="")
            return summary.status
        write(resolved, store, format=format, out=out, caption=caption, warned=True)
        _say_bad(store.settled(resolved), store, summary, file)
        if summary.kept:
            count = len(summary.kept)
            they = "cell failed when" if count == 1 else "cells failed when"
            theirs = "keeps its earlier result" if count == 1 else "keep their earlier results"
            wording.warn(
                f"{count} {they} trained again, and {theirs}. The first reason: {summary.kept[0]}"
            )
    return summary.status


@click.command()
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@options.changes
@options.store_option
@click.option("--verbose", is_flag=True, help="Show why cells failed, with full tracebacks.")
@options.as_json
def status(file, overrides, store_path, verbose, as_json) -> None:
    """Count the cells that are done, failed, diverged, running, and still to do.

    Without FILE, count those of every experiment in the store.

    \b
    Examples:
      attn-nlp status
      attn-nlp status my_idea.py
      attn-nlp status my_idea.py --verbose
      attn-nlp status --store runs/attn_nlp.sqlite --json
    """
    from attn_nlp.errors import UserError
    from attn_nlp.experiment.load import Overrides
    from attn_nlp.store import Store

    if file is None and overrides != Overrides():
        raise UserError("options that change an experiment need its FILE; give it first.")
    with Store.read(store_path) as store:
        if file is None:
            found = [store.experiment(name) for name, _ in store.names()]
        else:
            found = [options.resolve_or_find(file, None, overrides, store)]
        details = verbose or as_json
        entries = [_status_of(resolved, store, details) for resolved in found]
        specs = {spec for resolved in found for spec in resolved.wanted}
        warn_of_code(store.records(specs, ["status", "provenance"]))
    if as_json:
        wording.show(show.as_text(entries))
    elif not entries:
        wording.say(f"no experiment in store {store_path} yet")
    else:
        names = [name for name in entries[0] if name != "reasons"]
        rows = [[entry[name] for name in names] for entry in entries]
        wording.show(show.columns([names, *rows]))
        for entry in entries if file or verbose else ():
            for line in _once(entry["reasons"]) if verbose else _one_by_one(entry["reasons"]):
                wording.say(line)


def _one_by_one(reasons: Sequence[Mapping]) -> Iterator[str]:
    """Write a line for every cell without a result."""
    for cell in reasons:
        yield f"{cell['status']}: {cell['cell']}: {cell['reason']}"


def _once(reasons: Sequence[Mapping]) -> Iterator[str]:
    """Write every reason once: its first cell and traceback, and how many cells share it."""
    alike: dict[tuple, list[Mapping]] = {}
    for cell in reasons:
        alike.setdefault((cell["status"], cell["reason"]), []).append(cell)
    for first, *others in alike.values():
        yield ""
        yield from _one_by_one([first])
        if others:
            yield f"  and {len(others)} more: {_some([other['cell'] for other in others])}"
        if first["detail"]:
            yield from (f"    {line}" for line in first["detail"].rstrip().splitlines())
        elif first["status"] == "failed":
            yield "    (no traceback was stored)"


def _some(cells: Sequence[str]) -> str:
    left = f"; and {len(cells) - _REASONS} others" if len(cells) > _REASONS else ""
    return "; ".join(cells[:_REASONS]) + left


def _status_of(resolved: Resolved, store: Store, details: bool = False) -> dict:

    cells, label = resolved.wanted, resolved.label
    records = store.records(cells, ["status", "reason", "data"], own=True)
    warn_of_data(cells, records)
    counts = Counter(record["status"] for record in records.values())
    running = len(store.running() & cells.keys() - records.keys())
    bad = [spec for spec in cells if spec in records and records[spec]["status"] in _BAD]
    found = store.records(bad, ["detail"]) if details and bad else {}
    return {
        "experiment": resolved.name,
        "cells": len(cells) + len(resolved.open),
        **{name: counts[name] for name in ("done", *_BAD)},
        "running": running,
        "to do": len(cells) + len(resolved.open) - len(records) - running,
        "reasons": [
            {
                "status": records[spec]["status"],
                "cell": label(cells[spec]),
                "reason": records[spec]["reason"] or "no reason was stored",
                **({"detail": found[spec]["detail"]} if spec in found else {}),
            }
            for spec in bad
        ],
    }


def _say_replaced(resolved: Resolved, store: Store) -> None:
    """Warn that another experiment was stored under this name and is now replaced.

    Editing a setting that all cells share makes them new too, but leaves the tables alike.
    """
    if resolved.name not in [name for name, _ in store.names()]:
        return
    kept = store.experiment(resolved.name)
    new, old = (
        {cell["spec"] for cell in one.runnable[len(one.baselines) :]} for one in (resolved, kept)
    )
    if new and old and new.isdisjoint(old) and _outline(resolved) != _outline(kept):
        wording.warn(
            f"experiment {resolved.name!r} in store {store.path} had other tables and none of "
            f"these cells; --name {resolved.name} now shows this one. If that was another file, "
            "rename one of them to keep both."
        )


def _outline(resolved: Resolved) -> list[tuple]:
    """Return the titles, rows and columns of the tables."""
    return [
        (table["title"], [row["label"] for row in table["rows"]], table["columns"])
        for table in resolved.tables
    ]


def _say_bad(resolved: Resolved, store: Store, summary: Summary, file: Path) -> None:
    """Warn of the cells that have no result, with their reasons."""
    bad: Mapping = {name: summary.counts.get(name, 0) for name in _BAD}
    if not any(bad.values()):
        return
    entry = _status_of(resolved, store)
    wording.warn(f"{show.counted(bad)}; 'attn-nlp status {file} --verbose' shows them. Reasons:")
    reasons = Counter(cell["reason"] for cell in entry["reasons"])
    for reason, count in reasons.most_common(_REASONS):
        wording.warn(f"  {count} x {reason}", before="")
    if bad["failed"]:
        wording.warn("  --retry-failed retries failed cells.", before="")
