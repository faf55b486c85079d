"""Mixers one after another: pairs that make sense act in turn, and others are rejected."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.nn.context import ForwardContext
from attn_nlp.parts import registry
from attn_nlp.parts.selection import canonical
from tests import reference
from tests.nn.running import names
from tests.nn.whole import HEADS, LENGTH, TOKENS, WIDTH, Block, X, agree, tokens_mask

DIM = WIDTH // HEADS
SHARES = "both share keys and values among heads; choose one of them, say mixer 'heads'"
ONE_QUERY = "needs query heads equal to heads; they are 8 and 4. Choose another part than "
REJECTED = {
    frozenset({"query_mix", "differential"}): ONE_QUERY,
    frozenset({"talking_heads", "differential"}): ONE_QUERY,
    frozenset({"multi_query", "grouped_query"}): SHARES,
    frozenset({"multi_query"}): SHARES,
    frozenset({"grouped_query"}): SHARES,
    frozenset({"query_mix"}): "both mix the query into the result; choose one of them",
    frozenset({"talking_heads"}): "both mix heads; choose one of them",
    frozenset({"differential"}): "both subtract attention maps; choose one of them",
    frozenset({"output_gate"}): "both gate the result by the input; choose one of them",
}
NAMES = names("mixer")
PAIRS = [
    pair
    for pair in itertools.combinations_with_replacement(NAMES, 2)
    if frozenset(pair) not in REJECTED and "heads" not in pair
]


@pytest.mark.parametrize("pair", list(itertools.product(NAMES, NAMES)), ids=" + ".join)
def test_pairs_that_make_no_sense_are_rejected(pair):
    def cell():
        return Cell(width=16, heads=4).replace({"attention.mixer": " + ".join(pair)})

    if frozenset(pair) not in REJECTED:
        assert cell().attention.mixer == canonical("mixer", " + ".join(pair))
        return
    with pytest.raises(UserError) as rejection:
        cell()
    assert REJECTED[frozenset(pair)] in str(rejection.value)
    if "differential" in pair and len(set(pair)) == 2:
        assert str(rejection.value).endswith("'differential', say 'heads'.")


def rms(x: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-5)


def composed(block: Block, mixers: tuple[str, ...], bias=0.0):
    """Heads' results and weights of mixers in turn, from the block's arrays, in float64."""
    sizes = block.letters
    heads, sharing = sizes["H"], sizes["H"] // sizes["K"]
    maps = sizes["Q"] // heads

    def split(name, across):
        return reference.split(X, block.arrays[f"project/{name}/kernel"], across)

    def of_group(h):
        return h // sharing

    q, keys = split("query", sizes["Q"]), split("key", sizes["K"] * maps)
    order = [of_group(h) * maps + m for h in range(heads) for m in range(maps)]
    k, values = keys[:, order], split("value", sizes["K"])
    v = values[:, [of_group(h) for h in range(heads)]]

    def talk(each, departure):
        return each + np.einsum("bhts,hg->bgts", each, departure)

    logits = reference.score_dot(q, k) * sizes["D"] ** -0.5 + bias
    if "talking_heads" in mixers:
        logits = talk(logits, block.own("before"))
    weights = reference.normalizer_softmax(logits, tokens_mask())
    if "talking_heads" in mixers:
        weights = talk(weights, block.own("after"))
    if "differential" in mixers:
        one, two = (block.own(f"query_{n}") @ block.own(f"key_{n}") for n in ("one", "two"))
        weights = weights[:, 0::2] - (np.exp(one) - np.exp(two) + 0.2) * weights[:, 1::2]
    out = reference.spend(weights, v)
    shown = TOKENS[:, None, :, None]
    for mixer in mixers:
        if mixer == "differential":
            out = 0.8 * block.own("feature_scale") * rms(out)
        if mixer == "output_gate":
            gate = 1 / (1 + np.exp(-np.einsum("bte,ehu->bhtu", X, block.own("kernel"))))
            out = np.where(shown, out * gate, 0.0)
        if mixer == "query_mix":
            share = 1 / (1 + np.exp(-block.own("logit")))[:, None, None]
            out = np.where(shown, share * out + (1 - share) * q, 0.0)
    return out, weights


@pytest.mark.parametrize(
    "mixers",
    [
        *((name,) for name in NAMES),
        *PAIRS,
        ("query_mix", "output_gate"),
        ("output_gate", "query_mix"),
        ("output_gate", "differential"),
        ("grouped_query", "talking_heads", "output_gate", "query_mix"),
        ("heads", "grouped_query", "differential", "output_gate"),
    ],
    ids=" + ".join,
)
def test_mixers_act_in_turn(mixers):
    block = Block(heads=4, attention__mixer=" + ".join(mixers))
    agree(block, *composed(block, mixers))


def test_mixers_act_in_turn_in_the_order_in_which_they_are_named():
    one, other = (
        Block(attention__mixer=text).look()[0]
        for text in ("output_gate + query_mix", "query_mix + output_gate")
    )
    assert not np.allclose(one, other, atol=1e-2)


def test_differential_attention_has_biases_of_position_twice():
    block = Block(position="alibi", attention__mixer="differential + grouped_query(1)")
    steps = np.abs(np.arange(LENGTH)[None, :] - np.arange(LENGTH)[:, None])
    slopes = np.array([2.0**-4, 2.0**-4, 2.0**-8, 2.0**-8])[:, None, None]
    agree(block, *composed(block, ("differential",), -slopes * steps))


def test_differential_attention_subtracts_feature_by_feature(catalogue):
    @registry.score("by_feature", features="D", requires={"U": "D"})
    def by_feature(q, k):
        maps = (q[:, :, :, None, :] * k[:, :, None, :, :]).transpose(0, 1, 4, 2, 3)
        return maps.reshape(maps.shape[0], -1, *maps.shape[3:])

    block = Block(attention__score="by_feature", attention__mixer="differential")
    q, k, v = block.split()
    one, two = (block.own(f"query_{n}") @ block.own(f"key_{n}") for n in ("one", "two"))
    share = np.exp(one) - np.exp(two) + 0.2
    out = np.zeros((3, HEADS, LENGTH, DIM))
    for h, d in np.ndindex(HEADS, DIM):
        logits = np.stack([
            q[:, 2 * h + m, :, None, d] * k[:, 2 * h + m, None, :, d] for m in (0, 1)
        ], axis=1) * DIM**-0.5  # fmt: skip
        maps = reference.normalizer_softmax(logits, tokens_mask())
        out[:, h, :, d] = ((maps[:, 0] - share * maps[:, 1]) @ v[:, h, :, d, None])[..., 0]
    agree(block, 0.8 * block.own("feature_scale") * rms(out))
    with pytest.raises(UserError, match=r"'talking_heads' needs attention maps equal to query"
                       r" heads; they are 16 and 4\. Choose another part than attention\.score "
                       r"'by_feature', say 'dot'\."):  # fmt: skip
        Cell(width=16).replace(
            {"attention.score": "by_feature", "attention.mixer": "talking_heads"}
        )


def test_groups_divide_the_heads():
    message = (
        r"attention\.mixer 'grouped_query\(groups=4\)' needs heads to be a multiple of groups; "
        r"they are 6 and 4\. Choose groups=3\."
    )
    with pytest.raises(UserError, match=message):
        Cell(width=12, heads=6).replace({"attention.mixer": "grouped_query(4)"})
    with pytest.raises(UserError, match=r"tie_qk makes keys of the queries' weights"):
        Cell(width=12, heads=6).replace(
            {"attention.mixer": "multi_query", "attention.tie_qk": True}
        )


@pytest.mark.parametrize("pair", PAIRS, ids=" + ".join)
def test_pairs_keep_padding_out_and_have_finite_gradients(pair):
    block = Block(heads=4, attention__mixer=" + ".join(pair))
    other = np.where(TOKENS[:, :, None], X, 1e4)
    before, after = block.look()[0], block.look(x=other)[0]
    np.testing.assert_allclose(after[TOKENS], before[TOKENS], rtol=1e-6, atol=1e-6)
    graph, state = nnx.split(block.module, nnx.Param)

    @jax.jit
    @jax.grad
    def slope(state, x):
        module = nnx.merge(graph, state)
        return module(x, jnp.asarray(TOKENS), ForwardContext(block.cell.numeric())).sum()

    for leaf in jax.tree.leaves(slope(state, jnp.asarray(X, jnp.float32))):
        assert np.isfinite(leaf).all()
