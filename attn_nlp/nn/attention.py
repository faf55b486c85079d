"""Attention of a block: the kind that the cell chose, with the linear maps around it.

A kind that supplies `block` gets the input alone; one that supplies `attend` gets q, k and v; all
others are composed of slots, by `pairwise.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import nnx

from attn_nlp.experiment import Cell
from attn_nlp.nn.bound import BlockContext, ForwardContext, PartModule
from attn_nlp.nn.pairwise import PairwiseAttention
from attn_nlp.nn.projections import Projections
from attn_nlp.parts.hooks import PAIRWISE
from attn_nlp.parts.selection import Choice
from attn_nlp.rng import KeyStream, Stream


class Attention(nnx.Module):
    """One block's way of passing information between positions, of any kind.

    Args:
      cell: the settings.
      dims: sizes by letter.
      stream: where the initial weights come from.
      layer: the block's place in the encoder.
    """

    def __init__(self, cell: Cell, dims: Mapping[str, int], stream: Stream | KeyStream, layer: int):
        chosen = cell.choices

        def bind(path: str) -> PartModule:
            # The encoder runs a position's `embed`, with the arrays that it asks for.
            hooks = set(chosen[path].part.hooks) - {"embed"}
            return PartModule(chosen[path], path, dims, stream / path, layer, hooks)

        self.kind = bind("attention.kind")
        if self.kind.has("block"):
            self.slots, self.project = nnx.List([]), None
            return
        std = bind("attention.init").run(
            "std",
            ForwardContext(cell.numeric()),
            None,
            fan_in=dims["E"],
            fan_out=dims["Q"] * dims["D"],
        )
        self.project = Projections(cell, dims, stream, std)
        # A kind with an `attend` of its own walks no slots.
        paths = [] if self.kind.has("attend") else in_order(chosen)
        self.slots = nnx.List([bind(path) for path in paths])
        self.chunk = cell.attention.chunk

    def __call__(self, x: jax.Array, tokens: jax.Array, call: ForwardContext) -> jax.Array:
        """What the block adds to every position.

        Args:
          x: (B, T, E) float32.
          tokens: (B, T) bool, False at padding.
          call: numeric settings and dropout.

        Returns:
          (B, T, E) float32.
        """
        out, weights = self.look(x, tokens, call)
        if call.sow_weights:
            self.sow(nnx.Intermediate, "weights", weights)
        return out

    def look(self, x: jax.Array, tokens: jax.Array, call: ForwardContext, mask=None):
        """The same together with the weights (B, M, T, S).

        The weights are None for a kind that has none, and where they are worked out in blocks.
        Pairwise attention at once takes a further `mask`, (B, 1 or H, T, S) bool.
        """
        places = jnp.arange(x.shape[1], dtype=jnp.int32)
        here = BlockContext(places, places, tokens, tokens)
        if self.project is None:
            return self.kind.run("block", call, here, x=x, mask=tokens), None
        q, k, v = self.project.split(x)
        if self.kind.has("attend"):
            out = self.kind.run("attend", call, here, q=q, k=k, v=v, mask=tokens)
            return self.project.join(out), None
        walk = PairwiseAttention(self.slots, call, f"weights/{self.kind.layer}", mask)
        out, weights = walk.attend(q, k, v, x, here, self.chunk)
        return self.project.join(out), weights


def in_order(chosen: Mapping[str, Choice]) -> list[str]:
    """The paths of the parts of pairwise attention, in the order in which they act."""
    return [path for slot in PAIRWISE for path in chosen if chosen[path].part.slot == slot]
