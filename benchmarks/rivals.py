"""The training that the benchmarks time: the same model, trained by us and by others.

A rival is a function from a cell, its data and a folder to a `Training`. All start from the same
initial weights, make the same number of steps with the same optimizer and schedule, evaluate on the
validation split equally often, keep the weights that were best there, and read the test split once.
They differ in their batches: *our batches* are exactly our rows in the same order, so that losses
can be compared step by step; *random batches* are the usual ones, a shuffled epoch cut into
batches. PyTorch pads every batch to its own longest sentence.
"""

# pyright: reportMissingImports=false
# PyTorch and Transformers are extras.

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from attn_nlp.data import DataSettings, Prepared, prepare_dataset, training_plan
from attn_nlp.experiment import Cell
from benchmarks.processes import EVALUATION_BATCH, Clock, accuracy

SIZES = {
    "S": {"width": 64, "heads": 2, "layers": 1, "vocabulary": 8_000},
    "M": {"width": 128, "heads": 4, "layers": 2, "vocabulary": 16_000},
}


class Training(NamedTuple):
    """A cell in training.

    Attributes:
      advance: makes n steps and returns the sum of their losses.
      predict: returns the predicted classes of a split.
      keep: keeps a copy of the current weights.
      restore: returns to that copy.
    """

    advance: Callable[[int], float]
    predict: Callable[[str], np.ndarray]
    keep: Callable[[], None]
    restore: Callable[[], None]


def cell_of(size: str, dataset: str, steps: int, **settings: Any) -> Cell:
    """Return the cell of a size, with defaults for everything else."""
    base = Cell(dataset=dataset, steps=steps, evaluate_every=min(100, steps))
    return base.replace({**SIZES[size], **settings})


def data_of(cell: Cell, folder: Path) -> Prepared:
    """Return the dataset of a cell, prepared once for all rivals."""
    names = ("dataset", "split_seed", "tokens", "vocabulary", "length")
    return prepare_dataset(
        DataSettings(**{name: getattr(cell, name) for name in names}), folder / "data"
    )


def rows_of(rival: str, cell: Cell, data: Prepared) -> np.ndarray:
    """Return the rows (steps, B) that a rival trains on; for the Trainer, rows drawn alike."""
    return (random_batches if rival in RANDOM else our_batches)(cell, data)


def our_batches(cell: Cell, data: Prepared) -> np.ndarray:
    """Return the rows (steps, B) of our runner."""
    start, stop = data.splits["train"]
    lengths = data.lengths[start:stop]
    return training_plan(lengths, data.edges, cell.batch_size, cell.steps, cell.seed)[0] + start


def random_batches(cell: Cell, data: Prepared) -> np.ndarray:
    """Return rows (steps, B): one shuffled epoch after another, lengths mixed."""
    start, stop = data.splits["train"]
    rng, wanted = np.random.default_rng(cell.seed), cell.steps * cell.batch_size
    epochs = -(-wanted // (stop - start))
    stream = np.concatenate([rng.permutation(stop - start) for _ in range(epochs)])
    return start + stream[:wanted].reshape(cell.steps, cell.batch_size)


def load(rival: str) -> None:
    """Import the libraries of a rival, to separate its start-up from its compilation."""
    named = {"ours": "attn_nlp.train.loop", "nnx.jit, our batches": "attn_nlp.nn.encoder"}
    named[TRAINER] = "benchmarks.trainer"
    import_module(named.get(rival, "benchmarks.torch_encoder"))


def whole(
    rival: str, cell: Cell, data: Prepared, folder: Path, clock: Clock, warmed: bool = False
) -> float:
    """Train a cell from its first step to its test, and return its test accuracy.

    With `warmed`, evaluate once more than needed after the first step, so that the clock then
    counts no compilation. The Trainer compiles nothing and skips this.
    """
    if rival == TRAINER:
        from benchmarks.trainer import train

        return train(cell, data, first_weights(cell, data, folder), clock)
    training = RIVALS[rival](cell, data, folder)
    training.advance(1)
    clock.first()
    if warmed:
        training.predict("validation")
        clock.first_evaluation()
    done, best = 1, -1.0
    while done < cell.steps or best < 0:
        count = min(cell.evaluate_every - done % cell.evaluate_every, cell.steps - done)
        training.advance(count)
        done += count
        with clock.evaluation():
            reached = accuracy(data, "validation", training.predict("validation"))
            if reached > best:
                best = reached
                training.keep()
    with clock.evaluation():
        training.restore()
        return accuracy(data, "test", training.predict("test"))


def ours(cell: Cell, data: Prepared, folder: Path) -> Training:
    """Train in the runner's own loop."""
    import jax
    import jax.numpy as jnp

    from attn_nlp.train.loop import Run
    from attn_nlp.train.program import program_of

    run = Run(program_of(cell, data)[0], cell, data, lambda _: None)
    kept: list = [None]

    def advance(count: int) -> float:
        if not count:
            return 0.0
        loss, _ = run.advance(count)
        run.first, run.total = run.step, jnp.float32(0.0)
        return loss * count

    def predict(split: str) -> np.ndarray:
        return run.evaluate(split, run.kept).predictions

    def keep() -> None:
        kept[0] = jax.tree.map(jnp.copy, run.state["params"])

    def restore() -> None:
        run.kept = kept[0]

    return Training(advance, predict, keep, restore)


def torch_eager(
    cell: Cell,
    data: Prepared,
    folder: Path,
    batches: Callable[[Cell, Prepared], np.ndarray] = our_batches,
    compiled: bool = False,
) -> Training:
    """Train in PyTorch, step by step."""
    import torch

    from benchmarks.torch_encoder import Encoder, optimizer

    torch.manual_seed(cell.seed)
    model = Encoder(first_weights(cell, data, folder), cell)
    run: Any = torch.compile(model, dynamic=True) if compiled else model
    adamw, schedule = optimizer(model, cell)
    ids, labels = torch.tensor(data.ids, dtype=torch.long), torch.tensor(data.labels).long()
    rows, lengths, step, kept = batches(cell, data), data.lengths, [0], {}

    def advance(count: int) -> float:
        total = 0.0
        model.train()
        for chosen in rows[step[0] : step[0] + count]:
            adamw.zero_grad(set_to_none=True)
            class_logits = run(ids[chosen, : lengths[chosen].max()])
            loss = torch.nn.functional.cross_entropy(class_logits, labels[chosen])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), cell.clip)
            adamw.step()
            schedule.step()
            total += loss.item()
        step[0] += count
        return total

    @torch.no_grad()
    def predict(split: str) -> np.ndarray:
        model.eval()
        start, stop = data.splits[split]
        order = start + np.argsort(lengths[start:stop], kind="stable")
        predicted = np.zeros(stop - start, np.int64)
        for first in range(0, len(order), EVALUATION_BATCH):
            chosen = order[first : first + EVALUATION_BATCH]
            predicted[chosen - start] = run(ids[chosen, : lengths[chosen].max()]).argmax(1).numpy()
        return predicted

    def keep() -> None:
        kept.update({name: value.clone() for name, value in model.state_dict().items()})

    def restore() -> None:
        model.load_state_dict(kept)

    return Training(advance, predict, keep, restore)


def nnx_jit(cell: Cell, data: Prepared, folder: Path) -> Training:
    """Train the same modules under plain nnx.jit: one padded length, one step per call."""
    import jax
    import jax.numpy as jnp
    import optax
    from flax import nnx

    from attn_nlp.nn.context import ForwardContext
    from attn_nlp.nn.encoder import build_classifier

    model = build_classifier(cell, data.vocabulary, len(data.class_names), cell.seed)
    rise = max(1, round(cell.steps * cell.warmup))
    schedule = optax.warmup_cosine_decay_schedule(0.0, cell.learning_rate, rise, cell.steps + 1)
    chain = optax.chain(
        optax.clip_by_global_norm(cell.clip),
        optax.adamw(
            lambda step: schedule(step + 1),
            weight_decay=cell.weight_decay,
            mask=lambda params: jax.tree.map(lambda leaf: leaf.ndim > 1, params),
        ),
    )
    optimizer = nnx.Optimizer(model, chain, wrt=nnx.Param)
    numeric, rows, step = cell.numeric(), our_batches(cell, data), [0]
    dropping = frozenset({"dropout"} if cell.dropout else ())
    kept: list = [None]

    @nnx.jit
    def train_step(model, optimizer, ids, labels, key):
        def loss_of(model):
            class_logits = model(ids, ForwardContext(numeric, cell.seed, dropping, key))
            return optax.softmax_cross_entropy_with_integer_labels(class_logits, labels).mean()

        loss, grads = nnx.value_and_grad(loss_of)(model)
        optimizer.update(model, grads)
        return loss

    @nnx.jit
    def answer(model, ids):
        return model(ids, ForwardContext(numeric, cell.seed)).argmax(axis=1)

    def advance(count: int) -> float:
        total = 0.0
        for number in range(step[0], step[0] + count):
            chosen = rows[number]
            ids, labels = jnp.asarray(data.ids[chosen]), jnp.asarray(data.labels[chosen])
            total += float(train_step(model, optimizer, ids, labels, jax.random.key(number)))
        step[0] += count
        return total

    def predict(split: str) -> np.ndarray:
        start, stop = data.splits[split]
        predicted = []
        for first in range(start, stop, EVALUATION_BATCH):
            chosen = np.minimum(np.arange(first, first + EVALUATION_BATCH), stop - 1)
            predicted.append(np.asarray(answer(model, jnp.asarray(data.ids[chosen]))))
        return np.concatenate(predicted)[: stop - start]

    def keep() -> None:
        kept[0] = jax.tree.map(jnp.copy, nnx.state(model, nnx.Param))

    def restore() -> None:
        nnx.update(model, kept[0])

    return Training(advance, predict, keep, restore)


TRAINER = "HF Trainer, random batches"
RIVALS: dict[str, Callable[[Cell, Prepared, Path], Training]] = {
    "ours": ours,
    "PyTorch eager, our batches": torch_eager,
    "PyTorch eager, random batches": partial(torch_eager, batches=random_batches),
    "torch.compile, our batches": partial(torch_eager, compiled=True),
    "torch.compile, random batches": partial(torch_eager, batches=random_batches, compiled=True),
    "nnx.jit, our batches": nnx_jit,
}
RANDOM = frozenset({TRAINER, "PyTorch eager, random batches", "torch.compile, random batches"})


def first_weights(cell: Cell, data: Prepared, folder: Path) -> dict:
    """Return the initial weights of our encoder, as plain arrays by name.

    They are kept in the folder, so that a timed rival can read them without starting JAX.
    """
    name = f"weights-{data.fingerprint[:12]}-{data.vocabulary}-{cell.width}-{cell.layers}"
    path = folder / f"{name}-{cell.heads}-{cell.seed}.npz"
    if not path.exists():
        from flax import nnx
        from flax.traverse_util import flatten_dict

        from attn_nlp.nn.encoder import build_classifier

        model = build_classifier(cell, data.vocabulary, len(data.class_names), cell.seed)
        plain = nnx.to_pure_dict(nnx.split(model, nnx.Param)[1])
        named: dict[str, Any] = {
            "/".join(map(str, key)): value for key, value in flatten_dict(plain).items()
        }
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(path, **named)
    weights: dict = {}
    with np.load(path) as arrays:
        for key in arrays.files:
            *outer, last = key.split("/")
            inner = weights
            for module in outer:
                inner = inner.setdefault(module, {})
            inner[last] = arrays[key]
    return weights


def useful_flops(cell: Cell, data: Prepared, rows: np.ndarray) -> float:
    """Return the operations of matrix products in training on `rows`, without padding.

    Forward and backward cost three times the forward pass: 2 (4 E^2 + 2 E F) per token and layer,
    and 4 n^2 E per sentence and layer.
    """
    n = cell.sizes
    lengths = data.lengths[rows].astype(np.float64)
    token = 2 * (4 * n["E"] ** 2 + 2 * n["E"] * n["F"])
    return 3 * n["N"] * float((token * lengths + 4 * n["E"] * lengths**2).sum())


def gemm_peak() -> float:
    """Return the GFLOP/s that this process reaches in products of 1,024 x 1,024 float32 matrices.

    The better of XLA and NumPy counts, so that no share of the peak is flattering.
    """
    import jax
    import jax.numpy as jnp

    product = jax.jit(lambda a, b: a @ b)
    a = jnp.ones((1024, 1024))
    plain = np.ones((1024, 1024), np.float32)
    calls = [lambda: product(a, a).block_until_ready(), lambda: plain @ plain]
    best = 0.0
    for call in calls:
        call()
        for _ in range(5):
            began = time.process_time()
            for _ in range(5):
                call()
            best = max(best, 5 * 2 * 1024**3 / (time.process_time() - began) / 1e9)
    return best
