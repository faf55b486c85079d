"""Train one cell and report its outcome, whatever that is.

An error in one cell is the outcome of that cell; it never stops the others.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from attn_nlp.errors import UserError
from attn_nlp.experiment.cell import Cell, unflatten
from attn_nlp.experiment.identity import baseline_cell, is_baseline, spec_of
from attn_nlp.experiment.own_parts import own_codes
from attn_nlp.library_code import code_digest, is_mixed
from attn_nlp.parts.selection import Choice
from attn_nlp.result.schema import check_against, leaves_test_alone, of_model
from attn_nlp.result.shapes import Misfit, shown
from attn_nlp.runner.job import Job, Stopped
from attn_nlp.runner.provenance import provenance
from attn_nlp.runner.undisturbed import checked, undisturbed
from attn_nlp.user_code import frames
from attn_nlp.user_code.modules import PACKAGE

Report = Callable[[Mapping], None]
_CHANGED = "{} changed during the run; run it again with --retry-failed."
_OTHER = (
    "the code of this cell reads other files, folders or environment variables than when the run "
    "was planned, although none of its files has changed; perhaps a library caches what it has "
    'read. Name those files in the part\'s decorator: files=["FILE"].'
)
_TICK = 0.1  # seconds by which file times may lag behind the clock
_LONGEST = {"reason": frames.LONGEST, "detail": frames.LONGEST_DETAIL}


def outcome(job: Job, report: Report) -> dict[str, object]:
    """Train a cell and return its result, or why it failed, as plain JSON values.

    Args:
      job: the cell and its data.
      report: called with {"step", "steps"} about once a second; may raise `Stopped`. Called with
        {"note"} for a sentence that a person should read; then it raises nothing.

    Returns:
      {"status": "done", "diverged" or "failed", "reason", "provenance", ...}, with the fields that
      `attn_nlp.result.schema` lists; a number that is not finite is None.

    Raises:
      Stopped: `report` raised it.
    """
    began = time.perf_counter()
    code_digest()  # of the code as it is now, in case someone edits it while the cell trains
    try:
        cell = unflatten(job.settings)
        if is_baseline(cell):  # trained once for all cells that differ in what it does not see
            cell = baseline_cell(cell.model, cell)
        with undisturbed(cell) as cell:
            if spec_of(cell) != job.spec:
                raise UserError(_difference(job, cell))
            prepared = _prepared(job.prepared, cell.trial)
            fitted = _fit(job, cell, prepared, report)
        result: dict[str, object] = _check(fitted, cell, prepared)
        if is_mixed():
            raise UserError(_CHANGED.format("this package"))
    except Stopped:
        raise
    except UserError as error:
        result = failure(frames.message(error, lines=None), frames.whole(error))
    except BaseException as error:  # even SystemExit: a model must not end its worker
        reason = frames.told(error)
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in reason:
            reason = f"out of memory with {shape(job.settings)}; {reason}"
        result = failure(reason, frames.whole(error))
    result.setdefault("wall_seconds", time.perf_counter() - began)
    return result | {"provenance": provenance()}


def failure(reason: str, detail: str | None = None) -> dict[str, object]:
    """Return the outcome of a cell that has no result."""
    return {"status": "failed", "reason": reason, "detail": detail}


def _difference(job: Job, cell: Cell) -> str:
    """Return why a cell is not the one that was planned."""
    codes = own_codes(cell)
    package = max(file.stat().st_mtime for file in Path(PACKAGE).rglob("*.py"))
    newest = max([package, *(code.newest() for code in codes)])
    if not codes or newest > job.planned - _TICK:
        return _CHANGED.format("the experiment file or this package")
    return _OTHER


def _fit(job: Job, cell: Cell, prepared: Any, report: Report) -> object:
    choice = cell.choices["model"]
    if "fit" not in choice.part.hooks:
        from attn_nlp.train.checkpoint import Checkpoints
        from attn_nlp.train.loop import train

        if not job.keep:
            return train(cell, prepared, report)
        # A state that differs in any of this would give other bits, and must not be resumed.
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
        "prepared": prepared.apart(),
        "report": checked(report, f"model {cell.model!r}"),
        "seed": cell.seed,
        **_settings(choice, cell),
    }
    process = os.getpid()
    try:
        return fit(**{name: given[name] for name in choice.part.arguments("fit")})
    finally:
        if os.getpid() != process:  # a child that it forked, which must not continue the run
            os._exit(1)


def _settings(choice: Choice, cell: Cell) -> dict[str, object]:
    named = {name: inner.text for name, inner in choice.named().items()}
    numeric = choice.numeric(cell.sizes, "model")
    own = {path.removeprefix("model."): value for path, value in numeric.items()}
    return {**named, **own, **choice.static(cell.sizes)}


def _check(given: object, cell: Cell, prepared: Any) -> dict[str, Any]:
    """Return the result of a model as plain values, if they fit the data and each other."""
    model = f"model {cell.model!r}"
    if not isinstance(given, Mapping) or given.get("status") not in ("done", "diverged"):
        raise UserError(
            f"{model} must return a dict with status 'done' or 'diverged'; it returned "
            f"{shown(given)}."
        )
    try:
        result = of_model(given)
        for name, longest in _LONGEST.items():
            if result.get(name):
                result[name] = frames.cut(result[name], longest)
        if result["status"] == "done":
            for split in ("validation",) if cell.trial else ("validation", "test"):
                if (result.get(split) or {}).get("accuracy") is None:
                    raise UserError(
                        f"{model} returned no finite {split}.accuracy; allowed is a number from 0 "
                        "to 1."
                    )
        if not cell.trial:
            labels = prepared.labels_of("test").tolist()
            check_against(result, len(prepared.class_names), labels, prepared.positive)
        elif not leaves_test_alone(result):
            raise UserError(f"{model} returned test scores for a trial, which has none.")
    except Misfit as error:
        raise UserError(f"{model} returned an invalid result: {error}.") from error
    return result


@lru_cache(maxsize=4)
def _prepared(path: str, sealed: bool) -> object:
    from attn_nlp.data import open_prepared

    prepared = open_prepared(Path(path))
    return prepared.sealed() if sealed else prepared


def shape(settings: Mapping[str, object]) -> str:
    """Return the settings of a cell that decide how much memory it needs."""
    names = ("batch_size", "length", "layers", "width", "heads", "head_dim")
    names += ("attention.chunk", "steps")
    return ", ".join(f"{name}={settings[name]}" for name in names)
