"""Checkpoints: training resumes where it was interrupted, from states that are saved periodically.

A checkpoint is a folder of its own: the arrays as Orbax writes them, the rest of the loop's state
as JSON, and the SHA-256 of all of these files. It is written under another name and renamed when it
is complete. One whose hash does not match is set aside under a name that says so, and the one
before it is used; so a damaged file costs steps and never changes a result. The hash detects
damage, not intent: anyone who can write to the folder can also write a matching hash.

The bits of a result do not depend on where training was interrupted: the state is saved exactly,
batches and dropout follow from the seed and the step, and sums continue from where they were.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from math import isfinite
from pathlib import Path
from typing import Any

from attn_nlp.errors import UserError
from attn_nlp.fault_injection import point
from attn_nlp.files import atomic

SECONDS = 60.0  # of training between two checkpoints; $ATTN_NLP_CHECKPOINT_SECONDS
FORM = 2  # of the arrays' names and of the facts; a checkpoint of another form is not read
KEPT = 2
_HASH, _FACTS, _ARRAYS = "sha256", "facts.json", "arrays"


def interval() -> float:
    """Return the seconds of training between two checkpoints.

    Raises:
      UserError: $ATTN_NLP_CHECKPOINT_SECONDS is not a finite number from 0.
    """
    given = os.environ.get("ATTN_NLP_CHECKPOINT_SECONDS")
    if given is None:
        return SECONDS
    with suppress(ValueError):
        seconds = float(given)
        if isfinite(seconds) and seconds >= 0:
            return seconds
    raise UserError(
        f"ATTN_NLP_CHECKPOINT_SECONDS is {given!r}; give seconds from 0, such as {SECONDS:g}, or "
        "unset it."
    )


class Checkpoints:
    """The checkpoints of one cell.

    Args:
      folder: where they are stored; created with the first one.
      identity: cell, data and versions of the state; a checkpoint of another identity is never
        read.
      clock: seconds that never decrease.
    """

    def __init__(
        self, folder: Path, identity: dict, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._identity = identity
        self._clock = clock
        self._last = clock()

    def due(self) -> bool:
        """Return whether the interval has passed since the last checkpoint or the start."""
        return self._clock() - self._last >= interval()

    def worth(self) -> bool:
        """Return whether a run that is stopped has trained enough since then to save it."""
        return self._clock() - self._last >= interval() / 6

    def save(self, step: int, arrays: Any, facts: dict) -> None:
        """Save a state.

        Args:
          step: the number of steps made; a larger one counts as newer.
          arrays: dictionaries of arrays.
          facts: the rest of the state, as JSON values.

        Raises:
          OSError: the disk is full or broken; older checkpoints are as they were.
        """
        self._last = self._clock()
        target = self._folder / f"{step:010d}"
        if target.exists():
            return
        with atomic.unfinished(target) as unfinished:
            with point("checkpoint.write"):
                unfinished.mkdir(parents=True)
                _write(unfinished / _ARRAYS, arrays)
            saved = {"form": FORM, "identity": self._identity, "facts": facts}
            text = json.dumps(saved, allow_nan=False)
            (unfinished / _FACTS).write_text(text, encoding="utf-8")
            (unfinished / _HASH).write_text(_hash(unfinished), encoding="ascii")
            atomic.put(unfinished, target, "checkpoint")
        for old in self._complete()[KEPT:]:
            shutil.rmtree(old, ignore_errors=True)

    def load(self, like: Callable[[dict], Any], say: Callable[[str], None]) -> tuple | None:
        """Return the newest complete state as (arrays, facts), or None.

        Args:
          like: from the facts to the shapes and types of the arrays.
          say: called with a sentence for every damaged checkpoint, which is set aside.
        """
        for folder in self._complete():
            try:
                if (folder / _HASH).read_text("ascii") != _hash(folder):
                    raise ValueError("its hash does not match its files")
                saved = json.loads((folder / _FACTS).read_text("utf-8"))
                if saved.get("form") != FORM or saved["identity"] != self._identity:
                    continue
                return _read(folder / _ARRAYS, like(saved["facts"])), saved["facts"]
            except Exception as error:  # Orbax has no type of error for damage
                aside = folder.with_name(f"damaged-{folder.name}")
                shutil.rmtree(aside, ignore_errors=True)
                os.rename(folder, aside)
                say(f"checkpoint {folder} is damaged ({error}); set aside as {aside.name}")
        return None

    def _complete(self) -> list[Path]:
        """Return the folders of checkpoints that were finished, the newest first."""
        if not self._folder.is_dir():
            return []
        return sorted((p for p in self._folder.iterdir() if p.name.isdecimal()), reverse=True)


def _write(folder: Path, arrays: Any) -> None:
    import orbax.checkpoint as ocp

    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(folder.absolute(), arrays)


def _read(folder: Path, like: Any) -> Any:
    import orbax.checkpoint as ocp

    with ocp.StandardCheckpointer() as checkpointer:
        return checkpointer.restore(folder.absolute(), like)


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p != folder / _HASH)


def _hash(folder: Path) -> str:
    """Return the SHA-256 of the names, sizes and contents of all files but the hash itself."""
    digest = hashlib.sha256()
    for file in _files(folder):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(folder)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
