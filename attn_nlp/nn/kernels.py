"""Primitives tuned for a CPU, each with a gradient of its own.

Rows of a table: the gradient is filled at the speed of memory.

Products of q, k, weights and v in every head: XLA's batched product on a CPU is fastest where it
contracts the last axis of the left side with the last but one of the right: at 28 positions and 32
features that costs a half to a third of the three other ways. So every product here is of that
kind, and turns one side first where it must.

Dense layers on flattened positions: the gradient of a weight (fan_in, fan_out) is the product of
the turned input with the gradient. Where fan_in is the longer side, XLA's product on a CPU reads
the input in the wrong order and reaches half of the peak; the turned gradient with the input
reaches four fifths, and what is left to turn is no larger than the weight.

Layer normalization: the gradient is written out.
"""

import jax
import jax.numpy as jnp


@jax.custom_vjp
def rows_of(table: jax.Array, ids: jax.Array) -> jax.Array:
    """table[ids], the embeddings of tokens.

    XLA fills an array of constants on a CPU at a third of the speed of any other pass over memory,
    and the gradient of a table starts as zeros; here they are the table times zero.

    Args:
      table: (V, E).
      ids: (...) int32 in [0, V).

    Returns:
      (..., E).
    """
    return table[ids]


def _rows_forward(table, ids):
    return table[ids], (table, ids)


def _rows_backward(saved, grad):
    table, ids = saved
    return (table * 0.0).at[ids].add(grad), None


rows_of.defvjp(_rows_forward, _rows_backward)


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


def _by_q_and_k(saved, grad):
    q, k = saved
    return grad @ k, _turned(grad) @ q


def _mixed(weights, v):
    return mixed(weights, v), (weights, v)


def _by_weights_and_v(saved, grad):
    weights, v = saved
    return grad @ _turned(v), _turned(weights) @ grad


similarities.defvjp(_similarities, _by_q_and_k)
mixed.defvjp(_mixed, _by_weights_and_v)


def _turned(x):
    # The barrier keeps XLA from taking the turn into the product.
    return jax.lax.optimization_barrier(jnp.swapaxes(x, -1, -2))


def dense(x: jax.Array, kernel: jax.Array, shift: jax.Array | None = None) -> jax.Array:
    """x W + b on the last axis.

    Args:
      x: (..., fan_in).
      kernel: (fan_in, fan_out), W.
      shift: (fan_out,), b, or None.

    Returns:
      (..., fan_out).
    """
    flat = _product(x.reshape(-1, x.shape[-1]), kernel)
    if shift is not None:
        flat = flat + shift
    return flat.reshape(*x.shape[:-1], kernel.shape[1])


@jax.custom_vjp
def _product(x, kernel):
    return x @ kernel


def _dense_forward(x, kernel):
    return x @ kernel, (x, kernel)


def _dense_backward(saved, grad):
    x, kernel = saved
    if kernel.shape[0] > kernel.shape[1]:
        # The barrier keeps XLA from turning the product back.
        turned = jax.lax.optimization_barrier(grad.T @ x)
        return grad @ kernel.T, turned.T
    return grad @ kernel.T, x.T @ grad


_product.defvjp(_dense_forward, _dense_backward)


EPSILON = 1e-6


@jax.custom_vjp
def layer_norm(x: jax.Array, gain: jax.Array, shift: jax.Array) -> jax.Array:
    """Center the last axis, divide by its std, then scale and shift each feature.

        y = (x - mean(x)) / sqrt(var(x) + 1e-6),  result = y g + s

    The gradient is that of this formula, in the two row sums that it needs rather than the five
    passes that automatic differentiation takes:

        dx = (a - mean(a) - y mean(a y)) / sqrt(var(x) + 1e-6),  a = g * grad

    Args:
      x: (..., E).
      gain: (E,), g.
      shift: (E,), s.

    Returns:
      (..., E).

    References:
      Ba, Kiros & Hinton, "Layer Normalization", 2016, arXiv:1607.06450.
    """
    return _norm_forward(x, gain, shift)[0]


def _norm_forward(x, gain, shift):
    centered = x - x.mean(axis=-1, keepdims=True)
    variance = jnp.square(centered).mean(axis=-1, keepdims=True)
    narrow = jax.lax.rsqrt(variance + EPSILON)
    return centered * narrow * gain + shift, (centered, narrow, gain)


def _norm_backward(saved, grad):
    centered, narrow, gain = saved
    y = centered * narrow
    a = grad * gain
    along = (a * y).mean(axis=-1, keepdims=True)
    by_x = (a - a.mean(axis=-1, keepdims=True) - y * along) * narrow
    rows = tuple(range(grad.ndim - 1))
    return by_x, (grad * y).sum(axis=rows), grad.sum(axis=rows)


layer_norm.defvjp(_norm_forward, _norm_backward)
