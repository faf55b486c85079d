"""Find what is wrong inside a store that opens, and repair what can be repaired safely."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from attn_nlp.library_code import FACT
from attn_nlp.result.schema import disagreement, miscounted
from attn_nlp.result.shapes import Misfit, shown
from attn_nlp.store import damage, same_data
from attn_nlp.store.claims import Claims, token_of
from attn_nlp.store.consistency import is_own, test_size
from attn_nlp.store.correctness import packed
from attn_nlp.store.file import connect_to_read, connect_to_write, one_sentence, transaction
from attn_nlp.store.processes import elsewhere, runs_here
from attn_nlp.store.schema import COLUMNS, CORRECT, count_rows, rows_differ


@dataclass(frozen=True)
class Finding:
    """A problem found in a store.

    Attributes:
      severe: results are damaged or contradict one another; otherwise it is only worth knowing.
      message: what was found, in a sentence.
      repair: what would be done about it; "" where nothing is safe to do.
      specs: the cells concerned.
    """

    severe: bool
    message: str
    repair: str = ""
    specs: tuple[str, ...] = ()


def examine(path: Path) -> list[Finding]:
    """Everything that can be checked without data and without training.

    Raises:
      StoreError: the file is no store or cannot be opened.
    """
    with one_sentence(path), closing(connect_to_read(path)) as db:
        found = [row[0] for row in db.execute("PRAGMA integrity_check")]
        if found != ["ok"]:
            says = f"SQLite finds the file damaged: {found[0]}; restore a copy of it."
            return [Finding(True, says)]
        with damage.as_it_stands(db):
            return [finding for check in _CHECKS for finding in check(db)]


def repair(path: Path) -> list[str]:
    """Do what is safe: forget claims that nobody can redeem and details without a cell.

    Returns:
      What was done.
    """
    done = []
    with (
        closing(connect_to_write(path, 30.0)) as db,
        transaction(db, path),
        damage.as_it_stands(db),
    ):
        for place, spec in _orphaned(db):
            db.execute("DELETE FROM claims WHERE rowid = ?", [place])
            done.append(f"gave up the claim on cell {spec[:12]}")
        for place, spec in db.execute(_STRAY).fetchall():
            db.execute("DELETE FROM details WHERE rowid = ?", [place])
            done.append(f"removed details without a cell, {damage.named(spec)[:12]}")
        if rows_differ(db):
            count_rows(db)
            done.append("keeps the cells that are left; the next run trains the others again")
        Claims(db, "").forget_use()
    return done


def _cells(count: int, one: str, many: str) -> str:
    """A sentence about cells.

    Example:
      >>> _cells(1, "has", "have"), _cells(2, "has", "have")
      ('1 cell has', '2 cells have')
    """
    return f"1 cell {one}" if count == 1 else f"{count} cells {many}"


def _orphaned(db: sqlite3.Connection) -> list[tuple[int, str]]:
    """Place and cell of every claim that nobody can redeem."""
    rows = db.execute(
        "SELECT claims.rowid, claims.spec, pid, started, boot, token, beat, status FROM claims "
        "LEFT JOIN cells ON cells.spec = claims.spec"
    ).fetchall()
    return [
        (place, damage.named(spec))
        for place, spec, pid, started, boot, token, beat, status in rows
        if status == "done"
        or not _is_claim(spec, pid, started, boot, token, beat)
        or (not elsewhere(boot) and not runs_here(pid, started))
    ]


def _is_claim(spec: object, pid: object, started: object, *others: object) -> bool:
    """Return whether a claim is what a run writes."""
    boot, *numbers = others
    texts = all(isinstance(value, str) for value in (spec, started, boot))
    whole = all(isinstance(value, int) for value in numbers)
    return texts and whole and isinstance(pid, int) and 0 < pid < 2**31


_STRAY = (
    "SELECT details.rowid, details.spec FROM details "
    "LEFT JOIN cells ON cells.spec = details.spec WHERE cells.spec IS NULL"
)
_HOLLOW = (
    "SELECT cells.spec FROM cells LEFT JOIN details ON details.spec = cells.spec "
    "WHERE details.spec IS NULL"
)


def _claims(db: sqlite3.Connection) -> Iterator[Finding]:
    rows = _orphaned(db)
    orphans = tuple(spec for _, spec in rows)
    if orphans:
        several = len(orphans) > 1
        says = f"{len(orphans)} claims are" if several else "1 claim is"
        says += " held by processes that have ended, or by none."
        yield Finding(False, says, f"give {'them' if several else 'it'} up", orphans)
    living: dict[str, list[str]] = {}
    for spec, holder in Claims(db, "").holders([place for place, _ in rows]).items():
        living.setdefault(holder, []).append(spec)
    for holder, specs in living.items():
        says = _cells(len(specs), "is", "are")
        yield Finding(False, f"{says} claimed by {holder}.", specs=tuple(specs))
    token = db.execute("SELECT value FROM meta WHERE name = 'token'").fetchone()
    try:
        token_of("0" if token is None else token[0])
    except ValueError as error:
        yield Finding(True, f"{error}.")


def _pairs(db: sqlite3.Connection) -> Iterator[Finding]:
    stray = tuple(damage.named(spec) for _, spec in db.execute(_STRAY))
    if stray:
        says = "1 row" if len(stray) == 1 else f"{len(stray)} rows"
        belongs = "belongs" if len(stray) == 1 else "belong"
        them = "it" if len(stray) == 1 else "them"
        yield Finding(False, f"{says} of details {belongs} to no cell.", f"remove {them}", stray)
    hollow = tuple(damage.named(row[0]) for row in db.execute(_HOLLOW))
    if hollow:
        says = _cells(len(hollow), "has lost its details.", "have lost their details.")
        yield Finding(True, says, specs=hollow)


def _rows(db: sqlite3.Connection) -> Iterator[Finding]:
    says = rows_differ(db)
    if says:
        yield Finding(True, f"Cells are lost: {says}.", "keep what is left")


def _values(db: sqlite3.Connection) -> Iterator[Finding]:
    """Check the values of every column."""
    for column in (*COLUMNS, CORRECT):
        found = list(damage.rows(db, [column]))
        if found:
            specs = tuple(damaged.spec for damaged in found)
            says = f"{_cells(len(found), 'has', 'have')} a damaged {column}: {found[0].why}."
            yield Finding(True, says, specs=specs)


def _identities(db: sqlite3.Connection) -> Iterator[Finding]:
    rows = db.execute("SELECT spec, key, fingerprint, tokenizer_hash FROM cells").fetchall()
    bad = tuple(damage.named(spec) for spec, *identity in rows if not is_own(spec, *identity))
    if bad:
        says = _cells(len(bad), "has a key that is not its own.", "have a key that is not theirs.")
        yield Finding(True, says, specs=bad)


_TOLD = ("test", "confusion", "predictions", "confidences")
_TOGETHER = (
    "SELECT cells.spec, correct, status, test, confusion, predictions, confidences, "
    "shared.value, cells.data "
    "FROM cells JOIN details ON details.spec = cells.spec "
    "LEFT JOIN shared ON shared.id = cells.gold AND typeof(cells.gold) = 'integer'"
)


def _together(db: sqlite3.Connection) -> Iterator[Finding]:
    """Accuracy, confusion, predictions, right answers and labels are of the same sentences."""
    apart: dict[str, Misfit] = {}
    answers: list[str] = []
    kept: dict[str | None, list[int] | None] = {}  # the cells of a dataset share their labels
    rows = _test_rows(db)
    sizes: list[tuple[str, int, int]] = []
    for spec, correct, status, *texts, labels, data in db.execute(_TOGETHER).fetchall():
        if labels not in kept:
            found = _sound({"gold": labels})
            kept[labels] = None if found is None else found["gold"]
        record = _sound(dict(zip(_TOLD, texts, strict=True)))
        if record is None or (labels is not None and kept[labels] is None):
            continue  # said by column
        gold = kept[labels]
        if gold is not None and rows.get(data, len(gold)) != len(gold):
            sizes.append((damage.named(spec), rows[data], len(gold)))
        result = {"status": status, **record}
        found = disagreement(result, gold) or miscounted(result, gold)
        if found is not None:
            apart[damage.named(spec)] = found
        if status in ("failed", "skipped") and record["test"]:
            wrong = Misfit("test", record["test"], f"None where a cell is {status}")
            apart[damage.named(spec)] = wrong
        if correct != packed(record["predictions"], gold):
            answers.append(damage.named(spec))
    if apart:
        first = next(iter(apart.values()))
        says = _cells(len(apart), "contradicts itself", "contradict themselves")
        yield Finding(True, f"{says}: {first}.", specs=tuple(apart))
    if sizes:
        says = _cells(len(sizes), "says", "say")
        says += f" that the test split has {sizes[0][1]} sentences; labels are there of "
        yield Finding(True, f"{says}{sizes[0][2]}.", specs=tuple(size[0] for size in sizes))
    if answers:
        says = _cells(
            len(answers),
            "has right answers that are not those of its predictions.",
            "have right answers that are not those of their predictions.",
        )
        yield Finding(True, says, specs=tuple(answers))


def _test_rows(db: sqlite3.Connection) -> dict[object, int]:
    """Sentences of the test split by the place of the facts that say so."""
    query = "SELECT id, value FROM shared WHERE id IN (SELECT DISTINCT data FROM cells)"
    found = {place: _sound({"data": text}) for place, text in db.execute(query).fetchall()}
    sizes = {
        place: test_size(record["data"])
        for place, record in found.items()
        if record is not None and record["data"] is not None
    }
    return {place: size for place, size in sizes.items() if size is not None}


def _data(db: sqlite3.Connection) -> Iterator[Finding]:
    """One name of a dataset is one dataset, and a spec has the settings of its experiment."""
    query = (
        "SELECT cells.spec, settings, fingerprint, tokenizer_hash FROM cells "
        "JOIN details ON details.spec = cells.spec"
    )
    records: dict[str, dict] = {}
    for spec, settings, *hashes in db.execute(query).fetchall():
        record = _sound(dict(zip(same_data.COLUMNS[1:], hashes, strict=True)), plain=True)
        told = _sound({"settings": settings})
        if isinstance(spec, str) and record is not None and told is not None:
            records[spec] = {"spec": spec, **record, **told}
    for states in same_data.two_states(records.values()):
        specs = tuple(spec for found in states.cells.values() for spec in found)
        says = f"{states}: results of different data stand in one store under one name."
        yield Finding(True, says, specs=specs)
    apart: dict[str, str] = {}
    for row in db.execute(damage.EXPERIMENTS).fetchall():
        name = row[0]
        try:
            cells = damage.experiment(*row).runnable
        except Misfit:
            continue  # said elsewhere
        for cell in cells:
            if cell["spec"] in records:
                path = same_data.foreign_setting(records[cell["spec"]], cell["settings"])
                if path:
                    apart[cell["spec"]] = f"{path} is not that of experiment {name!r}"
    if apart:
        says = _cells(
            len(apart),
            "has settings that are not those of its spec",
            "have settings that are not those of their specs",
        )
        yield Finding(True, f"{says}: {next(iter(apart.values()))}.", specs=tuple(apart))


def _sound(texts: Mapping[str, object], *, plain: bool = False) -> dict | None:
    """The values of some columns of a cell, of JSON or plain; None where one is damaged."""
    try:
        found = {
            name: text if plain or text is None else damage.loaded(text)
            for name, text in texts.items()
        }
        damage.check(found)
    except (ValueError, TypeError, RecursionError):
        return None
    return found


def _experiments(db: sqlite3.Connection) -> Iterator[Finding]:
    for row in db.execute(damage.EXPERIMENTS):
        name, _, saved, _ = row
        try:
            if not isinstance(name, str) or not isinstance(saved, str):
                raise Misfit("its name or its date", name, "text")
            damage.experiment(*row)
        except Misfit as error:
            yield Finding(True, f"experiment {shown(name)} is damaged: {error}.")


def _environments(db: sqlite3.Connection) -> Iterator[Finding]:
    rows = db.execute(
        "SELECT value FROM shared WHERE id IN (SELECT DISTINCT provenance FROM cells)"
    ).fetchall()
    found = [_sound({"provenance": text}) for (text,) in rows]
    known = [record["provenance"] for record in found if record is not None]
    codes = {provenance.get(FACT) for provenance in known}
    if None in codes and len(codes) > 1:
        says = "some cells were stored before the code of attn_nlp was noted."
        yield Finding(False, says)
    if len(codes - {None}) < 2:  # what is not known is no difference
        known = [
            {name: provenance[name] for name in provenance if name != FACT} for provenance in known
        ]
        known = [
            provenance for place, provenance in enumerate(known) if provenance not in known[:place]
        ]
    if len(known) > 1:
        differ = sorted(
            name
            for name in set().union(*known)
            if len({json.dumps(provenance.get(name)) for provenance in known}) > 1
        )
        says = f"cells come from {len(known)} environments, which differ in {', '.join(differ)}."
        yield Finding(False, says)


_CHECKS: tuple[Callable[[sqlite3.Connection], Iterator[Finding]], ...] = (
    _claims,
    _pairs,
    _rows,
    _values,
    _identities,
    _together,
    _data,
    _experiments,
    _environments,
)
