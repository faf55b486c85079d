"""The laws of scales: what they ignore, where they start, their bounds, and how they combine."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.nn.attention import build_attention
from attn_nlp.nn.context import ForwardContext
from attn_nlp.nn.part_module import PartModule
from attn_nlp.parts import registry
from attn_nlp.parts.selection import choose
from attn_nlp.rng import Stream
from tests.conftest import required
from tests.nn.running import cases, inputs, ready, rng_of
from tests.nn.whole import HEADS, LENGTH, TOKENS, WIDTH, Block, agree, tokens_mask
from tests.nn.whole import X as SENTENCES
from tests.reference import normalizer_softmax, score_dot, spend

CASES = [text for _, text in cases("scale")]
NORMS = ["qk_norm", "qk_layernorm", "qk_rmsnorm"]
DIM = WIDTH // HEADS
VECTORS = arrays(np.float64, (1, 2, 5, 4), elements=st.integers(-9999, 9999).map(lambda n: n / 1e3))
SOME = settings(deadline=None, max_examples=25)


def prepared(name: str, x, *gains) -> np.ndarray:
    """Return a query multiplied by the scale, in float32."""
    function = registry.find("scale", name).hooks["prepare"]
    x = jnp.asarray(x, jnp.float32)
    return np.asarray(function(x, x, *(jnp.asarray(each, jnp.float32) for each in gains))[0])


def capped(logits, c: float) -> np.ndarray:
    """Apply a soft cap to logits that have been divided by sqrt(D)."""
    function = registry.find("scale", "softcap").hooks["adjust"]
    return np.asarray(function(jnp.asarray(logits, jnp.float32), jnp.float32(c), {"D": 1}))


def first(text: str, length: int = LENGTH, **sizes) -> dict[str, np.ndarray]:
    """The first values of a scale's learned arrays."""
    letters = {**Cell(width=WIDTH, heads=HEADS, length=length).sizes, **sizes}
    part = PartModule(choose("scale", text), "scale", letters, Stream(0))
    return {name: np.asarray(array[...]) for name, array in part.arrays.items()}


def fresh(scale: str, **more):
    """Output and weights of a block as training finds it."""
    cell = Cell(width=WIDTH, heads=HEADS, length=LENGTH).replace({"attention.scale": scale, **more})
    module = build_attention(cell, cell.sizes, Stream(0), 0)
    x, tokens = jnp.asarray(SENTENCES, jnp.float32), jnp.asarray(TOKENS)
    return [
        np.asarray(each)
        for each in module.attend_with_weights(x, tokens, ForwardContext(cell.numeric()))
    ]


def softmax(logits) -> np.ndarray:
    return normalizer_softmax(logits, tokens_mask())


@pytest.mark.parametrize("text", CASES)
def test_padding_changes_nothing_for_a_token(text):
    block = Block(attention__scale=text)
    more = [(0, 0), (0, 2), (0, 0)]
    wider = block.look(np.pad(SENTENCES, more, constant_values=1e4), np.pad(TOKENS, more[:2]))
    for found, wanted in zip((wider[0], wider[1][..., :LENGTH]), block.look(), strict=True):
        found = np.moveaxis(found, -2, 1)[:, :LENGTH]
        wanted = np.moveaxis(wanted, -2, 1)
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found[TOKENS], wanted[TOKENS], rtol=1e-5, atol=1e-6)
    assert (wider[1][..., LENGTH:] == 0).all()


@pytest.mark.parametrize("name", NORMS)
def test_queries_and_keys_are_normalized_once(name):
    for settings_ in (
        {"attention.score": "cosine", "attention.scale": name},
        *({"attention.scale": f"{name} + {other}"} for other in NORMS),
    ):
        with pytest.raises(UserError, match=r"both normalize queries and keys; choose one of them"):
            Cell().replace(settings_)
    assert Cell().replace({"attention.scale": f"{name} + softcap"})
    assert Cell().replace({"attention.scale": name, "attention.score": "bilinear"})


@SOME
@over(VECTORS, st.floats(1e-3, 1e3))
def test_qk_norm_makes_unit_vectors_of_any_length(x, size):
    x[0, 0, 0] = 0.0
    lengths = np.linalg.norm(x, axis=-1)
    found = prepared("qk_norm", x)
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), lengths > 0, atol=1e-6)
    # A vector of 1e-3 stays above the length that counts as zero.
    np.testing.assert_allclose(prepared("qk_norm", x * size), found, atol=2e-6)


@pytest.mark.parametrize("size", [1e-3, 30.0])
def test_qk_norm_ignores_the_size_of_queries_and_keys(size):
    part, given = ready("scale", "qk_norm"), inputs()
    (before,) = part.run(given)
    strength = abs(part.arrays["/strength"])
    assert (np.abs(before) <= strength * (1 + 1e-6)).all()
    for name in "qk":
        (after,) = part.run(given | {name: given[name] * size})
        np.testing.assert_allclose(after, before, atol=2e-6)
        (dotted,) = ready("scale", "rsqrt_dim").run(given | {name: given[name] * size})
        assert not np.allclose(dotted, ready("scale", "rsqrt_dim").run(given)[0], atol=1e-2)


@pytest.mark.parametrize("name", NORMS)
def test_a_vector_of_zeros_has_finite_gradients(name):
    part, given = ready("scale", name), inputs()
    given["q"][:, :, 0] = 0.0

    def total(q):
        return jnp.sum(part.run(given | {"q": q})[0] ** 2)

    slope = jax.grad(total)(jnp.asarray(given["q"], jnp.float32))
    assert np.isfinite(slope).all()
    assert (np.asarray(part.run(given)[0])[:, :, 0] == 0).all()


@pytest.mark.parametrize(
    ("text", "length", "wanted"),
    [
        ("qk_norm", 128, np.log2(128**2 - 128)),
        ("qk_norm", 3, np.log2(6)),
        ("qk_norm", 2, 1.0),
        ("qk_norm", 1, 1.0),  # not log2(0)
        ("qk_norm(20)", 128, np.log2(380)),
        ("qk_norm(length=1)", 128, 1.0),
    ],
)
def test_qk_norm_starts_at_the_paper_s_strength(text, length, wanted):
    np.testing.assert_allclose(first(text, length)["strength"], wanted, rtol=1e-6)


@SOME
@over(VECTORS, st.floats(0.5, 20), st.floats(-9, 9))
def test_layer_norm_ignores_shifts_and_rms_norm_does_not(x, size, shift):
    ones = np.ones(4)
    varied = x.std(axis=-1) > 0.5
    found = prepared("qk_layernorm", x, ones, ones)
    np.testing.assert_allclose(found.mean(axis=-1), 0.0, atol=1e-4)
    np.testing.assert_allclose(found[varied].std(axis=-1), 1.0, atol=1e-4)
    # The 1e-6 beside a variance above 1/4 is a few millionths; a mean of 100 costs a digit or two.
    moved = prepared("qk_layernorm", x * size + shift, ones, ones)
    np.testing.assert_allclose(moved[varied], found[varied], atol=2e-4)
    large = np.abs(x).mean(axis=-1) > 0.5
    square = prepared("qk_rmsnorm", x, ones, ones) ** 2
    np.testing.assert_allclose(square[large].mean(axis=-1), 1.0, atol=1e-4)


def test_rms_norm_notices_a_shift():
    x, ones = inputs()["q"], np.ones(4)
    found = [prepared("qk_rmsnorm", each, ones, ones) for each in (x, x + 1, 3 * x)]
    assert not np.allclose(found[0], found[1], atol=0.1)
    np.testing.assert_allclose(found[2], found[0], atol=1e-4)


def test_rms_norm_starts_as_sqrt_d_times_the_cosine():
    given = inputs()
    for name, scale in first("qk_rmsnorm").items():
        np.testing.assert_array_equal(scale, np.ones(DIM), err_msg=name)
    ones = {"/query_scale": np.ones(DIM), "/key_scale": np.ones(DIM)}
    (found,) = ready("scale", "qk_rmsnorm").run(given, ones)
    (cosine,) = ready("score", "cosine").run(given)
    np.testing.assert_allclose(found, DIM**0.5 * cosine, atol=1e-4)


@SOME
@over(
    arrays(np.float64, 40, elements=st.floats(-1e4, 1e4, width=32)),
    st.sampled_from([0.5, 5.0, 50.0]),
)
def test_a_soft_cap_bounds_and_keeps_the_order(logits, c):
    logits = np.sort(logits)
    found = capped(logits, c)
    assert (np.abs(found) <= c * (1 + 1e-6)).all()
    assert (np.diff(found) >= -1e-6 * c).all()
    assert (np.abs(found) <= np.abs(logits) * (1 + 1e-5) + 1e-12).all()


def test_a_soft_cap_keeps_small_logits_and_their_slope():
    small = np.linspace(-0.01, 0.01, 5)
    np.testing.assert_allclose(capped(small, 50.0), small, rtol=1e-6)
    (wide,) = ready("scale", "softcap(1e5)").run(inputs())
    (plain,) = ready("scale", "rsqrt_dim").run(inputs())
    np.testing.assert_allclose(wide, plain, rtol=1e-5, atol=1e-5)
    assert (np.diff(capped(np.linspace(-9, 9, 30), 5.0)) > 0).all()


@pytest.mark.parametrize("text", ["constant(2.0) + softcap(1.5)", "softcap(1.5) + constant(2.0)"])
def test_a_cap_comes_after_all_factors(text):
    block = Block(attention__scale=text)
    q, k, v = block.split()
    weights = softmax(1.5 * np.tanh(2 * score_dot(q, k) / (1.5 * DIM**0.5)))
    agree(block, spend(weights, v), weights)


@pytest.mark.parametrize(
    ("joined", "factor"),
    [
        ("rsqrt_dim + constant(3.0)", lambda n: 3 * DIM**-0.5),
        ("rsqrt_dim + rsqrt_dim", lambda n: DIM**-1),
        ("constant(3.0) + log_length", lambda n: 3 * np.log(n) * DIM**-0.5),
    ],
)
def test_joined_factors_multiply(joined, factor):
    block = Block(attention__scale=joined)
    q, k, v = block.split()
    seen = np.maximum(TOKENS.sum(axis=1), 1)[:, None, None, None]
    weights = softmax(factor(seen) * score_dot(q, k))
    agree(block, spend(weights, v), weights)


def test_a_norm_and_a_cap_join():
    block = Block(attention__scale="qk_norm + softcap(0.3)")
    q, k, v = (np.array(each) for each in block.split())
    cosine = score_dot(*(x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (q[:2], k[:2])))
    logits = np.zeros((3, HEADS, LENGTH, LENGTH))
    logits[:2] = 0.3 * np.tanh(block.own("strength") * cosine / (0.3 * DIM**0.5))
    weights = softmax(logits)
    agree(block, spend(weights, v), weights)


def test_the_log_of_the_length_multiplies_the_usual_scale():
    given = inputs()
    given["mask"][0, 0, 3] = np.arange(6) == 4
    (found,), (plain,) = (ready("scale", name).run(given) for name in ("log_length", "rsqrt_dim"))
    seen = given["mask"].sum(axis=-1, keepdims=True)
    assert {0, 1} <= set(seen.flat)  # a query that sees nothing, and one that sees one key
    wanted = np.where(seen > 0, np.log(np.maximum(seen, 1)), 0.0) * np.asarray(plain)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_one_key_to_see_has_all_the_weight_whatever_its_logit():
    tokens = np.arange(LENGTH)[None, :] < np.array([[1], [1], [0]])
    _, weights = Block(attention__scale="log_length").look(tokens=tokens)
    np.testing.assert_array_equal(weights[:2, :, :, 0], 1.0)
    assert (weights[2] == 0).all()


@pytest.mark.parametrize(
    ("scale", "start"), [("learned", "rsqrt_dim"), ("scalable_softmax", "log_length")]
)
@pytest.mark.parametrize("score", ["dot", "feature_wise"])
def test_learned_factors_start_at_the_fixed_ones_for_any_score(scale, start, score):
    more = {"attention.score": score}
    for found, wanted in zip(fresh(scale, **more), fresh(start, **more), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-7)
    maps = HEADS * (DIM if score == "feature_wise" else 1)
    assert all(array.shape == (maps,) for array in first(scale, M=maps).values())


def test_a_learned_factor_multiplies_its_own_map():
    block = Block(attention__scale="learned", attention__score="feature_wise")
    assert block.own("factors").shape == (WIDTH,)
    q, k, v = block.split()
    weights = np.zeros((3, WIDTH, LENGTH, LENGTH))
    for b, h, d, t, s in np.ndindex(3, HEADS, DIM, LENGTH, LENGTH):
        score = 5 * np.tanh((q[b, h, t, d] + k[b, h, s, d]) / 5)
        weights[b, h * DIM + d, t, s] = block.own("factors")[h * DIM + d] * score
    weights = softmax(weights)
    out = np.zeros_like(v)
    for b, h, t, d in np.ndindex(out.shape):
        out[b, h, t, d] = weights[b, h * DIM + d, t] @ v[b, h, :, d]
    agree(block, out, weights)


@pytest.mark.parametrize(
    ("text", "scale"),
    [("none", 1.0), ("rsqrt_dim", DIM**-0.5), ("inv_dim", 1 / DIM), ("constant(0.3)", 0.3)],
)
def test_scaled_dot_product_attention_agrees_with_the_oracle(text, scale):
    torch = required("torch")
    block = Block(attention__scale=text)
    # PyTorch gives NaN for a sentence of padding alone: only the two others are compared.
    q, k, v = (torch.tensor(each[:2]) for each in block.split())
    mask = torch.tensor(tokens_mask()[:2].copy())
    out = torch.nn.functional.scaled_dot_product_attention(q, k, v, mask, scale=scale).numpy()
    found, _ = block.look()
    np.testing.assert_allclose(found[:2], block.join(out), rtol=2e-5, atol=1e-5)


def test_multi_head_attention_agrees_with_the_oracle():
    torch = required("torch")
    block = Block(attention__scale="rsqrt_dim")
    layer = torch.nn.MultiheadAttention(
        WIDTH, HEADS, bias=False, batch_first=True, dtype=torch.float64
    )
    # PyTorch writes x @ W.T for our x @ W.
    of = {
        name: block.arrays[f"project/{name}/kernel"].T
        for name in ("query", "key", "value", "output")
    }
    layer.in_proj_weight.data[:] = torch.tensor(
        np.concatenate([of["query"], of["key"], of["value"]])
    )
    layer.out_proj.weight.data[:] = torch.tensor(of["output"])
    x, padding = torch.tensor(SENTENCES[:2]), torch.tensor(~TOKENS[:2])
    out, weights = layer(x, x, x, padding, average_attn_weights=False)
    found, looked = block.look()
    np.testing.assert_allclose(found[:2], out.detach(), rtol=2e-5, atol=1e-5)
    np.testing.assert_allclose(looked[:2], weights.detach(), rtol=2e-5, atol=1e-5)


def test_normalized_queries_and_keys_agree_with_flax():
    block = Block(attention__scale="qk_layernorm")
    layer = nnx.MultiHeadAttention(
        HEADS, WIDTH, use_bias=False, normalize_qk=True, decode=False, rngs=nnx.Rngs(0)
    )
    for name in ("query", "key", "value"):
        kernel = block.arrays[f"project/{name}/kernel"].reshape(WIDTH, HEADS, DIM)
        getattr(layer, name).kernel[...] = jnp.asarray(kernel, jnp.float32)
    kernel = block.arrays["project/output/kernel"].reshape(HEADS, DIM, WIDTH)
    layer.out.kernel[...] = jnp.asarray(kernel, jnp.float32)
    layer.query_ln.scale[...] = jnp.asarray(block.own("query_scale"), jnp.float32)
    layer.key_ln.scale[...] = jnp.asarray(block.own("key_scale"), jnp.float32)
    wanted = layer(jnp.asarray(SENTENCES[:2], jnp.float32), mask=jnp.asarray(tokens_mask()[:2]))
    np.testing.assert_allclose(block.look()[0][:2], wanted, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "layer"), [("qk_layernorm", "LayerNorm"), ("qk_rmsnorm", "RMSNorm")]
)
def test_norms_agree_with_the_oracle(name, layer):
    torch = required("torch")
    scale = rng_of("gain").normal(size=DIM)
    module = getattr(torch.nn, layer)(DIM, eps=1e-6, dtype=torch.float64)
    module.weight.data[:] = torch.tensor(scale)
    for x in (inputs()["q"], inputs()["q"] * 1e-3):  # where the 1e-6 counts too
        wanted = module(torch.tensor(x)).detach()
        np.testing.assert_allclose(prepared(name, x, scale, scale), wanted, rtol=1e-5, atol=1e-5)


def test_unit_vectors_agree_with_the_oracle():
    torch = required("torch")
    x = inputs()["q"]
    wanted = torch.nn.functional.normalize(torch.tensor(x), dim=-1)
    np.testing.assert_allclose(prepared("qk_norm", x), wanted, atol=1e-6)
