"""Train one cell: a pure function of its settings, its seed and its data.

The host only issues chunks of steps, of about half a second each, evaluates the validation split at
the steps that the cell names, and keeps the parameters that were best there. The test split is read
once, with those parameters, when training has ended. An evaluation is issued in chunks too, so that
a run that is asked to stop need not wait for thousands of long documents. Training that takes
longer than a minute leaves checkpoints and resumes from the last one; where it was interrupted
changes no bit of the result. An interrupted evaluation starts over, with the same parameters.
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
    """Train the cell's classifier and test it.

    Args:
      cell: the settings.
      prepared: its dataset, tokenized.
      report: called with {"step", "steps"} about once a second or more often; an exception that it
        raises ends the training. With "compiling" before a program is compiled, which takes
        seconds. Called with {"note"} for a sentence that a person should read.
      checkpoints: where the state is saved periodically, and from where training resumes.

    Returns:
      status "done", or "diverged" with the reason if a loss was not finite; parameters, best_step,
      validation and test (the scores of `metrics.evaluate`), history, confusion, predictions and
      confidences on the test split, wall_seconds, compile_seconds, peak_bytes. A trial has nothing
      of the test split.
    """
    started = time.perf_counter()
    report({"step": 0, "steps": cell.steps})
    program, fresh = program_of(cell, prepared)
    if fresh:
        report({"step": 0, "steps": cell.steps, "compiling": True})
    compiled_before = 0.0 if fresh else program.compile_seconds
    run = Run(program, cell, prepared, report, checkpoints)
    run.resume()
    reason = None
    while run.first < cell.steps:
        loss, bad = run.advance(cell.evaluate_every)
        if bad is not None:
            reason = f"the loss was not finite at step {bad + 1}"
            break
        evaluation = run.evaluate("validation")
        if not (isfinite(loss) and isfinite(evaluation.scores["loss"])):
            reason = f"the validation loss was not finite after step {run.step}"
            break
        run.note(loss, evaluation)
    result = {
        "status": "done",
        "reason": None,
        "parameters": program.parameters,
        "history": run.history,
        "compile_seconds": program.compile_seconds - compiled_before,
        "peak_bytes": program.peak_bytes,
    }
    if reason is not None:
        result |= {"status": "diverged", "reason": reason}
    else:
        result |= {"best_step": run.best_step, "validation": run.best}
    if reason is None and not cell.trial:
        test = run.evaluate("test", run.kept)
        result |= {
            "test": test.scores,
            "confusion": confusion(prepared.labels_of("test"), test.predictions, program.classes),
            "predictions": test.predictions.tolist(),
            "confidences": test.confidences.tolist(),
        }
    return result | {"wall_seconds": time.perf_counter() - started}


class Run:
    """The training of one cell by a program.

    Args:
      program: compiled for cells of this shape.
      cell: the settings.
      prepared: its dataset, tokenized.
      report: as in `train`.
      checkpoints: as in `train`.

    Attributes:
      step: the number of steps made.
      first: the step of the last evaluation; `total` sums the losses since then.
      kept: the parameters that were best on validation, or None before the first evaluation.
    """

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
        rows += start  # in place: many steps make a large array
        self.rows = jnp.asarray(rows, jnp.int32)
        self.buckets = jnp.asarray(buckets, jnp.int32)
        self.state = program.start(cell.seed, self.numeric)
        self.step, self.steps = 0, cell.steps
        self.first, self.total = 0, jnp.float32(0.0)
        self.history: list[dict] = []
        self.best: dict | None = None
        self.best_step = 0
        self.kept = None
        self.plans: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self.step_seconds = CHUNK_SECONDS / 10  # until the first chunk has been timed
        self.batch_seconds: dict[int, float] = {}  # of evaluation, by bucket

    def advance(self, every: int) -> tuple[float, int | None]:
        """Train up to the next evaluation.

        Args:
          every: steps from one evaluation to the next.

        Returns:
          The mean loss since the last evaluation, and the first step without a finite loss or None.
        """
        until = min(self.first + every, self.steps)  # it may have been interrupted on the way
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
        """Report the progress; if the report raises a request to stop, save what was trained."""
        try:
            self.report({"step": self.step, "steps": self.steps})
        except Exception:
            raise
        except BaseException:
            if self.checkpoints is not None and self.checkpoints.worth():
                self.save()
            raise

    def note(self, loss: float, evaluation: Evaluation) -> None:
        """Record an evaluation on validation, and keep the parameters if they are the best."""
        self.history.append(
            {
                "step": self.step,
                "train_loss": loss,
                "validation_accuracy": evaluation.scores["accuracy"],
                "validation_loss": evaluation.scores["loss"],
            }
        )
        if self.best is None or evaluation.scores["accuracy"] > self.best["accuracy"]:
            self.best, self.best_step = evaluation.scores, self.step
            self.kept = jax.tree.map(jnp.copy, self.state["params"])
        # Not before: whoever resumes from a checkpoint during this evaluation must repeat it.
        self.first, self.total = self.step, jnp.float32(0.0)

    def save(self) -> None:
        """Save everything that the loop needs to resume."""
        assert self.checkpoints is not None
        arrays = {"state": self.state, "total": self.total}
        if self.best is not None:
            arrays["kept"] = self.kept
        facts = {"step": self.step, "first": self.first, "history": self.history}
        facts |= {"best": self.best, "best_step": self.best_step}
        try:
            self.checkpoints.save(self.step, arrays, facts)
        except OSError as error:  # continue without: a full disk may be freed meanwhile
            self.report({"note": f"no checkpoint at step {self.step}: {error}"})

    def resume(self) -> None:
        """Resume from the newest complete checkpoint, if there is one."""
        if self.checkpoints is None:
            return

        def like(facts: dict) -> dict:
            shapes = {"state": self.state, "total": self.total}
            if facts["best"] is not None:
                shapes["kept"] = self.state["params"]
            return jax.eval_shape(lambda: shapes)

        saved = self.checkpoints.load(like, lambda text: self.report({"note": text}))
        if saved is not None:
            arrays, facts = saved
            self.state, self.total = arrays["state"], arrays["total"]
            self.kept = arrays.get("kept")
            self.step, self.first = facts["step"], facts["first"]
            self.history = facts["history"]
            self.best, self.best_step = facts["best"], facts["best_step"]

    def evaluate(self, split: str, params=None) -> Evaluation:
        """Return the evaluation of a split with these parameters, by default the current ones.

        Every call of the program holds batches of one bucket, as many as take about as long as a
        chunk of steps; a batch gives the same bits in every call.
        """
        params = self.state["params"] if params is None else params
        start, stop = self.prepared.splits[split]
        class_logits = np.zeros((stop - start, self.program.classes), np.float32)
        rows, buckets = self._plan(split)
        forward = self.program.evaluate  # compiled at the first evaluation, which is not timed
        start_batch = 0
        while start_batch < len(rows):
            bucket = int(buckets[start_batch])
            seconds = self.batch_seconds.get(bucket, CHUNK_SECONDS)  # one batch alone, to be timed
            count = min(max(1, int(CHUNK_SECONDS / seconds)), EVALUATION_BATCHES)
            end_batch = start_batch + count
            some = rows[start_batch:end_batch][buckets[start_batch:end_batch] == bucket]
            began = time.perf_counter()
            answers = forward(params, self.numeric, self.seed, self.ids, *_filled(some, bucket))
            used = some >= 0
            class_logits[some[used] - start] = np.asarray(answers)[: len(some)][used]
            self.batch_seconds[bucket] = max((time.perf_counter() - began) / len(some), 1e-6)
            start_batch += len(some)
            if start_batch < len(rows):
                self.tell()
        return evaluate(self.prepared.labels_of(split), class_logits, self.prepared.positive)

    def _plan(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Return rows and bucket of every batch of a split, computed at the first evaluation."""
        if split not in self.plans:
            self.plans[split] = evaluation_plan(
                self.prepared.lengths,
                *self.prepared.splits[split],
                self.program.evaluation_edges,
                EVALUATION_BATCH,
            )
        return self.plans[split]


def _filled(rows: np.ndarray, bucket: int) -> tuple[np.ndarray, np.ndarray, np.int32]:
    """Return batches of one bucket as the evaluation program takes them: rows, buckets, count."""
    filled = np.full((EVALUATION_BATCHES, EVALUATION_BATCH), -1, np.int32)
    filled[: len(rows)] = rows
    return filled, np.full(EVALUATION_BATCHES, bucket, np.int32), np.int32(len(rows))
