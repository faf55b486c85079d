"""Layers of a model that belong to no part: embeddings, dense layers and layer normalization.

Parameters bear the names that Flax gives them: `embedding`, `kernel`, `bias` and `scale`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from attn_nlp.nn.kernels import dense, layer_norm, rows_of
from attn_nlp.rng import KeyStream, Stream

PADDING = 0


class Embedding(nnx.Module):
    """A table of vectors for tokens, N(0, 1/E) at the start and zero for padding.

    Args:
      vocabulary: ids, padding and unknown included.
      width: E.
      stream: draws the table.
    """

    def __init__(self, vocabulary: int, width: int, stream: Stream | KeyStream):
        table = stream.normal((vocabulary, width), width**-0.5)
        if isinstance(table, jax.Array):
            table = table.at[PADDING].set(0.0)
        else:
            table[PADDING] = 0.0
        self.embedding = nnx.Param(table)

    def __call__(self, ids: jax.Array) -> jax.Array:
        """Return vectors (B, T, E) of ids (B, T) int32, multiplied by sqrt(E)."""
        table = self.embedding[...]
        return rows_of(table, ids) * table.shape[1] ** 0.5


class Dense(nnx.Module):
    """x W + b on the last axis, with W ~ N(0, std^2) and b = 0, on flattened positions.

    Args:
      fan_in, fan_out: the shape of the kernel.
      stream: draws the kernel.
      std: of the kernel's entries.
      use_bias: whether there is a bias.
      use_kernel: False for a layer that shares the kernel of another one.
    """

    def __init__(
        self,
        fan_in: int,
        fan_out: int,
        stream: Stream | KeyStream,
        std: float,
        *,
        use_bias: bool = True,
        use_kernel: bool = True,
    ):
        kernel = stream.normal((fan_in, fan_out), std) if use_kernel else None
        self.kernel = nnx.data(None) if kernel is None else nnx.Param(kernel)
        self.bias = nnx.Param(jnp.zeros(fan_out)) if use_bias else nnx.data(None)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Return (..., fan_out) of x (..., fan_in)."""
        assert self.kernel is not None
        return dense(x, self.kernel[...], None if self.bias is None else self.bias[...])


class Norm(nnx.Module):
    """Layer normalization of the last axis; see `kernels.layer_norm`."""

    def __init__(self, width: int):
        self.scale = nnx.Param(jnp.ones(width))
        self.bias = nnx.Param(jnp.zeros(width))

    def __call__(self, x: jax.Array) -> jax.Array:
        """Return an array like x (..., E)."""
        return layer_norm(x, self.scale[...], self.bias[...])
