"""Who trains which cell, when several runs share a store.

A cell is claimed before it is trained, and a result is stored only under the claim that is in
force. So a process that slept while its claim was taken over cannot overwrite what its successor
does. No two owners have one name, and every claim has a number that is never given twice.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection
from contextlib import closing, suppress
from pathlib import Path

from attn_nlp.fault_injection import point
from attn_nlp.result.shapes import shown
from attn_nlp.store.file import StoreError, connect_to_write, transaction
from attn_nlp.store.log import IN_USE
from attn_nlp.store.processes import BEAT_SECONDS, Watch, alive, elsewhere, this_process

LARGEST_TOKEN = 2**62


def token_of(value: object) -> int:
    """The number of the last claim, as it stands in a store.

    Raises:
      ValueError: it is none that a run has written.
    """
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        number = int(value)
        if number < LARGEST_TOKEN:
            return number
    raise ValueError(f"the number of the last claim is {shown(value)}, not an integer")


class Claims:
    """The claims of one owner; the caller of a method that writes holds the transaction."""

    def __init__(self, db: sqlite3.Connection, owner: str, watch: Watch | None = None) -> None:
        self._db = db
        self._owner = owner
        self._watch = watch or Watch()
        self._once: set[str] = set()  # cells that were ever claimed
        self.marked = False  # whether the last claim has written the mark that a run is writing

    def take(self, spec: str) -> bool:
        """Claim a cell, unless another owner that lives has it.

        Raises:
          TypeError, ValueError, OverflowError: what stands there is not what a run writes.
        """
        held = self._db.execute(
            "SELECT owner, token, pid, started, boot, beat FROM claims WHERE spec = ?", [spec]
        ).fetchone()
        if held is not None and held[0] == self._owner:
            return True
        if held is not None and self._lives(*held[1:]):
            return False
        last = self._db.execute("SELECT value FROM meta WHERE name = 'token'").fetchone()
        token = (0 if last is None else token_of(last[0])) + 1
        self._db.execute("INSERT OR REPLACE INTO meta VALUES ('token', ?)", [str(token)])
        self._db.execute(
            "INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?, ?, ?, 0)",
            [spec, self._owner, token, *this_process()],
        )
        query = "INSERT INTO meta SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM meta WHERE name = ?)"
        self.marked = self._db.execute(query, [IN_USE, self._owner, IN_USE]).rowcount > 0
        self._once.add(spec)
        return True

    def holds(self, spec: str) -> bool:
        """Return whether a result of the cell may be stored.

        It may be under the claim in force. Where there is none, only someone may who never had
        one, such as a merge: a claim that was lost, or ended, must be taken anew.
        """
        row = self._db.execute("SELECT owner FROM claims WHERE spec = ?", [spec]).fetchone()
        return spec not in self._once if row is None else row[0] == self._owner

    def give_up(self, spec: str | None = None) -> None:
        """End the owner's claim on a cell, or all of them."""
        every = "DELETE FROM claims WHERE owner = ?"
        if spec is None:
            self._db.execute(every, [self._owner])
            self.forget_use()
        else:
            self._db.execute(f"{every} AND spec = ?", [self._owner, spec])

    def forget_use(self) -> None:
        """Take the mark away that a run is writing, unless another one is."""
        own = self._db.execute("SELECT rowid FROM claims WHERE owner = ?", [self._owner]).fetchall()
        if not self.holders([row for (row,) in own]):
            self._db.execute("DELETE FROM meta WHERE name = ?", [IN_USE])

    def is_used(self) -> bool:
        """Return whether the store is marked as one that a run is writing."""
        query = "SELECT 1 FROM meta WHERE name = ?"
        return self._db.execute(query, [IN_USE]).fetchone() is not None

    def holders(self, but: Collection[int] = ()) -> dict[str, str]:
        """Who claims each cell, in words, as far as that owner lives.

        Args:
          but: rows of the table that are left out.
        """
        rows = self._db.execute("SELECT rowid, spec, token, pid, started, boot, beat FROM claims")
        return {
            spec: "a process elsewhere"
            if elsewhere(held[3])
            else f"process {held[1]} of this machine"
            for row, spec, *held in rows.fetchall()
            if row not in but and self._lives(*held)
        }

    def _lives(self, token: int, pid: int, started: str, place: str, beat: int) -> bool:
        if elsewhere(place):
            # By claim and not by owner: one that was taken later has beaten less often, and two
            # counts in turn would look like a heart that beats.
            return self._watch.beats(token, beat)
        return alive(pid, started, place)


class Heartbeat:
    """Raises the beat of an owner's claims every few seconds, while it is entered.

    It beats in a thread and through a connection of its own, so that neither a long step nor a
    slow download stops it. A beat that fails is tried again at the next; `Watch` is patient.
    """

    def __init__(self, path: Path, owner: str, seconds: float = BEAT_SECONDS) -> None:
        # Absolute, since a model may go to another folder while it is fitted.
        self._path, self._owner, self._seconds = path.absolute(), owner, seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_beating, daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=1.0)

    def beat(self, db: sqlite3.Connection) -> None:
        """Beat once."""
        with transaction(db, self._path), point("store.heartbeat"):
            db.execute("UPDATE claims SET beat = beat + 1 WHERE owner = ?", [self._owner])

    def _keep_beating(self) -> None:
        while not self._stop.wait(self._seconds):
            with suppress(StoreError), closing(connect_to_write(self._path, 1.0, make=False)) as db:
                while True:
                    self.beat(db)
                    if self._stop.wait(self._seconds):
                        return
