"""The type of a stored record: what a store returns of a cell, and what every table reads."""

from __future__ import annotations

from typing import Any, TypedDict


class Scores(TypedDict, total=False):
    """Scores of a split. Those that a model does not have are left out or None.

    Attributes:
      accuracy, macro_f1, ece: from 0 to 1.
      matthews: from -1 to 1.
      f1: of the positive class, from 0 to 1; None without one.
      loss: in nats a sentence.
    """

    accuracy: float | None
    loss: float | None
    macro_f1: float | None
    matthews: float | None
    ece: float | None
    f1: float | None


class Record(TypedDict):
    """The stored columns of one cell; only those requested at read time are present.

    Attributes:
      spec: the identity of the cell; `key` also covers its data.
      status: "done", "diverged" or "failed"; `reason` says why, `detail` has the traceback.
      program: the name of the compiled program.
      parameters: the number of parameters.
      best_step: the step with the best validation accuracy.
      wall_seconds: seconds of training, including `compile_seconds` of compilation.
      peak_bytes: peak memory of the compiled program.
      fingerprint: a hash of the rows of the dataset.
      tokenizer_hash: a hash of the tokenizer; "" for models that take raw text.
      finished_at: an ISO 8601 time.
      validation: scores on the validation split, at the best step.
      test: scores on the test split; None for a trial.
      data: facts about the dataset; see `Prepared.facts`.
      provenance: versions, hardware and digest of the code.
      settings: every field of the cell by path.
      confusion: counts on the test split; rows are true classes, columns predicted ones.
      history: one entry per evaluation on the validation split.
      predictions: one class per sentence of the test split.
      confidences: the probability of each predicted class.
      gold: the true classes of the test split.
    """

    spec: str
    key: str
    status: str
    reason: str | None
    program: str | None
    parameters: int | None
    best_step: int | None
    wall_seconds: float | None
    compile_seconds: float | None
    peak_bytes: int | None
    fingerprint: str | None
    tokenizer_hash: str | None
    finished_at: str
    validation: Scores | None
    test: Scores | None
    data: dict[str, Any] | None
    provenance: dict[str, Any] | None
    settings: dict[str, Any] | None
    confusion: list[list[int]] | None
    history: list[dict[str, float | None]] | None
    predictions: list[int] | None
    detail: str | None
    confidences: list[float | None] | None
    gold: list[int] | None
