"""The laws of scores: the order of keys is free, bounds hold, and some ignore their inputs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.nn.context import BlockContext, ForwardContext
from attn_nlp.nn.part_module import PartModule
from attn_nlp.parts import registry
from attn_nlp.parts.selection import choose
from attn_nlp.rng import Stream
from tests.conftest import required
from tests.nn.running import KEYS, cases, inputs, ready, rng_of
from tests.nn.whole import HEADS, LENGTH, TOKENS, WIDTH, Block, agree, tokens_mask
from tests.reference import normalizer_softmax, score_feature_wise

CASES = [text for _, text in cases("score")]
ORDER = np.array([3, 0, 5, 1, 4, 2])
DIM = WIDTH // HEADS
# Queries or keys of one sentence, numbers with three digits: (1, 2, 5, 4).
VECTORS = arrays(np.float64, (1, 2, 5, 4), elements=st.integers(-9999, 9999).map(lambda n: n / 1e3))
SOME = settings(deadline=None, max_examples=25)


def logits_of(part, given) -> np.ndarray:
    (logits,) = part.run(given)
    return np.asarray(logits)


def scored(name: str, *inputs) -> np.ndarray:
    """Apply the function of the part, in float32."""
    function = _compiled.setdefault(name, jax.jit(registry.find("score", name).hooks["score"]))
    return np.asarray(function(*(jnp.asarray(each, jnp.float32) for each in inputs)))


_compiled: dict = {}


@pytest.mark.parametrize("text", CASES)
def test_permuting_keys_permutes_logits_unless_bound_to_positions(text):
    part, given = ready("score", text), inputs()
    before = logits_of(part, given)
    after = logits_of(part, given | {"k": given["k"][:, :, ORDER]})
    same = np.allclose(after, before[..., ORDER], atol=1e-6)
    assert same != bool(part.choice.part.facts.get("position_bound"))


@pytest.mark.parametrize("text", CASES)
def test_the_query_counts_unless_ignored(text):
    part, given = ready("score", text), inputs()
    other = given | {"q": rng_of("another query").normal(size=given["q"].shape)}
    same = np.array_equal(logits_of(part, given), logits_of(part, other))
    assert same == bool(part.choice.part.facts.get("ignores_query"))


@pytest.mark.parametrize("text", CASES)
def test_the_keys_count_unless_ignored(text):
    part, given = ready("score", text), inputs()
    other = given | {"k": rng_of("another key").normal(size=given["k"].shape)}
    same = np.array_equal(logits_of(part, given), logits_of(part, other))
    assert same == bool(part.choice.part.facts.get("ignores_keys"))


def test_a_control_looks_at_nothing_and_these_look_at_one_side_only():
    blind = {
        part.name: {fact for fact in ("ignores_query", "ignores_keys") if part.facts.get(fact)}
        for part in registry.parts("score")
    }
    both = {name for name, ignored in blind.items() if len(ignored) == 2}
    assert both == {"uniform", "hard_random", "synthesizer_random"}
    assert {part.name for part in registry.parts("score") if part.facts.get("control")} < both
    assert {name for name, ignored in blind.items() if ignored == {"ignores_query"}} == {"content"}
    only_keys = {name for name, ignored in blind.items() if ignored == {"ignores_keys"}}
    assert only_keys == {"location", "synthesizer_dense"}


@pytest.mark.parametrize("text", CASES)
def test_a_block_gives_its_rows_and_columns_of_the_whole(text):
    part, given = ready("score", text), inputs()
    where = BlockContext(jnp.arange(1, 4), jnp.arange(2, KEYS), given["tokens"], given["tokens"])
    q, k = (jnp.asarray(given[name], jnp.float32) for name in "qk")
    block = part.bound().score(part.call(), where, q=q[:, :, 1:4], k=k[:, :, 2:])
    # The same sums, rounded once or twice more or less.
    np.testing.assert_allclose(block, logits_of(part, given)[..., 1:4, 2:], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("text", CASES)
def test_padding_changes_no_logit_of_a_token(text):
    part, given = ready("score", text), inputs()
    more = given | {
        "k": np.pad(given["k"], ((0, 0), (0, 0), (0, 2), (0, 0)), constant_values=1e4),
        "mask": np.pad(given["mask"], ((0, 0), (0, 0), (0, 0), (0, 2))),
    }
    found = logits_of(part, more)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[..., :KEYS], logits_of(part, given), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("dot", 32),
        ("bilinear", 32),
        ("bilinear_low_rank", 32),
        ("bilinear_low_rank(3)", 32),
        ("content", 1),
        ("location", 1),
        ("synthesizer_random", 1),
        ("hard_random", 1),
    ],
)
def test_logits_start_with_the_variance_that_the_docstrings_state(text, wanted):
    """Of unit-variance queries and keys with 32 features."""
    heads, length, dim = 32, 40, 32
    rng = rng_of("many")
    q, k = (jnp.asarray(rng.normal(size=(2, heads, length, dim)), jnp.float32) for _ in "qk")
    sizes = {"Q": heads, "D": dim, "T": length}
    part = PartModule(choose("score", text), "score", sizes, Stream(0))
    places = jnp.arange(length)
    logits = part.score(ForwardContext({}), BlockContext(places, places, None, None), q=q, k=k)
    # Some 3000 learned numbers and more decide: their mean square is a tenth off at most.
    np.testing.assert_allclose(np.var(logits), wanted, rtol=0.15)


def test_concat_is_another_name_of_additive():
    assert Cell().replace({"attention.score": "concat"}).attention.score == "additive"


@pytest.mark.parametrize(("dim", "rank"), [(1, 1), (2, 1), (3, 2), (16, 8)])
def test_the_rank_is_half_of_head_dim_unless_given(dim, rank):
    assert choose("score", "bilinear_low_rank").static({"D": dim}) == {"rank": rank}
    assert choose("score", "bilinear_low_rank(7)").static({"D": dim}) == {"rank": 7}


def test_a_low_rank_form_of_full_rank_is_any_bilinear_form():
    given, full = inputs(), ready("score", "bilinear")
    left, sizes, right = np.linalg.svd(full.arrays["/form"])
    root = np.sqrt(sizes)[:, None, :]
    thin = {"/left": left * root, "/right": np.swapaxes(right, 1, 2) * root}
    (found,) = ready("score", f"bilinear_low_rank({DIM})").run(given, thin)
    np.testing.assert_allclose(found, logits_of(full, given), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_low_rank_form_has_that_rank(rank):
    with jax.enable_x64(True):
        logits = logits_of(ready("score", f"bilinear_low_rank({rank})"), inputs())
    assert (np.linalg.matrix_rank(logits, tol=1e-9) == rank).all()


@SOME
@over(VECTORS, VECTORS, st.floats(1e-3, 1e3))
def test_cosine_stays_within_one_and_ignores_lengths(q, k, size):
    q[0, 0, 0] = 0.0  # no direction: no NaN
    found = scored("cosine", q, k)
    assert (np.abs(found) <= 1 + 1e-6).all()
    assert (found[0, 0, 0] == 0).all()
    # A vector of 1e-3 stays far above the length that counts as zero.
    np.testing.assert_allclose(scored("cosine", q * size, k), found, atol=2e-6)
    np.testing.assert_allclose(scored("cosine", q, k * size), found, atol=2e-6)
    np.testing.assert_allclose(scored("cosine", -q, k), -found, atol=2e-6)


@SOME
@over(VECTORS, VECTORS, st.floats(-9, 9))
def test_l2_sees_differences_only(q, k, shift):
    found = scored("l2", q, k)
    # Squares up to 1e3, in float32.
    assert (found <= 1e-3).all()
    np.testing.assert_allclose(scored("l2", q + shift, k + shift), found, atol=3e-3)
    np.testing.assert_allclose(scored("l2", k, q), np.swapaxes(found, 2, 3), atol=1e-3)
    same = scored("l2", q, q)
    np.testing.assert_allclose(np.diagonal(same, axis1=2, axis2=3), 0.0, atol=1e-3)


def test_with_tied_weights_l2_gives_no_key_more_than_the_token_itself():
    _, weights = Block(attention__score="l2", attention__tie_qk=True).look()
    own = np.diagonal(weights, axis1=2, axis2=3)
    tokens = np.broadcast_to(TOKENS[:, None], own.shape)
    assert (own[tokens] >= weights.max(axis=-1)[tokens] - 1e-6).all()
    _, untied = Block(attention__score="l2").look()
    own = np.diagonal(untied, axis1=2, axis2=3)
    assert not (own[tokens] >= untied.max(axis=-1)[tokens] - 1e-6).all()


def test_l2_is_flat_where_a_query_equals_its_key():
    """A root of the distance would have no slope there."""
    l2 = registry.find("score", "l2").hooks["score"]
    q = jnp.asarray(inputs()["q"], jnp.float32)
    slope = jax.grad(lambda x: jnp.trace(l2(x, q)[0, 0]))(q)
    np.testing.assert_allclose(slope, 0.0, atol=1e-5)


@SOME
@over(VECTORS, VECTORS, arrays(np.float64, (2, 4), elements=st.floats(-3, 3, width=16)))
def test_additive_is_bounded_by_its_direction(q, k, direction):
    bound = np.abs(direction).sum(axis=-1)[None, :, None, None]
    assert (np.abs(scored("additive", q, k, direction)) <= bound * (1 + 1e-6) + 1e-6).all()


@SOME
@over(VECTORS, VECTORS, st.sampled_from([0.5, 5.0, 50.0]))
def test_feature_wise_is_bounded_and_keeps_features_apart(q, k, c):
    found = scored("feature_wise", q, k, c)
    assert (np.abs(found) <= c * (1 + 1e-6)).all()
    other = q.copy()
    other[:, 1, :, 2] += 1.0
    same = (scored("feature_wise", other, k, c) == found).all(axis=(0, 2, 3))
    assert same[np.arange(8) != 1 * DIM + 2].all()


def test_feature_wise_attention_weighs_every_feature_of_the_values():
    block = Block(attention__score="feature_wise(2.0)", attention__scale="none")
    q, k, v = block.split()
    weights = normalizer_softmax(score_feature_wise(q, k, 2.0), tokens_mask())
    out = np.zeros((3, HEADS, LENGTH, DIM))
    for b, h, t, d in np.ndindex(out.shape):
        out[b, h, t, d] = weights[b, h * DIM + d, t] @ v[b, h, :, d]
    agree(block, out, weights)


def test_feature_wise_is_rejected_where_one_map_a_head_is_needed(catalogue):
    registry.mixer("two_maps", maps=2)(lambda out: out)
    registry.position("one_map", requires={"M": "Q"})(lambda x: x)
    plain = Cell().replace({"attention.score": "feature_wise"})
    for path, text in [
        ("attention.score", "feature_wise + dot"),
        ("attention.mixer", "two_maps"),
        ("position", "one_map"),
        ("value_dim", 8),
    ]:
        with pytest.raises(UserError, match="feature_wise"):
            plain.replace({path: text})


def test_tables_are_as_long_as_the_cell():
    letters = Cell(width=8, heads=2, length=17).sizes
    for name in ("location", "synthesizer_dense", "synthesizer_random"):
        part = PartModule(choose("score", name), "score", letters, Stream(0))
        assert part.arrays["table"][...].shape[-1] == 17


def test_a_dense_synthesizer_without_a_network_is_location():
    """Where its hidden layer passes everything, and with no last bias."""
    dense, given = ready("score", "synthesizer_dense"), inputs()
    given = given | {"q": np.abs(given["q"])}
    table = dense.arrays["/table"]
    off = {"/hidden_bias": np.zeros((2, 4)), "/table_bias": np.zeros((2, 5)), "/table": table}
    (found,) = dense.run(given, off)
    (wanted,) = ready("score", "location").run(given, {"/table": table})
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_bilinear_agrees_with_the_oracle():
    torch = required("torch")
    part, given = ready("score", "bilinear"), inputs()
    logits, form = logits_of(part, given), part.arrays["/form"]
    for h in range(2):
        layer = torch.nn.Bilinear(4, 4, 1, bias=False, dtype=torch.float64)
        layer.weight.data[:] = torch.tensor(form[h][None])
        q, k = torch.tensor(given["q"][:, h, :, None]), torch.tensor(given["k"][:, h, None])
        shape = (3, 5, KEYS, 4)
        wanted = layer(q.expand(shape).contiguous(), k.expand(shape).contiguous())[..., 0]
        np.testing.assert_allclose(logits[:, h], wanted.detach(), rtol=1e-5, atol=1e-5)


def test_cosine_agrees_with_the_oracle():
    torch = required("torch")
    given = inputs()
    q, k = torch.tensor(given["q"])[:, :, :, None], torch.tensor(given["k"])[:, :, None]
    wanted = torch.nn.functional.cosine_similarity(q, k, dim=-1)
    np.testing.assert_allclose(scored("cosine", given["q"], given["k"]), wanted, atol=1e-6)


def test_l2_agrees_with_the_oracle():
    torch = required("torch")
    given = inputs()
    wanted = -(torch.cdist(torch.tensor(given["q"]), torch.tensor(given["k"])) ** 2)
    np.testing.assert_allclose(scored("l2", given["q"], given["k"]), wanted, rtol=1e-5, atol=1e-5)
