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

The T x S matrix is computed at once here, or in blocks of queries and keys by `chunked.py`, so that
a text of thousands of tokens fits in memory: a normalizer's `reduce`, `merge` and `rescale` say how
its rows are put together.

What `chunked.py` asks of a `PairwiseAttention`: `split`, to rebuild it while a gradient is traced;
`mergeable`, `has_statistics` and `maps`, to choose the blocks; and for each block `mask`, `logits`,
`statistics`, `merge`, `rescale` and `apply`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from attn_nlp.nn import chunked
from attn_nlp.nn.context import BlockContext, ForwardContext
from attn_nlp.nn.kernels import weighted_sum
from attn_nlp.nn.part_module import PartModule


@dataclass(frozen=True)
class PairwiseAttention:
    """One pass through the chosen parts.

    Attributes:
      slots: the parts, in the order of `hooks.PAIRWISE`.
      call: numeric settings and dropout.
      stream: names the random numbers of this block of the encoder.
      given: (B, 1 or H, T, S) bool, a mask that the caller adds; not supported block by block.
      bias: broadcasts to (B, H, T, S), numbers that the caller adds to the logits; the same.
    """

    slots: Sequence[PartModule]
    call: ForwardContext
    stream: str
    given: Any = None
    bias: Any = None

    def attend(self, q, k, v, x, here: BlockContext, chunk: int | None):
        """Return the heads' results and the weights.

        Args:
          q: (B, Q, T, D) float32.
          k: (B, Q, S, D) float32.
          v: (B, H, S, U) float32.
          x: (B, T, E) float32, the block's input.
          here: all rows and columns.
          chunk: queries and keys in a block, or None for all at once.

        Returns:
          (B, H, T, U) float32, and weights (B, M, T, S), or None if they come in blocks.
        """
        q_raw = q
        for part in self._having("prepare"):
            q, k = part.prepare(self.call, here, q, k)
        weights = None
        if chunk is None:
            out, weights = self._at_once(q, k, v, here)
        else:
            out = chunked.attend(self, q, k, v, here, chunk)
        for part in self._having("finish"):
            out = part.finish(self.call, here, out, q_raw, x)
        return out, weights

    def _at_once(self, q, k, v, here: BlockContext):
        mask = self.mask(here)
        seen = chunked.count_seen(mask)
        logits = self.logits(q, k, here, seen)
        stats = self.statistics(logits, mask, here)
        return self.apply(logits, mask, stats, seen, v, here)

    @property
    def mergeable(self) -> bool:
        """Return whether a row's weights can be merged from blocks of keys; see `chunked.py`."""
        normalizer = self._normalizer
        if normalizer.choice.part.facts.get("whole_rows"):
            return False
        if not self.has_statistics:
            return True
        return normalizer.has("rescale") and not self._having("reweight")

    @property
    def has_statistics(self) -> bool:
        """Return whether weights need statistics of their row."""
        return self._normalizer.has("reduce")

    @property
    def maps(self) -> int:
        """Return M, the number of attention maps."""
        return self._normalizer.sizes["M"]

    def split(self):
        """Return a function that makes this pass again, and the arrays that it makes it of.

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

        numeric = {path: jnp.asarray(value) for path, value in call.numeric.items()}
        return rebuild, (learned, numeric), (call.seed, call.key)

    def mask(self, here: BlockContext):
        """Return (B, 1, T, S) bool: the keys that every query may see."""
        mask = here.keys[:, None, None, :]
        for part in self._having("allowed"):
            mask = mask & part.allowed(self.call, here)
        mask = jnp.broadcast_to(mask, (len(mask), 1, len(here.rows), len(here.columns)))
        return mask if self.given is None else mask & self._by_map(self.given)

    def logits(self, q, k, here: BlockContext, seen):
        """Return (B, M, T, S): scores, scaled and adjusted."""
        logits: Any = sum(part.score(self.call, here, q, k) for part in self._having("score"))
        related = self._having("relate")
        if related:
            logits = logits + sum(part.relate(self.call, here, q, k) for part in related)
        logits = jnp.asarray(logits, q.dtype)
        for part in self._having("factor"):
            logits = logits * part.factor(self.call, here, seen)
        for part in self._having("adjust"):
            logits = part.adjust(self.call, here, logits, q, seen)
        return logits if self.bias is None else logits + self._by_map(self.bias)

    def _by_map(self, array):
        """Return (B, 1 or M, T, S) of (B, 1 or H, T, S): the maps of a head share its entries."""
        heads = array.shape[1]
        return array if heads == 1 else jnp.repeat(array, self.maps // heads, axis=1)

    def statistics(self, logits, mask, here: BlockContext):
        """Return statistics of the rows over these keys, or None if weights need none."""
        if not self.has_statistics:
            return None
        return self._normalizer.reduce(self.call, here, logits, mask)

    def merge(self, one, other):
        """Return the statistics of the keys of both."""
        return self._normalizer.merge(self.call, one, other)

    def rescale(self, before, after):
        """Return (B, M, T, 1): weights under `after` in units of those under `before`."""
        return self._normalizer.rescale(self.call, before, after)

    def apply(self, logits, mask, stats, seen, v, here: BlockContext):
        """Return the results of a block, and its weights."""
        weights = self._normalizer.weights(self.call, here, logits, mask, stats, seen)
        for part in self._having("reweight"):
            weights = part.reweight(self.call, here, weights)
        applied = self.call.drop_weights(weights, "attention.dropout", self.stream, here)
        out = _weighted(applied, v)
        for part in self._having("aggregate"):
            out = out + part.aggregate(self.call, here, weights=applied, v=v)
        return out, weights

    @property
    def _normalizer(self) -> PartModule:
        (normalizer,) = self._having("weights")
        return normalizer

    def _having(self, hook: str) -> list[PartModule]:
        return [part for part in self.slots if part.has(hook)]


def _weighted(weights: jax.Array, v: jax.Array) -> jax.Array:
    """Return weighted values: (B, M, T, S) and (B, H, S, U) to (B, H, T, U).

    There is one map per head, or, if there are H * U maps, one for each feature of its values.
    """
    maps, heads, width = weights.shape[1], v.shape[1], v.shape[3]
    if maps == heads:
        return weighted_sum(weights, v)
    assert maps == heads * width, f"{maps} weight maps for {heads} heads of {width} values"
    by_feature = weights.reshape(weights.shape[0], heads, width, *weights.shape[2:])
    return jnp.einsum("bhuts,bhsu->bhtu", by_feature, v)
