"""figure: drawings of mechanisms, from the registry, and of results, from the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from attn_nlp import wording
from attn_nlp.cli import options
from attn_nlp.cli.stale import warn_of_code, warn_of_data

_out = click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("figures"),
    show_default=True,
    metavar="FOLDER",
    help="Folder for the files; created if missing.",
)
_format = click.option("--format", metavar="NAME[,NAME]", help="svg or png; both by default.")


@click.group()
def figure() -> None:
    """Draw results, or mechanisms with their data flow, formula, arrays, and settings.

    \b
    Examples:
      attn-nlp figure results my_idea.py --all
      attn-nlp figure plate
      attn-nlp figure mechanism query_mix
      attn-nlp figure mechanism --all
    """


@figure.command()
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Draw all parts.")
@options.own_parts
@_out
@_format
def mechanism(name, everything, folder, format) -> None:
    """Draw where a part acts in the data flow of attention.

    \b
    Examples:
      attn-nlp figure mechanism query_mix
      attn-nlp figure mechanism normalizer:softmax --format svg
      attn-nlp figure mechanism --all --out pictures
    """
    from attn_nlp import figures
    from attn_nlp.catalogue.lookup import one
    from attn_nlp.figures import library
    from attn_nlp.parts import registry

    if (name is None) == (not everything):
        raise click.UsageError("give either the NAME of a part or --all.")
    formats = _formats(format)
    library.load()
    for part in registry.parts() if everything else [one(name)]:
        _save(figures.mechanism(part), folder, formats)


@figure.command()
@_out
@_format
def plate(folder, format) -> None:
    """Draw the three mechanisms side by side.

    \b
    Examples:
      attn-nlp figure plate
      attn-nlp figure plate --out pictures --format png
    """
    from attn_nlp import figures
    from attn_nlp.figures import library

    formats = _formats(format)
    library.load()
    _save(figures.plate(), folder, formats)


@figure.command()
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@options.name_option
@click.option(
    "--kind", "kinds", multiple=True, metavar="KIND", help="Kind of figure to draw; see above."
)
@click.option("--all", "everything", is_flag=True, help="Draw every kind for which there is data.")
@click.option("--axis", metavar="PATH", help="Draw sweeps over this setting only.")
@options.changes
@options.store_option
@_out
@_format
def results(file, name, kinds, everything, axis, overrides, store_path, folder, format) -> None:
    """Draw the stored results of an experiment. Trains nothing and loads no data.

    \b
    Kinds:
      forest       paired differences from the reference, with intervals and the margin
      curves       validation scores by step
      sweep        the value by a numeric setting, such as learning_rate or head_dim
      pareto       the value against the operations of a forward pass
      seconds      the value against the seconds of a run
      best-of      the best validation score that k trials are expected to find
      trials       validation scores of trials by what was drawn for a setting
      ranks        mean ranks over datasets, with their critical difference
      reliability  the share of right answers by confidence

    \b
    Examples:
      attn-nlp figure results my_idea.py --all
      attn-nlp figure results my_idea.py --kind forest --format svg
      attn-nlp figure results my_idea.py --kind sweep --axis learning_rate
      attn-nlp figure results --name scaling --kind curves --out pictures
    """
    from attn_nlp.cli.destinations import check
    from attn_nlp.errors import UserError
    from attn_nlp.figures import library
    from attn_nlp.figures import results as drawing
    from attn_nlp.store import Store

    if everything == bool(kinds):
        raise UserError("give either a --kind of figure or --all.")
    options.check_source(file, name, overrides)
    drawing.check_kinds(kinds)
    formats = _formats(format)
    with Store.read(store_path) as store:
        resolved = options.resolve_or_find(file, name, overrides, store)
        cells = resolved.wanted
        records = store.records(cells, drawing.columns(kinds or tuple(drawing.KINDS)), own=True)
    if not records:
        raise UserError(
            f"nothing of {resolved.name!r} is stored in {store_path}; run it first, or choose "
            "another --store."
        )
    warn_of_data(cells, records)
    warn_of_code(records)
    library.load()
    drawn: set[str] = set()
    absent = []
    for made in drawing.figures_of(resolved, records, kinds or None, axis):
        if isinstance(made, drawing.Drawn):
            paths = [folder / f"{_stem(resolved.name)}-{made.name}.{format}" for format in formats]
            for path, format in zip(paths, formats, strict=True):
                check(path, format, store=store_path, resolved=resolved)
            _write(made.figure, paths)
            drawn.add(made.kind)
        else:
            absent.append(made)
    for made in absent:
        if not everything and made.kind not in drawn:
            raise UserError(_without(made))
        wording.warn(_without(made))
    if not drawn:
        raise UserError(f"no figure of {resolved.name!r} can be drawn from what is stored yet.")


def _without(made) -> str:
    """Return the reason why a figure is missing, in one line."""
    return f"no {made.name} of {made.title!r}: {made.reason}."


def _stem(name: str) -> str:
    """Return how file names of an experiment begin; a store may name it like a path."""
    return wording.clean(name).replace("/", "_")


def _write(figure, paths: Sequence[Path]) -> None:
    """Write the files of a figure, and warn of characters that no font could draw."""
    from attn_nlp.figures.results import boxed, file_bytes
    from attn_nlp.files.outputs import replace

    for path in paths:
        replace(path, file_bytes(figure, path.suffix[1:]))
        wording.say(path)
    characters = boxed(figure)
    drawn = [path.name for path in paths if path.suffix == ".png"]
    if characters and drawn:
        wording.warn(
            f"no font on this machine has {characters[:20]!r}; {drawn[0]} shows boxes instead. "
            "Install a font that has them, such as Noto Sans CJK."
        )


def _formats(format: str | None) -> tuple[str, ...]:
    from attn_nlp.errors import unknown
    from attn_nlp.figures import FORMATS

    given = FORMATS if format is None else tuple(dict.fromkeys(format.split(",")))
    for name in given:
        if name not in FORMATS:
            raise unknown("figure format", name, FORMATS)
    return given


def _save(drawing, folder: Path, formats: tuple[str, ...]) -> None:
    from attn_nlp.cli.destinations import check
    from attn_nlp.figures import save

    for format in formats:
        check(folder / f"{drawing.name}.{format}", format)
    for path in save(drawing, folder, formats):
        wording.say(path)
