"""A chosen part with its learned arrays: what the registry describes, made ready to run.

A hook function names what it wants, and `PartModule` supplies it: the hook's inputs, the part's
learned arrays, its numeric settings (arguments of the compiled program), its static settings, the
parts that it names, and on request the position of the block (`here`), the sizes (`sizes`), the
seed, the layer and random numbers of training (`draw`).

Every hook has a method here, which says what it is handed and what it must return. Shapes: x (B, T,
E), q (B, Q, T, D), k (B, Q, S, D), v (B, H, S, U), logits and weights (B, M, T, S), out (B, H, T,
U), seen (B, 1, T, 1), the number of keys that a query may see.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

import jax
from flax import nnx

from attn_nlp.nn.context import BlockContext, ForwardContext
from attn_nlp.parts.registry import Numeric
from attn_nlp.parts.selection import Choice
from attn_nlp.parts.sizes import evaluate, shape
from attn_nlp.rng import KeyStream, Stream


class HashableDict(dict):
    """A dictionary that is never changed and has a hash, so that a module's graph has one too."""

    def __hash__(self) -> int:  # type: ignore[override]
        """Return the hash of all pairs."""
        return hash(frozenset(self.items()))


class PartModule(nnx.Module):
    """A choice with its learned arrays, drawn from streams below the path given.

    Args:
      choice: the part and its settings.
      path: the path of the cell's setting that names it.
      sizes: sizes by letter.
      stream: draws the learned arrays.
      layer: the index of the block in the encoder.
      hooks: those that the owner runs, by default all; arrays that only other hooks ask for are
        left out.
    """

    def __init__(
        self,
        choice: Choice,
        path: str,
        sizes: Mapping[str, int],
        stream: Stream | KeyStream,
        layer: int = 0,
        hooks: Collection[str] | None = None,
    ):
        self.choice = choice
        self.path = path
        static = choice.static(sizes)
        self.sizes = nnx.static(HashableDict(sizes))
        self.counts = nnx.static(HashableDict(static))
        self.layer = layer
        all_sizes = {**sizes, **static}
        self.arrays = nnx.Dict(
            {
                name: nnx.Param(
                    (stream / name).normal(
                        shape(array.shape, all_sizes),
                        evaluate(array.std, all_sizes),
                        evaluate(array.fill, all_sizes),
                    )
                )
                for name, array in choice.part.learned_by(hooks).items()
            }
        )
        self.named = nnx.Dict(
            {
                name: PartModule(other, f"{path}.{name}", sizes, stream / name, layer)
                for name, other in choice.named().items()
            }
        )

    def has(self, hook: str) -> bool:
        """Return whether the part supplies that hook."""
        return hook in self.choice.part.hooks

    def embed(
        self, call: ForwardContext, here: BlockContext, x: jax.Array, mask: jax.Array
    ) -> jax.Array:
        """Return embedded tokens (B, T, E) with positions; mask (B, T)."""
        return self._run("embed", call, here, x=x, mask=mask)

    def prepare(
        self, call: ForwardContext, here: BlockContext, q: jax.Array, k: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Return q and k, normalized or rotated, of the same shapes."""
        return self._run("prepare", call, here, q=q, k=k)

    def score(self, call: ForwardContext, here: BlockContext, q: jax.Array, k: jax.Array) -> Any:
        """Return logits (B, M, T, S)."""
        return self._run("score", call, here, q=q, k=k)

    def relate(self, call: ForwardContext, here: BlockContext, q: jax.Array, k: jax.Array) -> Any:
        """Return what is added to the score; broadcasts to (B, M, T, S)."""
        return self._run("relate", call, here, q=q, k=k)

    def factor(self, call: ForwardContext, here: BlockContext, seen: jax.Array) -> Any:
        """Return what multiplies the score; broadcasts to (B, M, T, S)."""
        return self._run("factor", call, here, seen=seen)

    def adjust(
        self,
        call: ForwardContext,
        here: BlockContext,
        logits: jax.Array,
        q: jax.Array,
        seen: jax.Array,
    ) -> jax.Array:
        """Return other logits (B, M, T, S)."""
        return self._run("adjust", call, here, logits=logits, q=q, seen=seen)

    def allowed(self, call: ForwardContext, here: BlockContext) -> Any:
        """Return bool that broadcasts to (B, 1, T, S), True if the query may see the key."""
        return self._run("allowed", call, here)

    def reduce(
        self, call: ForwardContext, here: BlockContext, logits: jax.Array, mask: jax.Array
    ) -> Any:
        """Return statistics of each row, arrays (B, M, T, 1)."""
        return self._run("reduce", call, here, logits=logits, mask=mask)

    def merge(self, call: ForwardContext, a: Any, b: Any) -> Any:
        """Return the statistics of the keys of both."""
        return self._run("merge", call, None, a=a, b=b)

    def rescale(self, call: ForwardContext, a: Any, b: Any) -> jax.Array:
        """Return (B, M, T, 1), what turns weights under statistics a into those under b."""
        return self._run("rescale", call, None, a=a, b=b)

    def weights(
        self,
        call: ForwardContext,
        here: BlockContext,
        logits: jax.Array,
        mask: jax.Array,
        stats: Any,
        seen: jax.Array,
    ) -> jax.Array:
        """Return weights (B, M, T, S), 0 where the mask is False."""
        return self._run("weights", call, here, logits=logits, mask=mask, stats=stats, seen=seen)

    def reweight(self, call: ForwardContext, here: BlockContext, weights: jax.Array) -> jax.Array:
        """Return other weights, perhaps of fewer maps."""
        return self._run("reweight", call, here, weights=weights)

    def aggregate(
        self, call: ForwardContext, here: BlockContext, weights: jax.Array, v: jax.Array
    ) -> Any:
        """Return what is added to the weighted values; broadcasts to (B, H, T, U)."""
        return self._run("aggregate", call, here, weights=weights, v=v)

    def finish(
        self,
        call: ForwardContext,
        here: BlockContext,
        out: jax.Array,
        q_raw: jax.Array,
        x: jax.Array | None,
    ) -> jax.Array:
        """Return other results (B, H, T, U); q_raw is q as it was projected."""
        return self._run("finish", call, here, out=out, q_raw=q_raw, x=x)

    def attend(
        self,
        call: ForwardContext,
        here: BlockContext,
        q: jax.Array,
        k: jax.Array,
        v: jax.Array,
        mask: jax.Array,
    ) -> jax.Array:
        """Return results (B, H, T, U) of a kind that takes q, k and v; mask (B, T)."""
        return self._run("attend", call, here, q=q, k=k, v=v, mask=mask)

    def block(
        self, call: ForwardContext, here: BlockContext, x: jax.Array, mask: jax.Array
    ) -> jax.Array:
        """Return what a kind adds to every position, (B, T, E); mask (B, T)."""
        return self._run("block", call, here, x=x, mask=mask)

    def pool(
        self, call: ForwardContext, here: BlockContext, x: jax.Array, mask: jax.Array
    ) -> jax.Array:
        """Return one vector per sentence, (B, E); mask (B, T)."""
        return self._run("pool", call, here, x=x, mask=mask)

    def read(
        self, call: ForwardContext, here: BlockContext, x: jax.Array, mask: jax.Array
    ) -> jax.Array:
        """Return a model's features of each sentence, (B, features); mask (B, T)."""
        return self._run("read", call, here, x=x, mask=mask)

    def activate(
        self, call: ForwardContext, here: BlockContext | None, logits: jax.Array, mask: jax.Array
    ) -> jax.Array:
        """Return one weight per position, (B, T), of logits and mask (B, T)."""
        return self._run("activate", call, here, logits=logits, mask=mask)

    def features(self, call: ForwardContext, here: BlockContext | None, x: jax.Array) -> jax.Array:
        """Return features of each position, (B, T, E)."""
        return self._run("features", call, here, x=x)

    def weigh(
        self, call: ForwardContext, here: BlockContext | None, out: jax.Array, q_raw: jax.Array
    ) -> Any:
        """Return the share of `out` in its mix with `q_raw`; broadcasts to (B, H, T, D)."""
        return self._run("weigh", call, here, out=out, q_raw=q_raw)

    def std(self, call: ForwardContext, fan_in: int, fan_out: int) -> float:
        """Return the standard deviation of the first query and key weights."""
        return self._run("std", call, None, fan_in=fan_in, fan_out=fan_out)

    def _run(self, hook: str, call: ForwardContext, here: BlockContext | None, **inputs) -> Any:
        part = self.choice.part
        given = {name: self._supply(name, call, here, inputs) for name in part.arguments(hook)}
        if part.own_code is None:
            return part.hooks[hook](**given)
        from attn_nlp.nn.promises import run_checked  # needed only for parts of the user's own

        return run_checked(part, hook, given, inputs, here, {**self.sizes, **self.counts})

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
            # By name and not by the method: a part may hand on less than the hook can take.
            return partial(other._run, hook, call, here)
        if name in self.choice.part.settings:
            if isinstance(self.choice.part.settings[name], Numeric):
                return call.numeric[f"{self.path}.{name}"]
            return self.counts[name]
        if name == "draw":
            return call.draw(f"{self.path}/{self.layer}", here)
        return {"here": here, "sizes": self.sizes, "seed": call.seed, "layer": self.layer}[name]
