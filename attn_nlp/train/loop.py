"""Train one cell: a pure function of its settings, its seed and its data.

The host only hands out chunks of steps, of about half a second each, looks at the validation split
at the steps that the cell names, and keeps the parameters that were best there. The test split is
read once, with those parameters, when training has ended. A look is handed out in chunks too, so
that a run which is asked to stop need not wait for thousands of long documents. Training that takes
longer than a minute leaves checkpoints and goes on from the last one; where it was cut changes no
bit of the result. A look that was cut begins anew, with the same parameters.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import isfinite

import jax
import jax.numpy as jnp
import numpy as np

from attn_nlp.data import Prepared, evaluation_plan, training_plan
from attn_nlp.experiment import Cell
from attn_nlp.metrics import Evaluation, confusion, evaluate
from attn_nlp.train.checkpoint import Checkpoints
from attn_nlp.train.program import EVALUATION_BATCH, EVALUATION_BATCHES, Program, program_of

CHUNK_SECONDS = 0.5


def train(
    cell: Cell,
    prepared: Prepared,
    report: Callable[[dict], None],
    checkpoints: Checkpoints | None = None,
) -> dict:
    """Train the cell's encoder and test it.

    Args:
      cell: the settings.
      prepared: its dataset, tokenized.
      report: called with {"step", "steps"} at least about once a second; what it raises ends the
        training. With "compiling" before a program is compiled, which takes seconds. Called with
        {"note"} for a sentence that a person should read.
      checkpoints: where to keep the state now and then, and to look for one to go on from.

    Returns:
      status "done", or "diverged" with the reason where a loss was not finite; parameters,
      best_step, validation and test (the scores of `metrics.evaluate`), history, confusion,
      predictions and confidences on the test split, wall_seconds, compile_seconds, peak_bytes. A
      trial has nothing of the test split.
    """
    started = time.perf_counter()
    report({"step": 0, "steps": cell.steps})
    program, fresh = program_of(cell, prepared)
    if fresh:
        report({"step": 0, "steps": cell.steps, "compiling": True})
    compiled_before = 0.0 if fresh else program.compile_seconds
    lane = _Lane(program, cell, prepared, report, checkpoints)
    lane.resume()
    reason = None
    while lane.first < cell.steps:
        loss, bad = lane.advance(cell.evaluate_every)
        if bad is not None:
            reason = f"the loss was not finite at step {bad + 1}"
            break
        found = lane.look("validation")
        if not (isfinite(loss) and isfinite(found.scores["loss"])):
            reason = f"the validation loss was not finite after step {lane.step}"
            break
        lane.note(loss, found)
    result = {
        "status": "done",
        "reason": None,
        "parameters": program.parameters,
        "history": lane.history,
        "compile_seconds": program.compile_seconds - compiled_before,
        "peak_bytes": program.peak_bytes,
    }
    if reason is not None:
        result |= {"status": "diverged", "reason": reason}
    else:
        result |= {"best_step": lane.best_step, "validation": lane.best}
    if reason is None and not cell.trial:
        test = lane.look("test", lane.kept)
        result |= {
            "test": test.scores,
            "confusion": confusion(prepared.labels_of("test"), test.predictions, program.classes),
            "predictions": test.predictions.tolist(),
            "confidences": test.confidences.tolist(),
        }
    return result | {"wall_seconds": time.perf_counter() - started}


class _Lane:
    """One cell on its way through a program."""

    def __init__(
        self,
        program: Program,
        cell: Cell,
        prepared: Prepared,
        report: Callable[[dict], None],
        checkpoints: Checkpoints | None = None,
    ):
        self.program, self.prepared = program, prepared
        self.report, self.checkpoints = report, checkpoints
        self.numeric = {path: jnp.float32(value) for path, value in cell.numeric().items()}
        self.seed = jnp.uint32(cell.seed)
        self.ids, self.labels = jnp.asarray(prepared.ids), jnp.asarray(prepared.labels)
        start, stop = prepared.splits["train"]
        rows, buckets = training_plan(
            prepared.lengths[start:stop], program.edges, cell.batch_size, cell.steps, cell.seed
        )
        rows += start  # in place: of many steps they are large
        self.rows = jnp.asarray(rows, jnp.int32)
        self.buckets = jnp.asarray(buckets, jnp.int32)
        self.state = program.start(cell.seed, self.numeric)
        self.step, self.steps = 0, cell.steps
        self.first, self.total = 0, jnp.float32(0.0)  # since the last look at validation
        self.history: list[dict] = []
        self.best: dict | None = None
        self.best_step = 0
        self.kept = None  # the parameters that were best on validation
        self.plans: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self.step_seconds = CHUNK_SECONDS / 10  # until the first chunk has been timed
        self.batch_seconds: dict[int, float] = {}  # of evaluation, by bucket

    def advance(self, every: int) -> tuple[float, int | None]:
        """Train up to the next look; the mean loss since the last, and the first step without."""
        until = min(self.first + every, self.steps)  # it may have been cut before a look
        train = self.program.train  # compiled at the first call, which is not timed
        while self.step < until:
            count = min(until - self.step, max(1, int(CHUNK_SECONDS / self.step_seconds)))
            began = time.perf_counter()
            self.state, self.total, bad = train(
                self.state,
                self.numeric,
                self.seed,
                self.ids,
                self.labels,
                self.rows,
                self.buckets,
                jnp.int32(self.step),
                jnp.int32(count),
                self.total,
            )
            if int(bad) < self.steps:
                return float("nan"), int(bad)
            self.step_seconds = max((time.perf_counter() - began) / count, 1e-6)
            self.step += count
            if self.checkpoints is not None and self.checkpoints.due():
                self.save()
            self.tell()
        return float(self.total) / (until - self.first), None

    def tell(self) -> None:
        """Say how far training is; asked to stop by that, keep what was trained so far."""
        try:
            self.report({"step": self.step, "steps": self.steps})
        except Exception:
            raise
        except BaseException:
            if self.checkpoints is not None and self.checkpoints.worth():
                self.save()
            raise

    def note(self, loss: float, found: Evaluation) -> None:
        """Enter what a look at validation found, and keep the parameters if they are the best."""
        self.history.append(
            {
                "step": self.step,
                "train_loss": loss,
                "validation_accuracy": found.scores["accuracy"],
                "validation_loss": found.scores["loss"],
            }
        )
        if self.best is None or found.scores["accuracy"] > self.best["accuracy"]:
            self.best, self.best_step = found.scores, self.step
            self.kept = jax.tree.map(jnp.copy, self.state["params"])
        # Not before: whoever goes on from a checkpoint amid this look must look again.
        self.first, self.total = self.step, jnp.float32(0.0)

    def save(self) -> None:
        """Keep everything from which the loop can go on."""
        assert self.checkpoints is not None
        arrays = {"state": self.state, "total": self.total}
        if self.best is not None:
            arrays["kept"] = self.kept
        facts = {"step": self.step, "first": self.first, "history": self.history}
        facts |= {"best": self.best, "best_step": self.best_step}
        try:
            self.checkpoints.save(self.step, arrays, facts)
        except OSError as error:  # training goes on without: a full disk may be freed meanwhile
            self.report({"note": f"no checkpoint at step {self.step}: {error}"})

    def resume(self) -> None:
        """Go on from the newest checkpoint that is whole, if there is one."""
        if self.checkpoints is None:
            return

        def like(facts: dict) -> dict:
            shapes = {"state": self.state, "total": self.total}
            if facts["best"] is not None:
                shapes["kept"] = self.state["params"]
            return jax.eval_shape(lambda: shapes)

        found = self.checkpoints.load(like, lambda text: self.report({"note": text}))
        if found is not None:
            arrays, facts = found
            self.state, self.total = arrays["state"], arrays["total"]
            self.kept = arrays.get("kept")
            self.step, self.first = facts["step"], facts["first"]
            self.history = facts["history"]
            self.best, self.best_step = facts["best"], facts["best_step"]

    def look(self, split: str, params=None) -> Evaluation:
        """A split as the parameters answer it, by default today's.

        Every call of the program holds batches of one bucket, as many as take about as long as a
        chunk of steps; a batch gives the same bits in whichever call it stands.
        """
        params = self.state["params"] if params is None else params
        start, stop = self.prepared.splits[split]
        class_logits = np.zeros((stop - start, self.program.classes), np.float32)
        rows, buckets = self._plan(split)
        forward = self.program.evaluate  # compiled at the first look, which is not timed
        place = 0
        while place < len(rows):
            bucket = int(buckets[place])
            seconds = self.batch_seconds.get(bucket, CHUNK_SECONDS)  # one alone, to be timed
            count = min(max(1, int(CHUNK_SECONDS / seconds)), EVALUATION_BATCHES)
            some = rows[place : place + count][buckets[place : place + count] == bucket]
            began = time.perf_counter()
            found = forward(params, self.numeric, self.seed, self.ids, *_filled(some, bucket))
            used = some >= 0
            class_logits[some[used] - start] = np.asarray(found)[: len(some)][used]
            self.batch_seconds[bucket] = max((time.perf_counter() - began) / len(some), 1e-6)
            place += len(some)
            if place < len(rows):
                self.tell()
        return evaluate(self.prepared.labels_of(split), class_logits, self.prepared.positive)

    def _plan(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Rows and bucket of every batch of a split, worked out at the first look."""
        if split not in self.plans:
            self.plans[split] = evaluation_plan(
                self.prepared.lengths,
                *self.prepared.splits[split],
                self.program.evaluation_edges,
                EVALUATION_BATCH,
            )
        return self.plans[split]


def _filled(rows: np.ndarray, bucket: int) -> tuple[np.ndarray, np.ndarray, np.int32]:
    """Batches of one bucket as the evaluation program takes them: rows, buckets and count."""
    filled = np.full((EVALUATION_BATCHES, EVALUATION_BATCH), -1, np.int32)
    filled[: len(rows)] = rows
    return filled, np.full(EVALUATION_BATCHES, bucket, np.int32), np.int32(len(rows))
