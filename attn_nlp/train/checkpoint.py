"""Training that goes on where it was cut off: a cell's state, kept in a folder now and then.

A checkpoint is a folder of its own: the arrays as orbax writes them, what else the loop knows as
JSON, and the SHA-256 of all of these files. It is written under another name and renamed when it
is whole. One whose hash does not fit is set aside under a name that says so, and the one before it
is taken; so a damaged file costs steps and never changes a result. The hash finds damage and no
intent: who may write to the folder can also write a hash that fits.

The bits of a cell do not depend on where it was cut: the state is kept exactly, batches and dropout
follow from the seed and the step, and sums go on from where they were.
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

from attn_nlp import atomic
from attn_nlp.errors import UserError
from attn_nlp.fault_injection import point

SECONDS = 60.0  # of training between two checkpoints; $ATTN_NLP_CHECKPOINT_SECONDS
KEPT = 2
_HASH, _FACTS, _ARRAYS = "sha256", "facts.json", "arrays"


def interval() -> float:
    """Seconds of training between two checkpoints.

    Raises:
      UserError: $ATTN_NLP_CHECKPOINT_SECONDS is no such number.
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
      folder: where they lie; made with the first one.
      identity: what the state belongs to (cell, data, versions); another identity is never read.
      clock: seconds that no one can set back.
    """

    def __init__(
        self, folder: Path, identity: dict, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._identity = identity
        self._clock = clock
        self._last = clock()

    def due(self) -> bool:
        """Whether the interval has passed since the last checkpoint or the start."""
        return self._clock() - self._last >= interval()

    def worth(self) -> bool:
        """Whether enough was trained since then that a run which ends should keep it."""
        return self._clock() - self._last >= interval() / 6

    def save(self, step: int, arrays: Any, facts: dict) -> None:
        """Keep a state.

        Args:
          step: the steps that it has behind it; later ones count as newer.
          arrays: dictionaries of arrays.
          facts: what else there is, as JSON values.

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
            text = json.dumps({"identity": self._identity, "facts": facts}, allow_nan=False)
            (unfinished / _FACTS).write_text(text, encoding="utf-8")
            (unfinished / _HASH).write_text(_hash(unfinished), encoding="ascii")
            atomic.put(unfinished, target, "checkpoint")
        for old in self._whole()[KEPT:]:
            shutil.rmtree(old, ignore_errors=True)

    def load(self, like: Callable[[dict], Any], say: Callable[[str], None]) -> tuple | None:
        """The newest state that is whole, as (arrays, facts), or None.

        Args:
          like: from the facts to the shapes and types of the arrays.
          say: called with a sentence for every damaged one, which is set aside.
        """
        for each in self._whole():
            try:
                if (each / _HASH).read_text("ascii") != _hash(each):
                    raise ValueError("its hash does not fit its files")
                kept = json.loads((each / _FACTS).read_text("utf-8"))
                if kept["identity"] != self._identity:
                    continue
                return _read(each / _ARRAYS, like(kept["facts"])), kept["facts"]
            except Exception as error:  # orbax has no type of error for damage
                aside = each.with_name(f"damaged-{each.name}")
                shutil.rmtree(aside, ignore_errors=True)
                os.rename(each, aside)
                say(f"checkpoint {each} is damaged ({error}); set aside as {aside.name}")
        return None

    def _whole(self) -> list[Path]:
        """Checkpoints that were finished, the newest first."""
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
    """SHA-256 over the names, sizes and contents of all files but the hash itself."""
    digest = hashlib.sha256()
    for file in _files(folder):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(folder)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
