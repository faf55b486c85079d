"""Attention composed of parts: compare, scale, restrict, normalize, aggregate.

The hooks run in one fixed order, and within a hook the slots do: score, scale, position, mask,
normalizer, mixer. Nothing here asks for a part by name; a part that needs something new needs a
hook or a fact.

    q, k   = prepare(q, k)                      norms of q and k, rotary positions
    logits = score(q, k) + relate(q, k)         relative positions are scaled with the score
    logits = logits * factor(seen)
    logits = adjust(logits, q, seen)            soft caps, distance biases, mixing of heads
    mask   = tokens & allowed()
    weights = weights(logits, mask, reduce(logits, mask), seen)
    weights = reweight(weights)                  mixing or subtracting weight maps
    out    = weights @ v + aggregate(weights, v)  relative values
    out    = finish(out, q_raw, x)              query mix, gates

The T x S matrix is worked out at once here, or in blocks of queries and keys by `chunked.py`, so
that a text of thousands of tokens fits in memory: a normalizer says by `reduce`, `merge` and
`rescale` how its rows are put together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from attn_nlp.nn import chunked
from attn_nlp.nn.bound import BlockContext, ForwardContext, PartModule
from attn_nlp.nn.kernels import mixed


@dataclass(frozen=True)
class PairwiseAttention:
    """One pass through the chosen parts.

    Attributes:
      slots: the parts, in the order of `slots.PAIRWISE`.
      call: numeric settings and dropout.
      stream: names the random numbers of this block of the encoder.
      given: (B, 1 or H, T, S) bool, a mask that the caller adds; at once alone, not in blocks.
      bias: broadcasts to (B, H, T, S), numbers that the caller adds to the logits; the same.
    """

    slots: Sequence[PartModule]
    call: ForwardContext
    stream: str
    given: Any = None
    bias: Any = None

    def attend(self, q, k, v, x, here: BlockContext, chunk: int | None):
        """Heads' results and weights.

        Args:
          q: (B, Q, T, D) float32.
          k: (B, Q, S, D) float32.
          v: (B, H, S, U) float32.
          x: (B, T, E) float32, the block's input.
          here: all rows and columns.
          chunk: queries and keys in a block; None for all at once.

        Returns:
          (B, H, T, U) float32, and weights (B, M, T, S), None where they come in blocks.
        """
        q_raw = q
        for part in self._having("prepare"):
            q, k = part.run("prepare", self.call, here, q=q, k=k)
        weights = None
        if chunk is None:
            out, weights = self._at_once(q, k, v, here)
        else:
            out = chunked.attend(self, q, k, v, here, chunk)
        for part in self._having("finish"):
            out = part.run("finish", self.call, here, out=out, q_raw=q_raw, x=x)
        return out, weights

    def _at_once(self, q, k, v, here: BlockContext):
        mask = self.mask(here)
        seen = chunked.visible(mask)
        logits = self.logits(q, k, here, seen)
        stats = self.statistics(logits, mask, here)
        return self.spend(logits, mask, stats, seen, v, here)

    @property
    def in_pieces(self) -> bool:
        """Whether a row's weights can be put together from blocks of keys; see `chunked.py`."""
        normalizer = self._normalizer
        if normalizer.choice.part.facts.get("whole_rows"):
            return False
        if not self.has_statistics:
            return True
        return normalizer.has("rescale") and not self._having("reweight")

    @property
    def has_statistics(self) -> bool:
        """Whether weights need statistics of their row."""
        return self._normalizer.has("reduce")

    @property
    def maps(self) -> int:
        """M, the maps of weights."""
        return self._normalizer.dims["M"]

    def taken_apart(self):
        """A function that makes the walk anew, and what it makes it of.

        Returns:
          The function of the two that follow; learned arrays and numeric settings, by which there
          is a gradient; seed and key, by which there is none.
        """
        graph, learned = nnx.split(nnx.List(list(self.slots)))
        call, stream = self.call, self.stream

        def rebuild(arrays, others) -> PairwiseAttention:
            learned, numeric = arrays
            seed, key = others
            slots = list(nnx.merge(graph, learned))
            return PairwiseAttention(
                slots, ForwardContext(numeric, seed, call.dropping, key), stream
            )

        numeric = {path: jnp.asarray(each) for path, each in call.numeric.items()}
        return rebuild, (learned, numeric), (call.seed, call.key)

    def mask(self, here: BlockContext):
        """(B, 1, T, S) bool: the keys that every query may see."""
        mask = here.keys[:, None, None, :]
        for part in self._having("allowed"):
            mask = mask & part.run("allowed", self.call, here)
        mask = jnp.broadcast_to(mask, (len(mask), 1, len(here.rows), len(here.columns)))
        return mask if self.given is None else mask & self._by_map(self.given)

    def logits(self, q, k, here: BlockContext, seen):
        """(B, M, T, S): scores, scaled and adjusted."""
        logits = self._sum("score", here, q=q, k=k)
        if self._having("relate"):
            logits = logits + self._sum("relate", here, q=q, k=k)
        logits = jnp.asarray(logits, q.dtype)
        for part in self._having("factor"):
            logits = logits * part.run("factor", self.call, here, seen=seen)
        for part in self._having("adjust"):
            logits = part.run("adjust", self.call, here, logits=logits, q=q, seen=seen)
        return logits if self.bias is None else logits + self._by_map(self.bias)

    def _by_map(self, array):
        """(B, 1 or M, T, S) of (B, 1 or H, T, S): the maps of a head share what it is given."""
        heads = array.shape[1]
        return array if heads == 1 else jnp.repeat(array, self.maps // heads, axis=1)

    def statistics(self, logits, mask, here: BlockContext):
        """Statistics of the rows, of the keys at hand; None where weights need none."""
        if not self.has_statistics:
            return None
        return self._normalizer.run("reduce", self.call, here, logits=logits, mask=mask)

    def merged(self, one, other):
        """Statistics of the keys of both."""
        return self._normalizer.run("merge", self.call, None, a=one, b=other)

    def rescaled(self, before, after):
        """(B, M, T, 1): weights under `after` in units of those under `before`."""
        return self._normalizer.run("rescale", self.call, None, a=before, b=after)

    def spend(self, logits, mask, stats, seen, v, here: BlockContext):
        """Results of a block, and its weights."""
        given = {"logits": logits, "mask": mask, "stats": stats, "seen": seen}
        weights = self._normalizer.run("weights", self.call, here, **given)
        for part in self._having("reweight"):
            weights = part.run("reweight", self.call, here, weights=weights)
        spent = self.call.drop_weights(weights, "attention.dropout", self.stream, here)
        out = _weighted(spent, v)
        for part in self._having("aggregate"):
            out = out + part.run("aggregate", self.call, here, weights=spent, v=v)
        return out, weights

    @property
    def _normalizer(self) -> PartModule:
        (normalizer,) = self._having("weights")
        return normalizer

    def _having(self, hook: str) -> list[PartModule]:
        return [part for part in self.slots if part.has(hook)]

    def _sum(self, hook: str, here: BlockContext, **inputs) -> Any:
        return sum(part.run(hook, self.call, here, **inputs) for part in self._having(hook))


def _weighted(weights: jax.Array, v: jax.Array) -> jax.Array:
    """Weighted values: (B, M, T, S) and (B, H, S, U) to (B, H, T, U).

    One map a head, or, where there are H * U maps, one for each feature of the head's values.
    """
    maps, heads, width = weights.shape[1], v.shape[1], v.shape[3]
    if maps == heads:
        return mixed(weights, v)
    assert maps == heads * width, f"{maps} weight maps for {heads} heads of {width} values"
    by_feature = weights.reshape(weights.shape[0], heads, width, *weights.shape[2:])
    return jnp.einsum("bhuts,bhsu->bhtu", by_feature, v)
