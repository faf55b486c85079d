"""table: the tables of an experiment from stored results, and how every command writes them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from attn_nlp import wording
from attn_nlp.cli import options
from attn_nlp.cli.stale import warn_of_code, warn_of_data

if TYPE_CHECKING:
    from attn_nlp.experiment import Resolved
    from attn_nlp.store import Store
    from attn_nlp.tables.stored import View


@click.command()
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@options.name_option
@options.changes
@options.store_option
@options.output_options
@click.option(
    "--cost", is_flag=True, help="Show seconds, memory, and parameters instead of scores."
)
@click.option(
    "--safe-spreadsheet",
    is_flag=True,
    help="In CSV, add a leading quote to text that a spreadsheet would evaluate.",
)
@click.option("--tuning", is_flag=True, help="Show the values chosen by tuning instead of scores.")
@click.option("--per-class", is_flag=True, help="Show precision, recall, and F1 of every class.")
@click.option(
    "--to-reach",
    type=options.FiniteRange(0, 1, min_open=True),
    metavar="ACCURACY",
    help="Show the steps, seconds, and operations to reach a validation accuracy, such as 0.8.",
)
def table(
    file, name, overrides, store_path, format, out, caption, safe_spreadsheet, **views
) -> None:
    """Print the tables of an experiment from stored results. Trains nothing and loads no data.

    \b
    Examples:
      attn-nlp table my_idea.py
      attn-nlp table my_idea.py --caption full
      attn-nlp table --name scaling --format markdown
      attn-nlp table my_idea.py --out scaling.tex
      attn-nlp table my_idea.py --out scaling.csv --safe-spreadsheet
      attn-nlp table my_idea.py --cost
      attn-nlp table my_idea.py --budget 16 --tuning
      attn-nlp table my_idea.py --per-class
      attn-nlp table my_idea.py --to-reach 0.8
    """
    import gc

    # Before NumPy starts: a table is little work, and starting threads would take longer.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from attn_nlp.store import Store

    gc.disable()  # a table makes no reference cycles, and the search takes a sixth of the time
    options.check_source(file, name, overrides)
    view = _view_of(views)
    with Store.read(store_path) as store:
        resolved = options.resolve_or_find(file, name, overrides, store)
        check_output(format, out, store_path, resolved)
        if not store_path.exists():
            wording.warn(f"there is no store {store_path} yet.")
        write(
            resolved,
            store,
            format=format,
            out=out,
            caption=caption,
            view=view,
            safe_spreadsheet=safe_spreadsheet,
        )


def check_output(
    format: str | None, out: Path | None, store: Path, resolved: Resolved | None = None
) -> str:
    """Reject what cannot or must not be written, before anything is trained; return the format."""
    from attn_nlp.cli import destinations

    if out is not None:
        destinations.check_inputs(out, store, resolved)
    found = destinations.format_of(format, out)
    if out is not None:
        destinations.check(out, found, store=store, resolved=resolved)
    return found


def _view_of(asked: Mapping[str, Any]) -> View:
    """Return the one view that the options name, or scores if they name none."""
    from attn_nlp.errors import UserError
    from attn_nlp.tables.stored import SCORES, SHOWN, View
    from attn_nlp.tables.views.cost import cost
    from attn_nlp.tables.views.per_class import per_class
    from attn_nlp.tables.views.to_reach import to_reach
    from attn_nlp.tables.views.tuning import tuning

    target = float(asked.get("to_reach") or 0)
    views = {
        "cost": View(lambda *given: [cost(*given)]),
        "tuning": View(lambda *given: [tuning(*given)]),
        "per_class": View(per_class, (*SHOWN, "confusion")),
        "to_reach": View(lambda t, e, r: [to_reach(t, e, r, target)], (*SHOWN, "history")),
    }
    named = [name for name, value in asked.items() if value not in (None, False)]
    if len(named) > 1:
        options = " and ".join(f"--{name.replace('_', '-')}" for name in named)
        raise UserError(f"{options} cannot be combined; choose one.")
    return views[named[0]] if named else SCORES


def write(
    resolved: Resolved,
    store: Store,
    *,
    format: str | None,
    out: Path | None,
    caption: str = "short",
    view: View | None = None,
    safe_spreadsheet: bool = False,
    warned: bool = False,
) -> None:
    """Write the tables to standard output, or to a file that is replaced at once.

    Args:
      resolved: the experiment.
      store: open.
      format: name of a table format, or None for that of the ending of `out`.
      out: a file, or None for standard output.
      caption: "short" or "full", as in `tables.formats.Options`.
      view: the kind of table; scores by default.
      safe_spreadsheet: in CSV, add a leading quote to text that a spreadsheet would evaluate.
      warned: whether the user has been warned of results by another version of the package.

    Raises:
      UserError: nothing of the experiment has run, or the output cannot be written there.
    """
    from attn_nlp.cli import destinations
    from attn_nlp.errors import UserError
    from attn_nlp.files.outputs import descriptor, replace
    from attn_nlp.tables.formats import as_file, render
    from attn_nlp.tables.stored import SCORES, stored_grids

    chosen = check_output(format, out, store.path, resolved)

    def notes(cells, records) -> list[str]:
        return [*warn_of_data(cells, records), *warn_of_code(records, warned=warned)]

    grids = stored_grids(resolved, store, notes, view or SCORES)
    if not grids:
        raise UserError("nothing of this experiment has run yet, so its classes are not known.")
    terminal = out is None and sys.stdout.isatty()
    color = terminal and chosen == destinations.DEFAULT_FORMAT and "NO_COLOR" not in os.environ
    text = render(
        grids,
        chosen,
        width=shutil.get_terminal_size().columns if terminal else None,
        color=color,
        caption=caption,
        safe_spreadsheet=safe_spreadsheet,
    )
    if not text.endswith("\n"):
        text += "\n"
    if out is None:
        wording.show(text, exact=chosen == "csv", styled=color)
    else:
        replace(out, text if descriptor(out) is not None else as_file(chosen, text))
