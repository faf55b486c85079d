"""Primitives tuned for a CPU, each with a gradient of its own.

Rows of a table: the gradient is filled at the speed of memory.

Products of q, k, weights and v in every head: XLA's batched product on a CPU is fastest if it
contracts the last axis of the left side with the last but one of the right: at 28 positions and 32
features that costs a half to a third of the three other ways. So every product here is of that
kind, and transposes one side first if it must.

Dense layers on flattened positions: the gradient of a kernel (fan_in, fan_out) is the product of
the transposed input with the gradient. If fan_in is the longer side, XLA's product on a CPU reads
the input in the wrong order and reaches half of the peak; the transposed gradient with the input
reaches four fifths, and what is left to transpose is no larger than the kernel.

Layer normalization: the gradient is written out.
"""

import jax
import jax.numpy as jnp


@jax.custom_vjp
def rows_of(table: jax.Array, ids: jax.Array) -> jax.Array:
    """Return table[ids], the embeddings of tokens.

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
    """Return q . k of every query and key: (B, M, T, S) of (B, M, T, D) and (B, M, S, D)."""
    return q @ _transposed(k)


@jax.custom_vjp
def weighted_sum(weights: jax.Array, v: jax.Array) -> jax.Array:
    """Return sum_s weights v: (B, H, T, U) of (B, H, T, S) and (B, H, S, U)."""
    return weights @ v


def _similarities_forward(q, k):
    return similarities(q, k), (q, k)


def _similarities_backward(saved, grad):
    q, k = saved
    return grad @ k, _transposed(grad) @ q


def _weighted_sum_forward(weights, v):
    return weighted_sum(weights, v), (weights, v)


def _weighted_sum_backward(saved, grad):
    weights, v = saved
    return grad @ _transposed(v), _transposed(weights) @ grad


similarities.defvjp(_similarities_forward, _similarities_backward)
weighted_sum.defvjp(_weighted_sum_forward, _weighted_sum_backward)


def _transposed(x):
    # The barrier keeps XLA from folding the transpose into the product.
    return jax.lax.optimization_barrier(jnp.swapaxes(x, -1, -2))


def dense(x: jax.Array, kernel: jax.Array, bias: jax.Array | None = None) -> jax.Array:
    """Return x W + b on the last axis.

    Args:
      x: (..., fan_in).
      kernel: (fan_in, fan_out), W.
      bias: (fan_out,), b, or None.

    Returns:
      (..., fan_out).
    """
    flat = _product(x.reshape(-1, x.shape[-1]), kernel)
    if bias is not None:
        flat = flat + bias
    return flat.reshape(*x.shape[:-1], kernel.shape[1])


@jax.custom_vjp
def _product(x, kernel):
    return x @ kernel


def _product_forward(x, kernel):
    return x @ kernel, (x, kernel)


def _product_backward(saved, grad):
    x, kernel = saved
    if kernel.shape[0] > kernel.shape[1]:
        # The barrier keeps XLA from transposing the product back.
        transposed = jax.lax.optimization_barrier(grad.T @ x)
        return grad @ kernel.T, transposed.T
    return grad @ kernel.T, x.T @ grad


_product.defvjp(_product_forward, _product_backward)


EPSILON = 1e-6


@jax.custom_vjp
def layer_norm(x: jax.Array, scale: jax.Array, bias: jax.Array) -> jax.Array:
    """Center the last axis, divide by its std, then scale and shift each feature.

        y = (x - mean(x)) / sqrt(var(x) + 1e-6),  result = y g + b

    The gradient is that of this formula, in the two row sums that it needs rather than the five
    passes that automatic differentiation takes:

        dx = (a - mean(a) - y mean(a y)) / sqrt(var(x) + 1e-6),  a = g * grad

    Args:
      x: (..., E).
      scale: (E,), g.
      bias: (E,), b.

    Returns:
      (..., E).

    References:
      Ba, Kiros & Hinton, "Layer Normalization", 2016, arXiv:1607.06450.
    """
    return _norm_forward(x, scale, bias)[0]


def _norm_forward(x, scale, bias):
    centered = x - x.mean(axis=-1, keepdims=True)
    variance = jnp.square(centered).mean(axis=-1, keepdims=True)
    inv_std = jax.lax.rsqrt(variance + EPSILON)
    return centered * inv_std * scale + bias, (centered, inv_std, scale)


def _norm_backward(saved, grad):
    centered, inv_std, scale = saved
    y = centered * inv_std
    a = grad * scale
    along = (a * y).mean(axis=-1, keepdims=True)
    by_x = (a - a.mean(axis=-1, keepdims=True) - y * along) * inv_std
    rows = tuple(range(grad.ndim - 1))
    return by_x, (grad * y).sum(axis=rows), grad.sum(axis=rows)


layer_norm.defvjp(_norm_forward, _norm_backward)
