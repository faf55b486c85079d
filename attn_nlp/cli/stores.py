"""doctor, export, merge, pack: looking after stores."""

from __future__ import annotations

import os
from pathlib import Path

import click

from attn_nlp import wording
from attn_nlp.cli import options, show

FOUND = 3


@click.command()
@options.store_option
@click.option("--repair", "mend", is_flag=True, help="Apply safe repairs.")
@options.as_json
def doctor(store_path, mend, as_json) -> int:
    """Check a store for damage, abandoned cells and mixed environments.

    Exits with 0 if all results are sound, 3 if some are damaged, 4 if the store is unusable.

    \b
    Examples:
      attn-nlp doctor
      attn-nlp doctor --store runs/attn_nlp.sqlite --repair
      attn-nlp doctor --json
    """
    from attn_nlp.store.doctor import examine, repair

    options.existing(store_path)
    done = repair(store_path) if mend else []
    found = examine(store_path)
    if as_json:
        wording.show(show.as_text({"findings": [vars(each) for each in found], "repaired": done}))
    else:
        for each in done:
            wording.say(f"repaired: {each}")
        for each in found:
            cells = ", ".join(spec[:12] for spec in each.specs[:5])
            more = ", ..." if len(each.specs) > 5 else ""
            wording.say(
                f"{'damage' if each.severe else 'note'}: {each.says}"
                + (f" Cells: {cells}{more}." if cells else "")
                + (f" --repair will {each.repair}." if each.repair else "")
            )
        if not found:
            wording.say(f"store {store_path} is sound")
    return FOUND if any(each.severe for each in found) else 0


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
    """Copy results to a new store: those of an experiment FILE, or all.

    The new store is a single file that also opens on read-only media.

    \b
    Examples:
      attn-nlp export --out paper.sqlite
      attn-nlp export experiments/scaling.py --out scaling.sqlite
    """
    from attn_nlp.cli.destinations import check, check_inputs
    from attn_nlp.errors import UserError
    from attn_nlp.experiment.load import Overrides
    from attn_nlp.outputs import make_folder
    from attn_nlp.store import Store
    from attn_nlp.store.transfer import export as copy

    options.existing(store_path)
    if file is None and overrides != Overrides():
        raise UserError("options that change an experiment need its FILE; give it first.")
    if out.exists():
        raise UserError(f"{out} exists already; choose another name, or merge into it.")
    check(out, "store", store=store_path)
    wanted = None if file is None else [options.resolve(file, overrides)]
    target = Path(os.path.realpath(out))  # a link stays
    with Store.read(store_path) as store:
        kept = [store.experiment(name) for name, _ in store.names()]
        for each in (*kept, *(wanted or ())):
            check_inputs(out, store_path, each)
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

    for each in stores:
        options.existing(each)
    for each in stores:
        with Store.read(each) as source:
            for name, _ in source.names():
                check_store(store_path, source.experiment(name))
    with Store.open(store_path) as target:
        for each in stores:
            with Store.read(each) as source:
                found = take(source, target)
            counts = {
                "added": found.added,
                "known already": found.known,
                "left out, since a run trains them now": found.kept_back,
            }
            wording.say(f"{each}: {show.counted(counts)}")
            for name in found.unlike:
                wording.warn(
                    f"experiment {name!r} differs in {each} and {store_path}; that of "
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
