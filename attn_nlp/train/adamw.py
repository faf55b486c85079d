"""AdamW as one formula an array.

The same mathematics as a chain of transformations in Optax, which a test checks; written out,
because XLA makes one pass over memory of each array here and three of the chain's, and the table of
embeddings is larger than a core's cache. With the chain, a step of a default cell takes 7 % longer
by processor time and by the clock (quartiles 5.5 to 7.3 %), on one core in five rounds of 300
steps, by

    taskset -c 0 python -m benchmarks.fused_adamw --rounds 5
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def start(params: Any) -> dict[str, Any]:
    """No step made, and averages of zero, for parameters in any tree."""
    zeros = jax.tree.map(jnp.zeros_like, params)
    return {"steps": jnp.int32(0), "means": zeros, "squares": jax.tree.map(jnp.zeros_like, params)}


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
    """One step.

        g = grad min(1, clip / |grad|),  the norm over all arrays together
        m = b1 m + (1 - b1) g,  s = b2 s + (1 - b2) g^2
        p = p - rate (m' / (sqrt(s') + eps) + decay p)
        with m' = m / (1 - b1^t),  s' = s / (1 - b2^t)

    Only matrices decay. The caller's `rate` follows the schedule; t counts from 1.

    Args:
      params, grads: trees of arrays of equal shapes.
      state: from `start`, or of the step before.
      rate, decay, clip: scalars.
      b1, b2, eps: constants of the program.

    Returns:
      The parameters and the state after the step. Where the norm is not finite they hold NaN.

    References:
      Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2019, arXiv:1711.05101, without
      its separate schedule: the decay is multiplied by the rate. Clipping by the global norm is of
      Pascanu, Mikolov & Bengio, 2013, arXiv:1211.5063.
    """
    steps = state["steps"] + 1
    norm = jnp.sqrt(sum(jnp.sum(g * g) for g in jax.tree.leaves(grads)))
    shrink = jnp.minimum(1.0, clip / norm)
    one = rate / (1 - jnp.float32(b1) ** steps)
    two = 1 / (1 - jnp.float32(b2) ** steps)

    def leaf(p, g, m, s):
        g = g * shrink
        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * (g * g)
        moved = p - one * m / (jnp.sqrt(s * two) + eps)
        return moved - (rate * decay) * p if p.ndim > 1 else moved, m, s

    moved = jax.tree.map(leaf, params, grads, state["means"], state["squares"])
    params, means, squares = jax.tree.transpose(jax.tree.structure(params), None, moved)
    return params, {"steps": steps, "means": means, "squares": squares}
