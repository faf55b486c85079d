"""report: everything about an experiment in one HTML file."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from attn_nlp import wording
from attn_nlp.cli import options
from attn_nlp.cli.stale import warn_of_code, warn_of_data

if TYPE_CHECKING:
    from attn_nlp.experiment.load import Overrides

_DEFAULT = Path("report.html")


@click.command()
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@options.name_option
@options.changes
@options.store_option
@click.option(
    "--out",
    type=options.OutFile(),
    default=_DEFAULT,
    show_default=True,
    metavar="FILE",
    help="File to write the report to.",
)
def report(file, name, overrides, store_path, out) -> None:
    """Write a report: question, tables, figures, mechanisms, errors, data, and provenance.

    The report is one HTML file that works offline, in light and dark mode, and prints well. It
    quotes test sentences if the prepared data are on this machine. Trains nothing.

    \b
    Examples:
      attn-nlp report my_idea.py
      attn-nlp report my_idea.py --dataset trec6 --seeds 3 --out trec6.html
      attn-nlp report --name scaling --store runs/attn_nlp.sqlite
    """
    from attn_nlp import report as reports
    from attn_nlp.cli.destinations import check_report
    from attn_nlp.figures import library
    from attn_nlp.files.outputs import descriptor, replace
    from attn_nlp.runner.environment import cache_folder
    from attn_nlp.store import Store
    from attn_nlp.tables.formats import as_file

    options.check_source(file, name, overrides)
    with Store.read(store_path) as store:
        resolved = options.resolve_or_find(file, name, overrides, store)
        check_report(out, store_path, resolved)
        if not store_path.exists():
            wording.warn(f"there is no store {store_path} yet.")
        cells = resolved.wanted
        records = store.records(cells, reports.COLUMNS, own=True)
    said = [*warn_of_data(cells, records), *warn_of_code(records)]
    library.load()
    shown = file or Path(f"{name}.py")
    options_given = _words(overrides)
    made = reports.report(
        resolved,
        records,
        prepared=cache_folder() / "data",
        commands=_commands(shown, options_given),
        changed=shlex.join(options_given),
        remark="" if file else _FROM_STORE.format(file=shown),
        notes=said,
    )
    text = reports.page(made)
    check_report(out, store_path, resolved)
    replace(out, text if descriptor(out) is not None else as_file("html", text))
    if descriptor(out) is None:
        wording.say(f"{out} ({len(text.encode()) / 1e6:.1f} MB)")


_FROM_STORE = (
    "This report was written from the store alone, which keeps results but not the experiment "
    "file. Run {file} with the options that were used then; the settings above show them."
)


def _words(overrides: Overrides) -> list[str]:
    """Return the options that change an experiment, as they are typed."""
    words: list[str] = []
    for dataset in overrides.datasets:
        words += ["--dataset", dataset]
    for option in ("seeds", "steps", "budget"):
        value = getattr(overrides, option)
        words += [] if value is None else [f"--{option}", str(value)]
    for option, texts in (("--only", overrides.only), ("--set", overrides.settings)):
        for text in texts:
            words += [option, text]
    return words


def _commands(file: Path, changes: list[str]) -> list[str]:
    """Return the commands that give the same results, with an absolute path cut to its name."""
    shown = file.name if file.is_absolute() else str(file)
    return [
        shlex.join(["attn-nlp", command, shown, *changes]) for command in ("plan", "run", "report")
    ]
