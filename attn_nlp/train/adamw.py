"""AdamW as one formula per array.

The same mathematics as a chain of transformations in Optax, which a test checks; written out,
because XLA makes one pass over memory of each array here and three of the chain's, and the table of
embeddings is larger than a core's cache. With the chain, a step of a default cell takes 7% longer
by processor time and by the clock (quartiles 5.5 to 7.3%), on one core in five rounds of 300
steps, by

    taskset -c 0 python -m benchmarks.fused_adamw --rounds 5
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from attn_nlp.train.leaf_order import ordered


def init(params: Any) -> dict[str, Any]:
    """Return the state before the first step, for parameters in any tree."""
    zeros = jax.tree.map(jnp.zeros_like, params)
    return {"count": jnp.int32(0), "mu": zeros, "nu": jax.tree.map(jnp.zeros_like, params)}


def update(
    params: Any,
    grads: Any,
    state: dict,
    rate,
    decay,
    clip,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
) -> tuple[Any, dict]:
    """Make one step.

        g = grad min(1, clip / |grad|),  the norm over all arrays together
        m = b1 m + (1 - b1) g,  s = b2 s + (1 - b2) g^2
        p = p - rate (m' / (sqrt(s') + eps) + decay p)
        with m' = m / (1 - b1^t),  s' = s / (1 - b2^t)

    Only matrices decay. The caller's `rate` follows the schedule; t counts from 1.

    Args:
      params, grads: trees of arrays of equal shapes.
      state: from `init`, or of the step before.
      rate, decay, clip: scalars.
      b1, b2, eps: constants of the program.

    Returns:
      The parameters and the state after the step. If the norm is not finite they hold NaN.

    References:
      Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2019, arXiv:1711.05101, without
      its separate schedule: the decay is multiplied by the rate. Clipping by the global norm is due
      to Pascanu, Mikolov & Bengio, 2013, arXiv:1211.5063.
    """
    count = state["count"] + 1
    norm = jnp.sqrt(sum(jnp.sum(g * g) for g in ordered(grads)))
    clip_scale = jnp.minimum(1.0, clip / norm)
    of_mu = rate / (1 - jnp.float32(b1) ** count)
    of_nu = 1 / (1 - jnp.float32(b2) ** count)

    def leaf(p, g, m, s):
        g = g * clip_scale
        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * (g * g)
        moved = p - of_mu * m / (jnp.sqrt(s * of_nu) + eps)
        return moved - (rate * decay) * p if p.ndim > 1 else moved, m, s

    moved = jax.tree.map(leaf, params, grads, state["mu"], state["nu"])
    params, mu, nu = jax.tree.transpose(jax.tree.structure(params), None, moved)
    return params, {"count": count, "mu": mu, "nu": nu}
