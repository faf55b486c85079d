"""Options that several commands share."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from attn_nlp.cli import completion


class FiniteRange(click.FloatRange):
    """A number between two bounds; `nan`, which passes every comparison, is rejected."""

    def convert(self, value, param, ctx):
        """Convert a value, as `click.ParamType` does."""
        number = super().convert(value, param, ctx)
        if number != number:
            self.fail(f"{value} is not a number.", param, ctx)
        return number


if TYPE_CHECKING:
    from attn_nlp.experiment import Resolved
    from attn_nlp.experiment.load import Overrides
    from attn_nlp.store import Store


def changes(command: Callable) -> Callable:
    """Add options that change an experiment without editing it; the command gets `overrides`."""

    @click.option(
        "--dataset",
        "datasets",
        multiple=True,
        metavar="NAME",
        help="Dataset to use; may be given more than once.",
        shell_complete=completion.datasets,
    )
    @click.option("--seeds", type=int, metavar="N", help="N seeds: 0 to N - 1.")
    @click.option("--steps", type=int, metavar="N", help="N steps for every cell.")
    @click.option(
        "--only",
        multiple=True,
        metavar="AXIS=VALUE[,VALUE]",
        help="Only these values of an axis.",
    )
    @click.option(
        "--set", "settings", multiple=True, metavar="PATH=VALUE[,VALUE]", help="Override a setting."
    )
    @click.option(
        "--budget",
        type=click.IntRange(min=1),
        metavar="N",
        help="Tune every row with N trials.",
    )
    @functools.wraps(command)
    def changed(datasets, seeds, steps, only, settings, budget, **rest):
        from attn_nlp.experiment.load import Overrides

        overrides = Overrides(datasets, seeds, steps, only, settings, budget)
        return command(overrides=overrides, **rest)

    return changed


class OutFile(click.Path):
    """A file to write; a name that can only be a folder is rejected."""

    name = "file"

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)

    def convert(self, value, param, ctx):
        """Return the path, unless it ends without the name of a file."""
        from attn_nlp.errors import UserError

        _check_home("--out", value)
        if os.path.basename(value) in ("", ".", "..") and not os.path.isdir(value):
            raise UserError(f"--out {os.fspath(value)!r} names no file; end it in the name of one.")
        return super().convert(value, param, ctx)


def _check_home(what: str, value: str | os.PathLike) -> None:
    """Reject the short name of a home folder, which only a shell expands."""
    from attn_nlp.errors import UserError

    first = os.fspath(value).split(os.sep)[0]
    if first.startswith("~") and not os.path.exists(first):
        raise UserError(
            f"{what} {os.fspath(value)!r}: the shell did not expand '~', perhaps because of "
            "quotes; write the folder in full."
        )


def check_homes() -> None:
    """Reject folders in environment variables that begin with an unexpanded `~`."""
    for name in ("ATTN_NLP_CACHE", "ATTN_NLP_DATA"):
        for folder in filter(None, os.environ.get(name, "").split(os.pathsep)):
            _check_home(name, folder)


class StorePath(click.Path):
    """The path of a store, existing or not; rejected before anything is trained for it."""

    name = "file"

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value, param, ctx) -> Path:
        """Return the path, whether it comes from an option, the environment or the default."""
        from attn_nlp.errors import UserError
        from attn_nlp.store.place import unusable

        _check_home("store", value)
        sentence = unusable(value)
        if sentence:
            raise UserError(sentence)
        if not os.path.basename(value):  # a Path would drop the slash
            raise UserError(f"store {value} names a folder; end it in the name of a file.")
        return Path(value)


def store_option(command: Callable) -> Callable:
    """Add --store; the command gets `store_path`."""
    return click.option(
        "--store",
        "store_path",
        type=StorePath(),
        envvar="ATTN_NLP_STORE",
        default=Path("runs/attn_nlp.sqlite"),
        show_default=True,
        help="File with the results; $ATTN_NLP_STORE sets the default.",
    )(command)


def existing(store: Path) -> None:
    """Reject a store that does not exist, for commands that have no use for an empty one."""
    from attn_nlp.errors import UserError
    from attn_nlp.store.file import check_log

    check_log(store)
    if not store.exists():
        raise UserError(f"there is no store {store}; give one with --store or $ATTN_NLP_STORE.")


name_option = click.option(
    "--name", metavar="NAME", help="Name of a stored experiment, instead of FILE."
)


def output_options(command: Callable) -> Callable:
    """Add options for how tables are written; the command gets `format`, `out`, `caption`."""

    @click.option(
        "--format",
        metavar="NAME",
        help="Table format: terminal (default), markdown, latex, html, csv, or json.",
        shell_complete=completion.formats,
    )
    @click.option(
        "--out",
        type=OutFile(),
        metavar="FILE",
        help="Write the tables to FILE; its extension selects the format.",
    )
    @click.option(
        "--caption",
        type=click.Choice(["short", "full"]),
        default="short",
        show_default=True,
        help="Length of table captions in the terminal and in Markdown.",
    )
    @functools.wraps(command)
    def written(**rest):
        return command(**rest)

    return written


def own_parts(command: Callable) -> Callable:
    """Add --import, which loads the parts of an experiment file before the command starts."""

    @click.option(
        "--import",
        "file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Also load the parts defined in FILE.",
    )
    @functools.wraps(command)
    def knowing(file, **rest):
        if file is not None:
            from attn_nlp.experiment.load import load_file

            load_file(file)
        return command(**rest)

    return knowing


as_json = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
file_argument = click.argument("file", metavar="FILE", type=click.Path(path_type=Path))


def resolve(file: Path, overrides: Overrides) -> Resolved:
    """Return the experiment of a file."""
    from attn_nlp.experiment.load import resolve_file

    return resolve_file(file, overrides)


def check_source(file: Path | None, name: str | None, overrides: Overrides) -> None:
    """Reject both or neither of FILE and --name, and changes to an experiment without FILE."""
    from attn_nlp.errors import UserError
    from attn_nlp.experiment.load import Overrides

    if (file is None) == (name is None):
        raise UserError("give either an experiment FILE or --name NAME of a stored experiment.")
    if name is not None and overrides != Overrides():
        raise UserError("options that change an experiment need its FILE; leave out --name.")


def resolve_or_find(
    file: Path | None, name: str | None, overrides: Overrides, store: Store
) -> Resolved:
    """Return the experiment of a file, or the one that a store has under a name.

    A tuned experiment comes with the values chosen by the trials stored so far.
    """
    if file is not None:
        resolved = resolve(file, overrides)
        check_given(overrides, resolved, store)
        return store.settled(resolved)
    assert name is not None
    return store.experiment(name)


def check_given(overrides: Overrides, resolved: Resolved, store: Store) -> None:
    """Reject an unknown --dataset, unless its results are stored: its file may be gone."""
    from attn_nlp.data.registry import check_dataset

    for name in overrides.datasets:
        specs = [cell["spec"] for cell in resolved.runnable if cell["settings"]["dataset"] == name]
        if not store.records(specs, ["status"]):
            check_dataset(name)
