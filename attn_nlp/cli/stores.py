"""doctor, export, merge, pack: maintenance of stores."""

from __future__ import annotations

import os
from pathlib import Path

import click

from attn_nlp import wording
from attn_nlp.cli import options, show

FOUND = 3


@click.command()
@options.store_option
@click.option("--repair", "repairing", is_flag=True, help="Apply safe repairs.")
@options.as_json
def doctor(store_path, repairing, as_json) -> int:
    """Check a store for damage, abandoned cells, and mixed environments.

    Exits with 0 if all results are sound, 3 if some are damaged, 4 if the store is unusable.

    \b
    Examples:
      attn-nlp doctor
      attn-nlp doctor --store runs/attn_nlp.sqlite --repair
      attn-nlp doctor --json
    """
    from attn_nlp.store.doctor import examine, repair

    options.existing(store_path)
    done = repair(store_path) if repairing else []
    found = examine(store_path)
    if as_json:
        wording.show(
            show.as_text({"findings": [vars(finding) for finding in found], "repaired": done})
        )
    else:
        for sentence in done:
            wording.say(f"repaired: {sentence}")
        for finding in found:
            cells = ", ".join(spec[:12] for spec in finding.specs[:5])
            more = ", ..." if len(finding.specs) > 5 else ""
            wording.say(
                f"{'damage' if finding.severe else 'note'}: {finding.message}"
                + (f" Cells: {cells}{more}." if cells else "")
                + (f" --repair will {finding.repair}." if finding.repair else "")
            )
        if not found:
            wording.say(f"store {store_path} is sound")
    return FOUND if any(finding.severe for finding in found) else 0


@click.command()
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@options.changes
@options.store_option
@click.option(
    "--out",
    required=True,
    type=options.StorePath(),
    metavar="STORE",
    help="File of the new store.",
)
def export(file, overrides, store_path, out) -> None:
    """Copy the results of FILE, or all results, to a new store.

    The new store is a single file that also opens on read-only media.

    \b
    Examples:
      attn-nlp export --out paper.sqlite
      attn-nlp export my_idea.py --out scaling.sqlite
    """
    from attn_nlp.cli.destinations import check, check_inputs
    from attn_nlp.errors import UserError
    from attn_nlp.experiment.load import Overrides
    from attn_nlp.files.outputs import make_folder
    from attn_nlp.store import Store
    from attn_nlp.store.transfer import export as copy

    options.existing(store_path)
    if file is None and overrides != Overrides():
        raise UserError("options that change an experiment need its FILE; give it first.")
    if out.exists():
        raise UserError(f"{out} exists already; choose another name, or merge into it.")
    check(out, "store", store=store_path)
    wanted = None if file is None else [options.resolve(file, overrides)]
    target = Path(os.path.realpath(out))  # a symbolic link is kept
    with Store.read(store_path) as store:
        kept = [store.experiment(name) for name, _ in store.names()]
        for resolved in (*kept, *(wanted or ())):
            check_inputs(out, store_path, resolved)
        make_folder(target)
        cells = copy(store, target, wanted)
    wording.say(f"{cells} cells written to {out}")


@click.command()
@click.argument("stores", metavar="STORE...", nargs=-1, required=True, type=options.StorePath())
@options.store_option
def merge(stores, store_path) -> None:
    """Add the results of other stores to the one given by --store.

    This lets several machines fill one table, each with its own store. A cell that both stores hold
    must have the same result in both; otherwise the command names the cell and exits with 4.

    \b
    Examples:
      attn-nlp merge laptop.sqlite cluster.sqlite --store all.sqlite
    """
    from attn_nlp.runner.preflight import check_store
    from attn_nlp.store import Store
    from attn_nlp.store.transfer import merge as take

    for path in stores:
        options.existing(path)
    for path in stores:
        with Store.read(path) as source:
            for name, _ in source.names():
                check_store(store_path, source.experiment(name))
    with Store.open(store_path) as target:
        for path in stores:
            with Store.read(path) as source:
                found = take(source, target)
            counts = {
                "added": found.added,
                "known already": found.known,
                "left out, since a run is training them now": found.kept_back,
            }
            wording.say(f"{path}: {show.counted(counts)}")
            for name in found.unlike:
                wording.warn(
                    f"experiment {name!r} differs between {path} and {store_path}; that of "
                    f"{store_path} is kept."
                )


@click.command()
@options.store_option
def pack(store_path) -> None:
    """Pack a store into a single file that also opens on read-only media.

    \b
    Examples:
      attn-nlp pack --store runs/attn_nlp.sqlite
    """
    from attn_nlp.store.transfer import pack as fold

    options.existing(store_path)
    fold(store_path)
    wording.say(f"store {store_path} is packed")
