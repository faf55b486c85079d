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

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from attn_nlp.experiment import Cell
from attn_nlp.nn.attention import Attention
from attn_nlp.nn.bound import BlockContext, ForwardContext, PartModule
from attn_nlp.nn.kernels import dense, layer_norm, rows_of
from attn_nlp.rng import KeyStream, Stream

PADDING = 0


class Dense(nnx.Module):
    """x W + b on the last axis, with W ~ N(0, gain/fan_in) and b = 0, on flattened positions."""

    def __init__(self, fan_in: int, fan_out: int, stream: Stream | KeyStream, gain: float = 1.0):
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

    def __init__(self, cell: Cell, dims: Mapping[str, int], stream: Stream | KeyStream, layer: int):
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
      classes: how many classes there are; None for an encoder that does not classify.
      seed: draws the initial weights, or a stream does.
      layers: the settings of every block, where they differ.
    """

    def __init__(
        self,
        cell: Cell,
        vocabulary: int,
        classes: int | None,
        seed: int | KeyStream,
        layers: Sequence[Cell] = (),
    ):
        counts = {"V": vocabulary, "C": classes or 0}
        dims = {**cell.sizes, **counts}
        stream = seed if isinstance(seed, KeyStream) else Stream(seed)
        chosen = cell.choices
        width = dims["E"]
        table = (stream / "embed").normal((vocabulary, width), width**-0.5)
        if isinstance(table, jax.Array):
            table = table.at[PADDING].set(0.0)
        else:
            table[PADDING] = 0.0
        self.embed = nnx.Param(table)
        model = PartModule(chosen["model"], "model", dims, stream / "model")
        self.model = model if model.has("read") else None
        if self.model is not None:
            assert classes is not None, "a model that reads in its own way classifies"
            self.head = Dense(int(model.choice.fact("features", dims)), classes, stream / "head")
            return
        self.position = PartModule(
            chosen["position"], "position", dims, stream / "position", hooks=("embed",)
        )
        self.blocks = nnx.List(
            [
                Block(each, {**each.sizes, **counts}, stream / f"blocks/{layer}", layer)
                for layer, each in enumerate(layers or [cell] * cell.layers)
            ]
        )
        # A post-norm block ends in a norm; a pre-norm encoder needs one more.
        self.last = Norm(width) if cell.norm == "pre" else None
        if classes is None:
            return
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
        if self.model is not None:
            x = call.drop(self._embedded(ids), "dropout", "embed")
            read = self.model.run("read", call, _everywhere(tokens), x=x, mask=tokens)
            return self.head(call.drop(read, "dropout", "pool"))
        return self.classify(self.encode(ids, tokens, call), tokens, call)

    def encode(
        self,
        ids: jax.Array,
        tokens: jax.Array,
        call: ForwardContext,
        calls: Sequence[ForwardContext] = (),
    ) -> jax.Array:
        """What the blocks make of every token.

        Args:
          ids: (B, T) int32.
          tokens: (B, T) bool, False at padding.
          call: numeric settings and dropout.
          calls: those of every block, where they differ.

        Returns:
          (B, T, E) float32.
        """
        here = _everywhere(tokens)
        x = self._embedded(ids)
        if self.position.has("embed"):
            x = self.position.run("embed", call, here, x=x, mask=tokens)
        x = call.drop(x, "dropout", "embed")
        for block, each in zip(self.blocks, calls or [call] * len(self.blocks), strict=True):
            x = block(x, tokens, each)
        return x if self.last is None else self.last(x)

    def classify(self, x: jax.Array, tokens: jax.Array, call: ForwardContext) -> jax.Array:
        """Class logits (B, C) of what `encode` returned."""
        pooled = self.pool.run("pool", call, _everywhere(tokens), x=x, mask=tokens)
        return self.head(call.drop(pooled, "dropout", "pool"))

    def _embedded(self, ids: jax.Array) -> jax.Array:
        table = self.embed[...]
        return rows_of(table, ids) * table.shape[1] ** 0.5


def _everywhere(tokens: jax.Array) -> BlockContext:
    """All rows and columns."""
    places = jnp.arange(tokens.shape[1], dtype=jnp.int32)
    return BlockContext(places, places, tokens, tokens)
