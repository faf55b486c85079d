"""One compiled program for all cells of equal shape.

Everything that shapes the program (`Cell.program`, vocabulary, classes, bucket edges) is compiled
in; the seed and every numeric setting are arguments. So a whole column of learning rates, seeds,
dropout rates and constant scales shares one compilation, one cell after another: on a CPU that
costs the same as running them side by side in one array program and gives each cell the same bits
whatever else is run.

The model is split once into a graph and a dictionary of arrays; the steps of a chunk are one loop
in the compiled program, and every bucket length is one branch of a switch inside it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from attn_nlp.data import Prepared, evaluation_edges
from attn_nlp.experiment import Cell
from attn_nlp.experiment.identity import canonical_json
from attn_nlp.nn.context import ForwardContext
from attn_nlp.nn.encoder import Classifier, build_classifier
from attn_nlp.rng import fold
from attn_nlp.train import compile_cache
from attn_nlp.train.stepper import stepper_of

EVALUATION_BATCH = 32  # the activations of a batch stay in the processor's caches
EVALUATION_BATCHES = 64  # a call of the evaluation program; more sentences take more calls


class Program:
    """The compiled functions for cells of one shape on one dataset's shapes.

    Each is compiled when it is first asked for, so that training need not wait for evaluation.

    Args:
      cell: any of the cells.
      prepared: the dataset.
      name: equal for equal programs.

    Attributes:
      parameters: learned numbers in the model.
      compile_seconds: spent so far on compiling, or on waiting for a process that compiles it.
    """

    def __init__(self, cell: Cell, prepared: Prepared, name: str):
        self.cell = cell
        self.name = name
        self.edges = tuple(prepared.edges)
        self.evaluation_edges = evaluation_edges(self.edges)
        self.vocabulary, self.classes = prepared.vocabulary, len(prepared.class_names)
        self.dropping = frozenset(
            path
            for path in ("dropout", "attention.dropout")
            if cell.numeric()[path] > 0  # equal for all cells of one program
        )
        self.graph, self.pattern = nnx.split(self._model(0), nnx.Param)
        self.parameters = sum(leaf.size for leaf in jax.tree.leaves(self.pattern))
        self.compile_seconds = 0.0
        self._state = jax.eval_shape(lambda: self.start(0))
        self._labels = _shape(prepared.labels.shape, jnp.int32)
        ids = _shape(prepared.ids.shape, jnp.int32)
        numeric = {path: _shape((), jnp.float32) for path in cell.numeric()}
        self._given = numeric, _shape((), jnp.uint32), ids

    def _model(self, seed: int) -> Classifier:
        return build_classifier(self.cell, self.vocabulary, self.classes, seed)

    @cached_property
    def train(self):
        """The compiled `_train`."""
        rows = _shape((self.cell.steps, self.cell.batch_size), jnp.int32)
        buckets = _shape((self.cell.steps,), jnp.int32)
        count, total = _shape((), jnp.int32), _shape((), jnp.float32)
        return self._compiled(
            jax.jit(self._train, donate_argnums=0),
            *(self._state, *self._given, self._labels, rows, buckets, count, count, total),
        )

    @cached_property
    def evaluate(self):
        """The compiled `_evaluate`."""
        batches = _shape((EVALUATION_BATCHES, EVALUATION_BATCH), jnp.int32)
        buckets, count = _shape((EVALUATION_BATCHES,), jnp.int32), _shape((), jnp.int32)
        return self._compiled(
            jax.jit(self._evaluate),
            *(self._state["params"], *self._given, batches, buckets, count),
        )

    @cached_property
    def peak_bytes(self) -> int | None:
        """Bytes of arguments, results and temporaries of `train`, as XLA counts them.

        None on a backend that does not count. It is asked once: XLA takes 50 ms to answer.
        """
        memory = self.train.memory_analysis()
        return memory and int(
            memory.argument_size_in_bytes
            + memory.output_size_in_bytes
            - memory.alias_size_in_bytes
            + memory.temp_size_in_bytes
        )

    def _compiled(self, function, *shapes):
        started = time.perf_counter()
        lowered = function.lower(*shapes)
        with compile_cache.alone(f"{function.__name__} {self.name}"):
            compiled = lowered.compile()
        self.compile_seconds += time.perf_counter() - started
        return compiled

    def start(self, seed: int, numeric: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the state before the first step: parameters and the optimizer's own arrays.

        Args:
          seed: draws the parameters.
          numeric: numeric settings by path, by default those of the program's cell.
        """
        params = jax.tree.map(
            jnp.asarray, nnx.to_pure_dict(nnx.split(self._model(seed), nnx.Param)[1])
        )
        stepper = self._stepper(self.cell.numeric() if numeric is None else numeric)
        return {"params": params, "optimizer": stepper.init(params)}

    def _stepper(self, numeric: Mapping[str, Any]):
        def rate(step):
            return self._rate(step, numeric["learning_rate"])

        return stepper_of(self.cell, numeric, rate)

    def _rate(self, step, peak):
        """Return the learning rate of a step, counted from 0: linear warm-up, then cosine decay."""
        steps = self.cell.steps
        rise = max(1, round(steps * self.cell.warmup))
        # Zero comes one step after the last, and there is a decay even after a warm-up of 1.0.
        schedule = optax.warmup_cosine_decay_schedule(0.0, 1.0, rise, max(steps, rise) + 1)
        # One step ahead, so that the first update of the warm-up is not zero.
        return peak * schedule(step + 1)

    def _train(self, state, numeric, seed, ids, labels, rows, buckets, first, count, total):
        """Make `count` steps from step `first`; also sum losses and note the first not finite.

        The sum continues from `total`, so that it has the same bits however steps are divided.
        """
        dropout = fold(jax.random.key(seed), "dropout")

        def loss_of(edge: int, params, chosen, key):
            call = ForwardContext(numeric, seed, self.dropping, key)
            class_logits = self._forward(params, ids[chosen][:, :edge], call)
            losses = optax.softmax_cross_entropy_with_integer_labels(class_logits, labels[chosen])
            return losses.mean()

        branches = [jax.value_and_grad(partial(loss_of, edge)) for edge in self.edges]
        stepper = self._stepper(numeric)

        def step(index, carry):
            state, total, bad = carry
            key = jax.random.fold_in(dropout, index)
            loss, grads = jax.lax.switch(
                buckets[index], branches, state["params"], rows[index], key
            )
            params, own = stepper.update(state["params"], grads, state["optimizer"], index)
            bad = jnp.where(jnp.isfinite(loss), bad, jnp.minimum(bad, index))
            return {"params": params, "optimizer": own}, total + loss, bad

        start = (state, total, jnp.int32(self.cell.steps))
        return jax.lax.fori_loop(first, first + count, step, start)

    def _evaluate(self, params, numeric, seed, ids, rows, buckets, count):
        """Return class logits (batches, B, C) of the first `count` batches; row -1 is none."""
        call = ForwardContext(numeric, seed)

        def forward(edge: int, chosen):
            return self._forward(params, ids[chosen][:, :edge], call)

        branches = [partial(forward, edge) for edge in self.evaluation_edges]

        def batch(index, class_logits):
            chosen = jnp.maximum(rows[index], 0)
            answers = jax.lax.switch(buckets[index], branches, chosen)
            return class_logits.at[index].set(answers)

        class_logits = jnp.zeros((*rows.shape, self.classes), jnp.float32)
        return jax.lax.fori_loop(0, count, batch, class_logits)

    def _forward(self, params, ids, call: ForwardContext):
        state = jax.tree.map(lambda leaf: leaf, self.pattern)  # a copy, since it is filled in place
        nnx.replace_by_pure_dict(state, params)
        return nnx.merge(self.graph, state)(ids, call)


_programs: dict[str, Program] = {}


def program_of(cell: Cell, prepared: Prepared) -> tuple[Program, bool]:
    """Return the program for a cell, and whether it is a new one."""
    shapes = [prepared.ids.shape, prepared.edges, prepared.vocabulary, len(prepared.class_names)]
    name = canonical_json([cell.program(), shapes])
    fresh = name not in _programs
    if fresh:
        _programs[name] = Program(cell, prepared, name)
    return _programs[name], fresh


def _shape(shape: Sequence[int], dtype) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(tuple(shape), dtype)
