"""The benchmark's PyTorch encoder in Hugging Face's Trainer, as that library has it by default.

Its own loop, random batches and fused AdamW; the schedule is handed to it, since its own makes a
first step of length zero. Sentences come as lists of ids and a batch is padded to its longest. The
weights that were best on validation are kept in memory; the Trainer itself would write a checkpoint
at every look, which costs more.
"""

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
from benchmarks.rivals import EVALUATION_BATCH, Clock, accuracy
from benchmarks.torch_encoder import Encoder, optimizer


class _Classifier(nn.Module):
    """The encoder with its loss, as the Trainer wants to call it."""

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


class _Looking(Trainer):
    """A Trainer whose looks are timed and whose best weights stay in memory."""

    def __init__(self, *given, clock: Clock, **named):
        super().__init__(*given, **named)
        self.clock, self.best, self.kept = clock, -1.0, {}

    def evaluate(self, *given, **named):
        with self.clock.look():
            found = super().evaluate(*given, **named)
            if found["eval_accuracy"] > self.best:
                self.best = found["eval_accuracy"]
                self.kept = {k: v.clone() for k, v in self.model.state_dict().items()}
        return found


def train(cell: Cell, data: Prepared, weights: dict, clock: Clock) -> float:
    """Train a cell; the accuracy on the test split."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = _trainer(cell, data, weights, Path(folder), clock)
        trainer.train()
        with clock.look():
            trainer.model.load_state_dict(trainer.kept)
            test = _sentences(data, range(*data.splits["test"]))
            found = trainer.predict(test).predictions.argmax(1)
    return accuracy(data, "test", found)


def losses(cell: Cell, data: Prepared, weights: dict, rows: np.ndarray) -> list[float]:
    """The loss of every step on batches of these rows (steps, B)."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = _trainer(cell, data, weights, Path(folder), Clock(), rows=rows)
        trainer.model.losses = []
        trainer.train()
        return trainer.model.losses


def _trainer(cell: Cell, data: Prepared, weights: dict, folder: Path, clock: Clock, rows=None):
    """A Trainer of a cell: on the train split in random order, or on `rows`, step by step."""
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
    return _Looking(
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
    ids = pad_sequence([each["input_ids"] for each in batch], batch_first=True)
    return {"input_ids": ids, "labels": torch.tensor([each["labels"] for each in batch])}


def _metrics(found) -> dict[str, float]:
    return {"accuracy": float((found.predictions.argmax(1) == found.label_ids).mean())}
