"""All benchmarks, one after another, as `make bench` runs them.

    python -m benchmarks                       everything, into the folder bench
    python -m benchmarks --quick --out /tmp/b  the smallest sizes, to see that all of it runs
    python -m benchmarks --only whole_table_S --all-cells

Every part is a separate process and leaves NAME.json and NAME.md. One that fails does not keep the
others from running; the exit status is then 1. A part that has been measured completely by the same
code with the same arguments is not measured again, so that repeating the command resumes after an
interruption. At the end, or on Ctrl-C, one page has everything: all.md.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import click

from benchmarks import processes, reports


class Part(NamedTuple):
    """A benchmark: its module, its arguments, the smallest ones, and its minutes."""

    module: str
    given: str
    least: str
    minutes: float


_FEW = "--variants 2 --seeds 1 --steps 20 --cold --rival-cells 2"
# Those that take longest come last, so that an interruption leaves most.
PARTS = {
    "tables": Part("tables", "--rounds 5", "--cells 2000 --sentences 50 --rounds 2", 1.5),
    "tokenizing": Part("tokenizing", "--rounds 5", "--rounds 1", 1.5),
    "startup": Part("startup", "--rounds 5", "--rounds 1", 2),
    "long_texts": Part("long_texts", "", "--lengths 128,256 --rounds 1", 15),
    "training": Part("training", "", "--sizes S --rounds 1 --steps 20", 45),
    "whole_table_S": Part(
        "whole_table",
        "--size S --cold --rounds 2 --rival-cells 24 --rivals "
        "eager-threads,eager-processes,sorted-processes,trainer-threads,trainer-processes",
        f"--size S {_FEW} --rivals eager-threads,eager-processes,trainer-processes",
        50,
    ),
    "whole_table_M": Part(
        "whole_table",
        "--size M --cold --rival-cells 12 --rivals "
        "eager-threads,eager-processes,sorted-processes,trainer-threads,trainer-processes",
        f"--size M {_FEW} --rivals eager-processes",
        90,
    ),
}

# In place of the above: with every cell of PyTorch eager really run, in size S.
ALL_CELLS = {
    "whole_table_S": PARTS["whole_table_S"]._replace(
        given="--size S --cold --rivals eager-threads,eager-processes,sorted-processes:24,"
        "trainer-threads:12,trainer-processes:24",
        minutes=70,
    )
}


def arguments(part: Part, quick: bool) -> list[str]:
    """Return the arguments of a part, without its folder."""
    return (part.least if quick else part.given).split()


def done(name: str, given: list[str], out: Path) -> bool:
    """Tell whether a part has been measured completely by this code with these arguments."""
    try:
        kept = json.loads((out / f"{name}.given.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    found = reports.read(out, name)
    whole = found is not None and found["complete"]
    return whole and kept == [given, code()]


def code() -> str:
    """Return a hash of all code that is timed and that times, committed or not."""
    found = hashlib.sha256()
    for folder in ("attn_nlp", "benchmarks"):
        for path in sorted((reports.ROOT / folder).rglob("*.py")):
            found.update(path.relative_to(reports.ROOT).as_posix().encode() + path.read_bytes())
    return found.hexdigest()[:12]


def command(name: str, given: list[str], out: Path) -> list[str]:
    """Return the command of a part."""
    module = f"benchmarks.{PARTS[name].module}"
    return [sys.executable, "-m", module, *given, "--out", str(out)]


def run(name: str, given: list[str], out: Path) -> int:
    """Run a part, and return its exit status."""
    for ending in ("json", "md", "given.json"):
        (out / f"{name}.{ending}").unlink(missing_ok=True)
    child = subprocess.Popen(command(name, given, out), start_new_session=True)
    try:
        status = child.wait()
    except KeyboardInterrupt:
        child.terminate()  # it writes what it has, and ends its own processes
        child.wait()
        raise
    if status == 0:
        kept = json.dumps([given, code()])
        (out / f"{name}.given.json").write_text(kept + "\n", encoding="utf-8")
    return status


def page(out: Path, status: dict[str, str]) -> str:
    """Return a page with the results of all parts."""
    text = ["# Benchmarks"]
    for name, said in status.items():
        written = out / f"{name}.md"
        found = written.read_text(encoding="utf-8").strip() if written.exists() else "Nothing."
        text += ["", f"## {name}: {said}", "", found]
    return "\n".join(text) + "\n"


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("bench"))
@click.option("--only", help=f"Of {', '.join(PARTS)}, by commas.")
@click.option("--quick", is_flag=True, help="The smallest sizes; the figures mean nothing.")
@click.option("--all-cells", is_flag=True, help="Every cell of PyTorch eager in table S.")
@click.option("--again", is_flag=True, help="Also measure what has been measured already.")
def main(out: Path, only: str | None, quick: bool, all_cells: bool, again: bool) -> None:
    """Run every benchmark and write one page."""
    chosen = only.split(",") if only else list(PARTS)
    if not set(chosen) <= PARTS.keys():
        raise click.UsageError(f"--only may have {', '.join(PARTS)}; {only!r} was given.")
    out.mkdir(parents=True, exist_ok=True)
    parts = PARTS | (ALL_CELLS if all_cells else {})
    given = {name: arguments(parts[name], quick) for name in chosen}
    left = [name for name in chosen if again or not done(name, given[name], out)]
    status = {name: "not begun" if name in left else "measured before" for name in chosen}
    minutes = {name: 2.0 if quick else parts[name].minutes for name in left}
    for name in left:
        click.echo(f"{name}: about {minutes[name]:.0f} minutes", err=True)
    total = sum(minutes[name] for name in left)
    click.echo(f"All: about {total:.0f} minutes on two idle cores.", err=True)
    processes.heed_termination()
    code = 0
    try:
        for name in left:
            click.echo(f"\n{name}: {' '.join(given[name])}", err=True)
            began = time.monotonic()
            status[name] = "interrupted"
            if ended := run(name, given[name], out):
                status[name], code = f"failed with status {ended}", 1
            else:
                status[name] = f"{(time.monotonic() - began) / 60:.1f} minutes"
    except KeyboardInterrupt:
        code = 130
    text = page(out, status)
    (out / "all.md").write_text(text, encoding="utf-8")
    click.echo("\n".join(["", *(f"{name}: {said}" for name, said in status.items())]), err=True)
    click.echo(f"One page of all: {out / 'all.md'}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
