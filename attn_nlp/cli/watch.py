"""watch: the progress of a run, read from its store while it runs.

The run is another process, on this machine or another. Watching opens the store for reading only
briefly for each snapshot and takes no lock that a run could wait for.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from attn_nlp import wording
from attn_nlp.cli import options, show

if TYPE_CHECKING:
    from attn_nlp.experiment import Resolved
    from attn_nlp.experiment.planned import RowSpec
    from attn_nlp.store import Store
    from attn_nlp.tables import Grid

_BAR = 40
_RUNNING = 8
_MEANS = "Means so far, by the cells that have finished; verdicts come with the finished table."


@dataclass(frozen=True)
class Snapshot:
    """A text for the terminal, and how many cells are still to do."""

    text: str
    left: int


@click.command()
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@options.name_option
@options.changes
@options.store_option
@click.option("--once", is_flag=True, help="Print one snapshot and exit (the default when piped).")
@click.option(
    "--every",
    type=options.FiniteRange(0.1, 86_400),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Seconds between updates.",
)
def watch(file, name, overrides, store_path, once, every) -> None:
    """Watch a run through its store: progress, time left, means so far, cells in training.

    Only reads the store. Exits when no cell is left to do, or on Ctrl-C; the run continues.

    \b
    Examples:
      attn-nlp watch my_idea.py
      attn-nlp watch --name scaling --every 10
      attn-nlp watch my_idea.py --once | head
    """
    from attn_nlp.store import Store

    options.check_source(file, name, overrides)
    with Store.read(store_path) as store:
        resolved = options.resolve_or_find(file, name, overrides, store)
    if once or not sys.stdout.isatty():
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        wording.show(snapshot(resolved, store_path, width=width).text)
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    color = "NO_COLOR" not in os.environ
    with Live(console=Console(), auto_refresh=False, vertical_overflow="crop") as view:
        while True:
            width = shutil.get_terminal_size().columns
            taken = snapshot(resolved, store_path, width=width, color=color)
            view.update(Text.from_ansi(taken.text), refresh=True)
            if not taken.left:
                return
            time.sleep(every)


def snapshot(
    resolved: Resolved, store_path: Path, *, width: int | None = None, color: bool = False
) -> Snapshot:
    """Return the current state of a run; without a store everything is to do.

    Args:
      resolved: the experiment.
      store_path: the store, opened for reading and closed again.
      width: columns of the terminal, or None for 100.
      color: whether the text is colored.
    """
    from attn_nlp.store import Store

    with Store.read(store_path) as store:
        lines, left = _progress(resolved, store)
        tables = tables_so_far(resolved, store, width=width, color=color)
    return Snapshot("\n".join([*map(wording.clean, lines), "", tables]), left)


def tables_so_far(
    resolved: Resolved, store: Store, *, width: int | None = None, color: bool = False
) -> str:
    """Return the means stored so far, as `watch` and a run in a terminal show them.

    Args:
      resolved: the experiment.
      store: open.
      width, color: as for `snapshot`.
    """
    from attn_nlp.tables.formats import render

    grids = _so_far(resolved, store)
    return f"{_MEANS}\n\n{render(grids, 'terminal', width=width, color=color)}"


def _progress(resolved: Resolved, store: Store) -> tuple[list[str], int]:
    """Return lines with counts, a bar, the time left and running cells; and how many are to do."""
    from attn_nlp.runner.plan import to_do

    cells, label = resolved.wanted, resolved.label
    records = store.records(cells, ["status"], own=True)
    counts = Counter(record["status"] for record in records.values())
    running = [spec for spec in cells if spec in store.running() - records.keys()]
    left = len(to_do(cells, records, retry_failed=False))
    states = {
        **{status: counts[status] for status in ("done", "failed", "diverged", "skipped")},
        "running": len(running),
        "to do": left - len(running),
    }
    share = (len(cells) - left) / max(1, len(cells))
    full = round(_BAR * share)
    lines = [
        f"{resolved.name}: {show.counted(states)}, {len(cells)} cells in total",
        f"{'█' * full}{'░' * (_BAR - full)} {share:.0%}",
    ]
    if not left:
        return [*lines, "nothing is left to do"], 0
    if not running:
        return [
            *lines,
            "nothing is running; to resume, repeat the same 'attn-nlp run'",
        ], left
    lines.append(f"{_time_left(resolved, store, len(running))}, {len(running)} at work")
    lines += [f"  {label(cells[spec])}" for spec in running[:_RUNNING]]
    if len(running) > _RUNNING:
        lines.append(f"  and {len(running) - _RUNNING} more")
    return lines, left


def _time_left(resolved: Resolved, store: Store, workers: int) -> str:
    from attn_nlp.errors import UserError
    from attn_nlp.runner.plan import plan

    try:
        seconds = plan(resolved, store, workers=workers).seconds
    except UserError:  # a part of a file that was not loaded: its cells cannot be counted
        return "time left unknown"
    return f"about {wording.duration(seconds)} left, an estimate"


def _so_far(resolved: Resolved, store: Store) -> Sequence[Grid]:
    """Return the tables without a reference: nothing is tested while results come in.

    Whoever looks often enough, and stops at the first significant difference, will see one.
    """
    from attn_nlp.tables.legend import STATE_MARKS
    from attn_nlp.tables.views.scores import build

    columns = ["status", "reason", "validation", "test", "data"]
    records = store.records(resolved.wanted, columns, own=True)
    grids = []
    for table in resolved.tables:
        rows: list[RowSpec] = [{**row, "reference": False} for row in table["rows"]]
        grid = build({**table, "rows": rows}, resolved, records)
        marks = tuple(entry for entry in grid.legend if entry[0] in STATE_MARKS.values())
        bare = tuple(replace(row, cite="") for row in grid.rows)
        grids.append(replace(grid, rows=bare, legend=marks, caption=()))
    return grids
