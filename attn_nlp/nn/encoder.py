"""The classifier that a cell trains: token ids in, class logits out.

    x = embed(ids) sqrt(E)
    features = body(x)
    class_logits = head(drop(features))

There are two bodies. `PooledEncoder` is the encoder of blocks:

    x = drop(x with positions)
    for every block, pre-norm:   x = x + drop(attend(norm(x)));  x = x + drop(feed(norm(x)))
                     post-norm:  x = norm(x + drop(attend(x)));  x = norm(x + drop(feed(x)))
    features = pool(norm(x))

and `Reader` a model that reads the embedded tokens in its own way, without positions, blocks or
pooling: features = read(drop(x)).

Embeddings start at N(0, 1/E) and are multiplied by sqrt(E) (Vaswani et al., 2017, section 3.4). The
class head starts at N(0, 1/features). Padding is id 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
from flax import nnx

from attn_nlp.experiment import Cell
from attn_nlp.nn.attention import build_attention
from attn_nlp.nn.context import BlockContext, ForwardContext
from attn_nlp.nn.layers import PADDING, Dense, Embedding, Norm
from attn_nlp.nn.part_module import PartModule
from attn_nlp.rng import KeyStream, Stream

__all__ = [
    "PADDING",
    "Block",
    "Classifier",
    "Encoder",
    "PooledEncoder",
    "Reader",
    "build_classifier",
    "build_encoder",
]


class Block(nnx.Module):
    """Attention and a feed-forward layer, each with a residual connection and a norm."""

    def __init__(
        self, cell: Cell, sizes: Mapping[str, int], stream: Stream | KeyStream, layer: int
    ):
        width, ffn_width = sizes["E"], sizes["F"]
        self.pre_norm = cell.norm == "pre"
        self.layer = layer
        self.attention = build_attention(cell, sizes, stream / "attention", layer)
        self.before = Norm(width)
        self.between = Norm(width)
        # He et al., 2015, for ReLU
        self.up = Dense(width, ffn_width, stream / "up/kernel", (2.0 / width) ** 0.5)
        self.down = Dense(ffn_width, width, stream / "down/kernel", (1.0 / ffn_width) ** 0.5)

    def __call__(self, x: jax.Array, tokens: jax.Array, call: ForwardContext) -> jax.Array:
        """Return (B, T, E) of x (B, T, E) and tokens (B, T) bool."""

        def attend(y):
            return call.drop(self.attention(y, tokens, call), "dropout", f"attend/{self.layer}")

        def feed(y):
            return call.drop(self.down(jax.nn.relu(self.up(y))), "dropout", f"feed/{self.layer}")

        if self.pre_norm:
            x = x + attend(self.before(x))
            return x + feed(self.between(x))
        x = self.before(x + attend(x))
        return self.between(x + feed(x))


class Encoder(nnx.Module):
    """Positions and blocks: embedded tokens in, a vector for every token out.

    Args:
      position: the part of the slot `position`.
      blocks: in order.
      last: a norm after the last block, or None.
    """

    def __init__(self, position: PartModule, blocks: Sequence[Block], last: Norm | None):
        self.position = position
        self.blocks = nnx.List(list(blocks))
        self.last = last

    def __call__(
        self,
        x: jax.Array,
        tokens: jax.Array,
        call: ForwardContext,
        calls: Sequence[ForwardContext] = (),
    ) -> jax.Array:
        """Return a vector for every token.

        Args:
          x: (B, T, E) float32, embedded tokens.
          tokens: (B, T) bool, False at padding.
          call: numeric settings and dropout.
          calls: those of every block, if they differ.

        Returns:
          (B, T, E) float32.
        """
        if self.position.has("embed"):
            x = self.position.embed(call, BlockContext.whole(tokens), x, tokens)
        x = call.drop(x, "dropout", "embed")
        for block, own_call in zip(self.blocks, calls or [call] * len(self.blocks), strict=True):
            x = block(x, tokens, own_call)
        return x if self.last is None else self.last(x)


class PooledEncoder(nnx.Module):
    """An encoder and a pooling: embedded tokens in, a vector for every sentence out."""

    def __init__(self, encoder: Encoder, pool: PartModule):
        self.encoder, self.pool = encoder, pool

    def __call__(
        self,
        x: jax.Array,
        tokens: jax.Array,
        call: ForwardContext,
        calls: Sequence[ForwardContext] = (),
    ) -> jax.Array:
        """Return (B, E); the arguments are those of `Encoder`."""
        x = self.encoder(x, tokens, call, calls)
        return self.pool.pool(call, BlockContext.whole(tokens), x, tokens)


class Reader(nnx.Module):
    """A model that reads embedded tokens in its own way, such as a CNN."""

    def __init__(self, model: PartModule):
        self.model = model

    def __call__(
        self,
        x: jax.Array,
        tokens: jax.Array,
        call: ForwardContext,
        calls: Sequence[ForwardContext] = (),
    ) -> jax.Array:
        """Return (B, features); the arguments are those of `Encoder`."""
        x = call.drop(x, "dropout", "embed")
        return self.model.read(call, BlockContext.whole(tokens), x, tokens)


class Classifier(nnx.Module):
    """A sentence classifier.

    Args:
      embed: makes vectors of ids.
      body: makes one vector per sentence of them.
      head: makes class logits of that vector.
    """

    def __init__(self, embed: Embedding, body: PooledEncoder | Reader, head: Dense):
        self.embed, self.body, self.head = embed, body, head

    def __call__(
        self,
        ids: jax.Array,
        call: ForwardContext,
        tokens: jax.Array | None = None,
        calls: Sequence[ForwardContext] = (),
    ) -> jax.Array:
        """Return class logits.

        Args:
          ids: (B, T) int32; 0 is padding.
          call: numeric settings and dropout.
          tokens: (B, T) bool, False at padding; by default where the id is not 0.
          calls: the contexts of every block, if they differ.

        Returns:
          (B, C) float32.
        """
        tokens = ids != PADDING if tokens is None else tokens
        features = self.body(self.embed(ids), tokens, call, calls)
        return self.head(call.drop(features, "dropout", "pool"))


def build_classifier(
    cell: Cell,
    vocabulary: int,
    classes: int,
    seed: int | KeyStream,
    layers: Sequence[Cell] = (),
) -> Classifier:
    """Return the classifier of a cell with its first weights.

    Args:
      cell: the settings.
      vocabulary: ids, padding and unknown included.
      classes: how many classes there are.
      seed: draws the initial weights, or a stream does.
      layers: the settings of every block, if they differ.
    """
    sizes = cell.sizes | {"V": vocabulary, "C": classes}
    stream = seed if isinstance(seed, KeyStream) else Stream(seed)
    chosen = cell.choices
    embed = Embedding(vocabulary, sizes["E"], stream / "embed")
    model = PartModule(chosen["model"], "model", sizes, stream / "model")
    if model.has("read"):
        body = Reader(model)
        features = int(model.choice.fact("features", sizes))
    else:
        pool = PartModule(chosen["pooling"], "pooling", sizes, stream / "pooling")
        body = PooledEncoder(build_encoder(cell, sizes, stream, layers), pool)
        features = sizes["E"]
    head = Dense(features, classes, stream / "head/kernel", (1.0 / features) ** 0.5)
    return Classifier(embed, body, head)


def build_encoder(
    cell: Cell,
    sizes: Mapping[str, int],
    stream: Stream | KeyStream,
    layers: Sequence[Cell] = (),
) -> Encoder:
    """Return the encoder of a cell with its first weights.

    Args:
      cell: the settings.
      sizes: sizes by letter; V and C are taken from here for all blocks.
      stream: draws the initial weights.
      layers: the settings of every block, if they differ.
    """
    position = PartModule(
        cell.choices["position"], "position", sizes, stream / "position", hooks=("embed",)
    )
    of_data = {letter: sizes[letter] for letter in "VC"}
    blocks = [
        Block(own, own.sizes | of_data, stream / f"blocks/{layer}", layer)
        for layer, own in enumerate(layers or [cell] * cell.layers)
    ]
    # A post-norm block ends in a norm; a pre-norm encoder needs one more.
    return Encoder(position, blocks, Norm(sizes["E"]) if cell.norm == "pre" else None)
