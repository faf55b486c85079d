"""Layer normalisation with its gradient written out."""

import jax
import jax.numpy as jnp

EPSILON = 1e-6


@jax.custom_vjp
def layer_norm(x: jax.Array, gain: jax.Array, shift: jax.Array) -> jax.Array:
    """Centre the last axis, divide by its deviation, then scale and shift each feature.

        y = (x - mean(x)) / sqrt(var(x) + 1e-6),  result = y g + s

    The gradient is that of this formula, in the two row sums that it needs rather than the five
    passes that automatic differentiation takes:

        dx = (a - mean(a) - y mean(a y)) / sqrt(var(x) + 1e-6),  a = g * slope

    Args:
      x: (..., E).
      gain: (E,), g.
      shift: (E,), s.

    Returns:
      (..., E).

    References:
      Ba, Kiros & Hinton, "Layer Normalization", 2016, arXiv:1607.06450.
    """
    return _forward(x, gain, shift)[0]


def _forward(x, gain, shift):
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = jnp.square(centred).mean(axis=-1, keepdims=True)
    narrow = jax.lax.rsqrt(variance + EPSILON)
    return centred * narrow * gain + shift, (centred, narrow, gain)


def _backward(saved, slope):
    centred, narrow, gain = saved
    y = centred * narrow
    a = slope * gain
    along = (a * y).mean(axis=-1, keepdims=True)
    by_x = (a - a.mean(axis=-1, keepdims=True) - y * along) * narrow
    rows = tuple(range(slope.ndim - 1))
    return by_x, (slope * y).sum(axis=rows), slope.sum(axis=rows)


layer_norm.defvjp(_forward, _backward)
