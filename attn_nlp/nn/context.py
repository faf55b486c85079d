"""Facts for a hook beside its inputs: where a block of scores is, and how the pass runs.

A hook that asks for `here` gets a `BlockContext`. The `ForwardContext` holds numeric settings and
the random numbers of one forward pass; `PartModule` reads it on the hook's behalf.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from attn_nlp.rng import fold, hashed


@dataclass(frozen=True)
class BlockContext:
    """The position of a block within the T x S matrix.

    Attributes:
      rows: (T,) int32, absolute positions of the queries.
      columns: (S,) int32, absolute positions of the keys.
      queries: (B, T) bool, True at tokens, False at padding.
      keys: (B, S) bool, the same for keys.
    """

    rows: Any
    columns: Any
    queries: Any
    keys: Any

    @classmethod
    def whole(cls, tokens: Any) -> BlockContext:
        """Return the context of the whole matrix, for tokens (B, T) bool."""
        import jax.numpy as jnp

        positions = jnp.arange(tokens.shape[1], dtype=jnp.int32)
        return cls(positions, positions, tokens, tokens)

    @property
    def distances(self):
        """(T, S) int32, s - t: positive if the key comes after the query."""
        return self.columns[None, :] - self.rows[:, None]


@dataclass(frozen=True)
class ForwardContext:
    """Settings and random numbers of one forward pass.

    Attributes:
      numeric: numeric settings by path, scalars; see `Cell.numeric`.
      seed: the cell's seed, a scalar.
      dropping: paths of the dropout rates that are not zero; empty when nothing is dropped.
      key: the JAX key of a training step, or None if nothing is drawn.
      sow_weights: whether blocks hand their weights to `sow`, as `nnx.Intermediate`.
    """

    numeric: Mapping[str, Any]
    seed: Any = 0
    dropping: frozenset[str] = field(default_factory=frozenset)
    key: Any = None
    sow_weights: bool = False

    def drop(self, x, path: str, stream: str):
        """Set entries of `x` to zero at the rate of that path, and scale up the others to match.

        One hashed number per entry decides. Computed where it is used, it costs a tenth of a draw
        from JAX's generator, which makes a pass over memory for each of its twenty rounds.
        """
        import jax.numpy as jnp

        if path not in self.dropping:
            return x

        def words():
            indices = jnp.arange(x.size, dtype=jnp.uint32).reshape(x.shape)
            return hashed(self.key, stream, indices)

        return self._thinned(x, words, path)

    def drop_weights(self, weights, path: str, stream: str, here: BlockContext):
        """Drop entries of weights (B, M, T, S), decided by their absolute positions.

        The result is therefore the same however the matrix is divided into blocks.
        """
        if path not in self.dropping:
            return weights

        def words():
            return hashed(self.key, stream, *_indices(weights.shape[:2], here.rows, here.columns))

        return self._thinned(weights, words, path)

    def _thinned(self, x, words: Callable[[], Any], path: str):
        import jax
        import jax.numpy as jnp

        rate = self.numeric[path]
        limit = jnp.asarray(rate * 2.0**32, jnp.float32).astype(jnp.uint32)
        # A branch, because XLA keeps its result: it would repeat the hashing at every use of an
        # elementwise one, several times in the backward pass.
        kept = jax.lax.cond(rate > 0, lambda: words() >= limit, lambda: jnp.ones(x.shape, bool))
        return jnp.where(kept, x * (1 / (1 - rate)), 0.0)

    def draw(self, stream: str, here: BlockContext | None):
        """Return a function from a shape (B, M, T, S) to numbers in (0, 1); None outside training.

        Every number follows from its sentence, map and absolute position, so that it is the same
        however the matrix is divided into blocks.
        """
        if self.key is None or here is None:
            return None
        return partial(_uniform, fold(self.key, stream), here)


def _uniform(key, here: BlockContext, shape):
    import jax.numpy as jnp

    words = _words(key, shape[:2], here.rows, here.columns)[..., 0]
    # 23 bits and a half, which float32 holds exactly: never 0, never 1.
    return ((words >> 9).astype(jnp.float32) + 0.5) * 2.0**-23


def _words(key, sentences_and_maps, rows, columns):
    """Return (B, M, T, S, 2) random uint32: the cipher of sentence, map, row and column."""
    import jax
    import jax.numpy as jnp
    from jax.extend.random import threefry_2x32

    shape = (*sentences_and_maps, len(rows), len(columns))
    indices = _indices(sentences_and_maps, rows, columns)
    pairs = [jnp.broadcast_to(index, shape).reshape(-1) for index in indices]
    words = threefry_2x32(jax.random.key_data(key), jnp.concatenate(pairs))
    return jnp.moveaxis(words.reshape(2, *shape), 0, -1)


def _indices(sentences_and_maps, rows, columns):
    """Return sentence and map (B, M, 1, 1), and row and column (T, S), each pair as one uint32."""
    import jax.numpy as jnp

    sentences, maps = sentences_and_maps
    high = jnp.arange(sentences * maps, dtype=jnp.uint32).reshape(sentences, maps, 1, 1)
    low = rows.astype(jnp.uint32)[:, None] << 16 | columns.astype(jnp.uint32)[None, :]
    return high, low
