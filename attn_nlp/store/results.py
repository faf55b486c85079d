"""Results by cell: one row for every finished cell, written whole in one transaction.

In: plain records of JSON values. Out: the same records, by spec. Nothing here knows what a cell
means, nothing imports JAX, and nothing is ever unpickled.

Several processes may work on one store: a cell is claimed before it is trained, and a claim whose
process no longer lives is taken over (see `claims`). Should a result be delivered twice all the
same, the first one stays, and a different second one is an error.

Every write begins with BEGIN IMMEDIATE: a transaction that reads first and writes later is
rejected at once when another wrote in between, without waiting.
"""

from __future__ import annotations

import json
import os
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from attn_nlp.errors import UserError, listed
from attn_nlp.experiment import Resolved
from attn_nlp.experiment.identity import canonical_json
from attn_nlp.experiment.tuning import settle
from attn_nlp.fault_injection import point
from attn_nlp.store import damage
from attn_nlp.store.claims import Claims, Heartbeat
from attn_nlp.store.correctness import packed
from attn_nlp.store.file import (
    StoreError,
    about_values,
    check_place,
    connect_to_read,
    connect_to_write,
    one_sentence,
    place_of,
    transaction,
)
from attn_nlp.store.log import has_log
from attn_nlp.store.place import Place
from attn_nlp.store.reading import Reading, damaged
from attn_nlp.store.records import Records
from attn_nlp.store.repeats import check_same, check_same_data
from attn_nlp.store.schema import (
    COLUMNS,
    CORRECT,
    FINAL,
    JSON,
    SHARED,
    SMALL,
    TABLES,
    add_row,
    create,
    seal,
)
from attn_nlp.wording import warn

DEFAULT_PATH = Path("runs/attn_nlp.sqlite")
# Seconds a step and bytes by program, and whether all that they are worked out from are numbers.
_PACE = """
SELECT program,
       avg((wall_seconds - coalesce(compile_seconds, 0)) / json_extract(settings, '$.steps')),
       max(peak_bytes),
       min(typeof(wall_seconds) IN ('real', 'integer') AND abs(wall_seconds) < 1e300
           AND typeof(compile_seconds) IN ('real', 'integer', 'null')
           AND typeof(peak_bytes) IN ('integer', 'null')
           AND coalesce(json_type(settings, '$.steps') = 'integer', 1)
           AND coalesce(json_extract(settings, '$.steps') > 0, 1))
FROM json_each(?) AS wanted JOIN cells ON cells.program = wanted.value
JOIN details ON details.spec = cells.spec
WHERE status = 'done' AND wall_seconds IS NOT NULL GROUP BY program
"""


class Store:
    """The results in one file. Use `Store.open` to write and `Store.read` to look."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, place: Place | None = None
    ) -> None:
        self.path = path
        self._db = connection
        self._place = place  # of a file that is open for writing
        self._owner = f"{os.getpid()}-{uuid.uuid4().hex}"
        self._claims = Claims(connection, self._owner)
        self._used = False  # whether cells were claimed
        self._recovers = False  # whether it had a log, perhaps of a run that was killed
        self._marked = False  # whether the file says so, even without its log
        self._reading = Reading(path, connection)

    @classmethod
    def open(cls, path: str | Path, *, wait: float = 30.0) -> Store:
        """The store at a path, for writing; made where there is none.

        Args:
          path: the file.
          wait: seconds to wait for another process's write.

        Raises:
          StoreError: the file is no store, newer than this package, damaged, locked or read-only.
        """
        path = Path(path)
        recovers = has_log(path)
        db = connect_to_write(path, wait)
        try:
            store = cls(path, db, place_of(db, path))
            store._recovers = recovers
            return store
        except BaseException:
            db.close()
            raise

    @classmethod
    def read(cls, path: str | Path) -> Store:
        """The store at a path, for reading only; where there is no file, one without rows.

        Raises:
          StoreError: the file is no store, newer than this package or damaged.
        """
        path = Path(path)
        return cls(path, connect_to_read(path))

    @classmethod
    def beside(cls, path: Path, db: sqlite3.Connection) -> Store:
        """A store in an empty database of the caller's, which is to become the file at a path."""
        create(db)
        return cls(path, db)

    def close(self) -> None:
        """Let go of the file; the last one to do so leaves a single file behind.

        The log is emptied before that: a reader that has the file open now could not do it later,
        and a copy of the file alone would lack the rows of the log.
        """
        if self._used or self._recovers:
            with suppress(StoreError), self._transaction():
                self._claims.forget_use()
        with suppress(sqlite3.Error):  # a store for reading, or someone else at work
            self._db.execute("PRAGMA busy_timeout = 1000")
            # Without its log, the store of a run that goes on would look like a copy.
            how = "PASSIVE" if self._claims.is_used() else "TRUNCATE"
            busy, *_ = self._db.execute(f"PRAGMA wal_checkpoint({how})").fetchone()
            if busy and self._used:
                warn(
                    f"another program reads store {self.path}, so that results are in its log; "
                    "copy or move both files, or 'attn-nlp export' to a new one."
                )
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def check_place(self) -> None:
        """Refuse to go on where the file has been removed, moved or replaced meanwhile.

        Every transaction asks this before it begins and when it has ended; whoever says that
        results are stored asks it once more.

        Raises:
          StoreError: what was stored last is not at the path.
        """
        check_place(self._place, self.path)

    def check_sound(self) -> None:
        """Reject a file that was damaged meanwhile, as when a copy is written over it.

        Raises:
          StoreError: SQLite finds a fault, or cells are gone.
        """
        with one_sentence(self.path):
            found = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise damaged(self.path, f"SQLite finds {found}")
        self._reading.check_rows()

    def _transaction(self) -> AbstractContextManager[None]:
        return transaction(self._db, self.path, self._place)

    # Results

    def records(
        self,
        specs: Iterable[str] | None = None,
        columns: Sequence[str] = SMALL,
        *,
        own: bool = False,
    ) -> Records:
        """The stored records by spec; without specs, all of them, the first finished first.

        Args:
          specs: which cells; those without a row are left out.
          columns: which columns; the large ones (`LARGE`) only where they are named. Of a column
            that is JSON one part may be named alone, such as "test.accuracy". "correct" gives
            `answers.packed` of predictions and gold.
          own: whether every cell is checked to stand under its own spec, as it must before its
            results are shown.

        Returns:
          {spec: {"spec": ..., column: value}}, of given specs in no certain order. Values that are
          equal may be one object: they are for reading only.
        """
        return self._reading.records(specs, columns, own)

    def finish(
        self, spec: str, record: Mapping[str, object], *, replaces: str | None = None
    ) -> bool:
        """Store a cell's record and give up the claim on it, both or neither.

        Args:
          spec: the cell.
          record: by column.
          replaces: `finished_at` of a final row that this one is to stand in for, whatever that
            says. Until this is written, and where this one has failed, that row stays.

        Returns:
          Whether the record was written. A final result that is there already stays; a failed one
          is replaced. Nothing is written where another process has taken the claim over meanwhile.

        Raises:
          StoreError: the stored row was computed from other data, or its result contradicts this
            one, see `agreement.contradiction`.
        """
        given = {**dict.fromkeys(COLUMNS), "finished_at": _now(), **record, "spec": spec}
        values = {
            name: canonical_json(value) if name in JSON | SHARED and value is not None else value
            for name, value in given.items()
        }
        with self._transaction():
            before = self.records([spec], list(COLUMNS)).get(spec)
            final = before is not None and before["status"] in FINAL
            anew = final and before is not None and before["finished_at"] == replaces
            if before is not None:
                check_same_data(before, given)
                if not anew:
                    check_same(before, given)
            keep = final and not (anew and given["status"] in FINAL)
            write = not keep and self._claims.holds(spec)
            if write:
                if before is None:
                    add_row(self._db, spec)
                values[CORRECT] = packed(given["predictions"], given["gold"])
                for name in SHARED:
                    values[name] = self._share(values[name])
                for table, names in TABLES.items():
                    with point("store.write"):
                        self._put(table, {name: values[name] for name in names})
                        seal(self._db, table, spec)
            self._claims.give_up(spec)
        return write

    def delete(self, spec: str) -> None:
        """Forget a cell, so that it is trained again."""
        with self._transaction():
            if self._db.execute("DELETE FROM cells WHERE spec = ?", [spec]).rowcount:
                add_row(self._db, spec, -1)
            self._db.execute("DELETE FROM details WHERE spec = ?", [spec])

    def pace(self, programs: Iterable[str]) -> dict[str, tuple[float, int | None]]:
        """Measured seconds a step, compiling left out, and largest memory in bytes, by program."""
        wanted = [json.dumps(list(programs))]
        with one_sentence(self.path):
            try:
                rows = self._db.execute(_PACE, wanted).fetchall()
                if not all(sound for *_, sound in rows):
                    raise ValueError("pace")
            except (sqlite3.Error, ValueError) as error:
                if isinstance(error, sqlite3.Error) and not about_values(error):
                    raise
                columns = ["wall_seconds", "compile_seconds", "peak_bytes", "settings"]
                raise self._reading.damage(columns, None, error) from error
        return {
            program: (max(pace, 0.0), peak) for program, pace, peak, _ in rows if pace is not None
        }

    def _put(self, table: str, values: Mapping[str, object]) -> None:
        # Columns by name: an upgraded store has them in another order.
        places = ", ".join("?" * len(values))
        query = f"INSERT OR REPLACE INTO {table} ({', '.join(values)}) VALUES ({places})"  # noqa: S608
        self._db.execute(query, list(values.values()))

    def _share(self, text: str | None) -> int | None:
        """The place of a JSON text that many cells have in common."""
        if text is None:
            return None
        self._db.execute("INSERT OR IGNORE INTO shared (value) VALUES (?)", [text])
        found = self._db.execute("SELECT id FROM shared WHERE value = ?", [text])
        return found.fetchone()[0]

    # Claims

    def claim(self, spec: str, *, replaces: str | None = None, final: bool = False) -> bool:
        """Take a cell, unless it is finished or a living process has it.

        Args:
          spec: the cell.
          replaces: `finished_at` of the failed row that is to be tried again.
          final: whether that row may also be a final one, whose cell is to be trained again.
        """
        with self._transaction():
            row = self._db.execute("SELECT status, finished_at FROM cells WHERE spec = ?", [spec])
            done = row.fetchone()
            if done is not None and (done[1] != replaces or (done[0] in FINAL and not final)):
                return False
            with self._of_claims():
                taken = self._claims.take(spec)
        self._used = self._used or taken
        if taken and (self._claims.marked or not self._marked):
            # From here on the file itself says that it needs its log. That has to wait for another
            # program that reads an older state; then the next claim tries again.
            with suppress(sqlite3.Error):
                _, frames, written = self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                self._marked = frames == written
        return taken

    def heartbeat(self) -> Heartbeat:
        """Return what keeps this store's claims alive for other machines while it is entered."""
        return Heartbeat(self.path, self._owner)

    def release(self) -> None:
        """Give up every claim of this store object."""
        with self._transaction():
            self._claims.give_up()

    def running(self) -> set[str]:
        """The cells that a living process has claimed."""
        return set(self.holders())

    def holders(self) -> dict[str, str]:
        """The cells that a living process has claimed, and which one, in words."""
        with one_sentence(self.path), self._of_claims():
            return self._claims.holders()

    @contextmanager
    def _of_claims(self) -> Iterator[None]:
        try:
            yield
        except (TypeError, ValueError, OverflowError) as error:
            raise damaged(self.path, "a claim is not what a run writes") from error

    # Experiments

    def save_experiment(self, resolved: Resolved) -> None:
        """Keep what was run, so that its tables need no file; the latest of a name stays."""
        with self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO experiments (name, resolved, saved_at) VALUES (?, ?, ?)",
                [resolved.name, json.dumps(resolved.as_json(), allow_nan=False), _now()],
            )
            seal(self._db, "experiments", resolved.name)

    def experiment(self, name: str) -> Resolved:
        """The experiment as it was last run under that name.

        Raises:
          UserError: none of that name; the message lists the known ones.
        """
        with one_sentence(self.path):
            row = self._db.execute(f"{damage.EXPERIMENTS} WHERE name = ?", [name]).fetchone()
            if row is not None:
                return self.settled(self._resolved(*row))
        known = listed(name, [name for name, _ in self.names()])
        raise UserError(f"store {self.path} has no experiment {name!r}; {known}")

    def _resolved(self, name: str, *kept: object) -> Resolved:
        try:
            return damage.experiment(name, *kept)
        except damage.Misfit as error:
            raise damaged(self.path, f"experiment {name!r}: {error}") from error

    def settled(self, resolved: Resolved) -> Resolved:
        """A tuned experiment with the values that the trials stored here have chosen so far."""
        specs = [cell["spec"] for cell in resolved.tuning["cells"]] if resolved.tuning else []
        return settle(resolved, self.records(specs, ["status", "reason", "validation"], own=True))

    def names(self) -> list[tuple[str, str]]:
        """Name and time of every kept experiment."""
        with one_sentence(self.path):
            rows = self._db.execute(f"{damage.EXPERIMENTS} ORDER BY name").fetchall()
        for name, _, saved_at, _ in rows:
            if not isinstance(name, str) or not isinstance(saved_at, str):
                raise damaged(self.path, "an experiment has a name or a date that is not text")
        for name, *kept in rows:
            if not damage.experiment_fits(name, *kept):
                self._resolved(name, *kept)  # says what is wrong
        return [(name, saved_at) for name, _, saved_at, _ in rows]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
