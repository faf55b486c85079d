"""The encoder: token ids in, class logits out.

    x = embed(ids) sqrt(E), with positions, dropped out
    for every block, pre-norm:   x = x + drop(attend(norm(x)));  x = x + drop(feed(norm(x)))
                     post-norm:  x = norm(x + drop(attend(x)));  x = norm(x + drop(feed(x)))
    class_logits = head(drop(pool(norm(x))))

Another model reads the embedded tokens in its own way, in place of positions, blocks and pooling.

Embeddings start at N(0, 1/E) and are multiplied by sqrt(E) (Vaswani et al., 2017, section 3.4). The
class head starts at N(0, 1/E). Padding is id 0.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import nnx

from attn_nlp.experiment import Cell
from attn_nlp.nn.attention import Attention
from attn_nlp.nn.bound import BlockContext, ForwardContext, PartModule
from attn_nlp.nn.kernels import dense, layer_norm, rows_of
from attn_nlp.rng import Stream

PADDING = 0


class Dense(nnx.Module):
    """x W + b on the last axis, with W ~ N(0, gain/fan_in) and b = 0, on flattened positions."""

    def __init__(self, fan_in: int, fan_out: int, stream: Stream, gain: float = 1.0):
        std = (gain / fan_in) ** 0.5
        self.kernel = nnx.Param((stream / "kernel").normal((fan_in, fan_out), std))
        self.shift = nnx.Param(jnp.zeros(fan_out))

    def __call__(self, x: jax.Array) -> jax.Array:
        return dense(x, self.kernel[...], self.shift[...])


class Norm(nnx.Module):
    """Layer normalization of the last axis, see `layer_norm`."""

    def __init__(self, width: int):
        self.gain = nnx.Param(jnp.ones(width))
        self.shift = nnx.Param(jnp.zeros(width))

    def __call__(self, x: jax.Array) -> jax.Array:
        return layer_norm(x, self.gain[...], self.shift[...])


class Block(nnx.Module):
    """Attention and a feed-forward layer, each with a residual connection and a norm."""

    def __init__(self, cell: Cell, dims: Mapping[str, int], stream: Stream, layer: int):
        self.first = cell.norm == "pre"
        self.layer = layer
        self.attention = Attention(cell, dims, stream / "attention", layer)
        self.before = Norm(dims["E"])
        self.between = Norm(dims["E"])
        self.up = Dense(dims["E"], dims["F"], stream / "up", gain=2.0)  # He et al., 2015, for ReLU
        self.down = Dense(dims["F"], dims["E"], stream / "down")

    def __call__(self, x: jax.Array, tokens: jax.Array, call: ForwardContext) -> jax.Array:
        def attend(y):
            return call.drop(self.attention(y, tokens, call), "dropout", f"attend/{self.layer}")

        def feed(y):
            return call.drop(self.down(jax.nn.relu(self.up(y))), "dropout", f"feed/{self.layer}")

        if self.first:
            x = x + attend(self.before(x))
            return x + feed(self.between(x))
        x = self.before(x + attend(x))
        return self.between(x + feed(x))


class Encoder(nnx.Module):
    """A sentence classifier.

    Args:
      cell: the settings.
      vocabulary: ids, padding and unknown included.
      classes: how many classes there are.
      seed: draws the initial weights.
    """

    def __init__(self, cell: Cell, vocabulary: int, classes: int, seed: int):
        dims = cell.letters() | {"V": vocabulary, "C": classes}
        stream = Stream(seed)
        chosen = cell.choices()
        width = dims["E"]
        table = (stream / "embed").normal((vocabulary, width), width**-0.5)
        table[PADDING] = 0.0
        self.embed = nnx.Param(table)
        model = PartModule(chosen["model"], "model", dims, stream / "model")
        self.model = model if model.has("read") else None
        if self.model is not None:
            self.head = Dense(int(model.choice.fact("features", dims)), classes, stream / "head")
            return
        self.position = PartModule(
            chosen["position"], "position", dims, stream / "position", hooks=("embed",)
        )
        self.blocks = nnx.List(
            [Block(cell, dims, stream / f"blocks/{layer}", layer) for layer in range(cell.layers)]
        )
        # A post-norm block ends in a norm; a pre-norm encoder needs one more.
        self.last = Norm(width) if cell.norm == "pre" else None
        self.pool = PartModule(chosen["pooling"], "pooling", dims, stream / "pooling")
        self.head = Dense(width, classes, stream / "head")

    def __call__(self, ids: jax.Array, call: ForwardContext) -> jax.Array:
        """Class logits.

        Args:
          ids: (B, T) int32; 0 is padding.
          call: numeric settings and dropout.

        Returns:
          (B, C) float32.
        """
        tokens = ids != PADDING
        places = jnp.arange(ids.shape[1], dtype=jnp.int32)
        here = BlockContext(places, places, tokens, tokens)
        table = self.embed[...]
        x = rows_of(table, ids) * table.shape[1] ** 0.5
        if self.model is not None:
            x = call.drop(x, "dropout", "embed")
            read = self.model.run("read", call, here, x=x, mask=tokens)
            return self.head(call.drop(read, "dropout", "pool"))
        if self.position.has("embed"):
            x = self.position.run("embed", call, here, x=x, mask=tokens)
        x = call.drop(x, "dropout", "embed")
        for block in self.blocks:
            x = block(x, tokens, call)
        if self.last is not None:
            x = self.last(x)
        pooled = self.pool.run("pool", call, here, x=x, mask=tokens)
        return self.head(call.drop(pooled, "dropout", "pool"))
