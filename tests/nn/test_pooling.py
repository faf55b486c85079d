"""Poolings: padding counts for nothing, and the order of the tokens only where it is said to."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attn_nlp.nn.context import ForwardContext
from attn_nlp.nn.part_module import PartModule
from attn_nlp.parts.selection import choose
from tests.conftest import required
from tests.nn.running import SIZES, Given, cases, inputs, names, ready, rng_of

CASES = [text for _, text in cases("pooling")]


def pooled(text, given) -> np.ndarray:
    (found,) = ready("pooling", text).run(given)
    return np.asarray(found)


@pytest.mark.parametrize("text", CASES)
def test_a_sentence_of_padding_gives_zeros(text):
    assert (pooled(text, inputs())[2] == 0).all()


@pytest.mark.parametrize("text", CASES)
def test_more_padding_changes_nothing(text):
    given = inputs()
    rows = {
        "x": np.pad(given["x"], ((0, 0), (0, 3), (0, 0)), constant_values=9.0),
        "tokens": np.pad(given["tokens"], ((0, 0), (0, 3))),
    }
    # The same numbers are added, in groups of another size: the last bits may differ.
    np.testing.assert_allclose(pooled(text, given | rows), pooled(text, given), atol=1e-6)


@pytest.mark.parametrize("text", CASES)
def test_tokens_change_places_freely_unless_bound_to_positions(text):
    given = inputs()
    order = np.array([4, 2, 0, 1, 3])
    moved = {name: given[name][:, order] for name in ("x", "tokens")}
    same = np.allclose(pooled(text, given | moved), pooled(text, given), atol=1e-5)
    assert same != bool(ready("pooling", text).choice.part.facts.get("position_bound"))


WIDTH = SIZES["E"]
X, TOKENS = inputs()["x"], inputs()["tokens"]


def gated(text: str, x=X, **arrays) -> jax.Array:
    """Pool `x` with these learned arrays; the others are random."""
    given = {f"/{path.replace('__', '/')}": np.asarray(array) for path, array in arrays.items()}
    part = PartModule(choose("pooling", text), "pooling", SIZES, Given(given))
    return part.pool(
        ForwardContext({}), None, x=jnp.asarray(x, jnp.float32), mask=jnp.asarray(TOKENS)
    )


def test_softmax_weights_of_the_token_gate_sum_to_one():
    """With every feature at one, the context is the sum of the weights."""
    ones = {"features__kernel": np.zeros((WIDTH, WIDTH)), "features__bias": np.ones(WIDTH)}
    found = gated("se_token(softmax, linear)", **ones)
    np.testing.assert_allclose(found[:2], 1.0, rtol=1e-6)
    assert (np.asarray(found[2]) == 0).all()
    # Every feature is one, so is every logit sigmoid's: n tokens weigh n times as much as one.
    counted = np.asarray(gated("se_token(sigmoid, linear)", **ones))
    np.testing.assert_allclose(counted[0] / counted[1], 5 / 3, rtol=1e-5)


@pytest.mark.parametrize(
    ("activation", "weight"),
    [("relu", 1.0), ("sigmoid", 1 / (1 + np.exp(-1))), ("tanh", np.tanh(1))],
)
def test_a_constant_gate_sums_the_features(activation, weight):
    constant = {"gate": np.zeros(WIDTH), "gate_bias": np.ones(())}
    found = gated(f"se_token({activation}, identity)", **constant)
    wanted = weight * (X * TOKENS[:, :, None]).sum(axis=1)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_constant_gate_under_softmax_averages_the_features():
    found = gated("se_token(softmax, identity)", gate=np.zeros(WIDTH))
    mean = gated("mean")
    np.testing.assert_allclose(found, mean, rtol=1e-5, atol=1e-6)


def test_the_gate_weighs_features_and_not_the_input():
    """Features that do not depend on the input leave a context that does not either."""
    flat = {"features__kernel": np.zeros((WIDTH, WIDTH))}
    same = gated("se_token(softmax)", **flat), gated("se_token(softmax)", x=X + 3, **flat)
    np.testing.assert_array_equal(*same)
    assert not np.allclose(gated("se_token(softmax)"), gated("se_token(softmax)", x=X + 3))


@pytest.mark.parametrize("text", CASES)
def test_no_gradient_reaches_padding(text):
    """Padding has exactly no weight: the derivative by it is zero, not merely small."""

    def number(x):
        return (gated(text, x) * rng_of("number").normal(size=WIDTH).astype(np.float32)).sum()

    slope = np.asarray(jax.grad(number)(jnp.asarray(X, jnp.float32)))
    assert (slope[~TOKENS] == 0).all()
    assert slope[TOKENS].any()


def test_token_gate_oracle():
    torch = required("torch")
    part = ready("pooling", "se_token(softmax, tanh_layer)")
    kernel, bias, gate, gate_bias = (
        torch.tensor(part.arrays[f"/{name}"])
        for name in ("features/kernel", "features/bias", "gate", "gate_bias")
    )
    (found,) = part.run(inputs())
    for b in range(2):
        features = torch.tanh(torch.tensor(X[b][TOKENS[b]]) @ kernel + bias)
        weights = torch.softmax(features @ gate + gate_bias, dim=0)
        np.testing.assert_allclose(found[b], weights @ features, rtol=1e-5, atol=1e-6)


def test_multi_hop_oracle():
    """All hops at once in PyTorch: A = softmax(W2 tanh(W1 H)), M = A H, then one linear map."""
    torch = required("torch")
    part = ready("pooling", "multi_hop(hops=3, inner=5)")
    inward, questions, outward = (
        torch.tensor(part.arrays[f"/{name}"]) for name in ("inward", "questions", "outward")
    )
    join = torch.nn.Linear(3 * WIDTH, WIDTH, bias=False).double()
    join.weight.data = outward.reshape(3 * WIDTH, WIDTH).T
    (found,) = part.run(inputs())
    for b in range(2):
        states = torch.tensor(X[b][TOKENS[b]])
        weights = torch.softmax((torch.tanh(states @ inward) @ questions).T, dim=1)
        wanted = join((weights @ states).reshape(-1)).detach()
        np.testing.assert_allclose(found[b], wanted, rtol=1e-5, atol=1e-5)


def test_multi_hop_with_one_hop_and_no_question_is_the_mean():
    arrays = {"questions": np.zeros((WIDTH, 1)), "outward": np.eye(WIDTH)[None]}
    found = gated("multi_hop(1)", **arrays)
    np.testing.assert_allclose(found, gated("mean"), rtol=1e-5, atol=1e-6)


def test_hops_are_interchangeable():
    rng, order = rng_of("hops"), [2, 0, 1]
    arrays = {
        "questions": rng.normal(size=(WIDTH, 3)),
        "outward": rng.normal(size=(3, WIDTH, WIDTH)),
    }
    moved = {"questions": arrays["questions"][:, order], "outward": arrays["outward"][order]}
    one, other = gated("multi_hop(3)", **arrays), gated("multi_hop(3)", **moved)
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", names("pooling"))
def test_poolings_state_their_operations(name):
    assert choose("pooling", name).fact("flops", SIZES, -1) >= 0
