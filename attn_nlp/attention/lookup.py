"""Rows of a table, with a gradient that a CPU fills at the speed of its memory."""

import jax


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


def _forward(table, ids):
    return table[ids], (table, ids)


def _backward(saved, slope):
    table, ids = saved
    return (table * 0.0).at[ids].add(slope), None


rows_of.defvjp(_forward, _backward)
