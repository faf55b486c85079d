"""AdamW written out against the same steps by Optax."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from attn_nlp.train import adamw

SHAPES = {"table": (7, 5), "inner": {"kernel": (5, 3), "bias": (3,)}, "scale": ()}
RATE, DECAY = 0.03, 0.2


def draw(rng, scale: float = 1.0):
    def one(shape):
        return jnp.asarray(scale * rng.normal(size=shape), jnp.float32)

    return jax.tree.map(one, SHAPES, is_leaf=lambda leaf: isinstance(leaf, tuple))


@pytest.mark.parametrize("clip", [0.1, 1e9], ids=["clipped", "as it is"])
def test_steps_are_those_of_optax(clip):
    rng = np.random.default_rng(0)
    chain = optax.chain(
        optax.clip_by_global_norm(clip),
        optax.scale_by_adam(),
        optax.add_decayed_weights(DECAY, mask=lambda p: jax.tree.map(lambda x: x.ndim > 1, p)),
        optax.scale(-RATE),
    )
    ours = theirs = draw(rng)
    state, averages = adamw.init(ours), chain.init(theirs)
    for step in range(20):
        grads = draw(rng, scale=10.0 ** rng.integers(-3, 3) if step % 5 else 0.0)
        ours, state = adamw.update(ours, grads, state, RATE, DECAY, clip)
        updates, averages = chain.update(grads, averages, theirs)
        theirs = optax.apply_updates(theirs, updates)
    assert int(state["count"]) == 20
    # Twenty steps of float32, each off by some roundings of 6e-8.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6), ours, theirs)


def test_a_gradient_that_is_not_finite_does_not_pass_unseen():
    params = {"a": jnp.ones((2, 2)), "b": jnp.ones(2)}
    for bad in (jnp.nan, jnp.inf):
        grads = {"a": jnp.full((2, 2), bad), "b": jnp.ones(2)}
        moved, _ = adamw.update(params, grads, adamw.init(params), RATE, DECAY, 1.0)
        assert not np.isfinite(moved["a"]).any()
