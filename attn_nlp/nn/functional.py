"""Attention of named parts for Flax's own `flax.nnx.MultiHeadAttention(attention_fn=...)`.

Flax gives q, k and v with positions first, and takes the same back; here they are transposed to
heads first, as parts have them. Flax's protocol has no room for learned arrays, so parts that learn
are rejected, and so are those that need what an attention function is not told: the module's input,
its index in a stack of blocks, or noise in training. `SelfAttention` takes them all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from flax.nnx.nn import dtypes

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.nn.attention import pairwise_paths
from attn_nlp.nn.context import BlockContext, ForwardContext
from attn_nlp.nn.pairwise import PairwiseAttention
from attn_nlp.nn.part_module import PartModule
from attn_nlp.nn.settings import asks_for, check_inside
from attn_nlp.parts.hooks import COUNTS
from attn_nlp.parts.selection import Choice
from attn_nlp.rng import Stream

# A part may ask for these, but an attention function is not told them.
_UNTOLD = {
    "x": "takes the input of the module",
    "draw": "draws noise in training",
    "seed": "is drawn from a seed",
    "layer": "depends on the index in a stack of blocks",
}


def attention_fn(
    score: str = "dot",
    *,
    scale: str = "rsqrt_dim",
    normalizer: str = "softmax",
    mask: str = "padding",
    mixer: str = "heads",
    position: str = "none",
) -> Callable[..., jax.Array]:
    """Return a function for `flax.nnx.MultiHeadAttention(attention_fn=...)`.

    It takes the arguments of `flax.nnx.dot_product_attention` and returns the same shape. Without
    other parts it is the same function, except that a query that may see no key gets zeros, while
    Flax takes the mean of all values. Inputs of less than 32 bits are computed in float32.
    Positions count from 0 for queries and keys alike, so that parts that depend on positions do not
    fit Flax's `decode=True`.

    Args:
      score: compares a query with a key.
      scale: multiplies the score.
      normalizer: turns logits into weights.
      mask: keys that a query may see, beyond the mask of a call.
      mixer: applies the weights to the values.
      position: a position that acts inside attention and learns nothing, such as "rope".

    Raises:
      UserError: an unknown part, one that learns, or one that needs what Flax does not tell.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from attn_nlp import nn
      >>> layer = nnx.MultiHeadAttention(
      ...     4, 16, attention_fn=nn.attention_fn("l2", normalizer="entmax15"), decode=False,
      ...     rngs=nnx.Rngs(0)
      ... )
      >>> layer(jnp.ones((2, 5, 16))).shape
      (2, 5, 16)
    """
    parts = {"score": score, "scale": scale, "normalizer": normalizer}
    parts |= {"mask": mask, "mixer": mixer}
    settings = {f"attention.{name}": part for name, part in parts.items()}
    cell = Cell().replace({**settings, "position": position})
    check_inside(cell.position)
    for choice in cell.choices.values():
        if choice.part.slot in (*parts, "position"):
            _check(choice)
    return _AttentionFn(tuple({**settings, "position": position}.items()))


def _check(choice: Choice) -> None:
    why = [_UNTOLD[name] for name in _UNTOLD if asks_for([choice], name)]
    if any(part.learned for part in choice.family()):
        why.insert(0, "has learned arrays")
    if any(fact in choice.part.facts for fact in COUNTS) and choice.part.slot == "mixer":
        why.append("shapes the linear maps")
    if why:
        raise UserError(
            f"{choice.part.slot} {choice.text!r} {why[0]}, which an attention_fn cannot supply; "
            "use attn_nlp.nn.SelfAttention."
        )


@dataclass(frozen=True)
class _AttentionFn:
    """A function that is equal to any other of the same parts, so that Flax can compare graphs."""

    settings: tuple[tuple[str, str], ...]

    def __call__(
        self,
        query: Any,
        key: Any,
        value: Any,
        bias: Any = None,
        mask: Any = None,
        broadcast_dropout: bool = True,
        dropout_rng: Any = None,
        dropout_rate: float = 0.0,
        deterministic: bool = False,
        dtype: Any = None,
        precision: Any = None,
        module: nnx.Module | None = None,
        promote_dtype: Callable = dtypes.promote_dtype,
        is_causal: bool = False,
    ) -> jax.Array:
        """Attend as `flax.nnx.dot_product_attention` does, by other parts.

        Args:
          query: (..., T, H, D).
          key: (..., S, K, D); consecutive heads share the keys of a group if K is less than H.
          value: (..., S, K, U).
          bias: broadcasts to (..., H, T, S); added to the scaled score.
          mask: broadcasts to (..., H, T, S); True where query t may see key s.
          broadcast_dropout: whether all sentences and heads drop the same weights.
          dropout_rng: a JAX key.
          dropout_rate: rate at which weights are dropped.
          deterministic: whether nothing is dropped.
          dtype: of the result; by default that of q, k and v.
          precision: None; for another one set `jax.default_matmul_precision`.
          module: sows the weights, as the `nnx.Intermediate` "attention_weights".
          promote_dtype: gives q, k and v one dtype.
          is_causal: whether a query sees no later key.

        Returns:
          (..., T, H, U).

        Raises:
          UserError: a precision, heads that are not a multiple of those of the keys, or parts that
            do not fit these sizes.
        """
        if precision is not None:
            raise UserError(
                f"precision is {precision}; an attention_fn of parts takes None. Set "
                "jax.default_matmul_precision around the step."
            )
        query, key, value = promote_dtype((query, key, value), dtype=dtype)
        result, lead = query.dtype, query.shape[:-3]
        wide = jnp.promote_types(result, jnp.float32)
        heads = query.shape[-2]
        q, k, v = (_heads_first(x.astype(wide), heads) for x in (query, key, value))
        sizes = (*lead, heads, q.shape[2], k.shape[2])
        given = _pairs(mask, is_causal, sizes)
        tokens = jnp.ones((len(q), k.shape[2]), bool)
        queries = jnp.ones((len(q), q.shape[2]), bool)
        if given is not None:
            queries = jnp.broadcast_to(given, (len(q), *given.shape[1:])).any(axis=(1, 3))
        rows, columns = (jnp.arange(x.shape[2], dtype=jnp.int32) for x in (q, k))
        here = BlockContext(rows, columns, queries, tokens)
        slots, numeric = self._parts(q, k, v)
        call: ForwardContext = ForwardContext(numeric)
        if dropout_rate > 0 and not deterministic:
            call = _Dropping(numeric, key=dropout_rng, rate=dropout_rate, alike=broadcast_dropout)
        added = None if bias is None else _flat(jnp.asarray(bias, wide), sizes)
        pairwise = PairwiseAttention(slots, call, "weights", given, added)
        out, weights = pairwise.attend(q, k, v, None, here, None)
        if module is not None:
            assert weights is not None
            by_batch = weights.reshape(*lead, *weights.shape[1:]).astype(result)
            module.sow(nnx.Intermediate, "attention_weights", by_batch)
        out = out.swapaxes(1, 2).astype(result)
        return out.reshape(*lead, *out.shape[1:])

    def _parts(self, q: jax.Array, k: jax.Array, v: jax.Array):
        """Return the parts in order, made ready for these sizes, and their numeric settings."""
        settings = {"heads": q.shape[1], "head_dim": q.shape[3], "value_dim": v.shape[3]}
        settings |= {"length": max(q.shape[2], k.shape[2]), "width": q.shape[1] * q.shape[3]}
        cell = Cell().replace({**dict(self.settings), **settings})
        chosen, sizes = cell.choices, cell.sizes
        paths = pairwise_paths(chosen)
        parts = [PartModule(chosen[path], path, sizes, Stream(0)) for path in paths]
        return parts, cell.numeric()


@dataclass(frozen=True)
class _Dropping(ForwardContext):
    """Dropout of weights as Flax has it, by the same random numbers."""

    rate: float = 0.0
    alike: bool = True

    def drop_weights(self, weights, path: str, stream: str, here: BlockContext):
        """Set weights to zero at the rate, and scale up the others to match."""
        shape = (1, 1, *weights.shape[2:]) if self.alike else weights.shape
        kept = jax.random.bernoulli(self.key, 1 - self.rate, shape)
        return weights * (kept.astype(weights.dtype) / (1 - self.rate))


def _heads_first(x: jax.Array, heads: int) -> jax.Array:
    """Return (B, H, T, n) of (..., T, K, n)."""
    own = x.shape[-2]
    if heads % own:
        raise UserError(f"{heads} query heads cannot share {own} heads of keys; give a multiple.")
    flat = x.reshape(math.prod(x.shape[:-3]), *x.shape[-3:]).swapaxes(1, 2)
    return flat if own == heads else jnp.repeat(flat, heads // own, axis=1)


def _pairs(mask: Any, is_causal: bool, sizes: tuple[int, ...]) -> jax.Array | None:
    """Return the mask of a call, (1 or B, 1 or H, T, S) bool, or None if it hides nothing."""
    causal = jnp.tril(jnp.ones(sizes[-2:], bool))[None, None] if is_causal else None
    if mask is None:
        return causal
    given = _flat(jnp.asarray(mask).astype(bool), sizes)
    return given if causal is None else given & causal


def _flat(array: jax.Array, sizes: tuple[int, ...]) -> jax.Array:
    """Return (1 or B, 1 or H, T, S) of an array that broadcasts to (..., H, T, S)."""
    padded = array.reshape((1,) * (len(sizes) - array.ndim) + array.shape)
    lead = padded.shape[:-3]
    whole = (*(sizes[:-3] if math.prod(lead) > 1 else lead), padded.shape[-3], *sizes[-2:])
    spread = jnp.broadcast_to(padded, whole)
    return spread.reshape(math.prod(whole[:-3]), *whole[-3:])
