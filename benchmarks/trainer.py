"""The benchmark's PyTorch encoder in Hugging Face's Trainer, as that library has it by default.

Its own AdamW, schedule, random batches and loop; sentences come as lists of ids and a batch is
padded to its longest. The weights that were best on validation are kept in memory; the Trainer
itself would write a checkpoint at every look, which costs more.
"""

from __future__ import annotations

import tempfile

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from transformers import Trainer, TrainerCallback, TrainingArguments

from attn_nlp.data import Prepared
from attn_nlp.experiment import Cell
from benchmarks.rivals import EVALUATION_BATCH, Clock, accuracy
from benchmarks.torch_encoder import Encoder


class _Classifier(nn.Module):
    """The encoder with its loss, as the Trainer wants to call it."""

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids, labels):
        class_logits = self.encoder(input_ids)
        return {"loss": nn.functional.cross_entropy(class_logits, labels), "logits": class_logits}


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

    def rows(split: str) -> list[dict]:
        start, stop = data.splits[split]
        return [
            {"input_ids": torch.tensor(data.ids[row, : data.lengths[row]]).long(), "labels": label}
            for row, label in zip(range(start, stop), data.labels[start:stop].tolist(), strict=True)
        ]

    def collate(batch: list[dict]) -> dict:
        ids = pad_sequence([each["input_ids"] for each in batch], batch_first=True)
        return {"input_ids": ids, "labels": torch.tensor([each["labels"] for each in batch])}

    def metrics(found) -> dict[str, float]:
        return {"accuracy": float((found.predictions.argmax(1) == found.label_ids).mean())}

    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder,
            max_steps=cell.steps,
            per_device_train_batch_size=cell.batch_size,
            per_device_eval_batch_size=EVALUATION_BATCH,
            learning_rate=cell.learning_rate,
            weight_decay=cell.weight_decay,
            lr_scheduler_type="cosine",
            warmup_steps=max(1, round(cell.steps * cell.warmup)),
            max_grad_norm=cell.clip,
            eval_strategy="steps",
            eval_steps=cell.evaluate_every,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            log_level="error",
            seed=cell.seed,
            use_cpu=True,
        )
        torch.manual_seed(cell.seed)
        trainer = _Looking(
            _Classifier(Encoder(weights, cell)),
            settings,
            clock=clock,
            data_collator=collate,
            train_dataset=rows("train"),
            eval_dataset=rows("validation"),
            compute_metrics=metrics,
            callbacks=[_First(clock)],
        )
        trainer.train()
        with clock.look():
            trainer.model.load_state_dict(trainer.kept)
            found = trainer.predict(rows("test")).predictions.argmax(1)
    return accuracy(data, "test", found)
