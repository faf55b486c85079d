"""The benchmark's PyTorch encoder in Hugging Face's Trainer, as that library has it by default.

It uses the library's own loop, random batches and fused AdamW. The schedule is passed in, since the
library's own makes a first step of length zero. Sentences are lists of ids, and a batch is padded
to its longest. The weights that were best on validation are kept in memory; the Trainer itself
would write a checkpoint at every evaluation, which costs more.
"""

# pyright: reportMissingImports=false
# PyTorch and Transformers are extras.

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from transformers import Trainer, TrainerCallback, TrainingArguments

from attn_nlp.data import Prepared
from attn_nlp.experiment import Cell
from benchmarks.processes import EVALUATION_BATCH, Clock, accuracy
from benchmarks.torch_encoder import Encoder, optimizer


class _Classifier(nn.Module):
    """The encoder with its loss, in the form that the Trainer calls."""

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder
        self.losses: list[float] | None = None  # a list keeps those of training

    def forward(self, input_ids, labels):
        class_logits = self.encoder(input_ids)
        loss = nn.functional.cross_entropy(class_logits, labels)
        if self.losses is not None and self.training:
            self.losses.append(loss.item())
        return {"loss": loss, "logits": class_logits}


class _First(TrainerCallback):
    def __init__(self, clock: Clock):
        self.clock = clock

    def on_step_end(self, args, state, control, **rest):
        if state.global_step == 1:
            self.clock.first()


class _Timed(Trainer):
    """A Trainer that times evaluations and keeps the best weights in memory."""

    def __init__(self, *given, clock: Clock, **named):
        super().__init__(*given, **named)
        self.clock, self.best, self.kept = clock, -1.0, {}

    def evaluate(self, *given, **named):
        with self.clock.evaluation():
            scores = super().evaluate(*given, **named)
            if scores["eval_accuracy"] > self.best:
                self.best = scores["eval_accuracy"]
                self.kept = {k: v.clone() for k, v in self.model.state_dict().items()}
        return scores


def train(cell: Cell, data: Prepared, weights: dict, clock: Clock) -> float:
    """Train a cell, and return its test accuracy."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = _trainer(cell, data, weights, Path(folder), clock)
        trainer.train()
        with clock.evaluation():
            trainer.model.load_state_dict(trainer.kept)
            test = _sentences(data, range(*data.splits["test"]))
            predicted = trainer.predict(test).predictions.argmax(1)
    return accuracy(data, "test", predicted)


def losses(cell: Cell, data: Prepared, weights: dict, rows: np.ndarray) -> list[float]:
    """Return the loss of every step on batches of these rows (steps, B)."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = _trainer(cell, data, weights, Path(folder), Clock(), rows=rows)
        trainer.model.losses = []
        trainer.train()
        return trainer.model.losses


def _trainer(cell: Cell, data: Prepared, weights: dict, folder: Path, clock: Clock, rows=None):
    """Return a Trainer of a cell: on the train split in random order, or on `rows` in order."""
    random = rows is None
    chosen = range(*data.splits["train"]) if random else rows.reshape(-1).tolist()
    settings = TrainingArguments(
        output_dir=str(folder),
        max_steps=cell.steps if random else len(rows),
        train_sampling_strategy="random" if random else "sequential",
        per_device_train_batch_size=cell.batch_size,
        per_device_eval_batch_size=EVALUATION_BATCH,
        max_grad_norm=cell.clip,
        eval_strategy="steps" if random else "no",
        eval_steps=cell.evaluate_every,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        log_level="error",
        seed=cell.seed,
        use_cpu=True,
    )
    torch.manual_seed(cell.seed)
    model = _Classifier(Encoder(weights, cell))
    return _Timed(
        model,
        settings,
        clock=clock,
        data_collator=_collate,
        train_dataset=_sentences(data, chosen),
        eval_dataset=_sentences(data, range(*data.splits["validation"])),
        compute_metrics=_metrics,
        callbacks=[_First(clock)],
        optimizers=optimizer(model, cell, fused=True),
    )


def _sentences(data: Prepared, rows: Iterable[int]) -> list[dict]:
    labels = data.labels.tolist()
    return [
        {
            "input_ids": torch.tensor(data.ids[row, : data.lengths[row]]).long(),
            "labels": labels[row],
        }
        for row in rows
    ]


def _collate(batch: list[dict]) -> dict:
    ids = pad_sequence([sentence["input_ids"] for sentence in batch], batch_first=True)
    return {"input_ids": ids, "labels": torch.tensor([sentence["labels"] for sentence in batch])}


def _metrics(evaluated) -> dict[str, float]:
    return {"accuracy": float((evaluated.predictions.argmax(1) == evaluated.label_ids).mean())}
