"""The composition of slots against second opinions: JAX's own attention, and PyTorch's."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from attn_nlp.experiment import Cell
from attn_nlp.nn.attention import build_attention
from attn_nlp.nn.context import BlockContext, ForwardContext
from attn_nlp.parts import registry
from attn_nlp.rng import Stream
from tests import reference
from tests.conftest import required
from tests.nn.running import refer
from tests.nn.whole import HEADS, LENGTH, TOKENS, WIDTH, Block, X, agree, tokens_mask

DIM = WIDTH // HEADS
SCALES = {
    "none": 1.0,
    "rsqrt_dim": DIM**-0.5,
    "inv_dim": 1 / DIM,
    "constant(0.3)": 0.3,
    "constant": 1.0,
    "constant(0)": 0.0,
    "constant(-0.5)": -0.5,
}


@pytest.mark.parametrize("text", SCALES)
def test_dot_product_attention_is_that_of_jax(text):
    block = Block(attention__scale=text)
    q, k, v = (jnp.asarray(each.swapaxes(1, 2), jnp.float32) for each in block.split())
    # jax.nn writes (B, T, N, H) for our (B, H, T, D).
    theirs = jax.nn.dot_product_attention(
        q, k, v, mask=jnp.asarray(tokens_mask()), scale=SCALES[text]
    )
    out = block.look()[0]
    wanted = block.join(np.asarray(theirs).swapaxes(1, 2))
    # Two float32 implementations, each a few roundings of 6e-8 off at values of about ten.
    np.testing.assert_allclose(out[:2], wanted[:2], rtol=2e-5, atol=1e-5)
    assert (out[2] == 0).all()  # padding alone; theirs is the mean of all values


def test_dot_product_attention_is_that_of_torch():
    torch = required("torch")
    block = Block()
    q, k, v = (torch.tensor(each) for each in block.split())
    found = torch.nn.functional.scaled_dot_product_attention(
        q[:2], k[:2], v[:2], attn_mask=torch.tensor(tokens_mask()[:2].copy())
    )
    np.testing.assert_allclose(block.look()[0][:2], block.join(found.numpy()), rtol=2e-5, atol=1e-5)


SCORES, NORMALIZERS = (
    [part.name for part in registry.parts(slot)] for slot in ("score", "normalizer")
)
# Every score and every normalizer, each with a few of the other.
PRODUCTS = [
    *itertools.product(SCORES, ["none", "learned"], ["softmax", "sigmoid"], ["heads", "query_mix"]),
    *itertools.product(["dot", "additive"], ["learned"], NORMALIZERS, ["heads"]),
]
PRODUCTS = list(dict.fromkeys(PRODUCTS))


def spent(weights, v):
    """Weighted values, by one map a head, or by one for every feature of it."""
    heads, width = v.shape[1], v.shape[3]
    if weights.shape[1] == heads:
        return reference.spend(weights, v)
    out = np.zeros((*v.shape[:2], weights.shape[2], width))
    for b, h, t, u in np.ndindex(out.shape):
        out[b, h, t, u] = weights[b, h * width + u, t] @ v[b, h, :, u]
    return out


@pytest.mark.parametrize(("score", "scale", "normalizer", "mixer"), PRODUCTS)
def test_every_product_of_parts_agrees_with_the_references(score, scale, normalizer, mixer):
    block = Block(
        attention__score=score,
        attention__scale=scale,
        attention__normalizer=normalizer,
        attention__mixer=mixer,
    )
    parts = {slot.choice.part.slot: slot for slot in block.module.slots}
    call = ForwardContext(block.cell.numeric())
    q, k, v = block.split()
    place = {"rows": range(LENGTH), "columns": range(LENGTH), "seed": 0, "layer": 0}
    logits = refer(parts["score"], call, {"q": q, "k": k})(**place)
    if scale == "learned":
        logits = logits * block.own("factors")[:, None, None]
    weights = refer(parts["normalizer"], call, {"logits": logits, "mask": tokens_mask()})()
    out = spent(weights, v)
    if mixer == "query_mix":
        share = refer(parts["mixer"].named["weighting"], call, {})(out=out, q_raw=q)
        out = np.where(TOKENS[:, None, :, None], share * out + (1 - share) * q, 0.0)
    agree(block, out, weights)


def test_widths_of_heads_and_values():
    block = Block(head_dim=3, value_dim=6, heads=3)
    shapes = {name.split("/")[1]: a.shape for name, a in block.arrays.items()}
    assert shapes == {"query": (8, 9), "key": (8, 9), "value": (8, 18), "output": (18, 8)}
    q, k, v = block.split()
    weights = reference.normalizer_softmax(reference.score_dot(q, k) * 3**-0.5, tokens_mask())
    agree(block, reference.spend(weights, v), weights)


def test_tied_queries_and_keys():
    block = Block(attention__tie_qk=True)
    assert "project/key/kernel" not in block.arrays
    q = reference.split(X, block.arrays["project/query/kernel"], HEADS)
    v = reference.split(X, block.arrays["project/value/kernel"], HEADS)
    logits = reference.score_dot(q, q) * DIM**-0.5
    np.testing.assert_allclose(logits, logits.swapaxes(2, 3))
    weights = reference.normalizer_softmax(logits, tokens_mask())
    agree(block, reference.spend(weights, v), weights)


def test_projection_biases():
    block = Block(attention__projection_bias=True)
    a = {name.removeprefix("project/"): array for name, array in block.arrays.items()}
    q, k, v = (
        reference.split(np.concatenate([X, np.ones((3, LENGTH, 1))], axis=-1), kernel, HEADS)
        for kernel in (
            np.vstack([a[f"{name}/kernel"], a[f"{name}/bias"]])
            for name in ("query", "key", "value")
        )
    )
    weights = reference.normalizer_softmax(reference.score_dot(q, k) * DIM**-0.5, tokens_mask())
    wanted = block.join(reference.spend(weights, v)) + a["output/bias"]
    np.testing.assert_allclose(block.look()[0], wanted, rtol=2e-5, atol=1e-5)


def test_calling_and_looking_are_one_path():
    block = Block()
    call = ForwardContext(block.cell.numeric())
    x, tokens = jnp.asarray(X, jnp.float32), jnp.asarray(TOKENS)
    np.testing.assert_array_equal(block.module(x, tokens, call), block.look()[0])


def test_a_block_without_projections():
    block = Block(attention__kind="se_token")
    out, weights = block.look()
    assert weights is None
    assert not any(name.startswith("project") for name in block.arrays)
    assert (out == out[:, :1]).all()  # one vector for a whole sentence
    assert (out[2] == 0).all()


def test_a_kind_that_is_given_queries_keys_and_values():
    """Linear attention: the projections around it, and no weights to look at."""
    block = Block(attention__kind="linear")
    q, k, v = block.split()
    raised = [np.where(x > 0, x + 1, np.exp(np.minimum(x, 0))) for x in (q, k)]
    kernel = reference.score_dot(*raised) * tokens_mask()
    total = kernel.sum(axis=-1, keepdims=True)
    agree(block, reference.spend(kernel / np.where(total > 0, total, 1), v))
    assert block.look()[1] is None


def test_dropped_weights_are_the_share_asked_for_and_scaled_up():
    call = ForwardContext({"p": 0.3}, dropping=frozenset({"p"}), key=jax.random.key(1))
    x = jnp.ones((100, 101))
    dropped = np.asarray(call.drop(x, "p", "stream"))
    share = (dropped == 0).mean()
    assert abs(share - 0.3) < 0.018  # 4 standard errors of 0.0046
    np.testing.assert_allclose(dropped[dropped > 0], 1 / 0.7, rtol=1e-6)
    np.testing.assert_array_equal(dropped, call.drop(x, "p", "stream"))
    assert (dropped != np.asarray(call.drop(x, "p", "another"))).any()


def test_dropped_weights_spend_no_relative_values():
    block = Block(position="shaw(2)")
    kernel = block.module.project.value.kernel
    kernel[...] = jnp.zeros_like(kernel[...])
    numeric = {**block.cell.numeric(), "attention.dropout": 0.5}
    call = ForwardContext(numeric, dropping=frozenset({"attention.dropout"}), key=jax.random.key(1))
    places, tokens = jnp.arange(LENGTH), jnp.asarray(TOKENS)
    out, weights = block.module.attend_with_weights(jnp.asarray(X, jnp.float32), tokens, call)
    here = BlockContext(places, places, tokens, tokens)
    spent = np.asarray(call.drop_weights(weights, "attention.dropout", "weights/0", here))
    assert ((spent == 0) & (np.asarray(weights) > 0)).any()
    near = np.clip(np.asarray(here.distances), -2, 2) + 2
    wanted = np.einsum("bhts,tsu->bhtu", spent, block.own("values")[near])
    # Some dozen float32 roundings at values of about ten.
    np.testing.assert_allclose(out, block.join(wanted), rtol=2e-5, atol=1e-5)


def test_a_rate_of_nothing_drops_nothing():
    x = jnp.ones((4, 5))
    for call in (
        ForwardContext({"p": 0.3}),
        ForwardContext({"p": 0.0}, dropping=frozenset({"p"}), key=jax.random.key(0)),
    ):
        np.testing.assert_array_equal(call.drop(x, "p", "stream"), x)


def test_a_kind_holds_only_the_arrays_that_it_uses(catalogue):
    @registry.kind("plain")
    class Plain:
        """Give the values back."""

        def attend(v):
            return v

    cell = Cell(width=8, heads=2, layers=1, position="learned").replace({"attention.kind": "plain"})
    module = build_attention(cell, cell.sizes, Stream(0), 0)
    paths = [
        "/".join(map(str, path)) for path, _ in nnx.to_flat_state(nnx.state(module, nnx.Param))
    ]
    assert sorted(paths) == [
        "project/key/kernel",
        "project/output/kernel",
        "project/query/kernel",
        "project/value/kernel",
    ]


def test_positions_are_in_the_encoder_and_not_in_every_block():
    cell = Cell(width=8, heads=2, position="learned")
    module = build_attention(cell, cell.sizes, Stream(0), 0)
    paths = [
        "/".join(map(str, path)) for path, _ in nnx.to_flat_state(nnx.state(module, nnx.Param))
    ]
    assert sorted(paths) == [
        "project/key/kernel",
        "project/output/kernel",
        "project/query/kernel",
        "project/value/kernel",
    ]
