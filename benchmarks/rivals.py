"""What the training benchmark times: each rival trains the same model on the same batches.

A rival is a function from a cell and its data to a `Lane`: `advance(n)` makes n steps and returns
their losses' sum, `look(split)` returns the class logits of a split. All look at the validation
split as often, and at the test split once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from attn_nlp.data import DataSettings, Prepared, prepare, training_plan
from attn_nlp.experiment import Cell

SIZES = {
    "S": {"width": 64, "heads": 2, "layers": 1, "vocabulary": 8_000},
    "M": {"width": 128, "heads": 4, "layers": 2, "vocabulary": 16_000},
}
EVALUATION_BATCH = 128


class Lane(NamedTuple):
    """A cell on its way: how to go on, and how to look."""

    advance: Callable[[int], float]
    look: Callable[[str], np.ndarray]


def cell_of(size: str, dataset: str, steps: int, dropout: float) -> Cell:
    """The cell of a size; everything else as it is by default."""
    return Cell(dataset=dataset, steps=steps, dropout=dropout, **SIZES[size])


def data_of(cell: Cell, folder: Path) -> Prepared:
    """The dataset of a cell, prepared once for all rivals."""
    names = ("dataset", "split_seed", "tokens", "vocabulary", "length")
    return prepare(DataSettings(**{name: getattr(cell, name) for name in names}), folder)


def plan(cell: Cell, data: Prepared) -> np.ndarray:
    """Rows (steps, B) of every batch."""
    start, stop = data.splits["train"]
    lengths = data.lengths[start:stop]
    return training_plan(lengths, data.edges, cell.batch_size, cell.steps, cell.seed)[0] + start


def ours(cell: Cell, data: Prepared) -> Lane:
    """The runner's own loop."""
    import jax.numpy as jnp

    from attn_nlp.train.loop import _Lane
    from attn_nlp.train.program import program_of

    program, _ = program_of(cell, data)
    lane = _Lane(program, cell, data)

    def advance(count: int) -> float:
        given = (lane.numeric, lane.seed, lane.ids, lane.labels, lane.rows, lane.buckets)
        lane.state, total, _ = program.train(
            lane.state, *given, jnp.int32(lane.step), jnp.int32(count), jnp.float32(0.0)
        )
        lane.step += count
        return float(total)

    def look(split: str) -> np.ndarray:
        return lane.look(split).predictions

    return Lane(advance, look)


def torch_eager(cell: Cell, data: Prepared, compiled: bool = False) -> Lane:
    """PyTorch step by step; a batch is padded to its own longest sentence."""
    import torch

    from benchmarks.torch_encoder import Encoder, optimiser

    torch.manual_seed(cell.seed)
    model = Encoder(first_weights(cell, data), cell)
    run: Any = torch.compile(model, dynamic=True) if compiled else model
    adamw, schedule = optimiser(model, cell)
    ids, labels = torch.tensor(data.ids, dtype=torch.long), torch.tensor(data.labels).long()
    rows, lengths, step = plan(cell, data), data.lengths, [0]

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
    def look(split: str) -> np.ndarray:
        model.eval()
        start, stop = data.splits[split]
        order = start + np.argsort(lengths[start:stop], kind="stable")
        found = np.zeros(stop - start, np.int64)
        for place in range(0, len(order), EVALUATION_BATCH):
            chosen = order[place : place + EVALUATION_BATCH]
            found[chosen - start] = run(ids[chosen, : lengths[chosen].max()]).argmax(1).numpy()
        return found

    return Lane(advance, look)


def torch_compile(cell: Cell, data: Prepared) -> Lane:
    """The same through torch.compile with changing lengths."""
    return torch_eager(cell, data, compiled=True)


def nnx_jit(cell: Cell, data: Prepared) -> Lane:
    """The same modules under nnx.jit as Flax has it: one padded length, one step a call."""
    import jax
    import jax.numpy as jnp
    import optax
    from flax import nnx

    from attn_nlp.attention.bound import Call
    from attn_nlp.encoder import Encoder

    model = Encoder(cell, data.vocabulary, len(data.class_names), cell.seed)
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
    optimiser = nnx.Optimizer(model, chain, wrt=nnx.Param)
    numeric, rows, step = cell.numeric(), plan(cell, data), [0]
    dropping = frozenset({"dropout"} if cell.dropout else ())

    @nnx.jit
    def train_step(model, optimiser, ids, labels, key):
        def loss_of(model):
            class_logits = model(ids, Call(numeric, cell.seed, dropping, key))
            return optax.softmax_cross_entropy_with_integer_labels(class_logits, labels).mean()

        loss, grads = nnx.value_and_grad(loss_of)(model)
        optimiser.update(model, grads)
        return loss

    @nnx.jit
    def answer(model, ids):
        return model(ids, Call(numeric, cell.seed)).argmax(axis=1)

    def advance(count: int) -> float:
        total = 0.0
        for place in range(step[0], step[0] + count):
            chosen = rows[place]
            ids, labels = jnp.asarray(data.ids[chosen]), jnp.asarray(data.labels[chosen])
            total += float(train_step(model, optimiser, ids, labels, jax.random.key(place)))
        step[0] += count
        return total

    def look(split: str) -> np.ndarray:
        start, stop = data.splits[split]
        found = []
        for place in range(start, stop, EVALUATION_BATCH):
            chosen = np.minimum(np.arange(place, place + EVALUATION_BATCH), stop - 1)
            found.append(np.asarray(answer(model, jnp.asarray(data.ids[chosen]))))
        return np.concatenate(found)[: stop - start]

    return Lane(advance, look)


def first_weights(cell: Cell, data: Prepared) -> dict:
    """The weights that our encoder starts from, as plain arrays by name."""
    from flax import nnx

    from attn_nlp.encoder import Encoder

    model = Encoder(cell, data.vocabulary, len(data.class_names), cell.seed)
    return nnx.to_pure_dict(nnx.split(model, nnx.Param)[1])


RIVALS: dict[str, Callable[[Cell, Prepared], Lane]] = {
    "ours": ours,
    "PyTorch eager": torch_eager,
    "torch.compile": torch_compile,
    "nnx.jit": nnx_jit,
}


def useful_flops(cell: Cell, data: Prepared, rows: np.ndarray) -> float:
    """Matrix products of the training steps on `rows`, forward and backward, without padding.

    Three times the forward pass: 2 (4 E^2 + 2 E F) a token and layer, 4 n^2 E a sentence and layer.
    """
    n = cell.letters()
    lengths = data.lengths[rows].astype(np.float64)
    token = 2 * (4 * n["E"] ** 2 + 2 * n["E"] * n["F"])
    return 3 * n["N"] * float((token * lengths + 4 * n["E"] * lengths**2).sum())


def gemm_peak() -> float:
    """GFLOP/s of this process in a product of 1,024 squared float32 matrices by XLA."""
    import jax
    import jax.numpy as jnp

    product = jax.jit(lambda a, b: a @ b)
    a = jnp.ones((1024, 1024))
    product(a, a).block_until_ready()
    best = 0.0
    for _ in range(5):
        began = time.process_time()
        for _ in range(5):
            product(a, a).block_until_ready()
        best = max(best, 5 * 2 * 1024**3 / (time.process_time() - began) / 1e9)
    return best
