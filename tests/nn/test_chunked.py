"""Attention in blocks is attention at once, and its memory grows with the length alone."""

from __future__ import annotations

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.nn.attention import build_attention
from attn_nlp.nn.context import ForwardContext
from attn_nlp.parts import registry
from attn_nlp.rng import Stream
from tests.nn.running import parts, rng_of

WIDTH, LENGTH, CHUNK = 8, 19, 8  # three blocks, of which the last is filled up
TOKENS = np.arange(LENGTH)[None, :] < np.array([[LENGTH], [11], [0]])
X = rng_of("x in blocks").normal(size=(3, LENGTH, WIDTH))


def attention(chunk: int | None, **settings) -> tuple[Any, Cell]:
    given = {path.replace("__", "."): value for path, value in settings.items()}
    base = Cell(width=WIDTH, heads=2, length=LENGTH)
    cell = base.replace({**given, "attention.chunk": chunk})
    return build_attention(cell, cell.sizes, Stream(3), 0), cell


def result(chunk: int | None, call_of=ForwardContext, **settings):
    """Output, and the gradient of a number made of it by every learned array and the input."""
    module, cell = attention(chunk, **settings)
    state = shaken(nnx.state(module, nnx.Param))
    key = json.dumps(cell.program(), sort_keys=True), call_of
    if key not in _programs:
        _programs[key] = program(cell, call_of)
    (_, out), gradients = _programs[key](state, jnp.asarray(X, jnp.float32), cell.numeric())
    return np.asarray(out), [np.asarray(leaf) for leaf in jax.tree.leaves(gradients)]


_programs: dict = {}  # one for all cells that share it, as in training


def program(cell: Cell, call_of):
    """Compiled: from arrays, input and numeric settings to output and gradients."""
    graph, _ = nnx.split(build_attention(cell, cell.sizes, Stream(3), 0), nnx.Param)

    def number(params, x, numeric):
        out = nnx.merge(graph, params)(x, jnp.asarray(TOKENS), call_of(numeric))
        shown = jnp.where(TOKENS[:, :, None], out, 0.0)
        return (shown * jnp.asarray(rng_of("weigh").normal(size=X.shape), out.dtype)).sum(), shown

    return jax.jit(jax.value_and_grad(number, argnums=(0, 1), has_aux=True))


def shaken(state):
    """Learned arrays off their start, so that none hides behind zeros."""
    leaves, tree = jax.tree.flatten(state)
    rng = rng_of("shaken")
    return jax.tree.unflatten(tree, [x + 0.3 * rng.normal(size=x.shape) for x in leaves])


def same(found, expected):
    for one, other in zip([found[0], *found[1]], [expected[0], *expected[1]], strict=True):
        assert np.isfinite(one).all()
        # Sums of nineteen numbers in groups of eight, some float32 roundings apart.
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5)


SLOTTED = ("score", "scale", "normalizer", "mask", "mixer", "position")


@pytest.mark.proof("blocks")
@pytest.mark.parametrize(("slot", "text"), [(part.slot, part.name) for part in parts(*SLOTTED)])
def test_every_part_in_blocks_gives_what_it_gives_at_once(slot, text):
    path = slot if slot == "position" else f"attention__{slot}"
    same(result(CHUNK, **{path: text}), result(None, **{path: text}))


@pytest.mark.parametrize("score", [part.name for part in registry.parts("score")])
@pytest.mark.parametrize("normalizer", ["softmax", "sigmoid"])
def test_scores_in_blocks_with_biases_caps_and_windows(score, normalizer):
    """Several hooks at once, each of which must be told where its block stands."""
    settings = {
        "attention__score": score,
        "attention__normalizer": normalizer,
        "attention__mask": "window(5)",
        "attention__scale": "log_length",
        "position": "alibi",
    }
    same(result(CHUNK, **settings), result(None, **settings))


@pytest.mark.parametrize("normalizer", ["softmax", "gumbel", "sparsemax"])
def test_random_numbers_do_not_depend_on_blocks(normalizer):
    def training(numeric):
        return ForwardContext(
            {**numeric, "attention.dropout": 0.4},
            3,
            frozenset({"attention.dropout"}),
            jax.random.key(11),
        )

    settings = {"attention__normalizer": normalizer}
    at_once = result(None, training, **settings)
    same(result(CHUNK, training, **settings), at_once)
    same(result(16, training, **settings), at_once)
    assert not np.allclose(at_once[0], result(None, **settings)[0])


def test_merging_with_keys_that_nobody_sees_changes_nothing():
    """Return the state from which merging starts."""
    for part in registry.parts("normalizer"):
        if "merge" not in part.hooks:
            continue
        text = part.name
        module, cell = attention(CHUNK, attention__normalizer=text)
        (bound,) = (slot for slot in module.slots if slot.has("weights"))
        call, rng = ForwardContext(cell.numeric()), rng_of(text)
        logits = jnp.asarray(rng.normal(size=(2, 2, 3, 4)) * 1e3, jnp.float32)
        shown = jnp.asarray(rng.random((2, 1, 3, 4)) < 0.6)
        some = bound.reduce(call, None, logits=logits, mask=shown)
        none = bound.reduce(call, None, logits=jnp.zeros((2, 2, 3, 1)), mask=shown[..., :1] & False)
        for a, b in ((none, some), (some, none)):
            for one, other in zip(bound.merge(call, a=a, b=b), some, strict=True):
                np.testing.assert_array_equal(one, other, err_msg=text)


def test_a_window_in_blocks_sees_nothing_beyond_it():
    module, cell = attention(CHUNK, attention__mask="window(2)")
    x, tokens = jnp.asarray(X, jnp.float32), jnp.asarray(TOKENS)
    call = ForwardContext(cell.numeric())
    before = np.asarray(module(x, tokens, call))
    after = np.asarray(module(x.at[0, 12].add(5.0), tokens, call))
    changed = np.abs(after - before).max(axis=-1)[0] > 1e-6
    assert list(np.flatnonzero(changed)) == [10, 11, 12, 13, 14]


@pytest.mark.parametrize("value", [0, 7, 12, -8])
def test_blocks_come_in_eights(value):
    with pytest.raises(UserError, match=r"attention\.chunk is -?\d+; allowed: "):
        Cell().replace({"attention.chunk": value})


@pytest.mark.parametrize("score", ["dot", "additive", "l2"])
def test_memory_grows_with_the_length_and_not_with_its_square(score):
    def peak(length: int, chunk: int | None) -> int:
        cell = Cell(width=8, heads=1, length=length).replace(
            {"attention.score": score, "attention.chunk": chunk}
        )
        module = build_attention(cell, cell.sizes, Stream(0), 0)
        graph, state = nnx.split(module, nnx.Param)
        x, tokens = jnp.zeros((1, length, 8)), jnp.ones((1, length), bool)

        def number(params, x):
            return nnx.merge(graph, params)(x, tokens, ForwardContext(cell.numeric())).sum()

        compiled = jax.jit(jax.grad(number)).lower(state, x).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert peak(4096, 128) < 2.5 * peak(2048, 128)
    assert peak(4096, 128) < peak(4096, None) / 8
