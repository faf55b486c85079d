"""Who trains which cell, when several runs share a store.

A cell is claimed before it is trained. Every claim has a token, a number that is never given twice;
a result is stored only under the claim that is in force. So a process that slept while its claim
was taken over cannot overwrite what its successor does.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path

from attn_nlp.faults import point
from attn_nlp.store.file import StoreError, connect_to_write, transaction
from attn_nlp.store.processes import BEAT_SECONDS, Watch, alive, elsewhere, this_process


class Claims:
    """The claims of one owner; the caller of a method that writes holds the transaction."""

    def __init__(self, db: sqlite3.Connection, owner: str, watch: Watch | None = None) -> None:
        self._db = db
        self._owner = owner
        self._watch = watch or Watch()
        self._tokens: dict[str, int] = {}

    def take(self, spec: str) -> bool:
        """Claim a cell, unless an owner that lives has it."""
        held = self._db.execute(
            "SELECT owner, pid, started, boot, beat FROM claims WHERE spec = ?", [spec]
        ).fetchone()
        if held is not None and held[0] != self._owner and self._lives(*held):
            return False
        self._db.execute(
            "INSERT INTO meta VALUES ('token', '1') "
            "ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) + 1"
        )
        token = int(self._db.execute("SELECT value FROM meta WHERE name = 'token'").fetchone()[0])
        self._db.execute(
            "INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?, ?, ?, 0)",
            [spec, self._owner, token, *this_process()],
        )
        self._tokens[spec] = token
        return True

    def holds(self, spec: str) -> bool:
        """Whether a result for the cell may be stored: nobody else has claimed it since."""
        row = self._db.execute("SELECT token FROM claims WHERE spec = ?", [spec]).fetchone()
        mine = self._tokens.get(spec)
        return mine is None if row is None else mine == row[0]

    def give_up(self, spec: str | None = None) -> None:
        """End the owner's claim on a cell, or all of them."""
        specs = [spec] if spec is not None else list(self._tokens)
        for each in specs:
            self._db.execute(
                "DELETE FROM claims WHERE spec = ? AND token = ?", [each, self._tokens.pop(each, 0)]
            )

    def living(self) -> set[str]:
        """The cells that an owner who lives has claimed."""
        rows = self._db.execute("SELECT spec, owner, pid, started, boot, beat FROM claims")
        return {spec for spec, *held in rows.fetchall() if self._lives(*held)}

    def _lives(self, owner: str, pid: int, started: str, place: str, beat: int) -> bool:
        if elsewhere(place):
            return self._watch.beats(owner, beat)
        return alive(pid, started, place)


class Heart:
    """Raises the beat of an owner's claims every few seconds, while it is entered.

    It beats in a thread and through a connection of its own, so that neither a long step nor a
    slow download stops it. A beat that fails is tried again at the next; `Watch` is patient.
    """

    def __init__(self, path: Path, owner: str, seconds: float = BEAT_SECONDS) -> None:
        self._path, self._owner, self._seconds = path, owner, seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Heart:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=1.0)

    def _beat(self) -> None:
        while not self._stop.wait(self._seconds):
            with suppress(StoreError), closing(connect_to_write(self._path, 1.0)) as db:
                while True:
                    with transaction(db, self._path), point("store.heartbeat"):
                        db.execute(
                            "UPDATE claims SET beat = beat + 1 WHERE owner = ?", [self._owner]
                        )
                    if self._stop.wait(self._seconds):
                        return
