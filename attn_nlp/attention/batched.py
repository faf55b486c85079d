"""Products of q, k, weights and v in every head, with gradients whose products suit a CPU.

XLA's batched product on a CPU is fastest where it contracts the last axis of the left side with the
last but one of the right: at 28 positions and 32 features that costs a half to a third of the three
other ways. So every product here is of that kind, and turns one side first where it must.
"""

import jax
import jax.numpy as jnp


@jax.custom_vjp
def similarities(q: jax.Array, k: jax.Array) -> jax.Array:
    """q . k of every query with every key: (B, M, T, S) of (B, M, T, D) and (B, M, S, D)."""
    return q @ _turned(k)


@jax.custom_vjp
def mixed(weights: jax.Array, v: jax.Array) -> jax.Array:
    """sum_s weights v: (B, H, T, U) of (B, H, T, S) and (B, H, S, U)."""
    return weights @ v


def _similarities(q, k):
    return similarities(q, k), (q, k)


def _by_q_and_k(saved, slope):
    q, k = saved
    return slope @ k, _turned(slope) @ q


def _mixed(weights, v):
    return mixed(weights, v), (weights, v)


def _by_weights_and_v(saved, slope):
    weights, v = saved
    return slope @ _turned(v), _turned(weights) @ slope


similarities.defvjp(_similarities, _by_q_and_k)
mixed.defvjp(_mixed, _by_weights_and_v)


def _turned(x):
    # The barrier keeps XLA from taking the turn into the product.
    return jax.lax.optimization_barrier(jnp.swapaxes(x, -1, -2))
