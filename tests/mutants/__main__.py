"""The command: try all mutations, or those named, and print what came of each.

Exit status 0 where every mutation turned its test red; 1 where one did not, does not fit the code,
or has a test that fails anyway; 2 for a name that is not known.
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

from attn_nlp.errors import UserError, unknown
from tests.mutants import SLIPS, runner
from tests.mutants.mutation import DoesNotApply, Mutation
from tests.mutants.runner import Ran

WIDTH = 1_000  # of a table that goes to a file or a pipe: one line a mutation


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, do what it says, and return the exit status."""
    reader = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    reader.add_argument(
        "names", nargs="*", metavar="NAME", help="mutations; all where none is named"
    )
    reader.add_argument("--list", action="store_true", help="list the mutations and run nothing")
    reader.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="how many at a time (all cores)"
    )
    given = reader.parse_args(arguments)
    try:
        mutations = chosen(given.names)
        if given.jobs < 1:
            raise UserError(f"--jobs is {given.jobs}; allowed: integers >= 1.")
        if given.list:
            show(mutations, {mutation: mutation.imitates for mutation in mutations}, "imitates")
            return 0
        return attempt(mutations, given.jobs)
    except UserError as mistake:
        print(mistake, file=sys.stderr)
        return 2
    except DoesNotApply as misfit:
        print(misfit, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def chosen(names: Sequence[str]) -> list[Mutation]:
    """The mutations of these names, all where there are none.

    Raises:
      UserError: no mutation has that name.
    """
    by_name = {mutation.name: mutation for mutation in SLIPS}
    for name in names:
        if name not in by_name:
            raise unknown("mutation", name, by_name)
    return [by_name[name] for name in dict.fromkeys(names)] if names else list(SLIPS)


def attempt(mutations: Sequence[Mutation], jobs: int) -> int:
    """Try the mutations; 0 where all are noticed."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        template = Path(folder)
        runner.copy(runner.ROOT, template)
        for mutation in mutations:
            mutation.apply((template / mutation.file).read_text("utf-8"))
        tests = sorted({mutation.test for mutation in mutations})
        print(f"{len(tests)} tests on the code as it is", file=sys.stderr)
        before = runner.pytest_in(template, tests)
        if not (before.green and before.passed == len(tests)):
            print(before.output, file=sys.stderr)
            print("not all of the tests pass on the code as it is", file=sys.stderr)
            return 1
        found = watched(mutations, template, jobs)
    show(mutations, {mutation: ran.verdict for mutation, ran in found.items()}, "verdict")
    unnoticed = [mutation.name for mutation in mutations if not found[mutation].red]
    for mutation in mutations:
        if not found[mutation].red:
            print(f"{mutation.name}: {mutation.test}\n{found[mutation].output}", file=sys.stderr)
    print(f"{len(mutations)} mutations, {len(mutations) - len(unnoticed)} red", end="")
    print(f"; not so: {', '.join(unnoticed)}" if unnoticed else "")
    return bool(unnoticed)


def watched(mutations: Sequence[Mutation], template: Path, jobs: int) -> dict[Mutation, Ran]:
    """Return the outcome of every mutation, with a bar on standard error meanwhile."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    found = {}
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("mutations", total=len(mutations))
        for mutation, ran in runner.try_all(mutations, template, jobs):
            found[mutation] = ran
            bar.update(task, advance=1, description=mutation.name)
    return found


def show(mutations: Sequence[Mutation], last: dict[Mutation, str], title: str) -> None:
    """Print a table of the mutations with one more column."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    table = Table("name", "file", "test", title, box=None, pad_edge=False)
    for mutation in mutations:
        test = mutation.test.removeprefix("tests/").replace("::", " ", 1)
        cells = mutation.name, mutation.file.removeprefix("attn_nlp/"), test, last[mutation]
        table.add_row(*(cell.replace("[", r"\[") for cell in cells))
    console.print(table)


if __name__ == "__main__":
    raise SystemExit(main())
