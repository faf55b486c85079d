"""What may be wrong inside a store that opens, and which of it can be put right safely."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from attn_nlp.experiment.identity import key_of
from attn_nlp.library_code import FACT
from attn_nlp.store.answers import packed_text
from attn_nlp.store.file import connect_to_read, connect_to_write, one_sentence, transaction
from attn_nlp.store.processes import elsewhere, runs_here
from attn_nlp.store.schema import JSON, LARGE


@dataclass(frozen=True)
class Finding:
    """Something about a store that its owner should know.

    Attributes:
      grave: results are damaged or contradict one another; otherwise it is only worth knowing.
      says: what was found, in a sentence.
      repair: what would be done about it; "" where nothing is safe to do.
      specs: the cells concerned.
    """

    grave: bool
    says: str
    repair: str = ""
    specs: tuple[str, ...] = ()


def examine(path: Path) -> list[Finding]:
    """Everything that can be checked without data and without training.

    Raises:
      StoreError: the file is no store or cannot be opened.
    """
    with one_sentence(path), closing(connect_to_read(path)) as db:
        damage = [row[0] for row in db.execute("PRAGMA integrity_check")]
        if damage != ["ok"]:
            says = f"SQLite finds the file damaged: {damage[0]}; restore a copy of it."
            return [Finding(True, says)]
        return [finding for check in _CHECKS for finding in check(db)]


def repair(path: Path) -> list[str]:
    """Do what is safe: forget claims that nobody can redeem and details without a cell.

    Returns:
      What was done.
    """
    done = []
    with closing(connect_to_write(path, 30.0)) as db, transaction(db, path):
        for spec in _orphaned(db):
            db.execute("DELETE FROM claims WHERE spec = ?", [spec])
            done.append(f"gave up the claim on cell {spec[:12]}")
        for (spec,) in db.execute(_STRAY).fetchall():
            db.execute("DELETE FROM details WHERE spec = ?", [spec])
            done.append(f"removed details without a cell, {spec[:12]}")
    return done


def _orphaned(db: sqlite3.Connection) -> list[str]:
    rows = db.execute(
        "SELECT claims.spec, pid, started, boot, status FROM claims "
        "LEFT JOIN cells ON cells.spec = claims.spec"
    ).fetchall()
    return [
        spec
        for spec, pid, started, place, status in rows
        if status == "done" or (not elsewhere(place) and not runs_here(pid, started))
    ]


_STRAY = (
    "SELECT details.spec FROM details LEFT JOIN cells ON cells.spec = details.spec "
    "WHERE cells.spec IS NULL"
)
_HOLLOW = (
    "SELECT cells.spec FROM cells LEFT JOIN details ON details.spec = cells.spec "
    "WHERE details.spec IS NULL"
)


def _claims(db: sqlite3.Connection) -> Iterator[Finding]:
    orphans = _orphaned(db)
    if orphans:
        says = f"{len(orphans)} claims are held by processes that have ended."
        yield Finding(False, says, "give them up", tuple(orphans))


def _pairs(db: sqlite3.Connection) -> Iterator[Finding]:
    stray = tuple(row[0] for row in db.execute(_STRAY))
    if stray:
        yield Finding(False, f"{len(stray)} details belong to no cell.", "remove them", stray)
    hollow = tuple(row[0] for row in db.execute(_HOLLOW))
    if hollow:
        yield Finding(True, f"{len(hollow)} cells have lost their details.", specs=hollow)


def _texts(db: sqlite3.Connection) -> Iterator[Finding]:
    for name in sorted(JSON):
        table = "details" if name in LARGE else "cells"
        rows = db.execute(f"SELECT spec, {name} FROM {table} WHERE {name} IS NOT NULL")  # noqa: S608
        bad = tuple(spec for spec, text in rows if not _is_json(text))
        if bad:
            yield Finding(True, f"{len(bad)} cells have a damaged {name}.", specs=bad)


def _identities(db: sqlite3.Connection) -> Iterator[Finding]:
    rows = db.execute("SELECT spec, key, fingerprint, tokenizer_hash FROM cells").fetchall()
    bad = tuple(
        spec
        for spec, key, fingerprint, tokens in rows
        if fingerprint is not None and key != key_of(spec, fingerprint, tokens or "")
    )
    if bad:
        yield Finding(True, f"{len(bad)} cells have a key that is not theirs.", specs=bad)


def _counts(db: sqlite3.Connection) -> Iterator[Finding]:
    """Predictions and confusion are counted from the same sentences."""
    rows = db.execute(
        "SELECT spec, confusion, predictions FROM details "
        "WHERE confusion IS NOT NULL AND predictions IS NOT NULL"
    )
    bad = []
    for spec, confusion, predictions in rows:
        if not (_is_json(confusion) and _is_json(predictions)):
            continue
        if sum(map(sum, json.loads(confusion))) != len(json.loads(predictions)):
            bad.append(spec)
    if bad:
        says = f"{len(bad)} cells have predictions that do not match their confusion counts."
        yield Finding(True, says, specs=tuple(bad))


def _answers(db: sqlite3.Connection) -> Iterator[Finding]:
    """What a table over sentences reads is that of the predictions and the labels."""
    rows = db.execute(
        "SELECT spec, correct, predictions, value FROM cells JOIN details USING (spec) "
        "LEFT JOIN shared ON shared.id = gold"
    )
    bad = tuple(spec for spec, correct, *texts in rows if correct != packed_text(*texts))
    if bad:
        says = f"{len(bad)} cells have right answers that are not those of their predictions."
        yield Finding(True, says, specs=bad)


def _environments(db: sqlite3.Connection) -> Iterator[Finding]:
    rows = db.execute(
        "SELECT value FROM shared WHERE id IN (SELECT DISTINCT provenance FROM cells)"
    ).fetchall()
    known = [json.loads(text) for (text,) in rows]
    codes = {each.get(FACT) for each in known}
    if None in codes and len(codes) > 1:
        says = "some cells were stored before the code of attn_nlp was noted."
        yield Finding(False, says)
    if len(codes - {None}) < 2:  # what is not known is no difference
        known = [{name: each[name] for name in each if name != FACT} for each in known]
        known = [each for place, each in enumerate(known) if each not in known[:place]]
    if len(known) > 1:
        differ = sorted(
            name
            for name in set().union(*known)
            if len({json.dumps(each.get(name)) for each in known}) > 1
        )
        says = f"cells come from {len(known)} environments, which differ in {', '.join(differ)}."
        yield Finding(False, says)


_CHECKS: tuple[Callable[[sqlite3.Connection], Iterator[Finding]], ...] = (
    _claims,
    _pairs,
    _texts,
    _identities,
    _counts,
    _answers,
    _environments,
)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
