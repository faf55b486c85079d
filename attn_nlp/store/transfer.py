"""Moving results between stores: a copy of some cells, and the cells of several stores in one."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from attn_nlp.experiment import Resolved
from attn_nlp.result.record import Record
from attn_nlp.result.schema import disagreement, miscounted
from attn_nlp.store import same_data
from attn_nlp.store.file import StoreError, check_log, check_names, copy_to, one_sentence
from attn_nlp.store.repeats import check_repeats
from attn_nlp.store.results import Store
from attn_nlp.store.schema import COLUMNS, FINAL
from attn_nlp.store.tolerance import RESULT

_AT_ONCE = 256  # cells of the other store in memory, with their predictions


@dataclass(frozen=True)
class Merged:
    """The outcome of merging one store into another.

    Attributes:
      cells: cells in the store that was read.
      added: how many of them the other store lacked, or had only as failed.
      known: how many it had, with the same result within the tolerance.
      kept_back: how many a run on the other store is training now.
      unlike: names of experiments that differ; those of the other store stay.
    """

    cells: int
    added: int
    known: int
    kept_back: int
    unlike: tuple[str, ...] = ()


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
    check_log(target)
    specs = None
    if experiments is not None:
        experiments = [source.settled(experiment) for experiment in experiments]
        specs = {cell["spec"] for experiment in experiments for cell in experiment.runnable}
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        memory = Store.beside(target, db)
        found = _sound(source, specs)
        for spec, record in found.items():
            memory.finish(spec, record)
        for experiment in _experiments(source) if experiments is None else experiments:
            memory.save_experiment(experiment)
        copy_to(db, target)
        return len(memory.records(None, ["status"]))


def merge(source: Store, target: Store, specs: Iterable[str] | None = None) -> Merged:
    """Take over every cell, or those of some specs, and every experiment that the target lacks.

    Everything is checked before anything is added.

    Raises:
      StoreError: what is read is damaged or contradicts itself; or a cell has another result in
        each; or cells in both name one dataset and were computed from different rows or tokens.
    """
    added = known = kept_back = 0
    found = _sound(source, specs)
    experiments = _experiments(source) if specs is None else []
    there = target.records(None, ["status", *same_data.COLUMNS])
    _reject_contradictions(target, found, [spec for spec in found if spec in there])
    _reject_two_states(source, target, found, there)
    for spec, record in found.items():
        if target.finish(spec, record):
            added += 1
        elif spec in there and there[spec]["status"] in FINAL:
            known += 1
        else:
            kept_back += 1
    theirs = (
        {experiment.name: experiment for experiment in _experiments(target)} if experiments else {}
    )
    for experiment in experiments:
        if experiment.name not in theirs:
            target.save_experiment(experiment)
    unlike = tuple(
        experiment.name
        for experiment in experiments
        if experiment.name in theirs
        and target.settled(experiment).as_json()
        != target.settled(theirs[experiment.name]).as_json()
    )
    return Merged(len(found), added, known, kept_back, unlike)


def _sound(source: Store, specs: Iterable[str] | None) -> Mapping[str, Record]:
    """The whole records of a store, none of which contradicts itself or its experiment."""
    source.check_sound()
    found = source.records(specs, list(COLUMNS))
    for spec, record in found.items():
        says = disagreement(record, record["gold"]) or miscounted(record, record["gold"])
        if says is not None:
            raise _contradicts_itself(source, spec, str(says))
    for experiment in _experiments(source):
        for cell in experiment.runnable:
            if cell["spec"] in found:
                path = same_data.foreign_setting(found[cell["spec"]], cell["settings"])
                if path:
                    says = f"its {path} is not that of experiment {experiment.name!r}"
                    raise _contradicts_itself(source, cell["spec"], says)
    return found


def _contradicts_itself(source: Store, spec: str, says: str) -> StoreError:
    return StoreError(
        f"store {source.path}: cell {spec[:12]} contradicts itself: {says}; 'attn-nlp doctor "
        f"--store {source.path}' lists all damage."
    )


def _reject_contradictions(target: Store, found: Mapping[str, Record], specs: list[str]) -> None:
    columns = [*RESULT, "provenance", "fingerprint", "tokenizer_hash"]
    for start in range(0, len(specs), _AT_ONCE):
        before = target.records(specs[start : start + _AT_ONCE], columns)
        for spec in before:
            check_repeats(before[spec], found[spec])


def _reject_two_states(
    source: Store, target: Store, found: Mapping[str, Record], there: Mapping[str, Record]
) -> None:
    new = [record for spec, record in found.items() if spec not in there]
    for states in same_data.two_states([*there.values(), *new]):
        if not all(there.keys() >= set(specs) for specs in states.cells.values()):
            raise StoreError(
                f"stores {source.path} and {target.path} cannot be one: {states}; their results "
                "are of different data, and nothing was added."
            )


def _experiments(store: Store) -> list[Resolved]:
    return [store.experiment(name) for name, _ in store.names()]


def pack(path: Path) -> None:
    """Fold a store that nobody uses into one file, which opens on a read-only medium too.

    Raises:
      StoreError: there is no store, or another program has it open.
    """
    check_names(path)
    Store.read(path).close()  # what is no store is said there
    if not path.exists():
        raise StoreError(f"there is no store {path}.")
    with one_sentence(path), closing(sqlite3.connect(path, timeout=5)) as db:
        mode = db.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
        if mode != "delete":
            raise StoreError(f"store {path} is in use; try again when its run has ended.")
