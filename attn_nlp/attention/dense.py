"""Dense layers on flattened positions, with a gradient whose matrix products suit a CPU.

The gradient of a weight (fan_in, fan_out) is the product of the turned input with the slope. Where
fan_in is the longer side, XLA's product on a CPU reads the input in the wrong order and reaches
half of the peak; the turned slope with the input reaches four fifths, and what is left to turn is
no larger than the weight.
"""

import jax


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


def _forward(x, kernel):
    return x @ kernel, (x, kernel)


def _backward(saved, slope):
    x, kernel = saved
    if kernel.shape[0] > kernel.shape[1]:
        # The barrier keeps XLA from turning the product back.
        turned = jax.lax.optimization_barrier(slope.T @ x)
        return slope @ kernel.T, turned.T
    return slope @ kernel.T, x.T @ slope


_product.defvjp(_forward, _backward)
