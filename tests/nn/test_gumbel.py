"""The noise of the Gumbel softmax: drawn in training only, by position and step, in any blocks."""

from __future__ import annotations

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from attn_nlp.nn import context
from attn_nlp.nn.context import BlockContext, ForwardContext
from tests.conftest import required
from tests.nn.running import ready
from tests.nn.test_normalizers import WAY, rows

SHAPE = (2, 3, 10, 12)  # sentences, maps, queries, keys
LOGITS = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
ALL = slice(None)
MASK = np.random.default_rng(1).random((2, 1, 10, 12)) < 0.8


def weigh(logits=LOGITS, mask=True, *, text="gumbel", key=0, layer=1, shown=ALL, cuts=()):
    """Weights of the rows shown, put together from blocks of keys; `key` None is evaluation."""
    part = ready("normalizer", text)
    bound = part.bound()
    bound.layer = layer
    call = ForwardContext(part.call().numeric, key=None if key is None else jax.random.key(key))
    mask = np.broadcast_to(mask, (len(logits), 1, *logits.shape[2:]))
    pieces = []
    for start, stop in itertools.pairwise((0, *cuts, logits.shape[3])):
        here = BlockContext(jnp.arange(logits.shape[2])[shown], jnp.arange(start, stop), None, None)
        z, seen = (jnp.asarray(each[:, :, shown, start:stop]) for each in (logits, mask))
        pieces.append((here, {"logits": z, "mask": seen}))
    stats = [bound.reduce(call, here, **more) for here, more in pieces]
    merged = functools.reduce(lambda a, b: bound.merge(call, a=a, b=b), stats)
    found = [bound.weights(call, here, stats=merged, seen=None, **more) for here, more in pieces]
    return np.concatenate(found, axis=-1)


def test_the_noise_does_not_depend_on_blocks():
    whole = weigh(LOGITS, MASK)
    # The sum of a row is taken in parts, and its parts are scaled by their maxima.
    np.testing.assert_allclose(weigh(LOGITS, MASK, cuts=(4, 8)), whole, rtol=2e-6, atol=1e-7)
    np.testing.assert_array_equal(weigh(LOGITS, MASK, shown=slice(4, 9)), whole[:, :, 4:9])


def test_every_step_layer_sentence_map_and_position_draws_its_own():
    still = np.zeros(SHAPE, np.float32)
    drawn = weigh(still)
    assert (drawn != weigh(still, key=1)).all()
    assert (drawn != weigh(still, layer=2)).all()
    np.testing.assert_array_equal(drawn, weigh(still))
    assert len(np.unique(drawn.reshape(-1, 12), axis=0)) == 2 * 3 * 10
    assert len(np.unique(drawn.reshape(-1, 12).T, axis=0)) == 12


def test_evaluation_draws_nothing():
    still = np.zeros(SHAPE, np.float32)
    np.testing.assert_allclose(weigh(still, key=None), 1 / 12, rtol=1e-6)


def test_the_key_that_wins_is_drawn_from_the_softmax():
    row = np.array([1.0, 0.0, -1.0, 0.5])
    logits = np.broadcast_to(row, (1, 1, 4000, 4)).astype(np.float32)
    won = weigh(logits, text="gumbel(0.01)").argmax(axis=-1)
    shares = np.bincount(won.reshape(-1), minlength=4) / 4000
    wanted = np.exp(row) / np.exp(row).sum()
    # Four standard errors of a share among 4000 draws.
    assert (np.abs(shares - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / 4000)).all()


def test_a_small_temperature_brings_weights_near_a_choice():
    assert np.median(weigh(text="gumbel(0.01)").max(axis=-1)) > 0.999
    assert np.median(weigh(text="gumbel(10.0)").max(axis=-1)) < 0.2


def hooks(logits, draw, tau=0.5):
    """Weights by the part's own functions, with noise that the test gives."""
    part = ready("normalizer", "gumbel").choice.part
    more = {"logits": logits, "mask": jnp.ones(logits.shape, bool), "tau": tau, "draw": draw}
    return part.hooks["weights"](stats=part.hooks["reduce"](**more), **more)


def test_no_uniform_number_makes_infinite_noise():
    for uniform in (2.0**-25, 1 - 2.0**-24, 1.0):

        def draw(shape, uniform=uniform):
            return jnp.full(shape, 0.5).at[..., 0].set(uniform)

        for logits in (jnp.zeros((1, 1, 2, 3)), jnp.full((1, 1, 2, 3), -3e38)):
            weights, pull = jax.vjp(lambda z, draw=draw: hooks(z, draw), logits)
            assert np.isfinite(weights).all()
            assert np.isfinite(pull(jnp.asarray(WAY[:, :, :2, :3]))[0]).all()
            np.testing.assert_allclose(weights.sum(axis=-1), 1.0, rtol=1e-6)


def test_uniform_numbers_are_above_nothing_and_below_one(monkeypatch):
    here = BlockContext(jnp.arange(2), jnp.arange(3), None, None)
    for word, wanted in ((0, 2.0**-24), (2**32 - 1, 1 - 2.0**-24)):
        words = jnp.full((1, 1, 2, 3, 2), word, jnp.uint32)
        monkeypatch.setattr(context, "_words", lambda *_, words=words: words)
        drawn = ForwardContext({}, key=jax.random.key(0)).draw("noise", here)((1, 1, 2, 3))
        np.testing.assert_array_equal(drawn, np.full((1, 1, 2, 3), wanted, np.float32))


def test_an_oracle_torch_gives_the_same_for_the_same_noise():
    torch = required("torch")
    given = rows("gumbel")[:, :, :2]
    logits = torch.tensor(given, requires_grad=True)
    torch.manual_seed(5)
    theirs = torch.nn.functional.gumbel_softmax(logits, tau=0.7)
    theirs.backward(torch.tensor(WAY[:, :, :2].astype(float)))
    torch.manual_seed(5)  # torch's noise is -log E for a standard exponential E; ours -log(-log u)
    uniform = np.exp(-torch.empty_like(logits).exponential_().numpy())
    assert (uniform < 1 - 2.0**-24).all()
    with jax.enable_x64(True):
        noise = jnp.asarray(uniform)
        weights, pull = jax.vjp(lambda z: hooks(z, lambda _: noise, 0.7), jnp.asarray(given))
        (gradient,) = pull(jnp.asarray(WAY[:, :, :2], float))
    np.testing.assert_allclose(weights, theirs.detach().numpy(), rtol=1e-10)
    np.testing.assert_allclose(gradient, logits.grad.numpy(), rtol=1e-9, atol=1e-13)
