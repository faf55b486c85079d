"""The sparse normalizers give exact zeros and exact gradients, and agree with other programs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from attn_nlp.errors import UserError
from attn_nlp.nn.context import ForwardContext
from attn_nlp.parts.selection import choose
from tests.conftest import required
from tests.nn.running import SIZES, inputs, ready
from tests.nn.test_normalizers import KEYS, ROWS, SHAPE, WAY, agrees_with, compiled, rows

ALPHAS = (1.001, 1.1, 1.25, 1.5, 1.9, 2.0, 2.5, 3.0, 4.0)
FAMILY = ("sparsemax", "entmax15", *(f"entmax({alpha})" for alpha in ALPHAS))


def alpha_of(text: str) -> float:
    return {"sparsemax": 2.0, "entmax15": 1.5}.get(text) or float(text[7:-1])


@pytest.mark.parametrize("text", FAMILY)
def test_an_oracle_entmax_gives_the_same_weights_and_gradients(text):
    torch, entmax = required("torch"), required("entmax")
    leaf = torch.tensor(rows(text), requires_grad=True)
    exact = {"sparsemax": entmax.sparsemax, "entmax15": entmax.entmax15}
    if text in exact:
        theirs = exact[text](leaf, dim=-1)
    else:
        theirs = entmax.entmax_bisect(leaf, alpha=alpha_of(text), dim=-1, n_iter=100)
    # Theirs is a power of 1 / (alpha - 1) of a number known to 1e-16: 1e-13 at an alpha of 1.001.
    agrees_with(text, rows(text), theirs, leaf, atol=1e-11)


@pytest.mark.parametrize("text", ["sparsemax", "entmax15"])
@settings(deadline=None, max_examples=40)
@drawn(arrays(np.float64, SHAPE, elements=st.floats(-4, 4)))
def test_an_oracle_entmax_sorts_to_the_same(text, logits):
    torch, entmax = required("torch"), required("entmax")
    theirs = getattr(entmax, text)(torch.tensor(logits), dim=-1).numpy()
    with jax.enable_x64(True):
        weights, _ = compiled(text)(logits)
    np.testing.assert_allclose(weights, theirs, atol=1e-12)


@pytest.mark.parametrize("text", FAMILY)
def test_gradients_have_the_closed_form(text):
    """d weights = s * (g - <s, g> / sum s) with s = weights^(2 - alpha) on the support."""
    logits = np.random.default_rng(11).normal(size=SHAPE)
    with jax.enable_x64(True):
        weights, gradient = compiled(text)(logits, way=WAY)
    slope = np.where(weights > 0, np.where(weights > 0, weights, 1) ** (2 - alpha_of(text)), 0.0)
    mean = (slope * WAY).sum(axis=-1, keepdims=True) / slope.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(gradient, slope * (WAY - mean), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("text", FAMILY)
def test_gradients_match_differences_in_both_precisions(text):
    logits = np.random.default_rng(12).normal(size=SHAPE)
    way = np.random.default_rng(13).normal(size=SHAPE)
    with jax.enable_x64(True):
        ends = [compiled(text)(logits + step * way)[0] for step in (1e-6, -1e-6)]
        _, gradient = compiled(text)(logits, way=WAY)
    difference = ((ends[0] - ends[1]) / 2e-6 * WAY).sum()
    # A difference of step 1e-6 knows the slope to 1e-10, and to 1e-12 times the third derivative.
    np.testing.assert_allclose((gradient * way).sum(), difference, rtol=1e-6, atol=1e-8)
    # float32 knows a threshold to 1e-7; the slope of a small weight moves by a power of it.
    _, rough = compiled(text)(logits, way=WAY)
    np.testing.assert_allclose(rough, gradient, rtol=2e-4, atol=2e-5)


@settings(deadline=None, max_examples=30)
@drawn(arrays(np.float32, SHAPE, elements=st.floats(-8, 8, width=32)), arrays(bool, SHAPE))
def test_the_family_meets_at_its_ends(logits, mask):
    def weights(text):
        return compiled(text)(logits, mask)[0]

    # Either side knows its threshold to about 1e-7.
    np.testing.assert_allclose(weights("entmax(2.0)"), weights("sparsemax"), atol=1e-6)
    np.testing.assert_allclose(weights("entmax(1.5)"), weights("entmax15"), atol=1e-6)
    # Near alpha = 1 the two differ by alpha - 1 times p (log p)^2 / 2 and its mean, below 0.6.
    np.testing.assert_allclose(weights("entmax(1.001)"), weights("softmax"), atol=1e-3)


@settings(deadline=None, max_examples=30)
@drawn(arrays(np.float32, SHAPE, elements=st.floats(-4, 4, width=32)))
def test_a_larger_alpha_is_sparser_and_surer(logits):
    found = [compiled(f"entmax({alpha})")(logits)[0] for alpha in ALPHAS]
    support = np.array([(weights > 1e-6).sum(axis=-1) for weights in found])
    surest = np.array([weights.max(axis=-1) for weights in found])
    assert (np.diff(support, axis=0) <= 0).all()
    assert (np.diff(surest, axis=0) >= -1e-6).all()


def test_sparsemax_gives_exact_zeros_to_weak_keys():
    given = inputs()
    given["logits"][:] = np.array([1.0, 0.9, 0.8, -3.0, -3.0, -3.0])
    given["mask"][:] = True
    (weights,) = ready("normalizer", "sparsemax").run(given)
    row = np.asarray(weights)[0, 0, 0]
    np.testing.assert_allclose(row[:3], [1 / 3 + 0.1, 1 / 3, 1 / 3 - 0.1], atol=1e-6)
    assert (row[3:] == 0).all()


@pytest.mark.parametrize(
    ("text", "digits"), [("sparsemax", 1e-6), ("entmax15", 1e-6), ("entmax(3.0)", 1e-2)]
)
def test_a_row_of_thousands_keeps_its_digits(text, digits):
    """Nearly equal logits, whose weights of 1/3000 hang on the last digits of the threshold."""
    logits = np.random.default_rng(14).normal(size=(1, 1, 2, 3000)) * np.array([[1.0], [1e-3]])
    given = {**inputs(), "logits": logits.astype(np.float32), "q": np.zeros((1, 1, 2, 1))}
    given["mask"] = np.ones((1, 1, 2, 3000), bool)
    part = ready("normalizer", text)
    (weights,) = map(np.asarray, part.run(given))
    with jax.enable_x64(True):
        (exact,) = map(np.asarray, part.run(given))
    np.testing.assert_allclose(weights.sum(axis=-1), 1.0, atol=1e-6)
    assert (np.abs(weights - exact).max(axis=-1) <= digits * exact.max(axis=-1)).all()


def test_alpha_is_an_argument_of_one_program():
    one, other = (choose("normalizer", f"entmax({alpha})") for alpha in (1.2, 3.0))
    assert one.program(SIZES) == other.program(SIZES)
    part = ready("normalizer", "entmax")
    bound, traces = part.bound(), []
    logits = jnp.asarray(rows("entmax"), jnp.float32)
    mask, seen = jnp.ones((1, 1, ROWS, KEYS), bool), jnp.full((1, 1, ROWS, 1), float(KEYS))

    @jax.jit
    def weigh(alpha):
        traces.append(alpha)
        call = ForwardContext({"normalizer.alpha": alpha})
        return bound.weights(call, None, logits=logits, mask=mask, stats=None, seen=seen)

    for alpha in (1.25, 3.0):
        found = weigh(jnp.float32(alpha))
        wanted = compiled(f"entmax({alpha})")(rows("entmax"))[0]
        np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert len(traces) == 1


@pytest.mark.parametrize("alpha", [1.0, 0.5, 4.1])
def test_an_alpha_outside_its_range_is_rejected(alpha):
    with pytest.raises(
        UserError, match=r"'alpha' of normalizer 'entmax' is .*; allowed: from 1.001"
    ):
        choose("normalizer", f"entmax({alpha})")


TIES = arrays(np.float32, SHAPE, elements=st.sampled_from([-1e4, -1.0, 0.0, 0.5, 2.0, 1e4]))


@settings(deadline=None, max_examples=40)
@drawn(TIES, arrays(bool, SHAPE))
def test_the_k_largest_are_kept_and_the_earliest_of_equal_ones(logits, mask):
    (softmax, _), (all_kept, _) = (
        compiled(text)(logits, mask, WAY) for text in ("softmax", f"topk({KEYS})")
    )
    np.testing.assert_array_equal(all_kept, softmax)
    np.testing.assert_array_equal(compiled("topk(9)")(logits, mask)[0], softmax)
    for keep in (1, 3):
        weights, gradient = compiled(f"topk({keep})")(logits, mask, WAY)
        for row in np.ndindex(SHAPE[:3]):
            seen = np.flatnonzero(mask[row])
            best = sorted(seen, key=lambda s, row=row: (-logits[row][s], s))[:keep]
            alone = np.isin(np.arange(KEYS), best)[None, None, None]
            wide = np.broadcast_to(alone, SHAPE)
            wanted, slope = (each[row] for each in compiled("softmax")(logits, wide, WAY))
            np.testing.assert_array_equal(weights[row], wanted)
            np.testing.assert_allclose(gradient[row], slope, atol=1e-7)


@settings(deadline=None, max_examples=40)
@drawn(TIES, arrays(bool, SHAPE))
def test_a_hard_choice_is_one_hot_with_the_gradient_of_softmax(logits, mask):
    weights, gradient = compiled("hard")(logits, mask, WAY)
    np.testing.assert_array_equal(weights, compiled("topk(1)")(logits, mask)[0])
    assert np.isin(weights, [0.0, 1.0]).all()
    np.testing.assert_array_equal(weights.sum(axis=-1), mask.any(axis=-1))
    np.testing.assert_allclose(gradient, compiled("softmax")(logits, mask, WAY)[1], atol=1e-7)


def test_the_gradient_of_a_hard_choice_is_not_a_difference():
    """Why it is left out of the law of gradients: what it returns does not move."""
    logits = np.random.default_rng(15).normal(size=SHAPE)
    weights, gradient = compiled("hard")(logits, way=WAY)
    np.testing.assert_array_equal(compiled("hard")(logits + 1e-3 * WAY)[0], weights)
    assert (gradient != 0).all()
