"""The command: try all slips, or those named, and print what came of each.

Exit status 0 where every slip turned its test red; 1 where one did not, does not fit the code, or
has a test that fails anyway; 2 for a name that is not known.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from attn_nlp.errors import Mistake, unknown
from tests.mutants import SLIPS, runner
from tests.mutants.runner import Ran
from tests.mutants.slip import Slip, Unfit

WIDTH = 1_000  # of a table that goes to a file or a pipe: one line a slip


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, do what it says, and return the exit status."""
    reader = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    reader.add_argument("names", nargs="*", metavar="NAME", help="slips; all where none is named")
    reader.add_argument("--list", action="store_true", help="list the slips and run nothing")
    reader.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="how many at a time (all cores)"
    )
    given = reader.parse_args(arguments)
    try:
        slips = chosen(given.names)
        if given.jobs < 1:
            raise Mistake(f"--jobs is {given.jobs}; allowed: whole numbers from 1.")
        if given.list:
            show(slips, {slip: slip.imitates for slip in slips}, "imitates")
            return 0
        return attempt(slips, given.jobs)
    except Mistake as mistake:
        print(mistake, file=sys.stderr)
        return 2
    except Unfit as unfit:
        print(unfit, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def chosen(names: Sequence[str]) -> list[Slip]:
    """The slips of these names, all where there are none.

    Raises:
      Mistake: no slip has that name.
    """
    by_name = {slip.name: slip for slip in SLIPS}
    for name in names:
        if name not in by_name:
            raise unknown("slip", name, by_name)
    return [by_name[name] for name in dict.fromkeys(names)] if names else list(SLIPS)


def attempt(slips: Sequence[Slip], jobs: int) -> int:
    """Try the slips; 0 where all are noticed."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        template = Path(folder)
        runner.copy(runner.ROOT, template)
        for slip in slips:
            slip.made_in((template / slip.file).read_text("utf-8"))
        tests = sorted({slip.test for slip in slips})
        print(f"{len(tests)} tests on the code as it is", file=sys.stderr)
        before = runner.pytest_in(template, tests)
        if not (before.green and before.passed == len(tests)):
            print(before.output, file=sys.stderr)
            print("not all of the tests pass on the code as it is", file=sys.stderr)
            return 1
        found = watched(slips, template, jobs)
    show(slips, {slip: ran.verdict for slip, ran in found.items()}, "verdict")
    unnoticed = [slip.name for slip in slips if not found[slip].red]
    for slip in slips:
        if not found[slip].red:
            print(f"{slip.name}: {slip.test}\n{found[slip].output}", file=sys.stderr)
    print(f"{len(slips)} slips, {len(slips) - len(unnoticed)} red", end="")
    print(f"; not so: {', '.join(unnoticed)}" if unnoticed else "")
    return bool(unnoticed)


def watched(slips: Sequence[Slip], template: Path, jobs: int) -> dict[Slip, Ran]:
    """What came of every slip, with a bar on standard error meanwhile."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    found = {}
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("slips", total=len(slips))
        for slip, ran in runner.try_all(slips, template, jobs):
            found[slip] = ran
            bar.update(task, advance=1, description=slip.name)
    return found


def show(slips: Sequence[Slip], last: dict[Slip, str], title: str) -> None:
    """Print a table of the slips with one more column."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    table = Table("name", "file", "test", title, box=None, pad_edge=False)
    for slip in slips:
        test = slip.test.removeprefix("tests/").replace("::", " ", 1)
        cells = slip.name, slip.file.removeprefix("attn_nlp/"), test, last[slip]
        table.add_row(*(cell.replace("[", r"\[") for cell in cells))
    console.print(table)


if __name__ == "__main__":
    raise SystemExit(main())
