"""Attention in blocks of queries and keys, with a gradient that keeps no block.

In come the hooks of a `PairwiseAttention` and all of q, k and v; out come the heads' results, the
same as at once. Memory grows linearly with length: of every row of weights only its statistics are
kept, and each block's logits are computed again for the gradient. Blocks in which no query may see
a key are skipped in both directions.

One pass over the keys makes the results. A row's statistics s and results o begin with nothing, and
a block with statistics s' changes them to

    s'' = merge(s, s'),   o'' = rescale(s, s'') o + weights(logits, s'') v

One more pass makes the gradient, with the final statistics. How the loss L depends on them follows
from the result alone, since under statistics r it would be rescale(s, r) o:

    dL/ds = d/dr [rescale(s, r)] at r = s  times  sum_u o[u] dL/do[u]

so that a block needs no other block: two matrix products in one direction and five in the other,
the fewest there are. What a score, a bias or a user's own part adds to the gradient is taken by
automatic differentiation of the block, so that this holds for every part.

With a normalizer that has no `rescale`, and with one whose weights a mixer changes afterward (its
results then belong to no single attention map), a block of queries holds all keys. A normalizer
whose weights need no statistics takes the same two passes and leaves them out.

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

from attn_nlp.nn.context import BlockContext


def attend(pairwise, q, k, v, here: BlockContext, chunk: int):
    """Return the heads' results, (B, H, T, U), computed block by block.

    Args:
      pairwise: the `PairwiseAttention` whose hooks make logits and weights.
      q: (B, Q, T, D), k: (B, Q, S, D), v: (B, H, S, U).
      here: all rows and columns.
      chunk: queries and keys in a block, 8 or more.
    """
    across = chunk if pairwise.mergeable else k.shape[2]
    rebuild, arrays, others = pairwise.split()
    rows = (_blocks(q, chunk), (_positions(here.rows, chunk), _blocks(here.queries, chunk)))
    columns = (
        (_blocks(k, across), _blocks(v, across)),
        (_positions(here.columns, across), _blocks(here.keys, across)),
    )

    # All that may be traced is an argument: nothing leaks into the gradient's own trace.
    @jax.custom_vjp
    def run(q, keys, arrays, others, positions):
        return forward(q, keys, arrays, others, positions)[0]

    def forward(q, keys, arrays, others, positions):
        passes = _KeyPasses(rebuild(arrays, others), keys, positions[1])
        out, stats, seen = jax.lax.map(lambda row: passes.results(*row), (q, positions[0]))
        return out, (q, keys, arrays, others, positions, out, stats, seen)

    def backward(saved, grad):
        q, keys, arrays, others, positions, *results = saved
        passes = _KeyPasses(partial(rebuild, others=others), keys, positions[1])

        def step(total, row):
            by_query, more = passes.grads(arrays, *row)
            return jax.tree.map(jnp.add, total, more), by_query

        zeros = jax.tree.map(jnp.zeros_like, (keys, arrays))
        inputs = (q, positions[0], *results, grad)
        (by_keys, by_arrays), by_queries = jax.lax.scan(step, zeros, inputs)
        return by_queries, by_keys, by_arrays, None, None

    run.defvjp(forward, backward)
    out = run(rows[0], columns[0], arrays, others, (rows[1], columns[1]))
    out = jnp.moveaxis(out, 0, 2)
    return out.reshape(*out.shape[:2], -1, out.shape[-1])[:, :, : q.shape[2]]


class _KeyPasses:
    """Passes over all blocks of keys, for one block of queries.

    Args:
      pairwise: the `PairwiseAttention`, or for a gradient a function that makes it of learned
        arrays.
      keys: k and v, (blocks, B, Q or H, across, D or U).
      positions: positions and tokens of the keys, (blocks, across) and (blocks, B, across).
    """

    def __init__(self, pairwise, keys, positions):
        self.pairwise, self.keys, self.positions = pairwise, keys, positions

    def results(self, q, row):
        """Return results (B, H, rows, U), final statistics, and keys that each query sees."""
        pairwise, (batch, _, size, _) = self.pairwise, q.shape
        where = partial(BlockContext, rows=row[0], queries=row[1])

        def count(total, column):
            mask = pairwise.mask(where(columns=column[0], keys=column[1]))
            return total + count_seen(mask), None

        def gather(carry, block):
            (k, v), column = block
            here = where(columns=column[0], keys=column[1])
            mask = pairwise.mask(here)

            def more(carry):
                stats, out = carry
                logits = pairwise.logits(q, k, here, seen)
                merged = pairwise.statistics(logits, mask, here)
                if stats is not None:
                    merged = pairwise.merge(stats, merged)
                    out = out * _by_head(pairwise.rescale(stats, merged), v)
                added = pairwise.apply(logits, mask, merged, seen, v, here)[0]
                return (None if stats is None else merged), out + added

            return jax.lax.cond(mask.any(), more, lambda carry: carry, carry), None

        seen = jnp.zeros((batch, 1, size, 1), q.dtype)
        seen = jax.lax.scan(count, seen, self.positions)[0]
        stats = None
        if pairwise.mergeable and pairwise.has_statistics:
            # Merging begins with the statistics of a block without visible keys.
            one = where(columns=self.positions[0][0, :1], keys=self.positions[1][0, :, :1])
            nothing = jnp.zeros((batch, pairwise.maps, size, 1), q.dtype)
            stats = pairwise.statistics(nothing, jnp.zeros((batch, 1, size, 1), bool), one)
        values = self.keys[1]
        out = jnp.zeros((batch, values.shape[2], size, values.shape[-1]), q.dtype)
        stats, out = jax.lax.scan(gather, (stats, out), (self.keys, self.positions))[0]
        return out, stats, seen

    def grads(self, arrays, q, row, out, stats, seen, grad):
        """Return gradients by the queries, and by all keys and learned arrays."""
        where = partial(BlockContext, rows=row[0], queries=row[1])
        by_stats = None if stats is None else self._by_statistics(arrays, out, stats, grad)

        def step(carry, block):
            (k, v), column = block
            here = where(columns=column[0], keys=column[1])
            mask = self.pairwise(arrays).mask(here)

            def results_of(q, k, v, arrays):
                pairwise = self.pairwise(arrays)
                logits = pairwise.logits(q, k, here, seen)
                own = pairwise.statistics(logits, mask, here)
                final = own if stats is None else stats
                added = pairwise.apply(logits, mask, final, seen, v, here)[0]
                # Merged with the final ones, a block's statistics have their gradient in the whole.
                return added, None if stats is None else pairwise.merge(own, stats)

            def more(_):
                return jax.vjp(results_of, q, k, v, arrays)[1]((grad, by_stats))

            def none(_):
                return jax.tree.map(jnp.zeros_like, (q, k, v, arrays))

            by_query, by_k, by_v, by_arrays = jax.lax.cond(mask.any(), more, none, None)
            return jax.tree.map(jnp.add, carry, (by_query, by_arrays)), (by_k, by_v)

        zeros = jax.tree.map(jnp.zeros_like, (q, arrays))
        (by_query, by_arrays), by_keys = jax.lax.scan(step, zeros, (self.keys, self.positions))
        return by_query, (by_keys, by_arrays)

    def _by_statistics(self, arrays, out, stats, grad):
        """Return gradients by the final statistics, as their change would rescale the results."""
        pairwise, along = self.pairwise(arrays), out * grad
        if pairwise.maps == out.shape[1]:
            along = along.sum(axis=-1, keepdims=True)
        else:
            along = along.swapaxes(2, 3).reshape(len(out), pairwise.maps, out.shape[2], 1)
        return jax.vjp(partial(pairwise.rescale, stats), stats)[1](along)[0]


def count_seen(mask):
    """Return (B, 1, T, 1) float: how many keys every query may see."""
    return mask.sum(axis=-1, keepdims=True).astype(jnp.result_type(float))


def _by_head(factor, v):
    """Return a factor of weights (B, M, T, 1) as one of the results (B, H, T, 1 or U)."""
    if factor.shape[1] == v.shape[1]:
        return factor
    by_feature = factor.reshape(factor.shape[0], v.shape[1], v.shape[3], -1)
    return by_feature.swapaxes(2, 3)


def _positions(positions, size: int):
    """Return positions (blocks, size), the last block filled up with those that would follow."""
    count = -(-len(positions) // size)
    filled = positions[0] + jnp.arange(count * size, dtype=positions.dtype)
    return filled.reshape(count, size)


def _blocks(array, size: int):
    """Return an array cut into blocks (blocks, ...), the last filled up with zeros, or with False.

    Positions are the last axis but one, or the last of a matrix.
    """
    axis = array.ndim - (2 if array.ndim == 4 else 1)
    count = -(-array.shape[axis] // size)
    pads = [(0, 0)] * array.ndim
    pads[axis] = (0, count * size - array.shape[axis])
    cut = (*array.shape[:axis], count, size, *array.shape[axis + 1 :])
    return jnp.moveaxis(jnp.pad(array, pads).reshape(cut), axis, 0)
