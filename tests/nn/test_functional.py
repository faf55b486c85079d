"""Attention functions for Flax: the same as its own, and what its protocol has no place for."""

from __future__ import annotations

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from attn_nlp import nn
from attn_nlp.errors import UserError
from attn_nlp.parts import registry
from tests.nn.running import rng_of

HEADS, LENGTH = 2, 4
NORMALIZERS = [part.name for part in registry.parts("normalizer")]


def flax_inputs(heads: int = HEADS, keys: int = 5):
    rng = rng_of("flax")
    sizes = ((2, LENGTH, heads, 3), (2, keys, heads, 3), (2, keys, heads, 3))
    return tuple(jnp.asarray(rng.normal(size=size), jnp.float32) for size in sizes)


PAIRS = jnp.asarray(rng_of("pairs").random((2, HEADS, LENGTH, 5)) < 0.7).at[..., 0].set(True)
CALLS = [
    {},
    {"mask": PAIRS},
    {"mask": PAIRS[:, :1], "is_causal": True},
    {"mask": PAIRS[:1, :, :1], "bias": rng_of("bias").normal(size=(HEADS, LENGTH, 5))},
    {"dropout_rate": 0.5, "dropout_rng": jax.random.key(1)},
    {"dropout_rate": 0.5, "dropout_rng": jax.random.key(1), "broadcast_dropout": False},
    {"dropout_rate": 0.5, "dropout_rng": jax.random.key(1), "deterministic": True},
]


@pytest.mark.parametrize("given", CALLS, ids=lambda given: " ".join(given) or "plain")
def test_attention_fn_is_that_of_flax(given):
    q, k, v = flax_inputs()
    ours = nn.attention_fn("dot", scale="rsqrt_dim", normalizer="softmax")(q, k, v, **given)
    theirs = nnx.dot_product_attention(q, k, v, **given)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


def test_attention_fn_shares_keys_among_heads_and_takes_any_batch_and_type():
    q, k, v = (x[None].astype(jnp.bfloat16) for x in flax_inputs(4))
    ours = nn.attention_fn()(q, k[..., :2, :], v[..., :2, :], mask=PAIRS[None, :, :1])
    theirs = nnx.dot_product_attention(
        *(x.astype(jnp.float32) for x in (q, k[..., :2, :], v[..., :2, :])),
        mask=PAIRS[None, :, :1],
    )
    assert ours.dtype == jnp.bfloat16
    assert ours.shape == (1, 2, LENGTH, 4, 3)
    np.testing.assert_allclose(ours, theirs, atol=0.02)  # bfloat16 has 8 bits


@pytest.mark.parametrize("normalizer", [each for each in NORMALIZERS if each != "gumbel"])
def test_a_mask_of_every_head_hides_what_it_hides_alone(normalizer):
    q, k, v = flax_inputs()
    attend = nn.attention_fn("l2", scale="log_length", normalizer=normalizer)
    together = attend(q, k, v, mask=PAIRS)
    for head in range(HEADS):
        one = slice(head, head + 1)
        alone = attend(q[:, :, one], k[:, :, one], v[:, :, one], mask=PAIRS[:, one])
        np.testing.assert_allclose(together[:, :, one], alone, rtol=1e-6, atol=1e-6)


def test_attention_fn_in_a_module_of_flax():
    fn = nn.attention_fn("feature_wise(c=2)", mixer="query_mix('fixed(0.5)')", position="alibi")
    tokens = jnp.arange(LENGTH)[None, :] < jnp.array([[LENGTH], [2]])
    module = nnx.MultiHeadAttention(HEADS, 8, attention_fn=fn, decode=False, rngs=nnx.Rngs(0))
    x, mask = jnp.ones((2, LENGTH, 8)), nnx.make_attention_mask(tokens, tokens)
    out, sown = nnx.capture(module, nnx.Intermediate)(x, mask=mask, sow_weights=True)
    assert out.shape == x.shape
    weights = np.asarray(sown["attention_weights"][0])
    assert weights.shape == (2, 8, LENGTH, LENGTH)  # one map a feature
    assert (weights[1, :, :, 2:] == 0).all()
    assert fn == pickle.loads(pickle.dumps(fn))
    assert hash(fn) != hash(nn.attention_fn())


FUNCTIONS = [
    ({"score": "bilinear"}, "score 'bilinear' has learned arrays.*attn_nlp.nn.SelfAttention"),
    ({"mixer": "query_mix"}, "mixer 'query_mix' has learned arrays"),
    ({"scale": "qk_rmsnorm"}, "scale 'qk_rmsnorm' has learned arrays"),
    ({"mixer": "multi_query"}, "mixer 'multi_query' shapes the linear maps"),
    ({"normalizer": "gumbel"}, "normalizer 'gumbel' draws noise in training"),
    ({"score": "hard_random"}, "score 'hard_random' is drawn from a seed"),
    ({"position": "learned"}, "position 'learned' acts on embeddings"),
    ({"score": "dto"}, "unknown score 'dto'.*Did you mean 'dot'"),
]


@pytest.mark.parametrize(("settings", "message"), FUNCTIONS, ids=[str(f) for f, _ in FUNCTIONS])
def test_attention_fn_rejects_what_flax_has_no_place_for(settings, message):
    with pytest.raises(UserError, match=message):
        nn.attention_fn(**settings)


def test_attention_fn_rejects_a_precision_and_heads_that_do_not_divide():
    q, k, v = flax_inputs(3)
    with pytest.raises(UserError, match="precision is highest"):
        nn.attention_fn()(q, k, v, precision="highest")
    with pytest.raises(UserError, match="3 query heads cannot share 2 heads"):
        nn.attention_fn()(q, k[:, :, :2], v[:, :, :2])
