"""Moving results between stores: a copy of some cells, and the cells of several stores in one."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from attn_nlp.experiment import Resolved
from attn_nlp.result import disagreement
from attn_nlp.store.file import StoreError, copy_to, one_sentence
from attn_nlp.store.results import FINAL, Store
from attn_nlp.store.schema import COLUMNS


@dataclass(frozen=True)
class Merged:
    """What came of merging one store into another.

    Attributes:
      cells: cells in the store that was read.
      added: how many of them the other store lacked, or had only as failed.
      known: how many it had, with the same result within the tolerance.
      kept_back: how many a run on the other store is training now.
    """

    cells: int
    added: int
    known: int
    kept_back: int


def export(source: Store, target: Path, experiments: Collection[Resolved] | None = None) -> int:
    """Write the cells of some experiments, by default everything, to a new store.

    The new store is one file that also opens on a read-only medium; it is there whole or not.

    Returns:
      How many cells it holds.

    Raises:
      StoreError: the target exists or cannot be written.
    """
    if target.exists():
        raise StoreError(f"{target} exists already; choose another name, or merge into it.")
    specs = None
    if experiments is not None:
        experiments = [source.settled(each) for each in experiments]
        specs = {cell["spec"] for each in experiments for cell in each.runnable}
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        memory = Store.beside(target, db)
        merge(source, memory, specs)
        for each in _experiments(source) if experiments is None else experiments:
            memory.save_experiment(each)
        copy_to(db, target)
        return len(memory.records(None, ["status"]))


def merge(source: Store, target: Store, specs: Iterable[str] | None = None) -> Merged:
    """Take over every cell, or those of some specs, and every experiment that the target lacks.

    Raises:
      StoreError: what is read is damaged or contradicts itself, and nothing is written; or a cell
        has another result in each, and what was merged before it stays.
    """
    added = known = kept_back = 0
    found = source.records(specs, list(COLUMNS))
    experiments = _experiments(source) if specs is None else []
    for spec, record in found.items():
        _refuse_contradicting(source, spec, record)
    there = target.records(found, ["status"])
    for spec, record in found.items():
        if target.finish(spec, record):
            added += 1
        elif spec in there and there[spec]["status"] in FINAL:
            known += 1
        else:
            kept_back += 1
    names = {name for name, _ in target.names()}
    for each in experiments:
        if each.name not in names:
            target.save_experiment(each)
    return Merged(len(found), added, known, kept_back)


def _refuse_contradicting(source: Store, spec: str, record: Mapping) -> None:
    found = disagreement(record, record["gold"])
    if found is not None:
        raise StoreError(
            f"store {source.path}: cell {spec[:12]} contradicts itself: {found}; 'attn-nlp doctor "
            f"--store {source.path}' lists all damage."
        )


def _experiments(store: Store) -> list[Resolved]:
    return [store.experiment(name) for name, _ in store.names()]


def seal(path: Path) -> None:
    """Fold a store that nobody uses into one file, which opens on a read-only medium too.

    Raises:
      StoreError: there is no store, or another program has it open.
    """
    Store.read(path).close()  # what is no store is said there
    if not path.exists():
        raise StoreError(f"there is no store {path}.")
    with one_sentence(path), closing(sqlite3.connect(path, timeout=5)) as db:
        mode = db.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
        if mode != "delete":
            raise StoreError(f"store {path} is in use; try again when its run has ended.")
