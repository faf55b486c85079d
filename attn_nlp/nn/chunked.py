"""Attention in blocks of queries and keys, with a gradient that keeps no block.

In come the hooks of a walk (`pairwise.py`) and all of q, k and v; out come the heads' results, the
same as at once. Memory grows with the length alone: of every row of weights only its statistics
are kept, and each block's logits are worked out again for the gradient. Blocks in which no query
may see a key are passed over in both directions.

One pass over the keys makes the results. A row's statistics s and results o begin with nothing, and
a block with statistics s' changes them to

    s'' = merge(s, s'),   o'' = rescale(s, s'') o + weights(logits, s'') v

One more pass makes the gradient, with the final statistics. How the loss L depends on them follows
from the result alone, since under statistics r it would be rescale(s, r) o:

    dL/ds = d/dr [rescale(s, r)] at r = s  times  sum_u o[u] dL/do[u]

so that a block needs no other block: two matrix products in the one direction and five in the
other, the fewest there are. What a score, a bias or a user's own part adds to the gradient is
taken by automatic differentiation of the block, so that this holds for every part.

A normalizer without `rescale`, and one whose weights a mixer changes afterwards (results are then
of no one map of weights), has blocks of queries that hold all keys. One whose weights need no
statistics takes the same two passes and leaves them out.

References:
  Rabe & Staats, "Self-attention Does Not Need O(n^2) Memory", 2021, arXiv:2112.05682, for the
  blocks. Dao, Fu, Ermon, Rudra & Ré, "FlashAttention: Fast and Memory-Efficient Exact Attention
  with IO-Awareness", 2022, arXiv:2205.14135, for the gradient from kept statistics; there it is
  that of softmax of scaled dot products alone.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from attn_nlp.nn.bound import BlockContext


def attend(walk, q, k, v, here: BlockContext, chunk: int):
    """Heads' results, (B, H, T, U), worked out block by block.

    Args:
      walk: the `PairwiseAttention` whose hooks make logits and weights.
      q: (B, Q, T, D), k: (B, Q, S, D), v: (B, H, S, U).
      here: all rows and columns.
      chunk: queries and keys in a block, 8 or more.
    """
    across = chunk if walk.in_pieces else k.shape[2]
    rebuild, arrays, others = walk.taken_apart()
    rows = (_blocks(q, chunk), (_places(here.rows, chunk), _blocks(here.queries, chunk)))
    columns = (
        (_blocks(k, across), _blocks(v, across)),
        (_places(here.columns, across), _blocks(here.keys, across)),
    )

    # All that may be traced is an argument: nothing leaks into the gradient's own trace.
    @jax.custom_vjp
    def run(q, keys, arrays, others, places):
        return forward(q, keys, arrays, others, places)[0]

    def forward(q, keys, arrays, others, places):
        over = _Over(rebuild(arrays, others), keys, places[1])
        out, stats, seen = jax.lax.map(lambda row: over.results(*row), (q, places[0]))
        return out, (q, keys, arrays, others, places, out, stats, seen)

    def backward(kept, grad):
        q, keys, arrays, others, places, *found = kept
        over = _Over(partial(rebuild, others=others), keys, places[1])

        def step(total, row):
            by_query, more = over.grads(arrays, *row)
            return jax.tree.map(jnp.add, total, more), by_query

        zeros = jax.tree.map(jnp.zeros_like, (keys, arrays))
        given = (q, places[0], *found, grad)
        (by_keys, by_arrays), by_queries = jax.lax.scan(step, zeros, given)
        return by_queries, by_keys, by_arrays, None, None

    run.defvjp(forward, backward)
    out = run(rows[0], columns[0], arrays, others, (rows[1], columns[1]))
    out = jnp.moveaxis(out, 0, 2)
    return out.reshape(*out.shape[:2], -1, out.shape[-1])[:, :, : q.shape[2]]


class _Over:
    """Passes over all blocks of keys, for one block of queries.

    Args:
      walk: the walk, or what makes one of learned arrays where a gradient by them is asked.
      keys: k and v, (blocks, B, Q or H, across, D or U) each.
      places: positions and tokens of the keys, (blocks, across) and (blocks, B, across).
    """

    def __init__(self, walk, keys, places):
        self.walk, self.keys, self.places = walk, keys, places

    def results(self, q, row):
        """Results (B, H, rows, U), final statistics, and keys that each query sees."""
        walk, (batch, _, size, _) = self.walk, q.shape
        where = partial(BlockContext, rows=row[0], queries=row[1])

        def count(total, place):
            return total + visible(walk.mask(where(columns=place[0], keys=place[1]))), None

        def gather(carry, column):
            (k, v), place = column
            here = where(columns=place[0], keys=place[1])
            mask = walk.mask(here)

            def more(carry):
                stats, out = carry
                logits = walk.logits(q, k, here, seen)
                found = walk.statistics(logits, mask, here)
                if stats is not None:
                    found = walk.merged(stats, found)
                    out = out * _by_head(walk.rescaled(stats, found), v)
                spent = walk.spend(logits, mask, found, seen, v, here)[0]
                return (None if stats is None else found), out + spent

            return jax.lax.cond(mask.any(), more, lambda carry: carry, carry), None

        seen = jnp.zeros((batch, 1, size, 1), q.dtype)
        seen = jax.lax.scan(count, seen, self.places)[0]
        stats = None
        if walk.in_pieces and walk.has_statistics:
            # What a block without visible keys gives is what merging begins with.
            one = where(columns=self.places[0][0, :1], keys=self.places[1][0, :, :1])
            nothing = jnp.zeros((batch, walk.maps, size, 1), q.dtype)
            stats = walk.statistics(nothing, jnp.zeros((batch, 1, size, 1), bool), one)
        values = self.keys[1]
        out = jnp.zeros((batch, values.shape[2], size, values.shape[-1]), q.dtype)
        stats, out = jax.lax.scan(gather, (stats, out), (self.keys, self.places))[0]
        return out, stats, seen

    def grads(self, arrays, q, row, out, stats, seen, grad):
        """Return gradients by the queries, and by all keys and learned arrays."""
        where = partial(BlockContext, rows=row[0], queries=row[1])
        by_stats = None if stats is None else self._by_statistics(arrays, out, stats, grad)

        def step(carry, column):
            (k, v), place = column
            here = where(columns=place[0], keys=place[1])
            mask = self.walk(arrays).mask(here)

            def block(q, k, v, arrays):
                walk = self.walk(arrays)
                logits = walk.logits(q, k, here, seen)
                own = walk.statistics(logits, mask, here)
                known = own if stats is None else stats
                spent = walk.spend(logits, mask, known, seen, v, here)[0]
                # Merged with the final ones, a block's statistics have their gradient in the whole.
                return spent, None if stats is None else walk.merged(own, stats)

            def more(_):
                return jax.vjp(block, q, k, v, arrays)[1]((grad, by_stats))

            def none(_):
                return jax.tree.map(jnp.zeros_like, (q, k, v, arrays))

            by_query, by_k, by_v, by_arrays = jax.lax.cond(mask.any(), more, none, None)
            return jax.tree.map(jnp.add, carry, (by_query, by_arrays)), (by_k, by_v)

        zeros = jax.tree.map(jnp.zeros_like, (q, arrays))
        (by_query, by_arrays), by_keys = jax.lax.scan(step, zeros, (self.keys, self.places))
        return by_query, (by_keys, by_arrays)

    def _by_statistics(self, arrays, out, stats, grad):
        """Return gradients by the final statistics, as their change would rescale the results."""
        walk, along = self.walk(arrays), out * grad
        if walk.maps == out.shape[1]:
            along = along.sum(axis=-1, keepdims=True)
        else:
            along = along.swapaxes(2, 3).reshape(len(out), walk.maps, out.shape[2], 1)
        return jax.vjp(partial(walk.rescaled, stats), stats)[1](along)[0]


def visible(mask):
    """(B, 1, T, 1) float: how many keys every query may see."""
    return mask.sum(axis=-1, keepdims=True).astype(jnp.result_type(float))


def _by_head(factor, v):
    """A factor of every map's weights (B, M, T, 1) as one of the results (B, H, T, 1 or U)."""
    if factor.shape[1] == v.shape[1]:
        return factor
    by_feature = factor.reshape(factor.shape[0], v.shape[1], v.shape[3], -1)
    return by_feature.swapaxes(2, 3)


def _places(places, size: int):
    """(blocks, size): places in blocks, the last filled up with those that would follow."""
    count = -(-len(places) // size)
    return (places[0] + jnp.arange(count * size, dtype=places.dtype)).reshape(count, size)


def _blocks(array, size: int):
    """(blocks, ...): positions cut into blocks, the last filled up with zeros, or with False.

    Positions are the last axis but one, or the last of a matrix.
    """
    axis = array.ndim - (2 if array.ndim == 4 else 1)
    count = -(-array.shape[axis] // size)
    pads = [(0, 0)] * array.ndim
    pads[axis] = (0, count * size - array.shape[axis])
    cut = (*array.shape[:axis], count, size, *array.shape[axis + 1 :])
    return jnp.moveaxis(jnp.pad(array, pads).reshape(cut), axis, 0)
