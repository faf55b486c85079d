"""Train one cell and say what came of it, whatever that is.

A fault in one cell is an outcome of that cell; it never stops the others.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from attn_nlp import own_frames
from attn_nlp.choice import Choice
from attn_nlp.engines.job import Job, Stopped
from attn_nlp.engines.provenance import provenance
from attn_nlp.experiment.cell import Cell, unflatten
from attn_nlp.experiment.identity import spec_of
from attn_nlp.library_code import code_digest
from attn_nlp.mistakes import Mistake

Report = Callable[[Mapping], None]


def outcome(job: Job, report: Report) -> dict[str, object]:
    """What the cell's model returns, or why it failed; plain values that JSON can hold.

    Args:
      job: the cell and its data.
      report: called with {"step", "steps"} about once a second; may raise `Stopped`. Called with
        {"note"} for a sentence that a person should read; then it raises nothing.

    Returns:
      {"status": "done", "diverged" or "failed", "reason", "provenance", ...}; a number that is
      not finite is None.

    Raises:
      Stopped: as `report` raised it.
    """
    began = time.perf_counter()
    code_digest()  # of what is imported now, should somebody edit it while the cell trains
    try:
        cell = unflatten(job.settings)
        if spec_of(cell) != job.spec:
            raise Mistake(
                "the experiment file or this package changed while the run went on; run it again."
            )
        result = plain(_fit(job, cell, _prepared(job.prepared, cell.trial), report))
        _check(result, cell)
        json.dumps(result)  # or it could be neither sent nor stored
    except Stopped:
        raise
    except Mistake as error:
        result = failure(own_frames.message(error, lines=None), own_frames.whole(error))
    except BaseException as error:  # also SystemExit: a model must not end its worker
        reason = own_frames.told(error)
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in reason:
            reason = f"out of memory with {shape(job.settings)}; {reason}"
        result = failure(reason, own_frames.whole(error))
    result.setdefault("wall_seconds", time.perf_counter() - began)
    return result | {"provenance": provenance()}


def failure(reason: str, detail: str | None = None) -> dict[str, object]:
    """The outcome of a cell that has no result."""
    return {"status": "failed", "reason": reason, "detail": detail}


def plain(value: Any) -> Any:
    """The value as JSON can hold it: lists for arrays, None for NaN and infinity."""
    if hasattr(value, "tolist"):  # a NumPy or JAX array or scalar
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _fit(job: Job, cell: Cell, prepared: Any, report: Report) -> object:
    choice = cell.choices()["model"]
    if "fit" not in choice.part.hooks:
        from attn_nlp.train.checkpoint import Checkpoints
        from attn_nlp.train.loop import train

        if not job.keep:
            return train(cell, prepared, report)
        # Bits are the same only under all of this; another state must not be taken for ours.
        identity = {
            "spec": job.spec,
            "fingerprint": prepared.fingerprint,
            "tokenizer_hash": prepared.tokenizer_hash,
            "provenance": provenance(),
        }
        return train(cell, prepared, report, Checkpoints(Path(job.keep), identity))
    fit = choice.part.hooks["fit"]
    given = {
        "cell": cell,
        "prepared": prepared,
        "report": report,
        "seed": cell.seed,
        **_settings(choice, cell),
    }
    return fit(**{name: given[name] for name in choice.part.arguments("fit")})


def _settings(choice: Choice, cell: Cell) -> dict[str, object]:
    named = {name: each.text for name, each in choice.named().items()}
    numeric = choice.numeric(cell.letters(), "model")
    own = {path.removeprefix("model."): value for path, value in numeric.items()}
    return {**named, **own, **choice.static(cell.letters())}


def _check(result: object, cell: Cell) -> None:
    if not isinstance(result, dict) or result.get("status") not in ("done", "diverged"):
        raise TypeError(f"model {cell.model!r} must return a dict with status 'done' or 'diverged'")
    if result["status"] == "diverged":
        return
    if cell.trial and result.get("test") is not None:
        raise TypeError(f"model {cell.model!r} returned test numbers of a trial, which has none")
    for split in ("validation",) if cell.trial else ("validation", "test"):
        scores = result.get(split)
        accuracy = scores.get("accuracy") if isinstance(scores, dict) else None
        if not isinstance(accuracy, float | int):
            raise TypeError(f"model {cell.model!r} returned no finite {split}.accuracy")


@lru_cache(maxsize=4)
def _prepared(path: str, sealed: bool) -> object:
    from attn_nlp.data import open_prepared

    prepared = open_prepared(Path(path))
    return prepared.sealed() if sealed else prepared


def shape(settings: Mapping[str, object]) -> str:
    """What of a cell decides its memory."""
    names = ("batch_size", "length", "layers", "width", "heads", "head_dim")
    names += ("attention.chunk", "steps")
    return ", ".join(f"{name}={settings[name]}" for name in names)
