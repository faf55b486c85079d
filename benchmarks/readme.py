"""The figures in docs/performance.md, as measured by the last full run of `make bench`.

    python -m benchmarks.readme                 rewrites the block from benchmarks/measured/*.json
    python -m benchmarks.readme --take bench    copies the JSON files of a run there first

The block lies between two marks and is never edited by hand; a test compares it with the files.
What has not been measured is marked as such. An interval from a single round would say nothing and
is not printed.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from attn_nlp.wording import plural
from benchmarks import reports
from benchmarks.long_texts import times_ours
from benchmarks.reports import shown
from benchmarks.training import RUNS
from benchmarks.whole_table import called, counted

MEASURED = Path(__file__).with_name("measured")
PAGE = reports.ROOT / "docs" / "performance.md"
BEGIN = "<!-- measured: written by `python -m benchmarks.readme`, not by hand -->"
END = "<!-- measured: end -->"
TABLES = ("whole_table_S", "whole_table_M")
NAMES = (*TABLES, "training", "startup", "long_texts", "tables", "tokenizing")
NOT = "not measured yet"
SIZES = {"S": "one layer of width 64", "M": "two of width 128"}


def block(folder: Path) -> str:
    """Return the lines between the marks, from the JSON files of a folder."""
    found = {name: report for name in NAMES if (report := reports.read(folder, name))}
    parts = [whole_tables(found)]
    sections: dict[str, tuple[str, Callable[[dict], str]]] = {
        "training": ("Training one cell", training),
        "startup": ("From the command to the first trained steps", startup),
        "long_texts": ("Attention over long texts, forward and gradient", long_texts),
        "tables": ("Printing tables from a full store", tables),
        "tokenizing": ("Tokenizing 100,000 sentences", tokenizing),
    }
    for name, (title, write) in sections.items():
        if name in found:
            parts.append(f"**{title}**{unfinished(found[name])}{write(found[name])}")
        else:
            parts.append(f"**{title}**: {NOT}.")
    parts += machines(found)
    return "\n\n".join(parts)


def unfinished(report: dict) -> str:
    """Return the note on a measurement that was stopped early, or ""."""
    return "" if report["complete"] else " (stopped before its end)"


def whole_tables(found: dict[str, dict]) -> str:
    """Write seconds and ratios of a whole table, both sizes side by side."""
    taken = {size: found.get(name) for size, name in zip(SIZES, TABLES, strict=True)}
    known = {size: report for size, report in taken.items() if report}
    if not known:
        return f"**A whole table**: {NOT}."
    said = []
    for size, inside in SIZES.items():
        if size not in known:
            said.append(f"{size} ({inside}): {NOT}")
            continue
        given = known[size]["settings"]
        said.append(
            f"{size} ({inside}): {given['variants']} variants × {given['seeds']} seeds × "
            f"{given['steps']:,} steps on {given['dataset']}{unfinished(known[size])}"
        )
    heads = [f"{size}, seconds | {size}, × ours warm / cold" for size in known]
    lines = [f"| everything included | {' | '.join(heads)} |", "|---" * (1 + 2 * len(known)) + "|"]
    names = dict.fromkeys(name for report in known.values() for name in report["result"]["ours"])
    for name in names:
        cells = [_ours(report["result"]["ours"].get(name)) for report in known.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    names = dict.fromkeys(name for report in known.values() for name in report["result"]["rivals"])
    for name in names:
        rows = [report["result"]["rivals"].get(name) for report in known.values()]
        lines.append(f"| {called(name)} | {' | '.join(map(_rival, rows))} |")
    once = [size for size, report in known.items() if _taken_once(report)]
    noise = f" {' and '.join(once)}: single runs, which vary by a few percent." if once else ""
    return f"**A whole table**; {'; '.join(said)}.{noise}\n\n" + "\n".join(lines)


def _taken_once(report: dict) -> bool:
    return all(row["rounds"] == 1 for row in report["result"]["ours"].values())


def _ours(row: dict | None) -> str:
    if row is None:
        return f"{NOT} | –"
    return f"{spread(row['seconds'], row['rounds'], ',.0f')} | 1"


def _rival(row: dict | None) -> str:
    if row is None:
        return f"{NOT} | –"
    if "seconds" not in row:
        return "failed | –"
    seconds = f"{row['seconds']:,.0f}"
    if row["extrapolated"]:
        seconds += f" *extrapolated from {counted(row['cells_run'])}*"
    if "ratio" not in row:
        return f"{seconds} | another model"
    ratios = [row["ratio"].get(f"ours, {cache} cache") for cache in ("warm", "cold")]
    return f"{seconds} | " + " / ".join(f"{three[1]:.1f}" if three else "–" for three in ratios)


def spread(three: Sequence[float], rounds: int, form: str = ".2f") -> str:
    """Return a median, with the least and the largest if there was more than one round.

    Example:
      >>> spread([1.9, 2.0, 2.2], rounds=3), spread([2.0, 2.0, 2.0], rounds=1)
      ('2.00 (1.90–2.20)', '2.00')
    """
    return shown(three, form) if rounds > 1 else f"{three[1]:{form}}"


def training(report: dict) -> str:
    """Write two tables, sizes side by side: steps with their share of the peak, and start-up."""
    given, sizes = report["settings"], report["result"]
    rounds = given["rounds"]
    heads = [f"{size}: ms per step, × ours, share of the peak" for size in sizes]
    steps = [f"| implementation | {' | '.join(heads)} |", "|---" * (1 + len(sizes)) + "|"]
    heads = [f"{size}: s to load + compile, MiB" for size in sizes]
    starts = [f"| until the first step | {' | '.join(heads)} |", "|---" * (1 + len(sizes)) + "|"]
    for name, run in RUNS.items():
        rows = [found["runs"].get(name) for found in sizes.values()]
        if not any(rows):
            continue
        if not run.cold:
            steps.append(f"| {name} | {' | '.join(_step(row, rounds) for row in rows)} |")
        if run.cores == 1:
            starts.append(f"| {name} | {' | '.join(map(_start, rows))} |")
    peaks = [
        f"{found['peak_gigaflops'][1]:.0f} ({size})"
        for size, found in sizes.items()
        if found["peak_gigaflops"]
    ]
    return (
        f", {given['steps']} steps, {plural(rounds, 'round')}. Peak is the throughput of "
        f"1,024 × 1,024 matmuls, {', '.join(peaks) or '?'} GFLOP/s per core; the share counts "
        "FLOPs on real tokens, without padding. × compares with our run on as many cores.\n\n"
        + "\n".join(steps)
        + "\n\nElapsed seconds to load libraries and data, and from there to the first trained "
        "step, including compilation; the run after a cold cache hits the compilation cache.\n\n"
        + "\n".join(starts)
    )


def _step(row: dict | None, rounds: int) -> str:
    if row is None or "fault" in row:
        return row["fault"] if row else NOT
    ratio = f"×{spread(row['ratio'], rounds)}" if "ratio" in row else "another model"
    return f"{row['machine_ms'][1]:.2f}, {ratio}, {row['share_of_peak'][1]:.0%}"


def _start(row: dict | None) -> str:
    if row is None or "fault" in row:
        return row["fault"] if row else NOT
    memory = f", {row['mebibytes'][1]:,.0f}" if "mebibytes" in row else ""
    return f"{row['loading_seconds'][1]:.1f} + {row['compiling_seconds'][1]:.1f}{memory}"


def startup(report: dict) -> str:
    """Write the seconds of each kind of start."""
    given = report["settings"]
    told = [f"{name} {shown(three)} s" for name, three in report["result"].items()]
    return f", S on {given['dataset']}, {plural(given['rounds'], 'round')}: {'; '.join(told)}."


def long_texts(report: dict) -> str:
    """Write milliseconds, memory and ratios by length."""
    lengths, rounds = report["settings"]["lengths"], report["settings"]["rounds"]
    lines = [
        "; CPU ms, MiB, and in our rows, × against the implementation of the same operation; "
        f"{plural(rounds, 'round')}:",
        "",
        f"| tokens | {' | '.join(f'{length:,}' for length in lengths)} |",
        "|---" * (len(lengths) + 1) + "|",
    ]
    for name, by_length in report["result"].items():
        cells = []
        for length in lengths:
            row = by_length.get(str(length))
            text = "–"
            if row:
                text = f"{1e3 * row['seconds'][1]:,.0f}, {row['mebibytes'][1]:,.0f}"
                text += f", ×{spread(times_ours(row), rounds)}" if "ratio" in row else ""
            cells.append(text)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def tables(report: dict) -> str:
    """Write the seconds of `attn-nlp table`."""
    told = [
        f"of {line['shown']:,} cells among {line['stored']:,}: {shown(line['clock'])} s"
        for line in report["result"]["tables"]
    ]
    told.append(f"`attn-nlp --help`: {shown(report['result']['help']['clock'])} s")
    return f", elapsed time of the whole command: {'; '.join(told)}."


def tokenizing(report: dict) -> str:
    """Write the processor seconds of encoding, next to the library's own."""
    told = [
        f"{line['dataset']} by {line['tokens']} {shown(line['encode'])} s, "
        f"the library {shown(line['library_encode'])} s"
        for line in report["result"]
    ]
    return f", CPU seconds: {'; '.join(told)}."


def machines(found: dict[str, dict]) -> list[str]:
    """Write where and when, each machine and day once."""
    said: dict[str, list[str]] = {}
    for name, report in found.items():
        told = re.sub(r" Load average before: [\d.]+\.", "", reports.told(report["machine"]))
        said.setdefault(told, []).append(f"`{name}`")
    return [f"{', '.join(names)}: {told}" for told, names in said.items()]


def renewed(text: str, folder: Path) -> str:
    """Return the page with its block renewed from the files of a folder."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise click.ClickException(f"docs/performance.md lacks the marks {BEGIN!r} and {END!r}.")
    return f"{before}{BEGIN}\n\n{block(folder)}\n\n{END}{after}"


@click.command()
@click.option("--take", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(take: Path | None) -> None:
    """Rewrite the figures in docs/performance.md."""
    if take is not None:
        MEASURED.mkdir(exist_ok=True)
        for name in NAMES:
            if (take / f"{name}.json").exists():
                shutil.copyfile(take / f"{name}.json", MEASURED / f"{name}.json")
                click.echo(f"taken: {name}", err=True)
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), MEASURED), encoding="utf-8")


if __name__ == "__main__":
    main()
