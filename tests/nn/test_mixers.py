"""Mixers: what each makes of the weights and of the weighted values."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attn_nlp.experiment import Cell
from attn_nlp.nn.attention import build_attention
from attn_nlp.nn.context import ForwardContext
from attn_nlp.nn.part_module import PartModule
from attn_nlp.parts.selection import choose
from attn_nlp.rng import Stream
from tests import reference
from tests.conftest import required
from tests.nn.running import cases, here_of, inputs, names, on_device, ready
from tests.nn.whole import HEADS, LENGTH, TOKENS, WIDTH, Block, X, tokens_mask

CASES = [text for _, text in cases("mixer")]
WEIGHTINGS = names("weighting")


def out_of(text, given, arrays=None) -> np.ndarray:
    (out,) = ready("mixer", text).run(given, arrays)
    return np.asarray(out)


@pytest.mark.parametrize("text", CASES)
def test_keys_change_places_freely(text):
    given = inputs()
    order = np.array([3, 0, 5, 1, 4, 2])
    moved = {name: given[name][..., order] for name in ("logits", "mask")}
    moved["v"] = given["v"][:, :, order]
    # Sums of six products in another order differ in the last bits.
    np.testing.assert_allclose(out_of(text, given | moved), out_of(text, given), atol=2e-6)


# One mixer at a time.


def test_query_mix_at_its_ends_is_the_heads_or_the_query():
    given = inputs()
    tokens = given["tokens"]
    heads, ends = (
        out_of("heads", given),
        [out_of(f"query_mix('fixed({share})')", given) for share in (1.0, 0.0)],
    )
    shown = [np.moveaxis(each, 1, 2)[tokens] for each in (heads, *ends)]
    np.testing.assert_array_equal(shown[1], shown[0])
    query = np.moveaxis(given["q_raw"], 1, 2)[tokens]
    np.testing.assert_array_equal(shown[2], query.astype(np.float32))
    for end in ends:
        assert (np.moveaxis(end, 1, 2)[~tokens] == 0).all()


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_query_mix_lies_between_attention_and_the_query(weighting):
    given = inputs()
    mixed, heads = out_of(f"query_mix({weighting!r})", given), out_of("heads", given)
    shown = given["tokens"][:, None, :, None]
    low = np.where(shown, np.minimum(heads, given["q_raw"]), 0.0)
    high = np.where(shown, np.maximum(heads, given["q_raw"]), 0.0)
    assert (mixed >= low - 1e-5).all()
    assert (mixed <= high + 1e-5).all()
    assert (mixed[:2] != heads[:2]).any()


def first_values(**settings) -> np.ndarray:
    """Return the output of a block before any training."""
    cell = Cell(width=WIDTH, heads=4, length=LENGTH).replace(
        {path.replace("__", "."): value for path, value in settings.items()}
    )
    module = build_attention(cell, cell.sizes, Stream(0), 0)
    x = jnp.asarray(X, jnp.float32)
    return np.asarray(module(x, jnp.asarray(TOKENS), ForwardContext(cell.numeric())))


def test_heads_do_not_talk_at_the_start():
    np.testing.assert_array_equal(first_values(attention__mixer="talking_heads"), first_values())
    assert not np.allclose(
        Block(attention__mixer="talking_heads").look()[0], Block().look()[0], atol=1e-3
    )


def test_heads_that_talk_may_change_places_and_back():
    """Softmax knows no heads: exchanging them before and after it is exchanging nothing."""
    given, swap = inputs(), np.array([[0.0, 1.0], [1.0, 0.0]])
    there = {"/before": swap - np.eye(2), "/after": swap - np.eye(2)}
    np.testing.assert_allclose(
        out_of("talking_heads", given, there), out_of("heads", given), atol=1e-6
    )
    only_after = {"/before": np.zeros((2, 2)), "/after": swap - np.eye(2)}
    assert not np.allclose(out_of("talking_heads", given, only_after), out_of("heads", given))


LOG2 = np.array([np.log(2.0), 0, 0, 0])
START = 0.8 - 0.6 * np.exp(-0.3)  # c of the layer that `ready` stands for, the second


def differential(share: float, **arrays) -> dict:
    """Learned arrays that make lambda this number: 2 - exp(a2 . b2) + c."""
    second = np.array([np.log(2.0 + START - share), 0, 0, 0])
    one = np.array([1.0, 0, 0, 0])
    vectors = {"query_one": LOG2, "key_one": one, "query_two": second, "key_two": one}
    return {
        f"/{name}": value
        for name, value in {**vectors, "feature_scale": np.ones(4), **arrays}.items()
    }


def rms(x: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-5)


def test_differential_attention_without_a_second_map_is_the_heads_normalized():
    given = inputs()
    found = out_of("differential", given, differential(0.0))
    wanted = (1 - START) * rms(out_of("heads", given).astype(np.float64))
    # A row that weighs hardly anything is divided by a small root.
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    scale = np.array([1.0, -2.0, 0.0, 3.0])
    scaled = out_of("differential", given, differential(0.0, feature_scale=scale))
    np.testing.assert_allclose(scaled, wanted * scale, rtol=1e-5, atol=3e-5)


def test_what_both_maps_look_at_cancels():
    given = inputs()
    given["logits"][:] = 1.5  # both maps even out over the keys that a query sees
    canceled = out_of("differential", given, differential(1.0))
    # 6e-8 of what is subtracted, over the root of 1e-5.
    assert np.abs(canceled).max() < 1e-3
    assert np.abs(out_of("differential", given, differential(0.5))).max() > 0.5


@pytest.mark.parametrize(("layer", "start"), [(0, 0.2), (1, 0.3555), (2, 0.4707), (40, 0.8)])
def test_the_first_share_grows_with_the_layer(layer, start):
    """The paper's 0.2 in its first layer, which is our layer 0."""
    letters = {"H": 2, "Q": 4, "M": 4, "D": 4, "U": 4}
    part = PartModule(choose("mixer", "differential"), "mixer", letters, Stream(0), layer)
    for name in ("query_one", "query_two"):
        part.arrays[name][...] = jnp.zeros(4)
    maps = jnp.asarray([0.0, 1.0, 0.0, 1.0])[None, :, None, None] * jnp.ones((1, 4, 3, 3))
    weights = part.reweight(ForwardContext({}), None, weights=maps)
    np.testing.assert_allclose(weights, np.full((1, 2, 3, 3), -start), atol=1e-4)


def test_rows_of_differential_attention_sum_to_what_is_left():
    block = Block(attention__mixer="differential")
    one, two = (block.own(f"query_{n}") @ block.own(f"key_{n}") for n in ("one", "two"))
    _, weights = block.look()
    assert weights is not None
    assert weights.shape == (3, HEADS, LENGTH, LENGTH)
    left = 1 - (np.exp(one) - np.exp(two) + 0.2)
    np.testing.assert_allclose(weights[:2].sum(axis=-1), left, rtol=1e-5)
    assert (weights < 0).any()
    assert (weights[~np.broadcast_to(tokens_mask(), weights.shape)] == 0).all()


def test_the_norm_of_differential_attention_forgets_size_and_bears_zeros():
    part = ready("mixer", "differential").bound()

    def normed(out):
        return part.finish(ForwardContext({}), None, out=out, q_raw=out, x=None)

    out = jnp.asarray(inputs()["out"], jnp.float32) + 3.0
    np.testing.assert_allclose(normed(1000 * out), normed(out), rtol=1e-5)
    assert (normed(0 * out) == 0).all()
    slope = jax.grad(lambda each: normed(each).sum())(0 * out)
    assert np.isfinite(slope).all()


def test_the_paper_keeps_the_number_of_parameters_with_half_the_heads():
    usual = Block(heads=4, head_dim=2)
    half = Block(heads=2, head_dim=2, value_dim=4, attention__mixer="differential")
    for name in ("query", "key", "value", "output"):
        assert (
            usual.arrays[f"project/{name}/kernel"].shape
            == half.arrays[f"project/{name}/kernel"].shape
        )


def test_an_output_gate_is_half_open_open_or_shut():
    given = inputs()
    given["x"] = np.abs(given["x"]) + 0.1
    tokens = given["tokens"][:, None, :, None]
    heads = np.where(tokens, out_of("heads", given), 0.0)
    for number, opened in [(0.0, 0.5), (1000.0, 1.0), (-1000.0, 0.0)]:
        found = out_of("output_gate", given, {"/kernel": np.full((8, 2, 4), number)})
        np.testing.assert_allclose(found, opened * heads, rtol=1e-6)
    assert (np.abs(out_of("output_gate", given)) <= np.abs(heads)).all()


def test_hidden_queries_show_nothing_of_the_input():
    given = inputs()
    part = ready("mixer", "output_gate").bound()
    shown = on_device(given)
    more = {name: shown[name] for name in ("out", "x", "q_raw")}
    out = np.asarray(part.finish(ForwardContext({}), here_of(shown), **more))
    assert (np.moveaxis(out, 1, 2)[~given["tokens"]] == 0).all()


# Shared keys and values.


def test_one_group_is_multi_query_and_a_group_a_head_is_the_heads():
    def look(mixer):
        return Block(heads=4, attention__mixer=mixer).look()[0]

    np.testing.assert_array_equal(look("multi_query"), look("grouped_query(1)"))
    np.testing.assert_array_equal(look("heads"), look("grouped_query(4)"))
    assert not np.allclose(look("grouped_query(2)"), look("heads"), atol=1e-2)


@pytest.mark.parametrize(
    ("mixer", "shared"), [("multi_query", 1), ("grouped_query", 2), ("grouped_query(4)", 4)]
)
def test_oracle_torch_shares_keys_and_values(mixer, shared):
    torch = required("torch")
    block = Block(heads=4, attention__mixer=mixer)
    shape = (WIDTH, shared * 2)
    assert (
        block.arrays["project/key/kernel"].shape
        == block.arrays["project/value/kernel"].shape
        == shape
    )
    q, k, v = (
        torch.tensor(reference.split(X[:2], block.arrays[f"project/{name}/kernel"], heads))
        for name, heads in (("query", 4), ("key", shared), ("value", shared))
    )
    found = torch.nn.functional.scaled_dot_product_attention(
        q, k, v, attn_mask=torch.tensor(tokens_mask()[:2].copy()), enable_gqa=True
    )
    # Two programs, each some float32 roundings off at values of about ten.
    np.testing.assert_allclose(block.look()[0][:2], block.join(found.numpy()), rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("bias", [False, True])
def test_oracle_torch_has_the_same_block_of_attention(bias):
    torch = required("torch")
    block = Block(position="none", attention__projection_bias=bias)
    arrays = {name.removeprefix("project/"): torch.tensor(a) for name, a in block.arrays.items()}
    theirs = torch.nn.MultiheadAttention(
        WIDTH, HEADS, bias=bias, batch_first=True, dtype=torch.float64
    )
    packed = ("query", "key", "value")
    with torch.no_grad():
        theirs.in_proj_weight[:] = torch.cat([arrays[f"{name}/kernel"].T for name in packed])
        theirs.out_proj.weight[:] = arrays["output/kernel"].T
        if bias:
            theirs.in_proj_bias[:] = torch.cat([arrays[f"{name}/bias"] for name in packed])
            theirs.out_proj.bias[:] = arrays["output/bias"]
        x, hidden = torch.tensor(X[:2]), torch.tensor(~TOKENS[:2])
        out, weights = theirs(x, x, x, key_padding_mask=hidden, average_attn_weights=False)
    found, looked = block.look()
    assert looked is not None
    np.testing.assert_allclose(found[:2], out.numpy(), rtol=2e-5, atol=1e-5)
    np.testing.assert_allclose(looked[:2], weights.numpy(), rtol=2e-5, atol=1e-6)
