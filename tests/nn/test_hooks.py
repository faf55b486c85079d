"""The hooks that no part of the catalogue fills carry a user's mechanisms all the same.

Each part here is registered for one test, as a user would write it, run through a whole attention
block, and compared with its formula in float64 NumPy. What the catalogue has, it proves itself.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from attn_nlp.parts import registry
from attn_nlp.parts.hooks import SLOTS
from attn_nlp.parts.registry import Learned, mixer, score
from tests.nn.whole import HEADS, LENGTH, TOKENS, WIDTH, Block, agree, tokens_mask
from tests.reference import normalizer_softmax, score_dot, spend

pytestmark = pytest.mark.usefixtures("catalogue")
DIM = WIDTH // HEADS
SQRT = DIM**-0.5


def test_these_are_the_hooks_that_the_catalogue_leaves_free():
    """A new name here wants a test below; one that goes takes its test along."""
    filled = {(part.slot, hook) for part in registry.parts() for hook in part.hooks}
    free = {(slot, hook) for slot in SLOTS for hook in SLOTS[slot].hooks} - filled
    assert free == {("score", "prepare"), ("mixer", "prepare"), ("mixer", "aggregate")}


def test_a_score_prepares_queries_and_keys_before_it_compares_them():
    """Centered inner products: q and k lose the mean of their features first."""

    @score("centered")
    class Centered:
        def prepare(q: Any, k):
            return tuple(x - x.mean(axis=-1, keepdims=True) for x in (q, k))

        def score(q, k):
            return jnp.einsum("bhtd,bhsd->bhts", q, k)

    block = Block(attention__score="centered")
    q, k, v = block.split()
    logits = score_dot(*(x - x.mean(axis=-1, keepdims=True) for x in (q, k))) * SQRT
    weights = normalizer_softmax(logits, tokens_mask())
    agree(block, spend(weights, v), weights)


def test_a_mixer_prepares_after_the_position_and_leaves_the_raw_query():
    """Queries are stretched once they have been turned; `finish` is still given those of before."""

    @mixer("stretched", learned={"by": Learned("H")})
    class Stretched:
        def prepare(q, k, by):
            return q * by[None, :, None, None], k

        def finish(out, q_raw):
            return out + q_raw

    block = Block(position="rope", attention__mixer="stretched")
    q, k, v = block.split()
    turned = [_turned(x) for x in (q, k)]
    logits = score_dot(turned[0] * block.own("by")[None, :, None, None], turned[1]) * SQRT
    weights = normalizer_softmax(logits, tokens_mask())
    agree(block, spend(weights, v) + q, weights)


def _turned(x):
    """(B, H, T, D): neighboring features as a complex number, turned by an angle of its place."""
    pairs = x[..., 0::2] + 1j * x[..., 1::2]
    speed = 10000.0 ** (-np.arange(DIM // 2) / (DIM // 2))
    pairs = pairs * np.exp(1j * np.arange(LENGTH)[:, None] * speed)
    return np.stack([pairs.real, pairs.imag], axis=-1).reshape(x.shape)


def test_what_a_mixer_spends_is_added_to_what_the_weights_give():
    """A bonus for the token itself: its weight times a learned vector of the head."""

    @mixer("selfish", learned={"bonus": Learned("H U")})
    class Selfish:
        def aggregate(weights, v, bonus):
            own = jnp.diagonal(weights, axis1=2, axis2=3)
            return own[..., None] * (v + bonus[None, :, None, :])

    block = Block(attention__mixer="selfish")
    q, k, v = block.split()
    weights = normalizer_softmax(score_dot(q, k) * SQRT, tokens_mask())
    out = spend(weights, v)
    for b, h, t in np.ndindex(len(TOKENS), HEADS, LENGTH):
        out[b, h, t] += weights[b, h, t, t] * (v[b, h, t] + block.own("bonus")[h])
    agree(block, out, weights)


def test_a_mixer_that_adds_nothing_leaves_all_others_as_they_are():
    """Rotary positions, a cap, a window and a gate at once; the mix keeps all of them."""
    settings = {
        "position": "rope",
        "attention__scale": "softcap(1.5)",
        "attention__mask": "window(2)",
        "attention__mixer": "output_gate + query_mix('fixed(1.0)')",
    }
    both, without = Block(**settings), Block(**settings | {"attention__mixer": "output_gate"})
    assert without.arrays.keys() <= both.arrays.keys()
    tokens = TOKENS[:, :, None]
    found, wanted = (np.where(tokens, each.look()[0], 0.0) for each in (both, without))
    np.testing.assert_array_equal(found, wanted)
