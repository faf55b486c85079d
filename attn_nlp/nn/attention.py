"""Attention of a block: the kind that the cell chose, with the linear maps around it.

There are three bodies, by what the kind supplies: one that gives the kind's `block` the input
alone, one that gives its `attend` q, k and v, and, for a kind that supplies neither, one that
composes the other slots over pairs of positions (`pairwise.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
from flax import nnx

from attn_nlp.experiment import Cell
from attn_nlp.nn.context import BlockContext, ForwardContext
from attn_nlp.nn.pairwise import PairwiseAttention
from attn_nlp.nn.part_module import PartModule
from attn_nlp.nn.projections import Projections
from attn_nlp.parts.hooks import PAIRWISE
from attn_nlp.parts.selection import Choice
from attn_nlp.rng import KeyStream, Stream


class Attention(nnx.Module):
    """One block's way of passing information between positions.

    Attributes:
      kind: the part of the slot `kind`.
    """

    kind: PartModule

    def __call__(self, x: jax.Array, tokens: jax.Array, call: ForwardContext) -> jax.Array:
        """Return what the block adds to every position.

        Args:
          x: (B, T, E) float32.
          tokens: (B, T) bool, False at padding.
          call: numeric settings and dropout.

        Returns:
          (B, T, E) float32.
        """
        out, weights = self.attend_with_weights(x, tokens, call)
        if call.sow_weights:
            self.sow(nnx.Intermediate, "attention_weights", weights)
        return out

    def attend_with_weights(
        self,
        x: jax.Array,
        tokens: jax.Array,
        call: ForwardContext,
        mask: jax.Array | None = None,
    ) -> tuple[jax.Array, jax.Array | None]:
        """Return the same together with the weights (B, M, T, S).

        The weights are None for a kind that has none, and if they are computed block by block.
        Pairwise attention without blocks takes a further `mask`, (B, 1 or H, T, S) bool.
        """
        raise NotImplementedError


class BlockKind(Attention):
    """A kind that is given the block's input alone."""

    def __init__(self, kind: PartModule):
        self.kind = kind

    def attend_with_weights(self, x, tokens, call, mask=None):
        """Return the kind's result and None."""
        return self.kind.block(call, BlockContext.whole(tokens), x, tokens), None


class ProjectedKind(Attention):
    """A kind that is given q, k and v, between linear maps."""

    def __init__(self, kind: PartModule, project: Projections):
        self.kind, self.project = kind, project

    def attend_with_weights(self, x, tokens, call, mask=None):
        """Return the kind's result and None."""
        q, k, v = self.project.split(x)
        out = self.kind.attend(call, BlockContext.whole(tokens), q, k, v, tokens)
        return self.project.join(out), None


class PairwiseKind(Attention):
    """Attention over pairs of positions, composed of the other slots, between linear maps.

    Attributes:
      slots: the parts, in the order in which they act.
    """

    def __init__(
        self, kind: PartModule, project: Projections, slots: list[PartModule], chunk: int | None
    ):
        self.kind, self.project = kind, project
        self.slots = nnx.List(slots)
        self.chunk = chunk

    def attend_with_weights(self, x, tokens, call, mask=None):
        """Return the result and the weights, or None if they are computed block by block."""
        q, k, v = self.project.split(x)
        pairwise = PairwiseAttention(self.slots, call, f"weights/{self.kind.layer}", mask)
        out, weights = pairwise.attend(q, k, v, x, BlockContext.whole(tokens), self.chunk)
        return self.project.join(out), weights


def build_attention(
    cell: Cell, sizes: Mapping[str, int], stream: Stream | KeyStream, layer: int
) -> Attention:
    """Return the attention of one block.

    Args:
      cell: the settings.
      sizes: sizes by letter.
      stream: draws the initial weights.
      layer: the index of the block in the encoder.
    """
    chosen = cell.choices

    def part_at(path: str) -> PartModule:
        # The encoder runs a position's `embed`, with the arrays that it asks for.
        hooks = set(chosen[path].part.hooks) - {"embed"}
        return PartModule(chosen[path], path, sizes, stream / path, layer, hooks)

    kind = part_at("attention.kind")
    if kind.has("block"):
        return BlockKind(kind)
    std = part_at("attention.init").std(
        ForwardContext(cell.numeric()), fan_in=sizes["E"], fan_out=sizes["Q"] * sizes["D"]
    )
    project = Projections(cell, sizes, stream, std)
    if kind.has("attend"):
        return ProjectedKind(kind, project)
    slots = [part_at(path) for path in pairwise_paths(chosen)]
    return PairwiseKind(kind, project, slots, cell.attention.chunk)


def pairwise_paths(chosen: Mapping[str, Choice]) -> list[str]:
    """Return the paths of the parts of pairwise attention, in the order in which they act."""
    return [path for slot in PAIRWISE for path in chosen if chosen[path].part.slot == slot]
