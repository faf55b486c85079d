"""A chosen part with its learned arrays: what the registry describes, made ready to run.

Hook functions take what they need by name. `PartModule` hands it to them: the hook's inputs, the
part's learned arrays, its numeric settings (arguments of the compiled program), its static
settings, the parts it names, and on request where the block stands (`here`), the sizes (`dims`),
the seed, the layer and random numbers of training (`draw`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from flax import nnx

from attn_nlp.parts.registry import Numeric
from attn_nlp.parts.selection import Choice
from attn_nlp.parts.sizes import evaluate, shape
from attn_nlp.rng import KeyStream, Stream, fold, hashed


@dataclass(frozen=True)
class BlockContext:
    """Where the block of a T x S matrix stands.

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

    @property
    def distances(self):
        """(T, S) int32, s - t: positive where the key comes after the query."""
        return self.columns[None, :] - self.rows[:, None]


@dataclass(frozen=True)
class ForwardContext:
    """What one forward pass is told beside its input.

    Attributes:
      numeric: numeric settings by path, scalars; see `Cell.numeric`.
      seed: the cell's seed, a scalar.
      dropping: paths of the dropout rates that are not zero; empty when nothing is dropped.
      key: the JAX key of a training step; None where nothing is drawn.
      sow_weights: whether blocks hand their weights to `sow`, as `nnx.Intermediate`.
    """

    numeric: Mapping[str, Any]
    seed: Any = 0
    dropping: frozenset[str] = field(default_factory=frozenset)
    key: Any = None
    sow_weights: bool = False

    def drop(self, x, path: str, stream: str):
        """`x` with entries set to zero at the rate of that path, the others scaled up to match.

        One hashed number an entry decides: worked out where it is used, it costs a tenth of a draw
        from JAX's generator, which is a pass over memory for each of its twenty rounds.
        """
        import jax.numpy as jnp

        if path not in self.dropping:
            return x

        def words():
            places = jnp.arange(x.size, dtype=jnp.uint32).reshape(x.shape)
            return hashed(self.key, stream, places)

        return self._thinned(x, words, path)

    def drop_weights(self, weights, path: str, stream: str, here: BlockContext):
        """The same for weights (B, M, T, S), by numbers that follow from absolute positions.

        So it is the same in whatever blocks the matrix is worked out.
        """
        if path not in self.dropping:
            return weights

        def words():
            return hashed(self.key, stream, *_places(weights.shape[:2], here.rows, here.columns))

        return self._thinned(weights, words, path)

    def _thinned(self, x, words, path: str):
        import jax
        import jax.numpy as jnp

        rate = self.numeric[path]
        limit = jnp.asarray(rate * 2.0**32, jnp.float32).astype(jnp.uint32)
        # A branch, because XLA keeps its result: it would hash again wherever an elementwise one
        # is used, in the backward pass several times.
        kept = jax.lax.cond(rate > 0, lambda: words() >= limit, lambda: jnp.ones(x.shape, bool))
        return jnp.where(kept, x * (1 / (1 - rate)), 0.0)

    def draw(self, stream: str, here: BlockContext | None):
        """A function from a shape (B, M, T, S) to numbers in (0, 1), or None outside training.

        Every number follows from its sentence, map and absolute position, so that it is the same
        in whatever blocks the matrix is worked out.
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
    """(B, M, T, S, 2) random uint32: the cipher of sentence, map, row and column."""
    import jax
    import jax.numpy as jnp
    from jax.extend.random import threefry_2x32

    shape = (*sentences_and_maps, len(rows), len(columns))
    places = _places(sentences_and_maps, rows, columns)
    pairs = [jnp.broadcast_to(each, shape).reshape(-1) for each in places]
    words = threefry_2x32(jax.random.key_data(key), jnp.concatenate(pairs))
    return jnp.moveaxis(words.reshape(2, *shape), 0, -1)


def _places(sentences_and_maps, rows, columns):
    """Sentence and map (B, M, 1, 1), row and column (T, S), each pair as one uint32."""
    import jax.numpy as jnp

    sentences, maps = sentences_and_maps
    high = jnp.arange(sentences * maps, dtype=jnp.uint32).reshape(sentences, maps, 1, 1)
    low = rows.astype(jnp.uint32)[:, None] << 16 | columns.astype(jnp.uint32)[None, :]
    return high, low


class Fixed(dict):
    """A dictionary that stays as it is and has a hash, so that a module's graph has one too."""

    def __hash__(self) -> int:  # type: ignore[override]
        """The hash of all pairs."""
        return hash(frozenset(self.items()))


class PartModule(nnx.Module):
    """A choice with its learned arrays, drawn from streams below the path given.

    Args:
      choice: the part and its settings.
      path: where the cell names it.
      dims: sizes by letter.
      stream: where the learned arrays come from.
      layer: the block's place in the encoder.
      hooks: those that the owner runs, by default all; arrays that only others ask for are left
        out.
    """

    def __init__(
        self,
        choice: Choice,
        path: str,
        dims: Mapping[str, int],
        stream: Stream | KeyStream,
        layer: int = 0,
        hooks: Collection[str] | None = None,
    ):
        self.choice = choice
        self.path = path
        counts = choice.static(dims)
        self.dims = nnx.static(Fixed(dims))
        self.counts = nnx.static(Fixed(counts))
        self.layer = layer
        known = {**dims, **counts}
        self.arrays = nnx.Dict(
            {
                name: nnx.Param(
                    (stream / name).normal(
                        shape(array.shape, known),
                        evaluate(array.std, known),
                        evaluate(array.fill, known),
                    )
                )
                for name, array in choice.part.learned_by(hooks).items()
            }
        )
        self.named = nnx.Dict(
            {
                name: PartModule(other, f"{path}.{name}", dims, stream / name, layer)
                for name, other in choice.named().items()
            }
        )

    def has(self, hook: str) -> bool:
        """Whether the part supplies that hook."""
        return hook in self.choice.part.hooks

    def run(self, hook: str, call: ForwardContext, here: BlockContext | None, **inputs):
        """The hook's result for these inputs."""
        part = self.choice.part
        given = {name: self._supply(name, call, here, inputs) for name in part.arguments(hook)}
        if part.own_code is None:
            return part.hooks[hook](**given)
        from attn_nlp.nn.promises import kept  # for parts of the user's own alone

        return kept(part, hook, given, inputs, here, {**self.dims, **self.counts})

    def _supply(
        self, name: str, call: ForwardContext, here: BlockContext | None, inputs: Mapping[str, Any]
    ):
        if name in inputs:
            return inputs[name]
        if name in self.arrays:
            return self.arrays[name][...]
        if name in self.named:
            other = self.named[name]
            (hook,) = other.choice.part.hooks
            return partial(other.run, hook, call, here)
        if name in self.choice.part.settings:
            if isinstance(self.choice.part.settings[name], Numeric):
                return call.numeric[f"{self.path}.{name}"]
            return self.counts[name]
        if name == "draw":
            return call.draw(f"{self.path}/{self.layer}", here)
        return {"here": here, "dims": self.dims, "seed": call.seed, "layer": self.layer}[name]
