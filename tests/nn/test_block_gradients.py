"""The gradient of attention in blocks, in float64: that at once, and that of differences."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from attn_nlp.experiment import Cell
from attn_nlp.nn.attention import build_attention
from attn_nlp.nn.context import BlockContext, ForwardContext
from attn_nlp.nn.pairwise import PairwiseAttention
from attn_nlp.parts import registry
from attn_nlp.rng import Stream
from tests.nn.running import rng_of

LENGTH, CHUNK = 19, 8
# The second sentence ends within a block, the third has no tokens at all.
TOKENS = np.arange(LENGTH)[None, :] < np.array([[LENGTH], [11], [0]])

MADE_OF_PIECES = {
    "softmax": {},
    "softmax_one": {"attention.normalizer": "softmax_one"},
    "gumbel": {"attention.normalizer": "gumbel"},
    "sigmoid": {"attention.normalizer": "sigmoid"},
    "a map for each feature": {"attention.score": "feature_wise"},
    "relative keys and values": {"position": "shaw"},
    "learned biases, a cap and a window": {
        "attention.scale": "constant(0.3) + softcap",
        "attention.mask": "window(3)",
        "position": "t5",
    },
    "additive, looking back": {"attention.score": "additive", "attention.mask": "causal"},
    "two maps subtracted": {"attention.mixer": "differential"},
}


def made(settings, chunk: int | None):
    """A function of q, k, v and the scale's numbers, with dropout, and what it is given."""
    cell = Cell(width=8, heads=2, length=LENGTH).replace(settings)
    module: Any = build_attention(cell, cell.sizes, Stream(3), 0)
    nnx.update(module, jax.tree.map(jnp.asarray, nnx.state(module, nnx.Param)))
    letters, rng = cell.sizes, rng_of("gradients in blocks")
    places, tokens = jnp.arange(LENGTH), jnp.asarray(TOKENS)

    def number(q, k, v, numeric):
        call = ForwardContext(
            {**numeric, "attention.dropout": 0.3},
            3,
            frozenset({"attention.dropout"}),
            jax.random.key(7),
        )
        here = BlockContext(places, places, tokens, tokens)
        out = PairwiseAttention(module.slots, call, "w").attend(q, k, v, None, here, chunk)[0]
        return jnp.where(TOKENS[:, None, :, None], jnp.sin(out), 0.0).sum()

    maps, heads = letters["Q"], letters["H"]
    shapes = [(3, maps, LENGTH, 4), (3, maps, LENGTH, 4), (3, heads, LENGTH, 4)]
    draws = [jnp.asarray(rng.normal(size=shape)) for shape in shapes]
    return number, (*draws, {path: jnp.asarray(n) for path, n in cell.numeric().items()})


@pytest.mark.parametrize("settings", MADE_OF_PIECES.values(), ids=MADE_OF_PIECES)
def test_slopes_in_blocks_are_those_at_once_and_those_of_differences(settings):
    with jax.enable_x64(True):
        given: tuple[Any, ...]
        number, given = made(settings, CHUNK)
        in_blocks = jax.jit(jax.value_and_grad(number, argnums=(0, 1, 2, 3)))
        value, slopes = in_blocks(*given)
        whole, at_once = jax.jit(jax.value_and_grad(made(settings, None)[0], (0, 1, 2, 3)))(*given)
        np.testing.assert_allclose(value, whole, rtol=1e-6)
        for one, other in zip(jax.tree.leaves(slopes), jax.tree.leaves(at_once), strict=True):
            # Some places and hashed numbers are float32 whatever the rest is.
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)
        rng, step = rng_of("direction"), 1e-5
        along = [jnp.asarray(rng.normal(size=each.shape)) for each in given[:3]]
        ends = [
            in_blocks(
                *(x + sign * step * d for x, d in zip(given[:3], along, strict=True)), given[3]
            )
            for sign in (1, -1)
        ]
        rise = (ends[0][0] - ends[1][0]) / (2 * step)
        expected = sum((slope * d).sum() for slope, d in zip(slopes[:3], along, strict=True))
        np.testing.assert_allclose(rise, expected, rtol=1e-5)


@pytest.mark.parametrize(
    "name", [part.name for part in registry.parts("normalizer") if "rescale" in part.hooks]
)
def test_weights_rescaled_are_those_under_the_other_statistics(name):
    cell = Cell(width=8, heads=2).replace({"attention.normalizer": name})
    module: Any = build_attention(cell, cell.sizes, Stream(0), 0)
    (bound,) = (slot for slot in module.slots if slot.has("weights"))
    call, rng = ForwardContext(cell.numeric()), rng_of(name)
    logits = jnp.asarray(rng.normal(size=(2, 2, 3, 9)), jnp.float32)
    mask = jnp.asarray(rng.random((2, 1, 3, 9)) < 0.7)
    a, b = (bound.reduce(call, None, logits=logits[..., :n], mask=mask[..., :n]) for n in (4, 9))
    seen = mask.sum(-1, keepdims=True)
    under = [
        bound.weights(call, None, logits=logits[..., :4], mask=mask[..., :4], stats=s, seen=seen)
        for s in (a, b)
    ]
    factor = bound.rescale(call, a=a, b=b)
    np.testing.assert_allclose(under[0] * factor, under[1], rtol=1e-5, atol=1e-7)
