"""What the benchmarks of training time: the same model, trained by us and by others.

A rival is a function from a cell, its data and a folder to a `Lane`. All start from the same first
weights, make the same number of steps with the same optimizer and schedule, look at the validation
split as often, keep the weights that were best there, and read the test split once. They differ in
their batches: *our batches* are the very rows of ours in the same order, so that losses can be
compared step by step; *random batches* are what one usually writes, a shuffled epoch cut into
batches. PyTorch pads a batch to its own longest sentence, of either kind.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from attn_nlp.data import DataSettings, Prepared, prepare, training_plan
from attn_nlp.experiment import Cell

SIZES = {
    "S": {"width": 64, "heads": 2, "layers": 1, "vocabulary": 8_000},
    "M": {"width": 128, "heads": 4, "layers": 2, "vocabulary": 16_000},
}
EVALUATION_BATCH = 32  # the fastest of 16, 32, 64 and 128 for PyTorch too


class Lane(NamedTuple):
    """A cell on its way.

    Attributes:
      advance: makes n steps and returns the sum of their losses.
      look: the predicted classes of a split.
      keep: sets today's weights aside.
      restore: goes back to those.
    """

    advance: Callable[[int], float]
    look: Callable[[str], np.ndarray]
    keep: Callable[[], None]
    restore: Callable[[], None]


class Clock:
    """Processor and wall seconds of a training run: before its first step, after it, in looks."""

    def __init__(self) -> None:
        self.looks = (0.0, 0.0)
        self.first_look_seconds = 0.0
        self.first()

    def first(self) -> None:
        """The first step has been made: libraries are loaded and programs compiled."""
        self.first_done, self.first_at = _now(), time.time()
        self.timed_from = self.first_done

    def first_look(self) -> None:
        """So has a look that nobody needs, for which others compile a program too."""
        self.timed_from = _now()
        self.first_look_seconds = _minus(self.timed_from, self.first_done)[1]

    @contextmanager
    def look(self) -> Iterator[None]:
        """An evaluation."""
        began = _now()
        yield
        self.looks = _plus(self.looks, _minus(_now(), began))

    def since_first(self) -> tuple[float, float]:
        """Seconds of steps and looks after the first ones."""
        return _minus(_now(), self.timed_from)


def _now() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()


def _plus(a: tuple, b: tuple) -> tuple[float, float]:
    return a[0] + b[0], a[1] + b[1]


def _minus(a: tuple, b: tuple) -> tuple[float, float]:
    return a[0] - b[0], a[1] - b[1]


def cell_of(size: str, dataset: str, steps: int, **settings: Any) -> Cell:
    """The cell of a size; everything else as it is by default."""
    base = Cell(dataset=dataset, steps=steps, evaluate_every=min(100, steps), **SIZES[size])
    return base.replace(settings)


def data_of(cell: Cell, folder: Path) -> Prepared:
    """The dataset of a cell, prepared once for all rivals."""
    names = ("dataset", "split_seed", "tokens", "vocabulary", "length")
    return prepare(DataSettings(**{name: getattr(cell, name) for name in names}), folder / "data")


def rows_of(rival: str, cell: Cell, data: Prepared) -> np.ndarray:
    """Rows (steps, B) of every batch that a rival trains on; of the Trainer, rows like them."""
    return (random_batches if rival in RANDOM else our_batches)(cell, data)


def our_batches(cell: Cell, data: Prepared) -> np.ndarray:
    """Rows (steps, B), those of our runner."""
    start, stop = data.splits["train"]
    lengths = data.lengths[start:stop]
    return training_plan(lengths, data.edges, cell.batch_size, cell.steps, cell.seed)[0] + start


def random_batches(cell: Cell, data: Prepared) -> np.ndarray:
    """Rows (steps, B), one shuffled epoch after another, of any lengths together."""
    start, stop = data.splits["train"]
    rng, wanted = np.random.default_rng(cell.seed), cell.steps * cell.batch_size
    epochs = -(-wanted // (stop - start))
    stream = np.concatenate([rng.permutation(stop - start) for _ in range(epochs)])
    return start + stream[:wanted].reshape(cell.steps, cell.batch_size)


def load(rival: str) -> None:
    """Import the libraries of a rival, so that its start-up can be told from its compiling."""
    named = {"ours": "attn_nlp.train.loop", "nnx.jit, our batches": "attn_nlp.nn.encoder"}
    named[TRAINER] = "benchmarks.trainer"
    import_module(named.get(rival, "benchmarks.torch_encoder"))


def whole(
    rival: str, cell: Cell, data: Prepared, folder: Path, clock: Clock, warmed: bool = False
) -> float:
    """Train a cell from its first step to its test; the accuracy on the test split.

    `warmed`: after the first step, look at validation once more than is needed, so that no
    compiling is left to what the clock then counts; the Trainer compiles nothing and does not.
    """
    if rival == TRAINER:
        from benchmarks.trainer import train

        return train(cell, data, first_weights(cell, data, folder), clock)
    lane = RIVALS[rival](cell, data, folder)
    lane.advance(1)
    clock.first()
    if warmed:
        lane.look("validation")
        clock.first_look()
    done, best = 1, -1.0
    while done < cell.steps or best < 0:
        count = min(cell.evaluate_every - done % cell.evaluate_every, cell.steps - done)
        lane.advance(count)
        done += count
        with clock.look():
            found = accuracy(data, "validation", lane.look("validation"))
            if found > best:
                best = found
                lane.keep()
    with clock.look():
        lane.restore()
        return accuracy(data, "test", lane.look("test"))


def accuracy(data: Prepared, split: str, predictions: np.ndarray) -> float:
    return float((predictions == data.labels_of(split)).mean())


def ours(cell: Cell, data: Prepared, folder: Path) -> Lane:
    """The runner's own loop."""
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

    def look(split: str) -> np.ndarray:
        return run.evaluate(split, run.kept).predictions

    def keep() -> None:
        kept[0] = jax.tree.map(jnp.copy, run.state["params"])

    def restore() -> None:
        run.kept = kept[0]

    return Lane(advance, look, keep, restore)


def torch_eager(
    cell: Cell,
    data: Prepared,
    folder: Path,
    batches: Callable[[Cell, Prepared], np.ndarray] = our_batches,
    compiled: bool = False,
) -> Lane:
    """PyTorch step by step."""
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
    def look(split: str) -> np.ndarray:
        model.eval()
        start, stop = data.splits[split]
        order = start + np.argsort(lengths[start:stop], kind="stable")
        found = np.zeros(stop - start, np.int64)
        for place in range(0, len(order), EVALUATION_BATCH):
            chosen = order[place : place + EVALUATION_BATCH]
            found[chosen - start] = run(ids[chosen, : lengths[chosen].max()]).argmax(1).numpy()
        return found

    def keep() -> None:
        kept.update({name: value.clone() for name, value in model.state_dict().items()})

    return Lane(advance, look, keep, lambda: model.load_state_dict(kept))


def nnx_jit(cell: Cell, data: Prepared, folder: Path) -> Lane:
    """The same modules under nnx.jit as Flax has it: one padded length, one step a call."""
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
        for place in range(step[0], step[0] + count):
            chosen = rows[place]
            ids, labels = jnp.asarray(data.ids[chosen]), jnp.asarray(data.labels[chosen])
            total += float(train_step(model, optimizer, ids, labels, jax.random.key(place)))
        step[0] += count
        return total

    def look(split: str) -> np.ndarray:
        start, stop = data.splits[split]
        found = []
        for place in range(start, stop, EVALUATION_BATCH):
            chosen = np.minimum(np.arange(place, place + EVALUATION_BATCH), stop - 1)
            found.append(np.asarray(answer(model, jnp.asarray(data.ids[chosen]))))
        return np.concatenate(found)[: stop - start]

    def keep() -> None:
        kept[0] = jax.tree.map(jnp.copy, nnx.state(model, nnx.Param))

    return Lane(advance, look, keep, lambda: nnx.update(model, kept[0]))


TRAINER = "HF Trainer, random batches"
RIVALS: dict[str, Callable[[Cell, Prepared, Path], Lane]] = {
    "ours": ours,
    "PyTorch eager, our batches": torch_eager,
    "PyTorch eager, random batches": partial(torch_eager, batches=random_batches),
    "torch.compile, our batches": partial(torch_eager, compiled=True),
    "torch.compile, random batches": partial(torch_eager, batches=random_batches, compiled=True),
    "nnx.jit, our batches": nnx_jit,
}
RANDOM = frozenset({TRAINER, "PyTorch eager, random batches", "torch.compile, random batches"})


def first_weights(cell: Cell, data: Prepared, folder: Path) -> dict:
    """The weights that our encoder starts from, as plain arrays by name.

    They are kept in the folder, so that a rival that is timed need not start JAX to have them.
    """
    name = f"weights-{data.fingerprint[:12]}-{data.vocabulary}-{cell.width}-{cell.layers}"
    path = folder / f"{name}-{cell.heads}-{cell.seed}.npz"
    if not path.exists():
        from flax import nnx
        from flax.traverse_util import flatten_dict

        from attn_nlp.nn.encoder import build_classifier

        model = build_classifier(cell, data.vocabulary, len(data.class_names), cell.seed)
        plain = nnx.to_pure_dict(nnx.split(model, nnx.Param)[1])
        named = {"/".join(map(str, key)): value for key, value in flatten_dict(plain).items()}
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(path, **named)
    found: dict = {}
    with np.load(path) as arrays:
        for key in arrays.files:
            *outer, last = key.split("/")
            inner = found
            for each in outer:
                inner = inner.setdefault(each, {})
            inner[last] = arrays[key]
    return found


def useful_flops(cell: Cell, data: Prepared, rows: np.ndarray) -> float:
    """Matrix products of the training steps on `rows`, forward and backward, without padding.

    Three times the forward pass: 2 (4 E^2 + 2 E F) a token and layer, 4 n^2 E a sentence and layer.
    """
    n = cell.letters()
    lengths = data.lengths[rows].astype(np.float64)
    token = 2 * (4 * n["E"] ** 2 + 2 * n["E"] * n["F"])
    return 3 * n["N"] * float((token * lengths + 4 * n["E"] * lengths**2).sum())


def gemm_peak() -> float:
    """GFLOP/s of this process in a product of 1,024 squared float32 matrices.

    The better of XLA and NumPy, so that no share of the peak flatters.
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
