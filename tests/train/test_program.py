"""One compiled program for all cells of one shape, and the steps that it makes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from attn_nlp.experiment.cell import PATHS
from attn_nlp.nn.context import ForwardContext
from attn_nlp.nn.encoder import build_classifier
from attn_nlp.parts import registry
from attn_nlp.parts.registry import Numeric
from attn_nlp.train import program as programs
from attn_nlp.train.program import Program, program_of
from tests import reference
from tests.train.tiny import CELL, prepared

DATA = prepared(edges=(6,))


@pytest.fixture
def compiled(monkeypatch) -> list:
    """Every cell that a program is compiled for, without compiling it."""
    seen = []
    monkeypatch.setattr(programs, "_programs", {})
    monkeypatch.setattr(programs, "Program", lambda cell, *_: seen.append(cell) or object())
    return seen


def test_numbers_share_a_program(compiled):
    first, fresh = program_of(CELL, DATA)
    assert fresh
    for settings in (
        {"seed": 9},
        {"learning_rate": 1.0},
        {"weight_decay": 0.5},
        {"clip": 3.0},
        {"attention.scale": "none"},
        {"attention.scale": "inv_dim"},
        {"attention.scale": "constant(0.7)"},
    ):
        assert program_of(CELL.replace(settings), DATA) == (first, False), settings
    assert len(compiled) == 1


def test_what_only_the_host_reads_shares_a_program(compiled):
    program_of(CELL, DATA)
    assert not program_of(CELL.replace({"evaluate_every": 7}), DATA)[1]


def test_rates_of_dropout_share_a_program_apart_from_zero(compiled):
    one, _ = program_of(CELL.replace({"dropout": 0.1}), DATA)
    assert program_of(CELL.replace({"dropout": 0.9}), DATA) == (one, False)
    assert program_of(CELL.replace({"dropout": 0.0}), DATA)[1]
    assert program_of(CELL.replace({"attention.dropout": 0.0}), DATA)[1]
    assert len(compiled) == 3


# What a kind without pairs would leave aside, at its default.
NO_PAIRS = {path: PATHS[path]["default"] for path in ("attention.scale", "attention.mixer")}


@pytest.mark.parametrize(
    "settings",
    [
        {"width": 16},
        {"heads": 4},
        {"head_dim": 5},
        {"layers": 2},
        {"steps": 13},
        {"batch_size": 4},
        {"warmup": 0.3},
        {"norm": "post"},
        {"pooling": "max"},
        {"position": "none"},
        {"attention.score": "additive"},
        {"attention.scale": "learned"},
        {"attention.normalizer": "sparsemax"},
        {**NO_PAIRS, "attention.kind": "se_token"},
        {**NO_PAIRS, "attention.kind": "se_token('tanh')"},
        {"attention.mixer": "heads"},
        {"attention.mixer": "query_mix"},
        {"attention.init": "xavier"},
        {"attention.tie_qk": True},
        {"optimizer": "lion"},
        {"optimizer": "adamw(b1=0.8)"},
    ],
    ids=str,
)
def test_what_shapes_the_program_starts_another(settings, compiled):
    program_of(CELL, DATA)
    assert program_of(CELL.replace(settings), DATA)[1]


def test_other_shapes_of_data_start_another(compiled):
    program_of(CELL, DATA)
    assert program_of(CELL, prepared(rows=90))[1]


def test_a_number_of_an_initializer_starts_another(catalogue, compiled):
    """It is spent before the program's arguments are known."""
    registry.init("gain", settings={"g": Numeric(1.0)})(lambda fan_in, g: g * fan_in**-0.5)
    kernels = []
    for text in ("gain(0.5)", "gain(2.0)"):
        cell = CELL.replace({"attention.init": text})
        assert program_of(cell, DATA)[1]
        model = build_classifier(cell, 11, 2, 0)
        block = nnx.state(model)["body"]["encoder"]["blocks"][0]
        kernels.append(np.asarray(block["attention"]["project"]["query"]["kernel"][...]))
    np.testing.assert_allclose(kernels[1], 4 * kernels[0], rtol=1e-6)


@pytest.mark.parametrize("warmup", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 10])
def test_the_rate_of_every_step_is_the_formula_and_never_zero(steps, warmup):
    program = Program(CELL.replace({"steps": steps, "warmup": warmup}), DATA, "warm-up")
    for step in range(steps):
        wanted = reference.learning_rate(step, peak=0.5, steps=steps, warmup=warmup)
        assert wanted > 0
        np.testing.assert_allclose(program._rate(jnp.int32(step), 0.5), wanted, rtol=3e-6)


def test_steps_are_those_of_adamw_written_out():
    cell = CELL.replace(
        {
            "weight_decay": 0.3,
            "clip": 0.5,
            "warmup": 0.4,
            "steps": 12,
            "dropout": 0.0,
            "attention.dropout": 0.0,
        }
    )
    program, _ = program_of(cell, DATA)
    numeric = {path: jnp.float32(value) for path, value in cell.numeric().items()}
    rows = np.arange(12 * 8).reshape(12, 8) % 48
    buckets = np.zeros(12, np.int32)
    ids, labels = jnp.asarray(DATA.ids), jnp.asarray(DATA.labels)

    def loss_of(params, chosen):
        class_logits = program._forward(params, ids[chosen], ForwardContext(numeric))
        return optax.softmax_cross_entropy_with_integer_labels(class_logits, labels[chosen]).mean()

    gradient = jax.jit(jax.grad(loss_of))
    start = program.start(4)
    leaves, tree = jax.tree.flatten(start["params"])
    params = {place: np.asarray(leaf, np.float64) for place, leaf in enumerate(leaves)}
    means = {place: np.zeros(leaf.shape) for place, leaf in params.items()}
    squares = {place: np.zeros(leaf.shape) for place, leaf in params.items()}
    for step in range(12):
        now = jax.tree.unflatten(tree, [jnp.asarray(p, jnp.float32) for p in params.values()])
        grads = jax.tree.leaves(gradient(now, rows[step]))
        rate = reference.learning_rate(step, peak=0.02, steps=12, warmup=0.4)
        assert rate > 0
        params, means, squares = reference.adamw(
            params,
            {place: np.asarray(grad, np.float64) for place, grad in enumerate(grads)},
            means,
            squares,
            step,
            rate=rate,
            clip=0.5,
            decay=0.3,
        )
    state, *_ = program.train(
        start,
        numeric,
        jnp.uint32(4),
        ids,
        labels,
        jnp.asarray(rows, jnp.int32),
        jnp.asarray(buckets),
        jnp.int32(0),
        jnp.int32(12),
        jnp.float32(0.0),
    )
    for place, leaf in enumerate(jax.tree.leaves(state["params"])):
        # Adam divides by the root of small squares, which enlarges roundings of 6e-8 a
        # thousandfold; a wrong rate, decay or clip is off by 1e-2.
        np.testing.assert_allclose(leaf, params[place], atol=2e-5)
