"""Attention, an encoder and a classifier as Flax NNX modules, for models of your own.

They are built by keyword from the parts that experiments compare: a part is written as in an
experiment file, such as "additive" or "entmax(alpha=1.7)". Initial weights come from `rngs.params`,
and the random numbers of training from `rngs.dropout`.

As in Flax, `deterministic=False`, given to a call or set by `train()` or `nnx.view`, turns dropout
on; it is True until then. Attention weights are sown if a call asks for them:

    out, sown = nnx.capture(layer, nnx.Intermediate)(x, sow_weights=True)
    sown["attention_weights"][0]  # (B, H, T, S)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.nn.arguments import NamedArguments
from attn_nlp.nn.attention import build_attention
from attn_nlp.nn.context import ForwardContext
from attn_nlp.nn.encoder import build_classifier, build_encoder
from attn_nlp.nn.layers import PADDING, Embedding
from attn_nlp.nn.part_module import HashableDict
from attn_nlp.nn.settings import asks_for, attention_cell, check_length, layer_cells
from attn_nlp.parts.values import whole
from attn_nlp.rng import KeyStream, fold

_RATES = ("dropout", "attention.dropout")
_Rngs = nnx.Rngs | nnx.RngStream | jax.Array | None


class _Module(NamedArguments):
    """Settings that are numbers, and the random numbers of training, which all modules have."""

    def __init__(self, cells: Sequence[Cell], length: int | None, rngs: nnx.Rngs, key: jax.Array):
        choices = [choice for cell in cells for choice in cell.choices.values()]
        self.longest = check_length(choices, length)
        self.numeric = nnx.static(tuple(HashableDict(cell.numeric()) for cell in cells))
        self.deterministic = True
        rates = [cell.numeric()[rate] for cell in cells for rate in _RATES]
        random = any(rates) or asks_for(choices, "draw")
        self.rngs = rngs.dropout.fork() if random else nnx.data(None)
        self.seed = nnx.data(None)
        if asks_for(choices, "seed"):  # of numbers that are random and stay
            self.seed = nnx.Variable(jax.random.bits(fold(key, "seed"), (), jnp.uint32))
        kinds = [cell.choices["attention.kind"].part for cell in cells]
        self.pairwise = not any(kind.hooks for kind in kinds)
        self.chunked = any(cell.attention.chunk is not None for cell in cells)

    def set_view(self, deterministic: bool | None = None) -> None:
        """Turn dropout off or on, for `nnx.view`."""
        if deterministic is not None:
            self.deterministic = deterministic

    def _contexts(self, deterministic: bool | None, rngs: _Rngs, sow_weights: bool):
        """Return the contexts of one forward pass, one for every cell."""
        if sow_weights and not self._at_once:
            raise UserError(f"sow_weights=True, but there are no weights: {self._why}.")
        if deterministic is None:
            deterministic = self.deterministic
        key = None
        if not deterministic and self.rngs is not None:
            source = self.rngs if rngs is None else rngs
            source = source.dropout if isinstance(source, nnx.Rngs) else source
            key = source() if isinstance(source, nnx.RngStream) else source
        seed = 0 if self.seed is None else self.seed[...]
        rates = _RATES if key is not None else ()
        return [
            ForwardContext(
                numeric, seed, frozenset(r for r in rates if numeric[r]), key, sow_weights
            )
            for numeric in self.numeric
        ]

    @property
    def _at_once(self) -> bool:
        return self.pairwise and not self.chunked

    @property
    def _why(self) -> str:
        if self.pairwise:
            return "with a chunk they are computed block by block; set chunk=None"
        return "the kind of attention does not compare positions; use the default kind"

    def _check_length(self, length: int) -> None:
        if self.longest is not None and length > self.longest:
            raise UserError(
                f"{length} tokens, but learned arrays have entries for {self.longest} positions; "
                f"build the module with length={length}."
            )


class SelfAttention(_Module):
    """Self-attention of named parts, with the linear maps around it.

        q, k, v = x Wq, x Wk, x Wv
        out     = (normalizer(scale score(q, k), mask) applied to v by the mixer) Wo

    Args:
      width: E, the last axis of the input and of the output.
      heads: H.
      score: compares a query with a key.
      scale: multiplies the score; 1/sqrt(D) by default, or what `qk_norm` says.
      normalizer: turns logits into weights.
      mask: keys that a query may see, beyond padding.
      mixer: applies the weights to the values.
      qk_norm: a scale that normalizes queries and keys, such as "qk_rmsnorm"; `scale` joins it.
      position: a position that acts inside attention, such as "rope".
      head_dim: D; width / heads by default.
      value_dim: dimension of a head's values; D by default.
      dropout: rate at which weights are dropped.
      use_bias: whether the linear maps have biases.
      tie_qk: whether queries and keys share their weights.
      init: draws the first query and key weights.
      kind: pairwise attention, or another way to mix positions, such as "linear".
      chunk: queries and keys that are computed at once, a multiple of 8; all by default.
      length: the most tokens of a text, for parts that depend on them.
      layer: the index in a stack of blocks, from 0, for parts that depend on it.
      rngs: `params` draws the initial weights, `dropout` the random numbers of training.

    Raises:
      UserError: an unknown part or setting, or parts that do not fit together.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from attn_nlp import nn
      >>> layer = nn.SelfAttention(
      ...     16, 4, score="additive", scale="none", normalizer="entmax15", rngs=nnx.Rngs(0)
      ... )
      >>> x, tokens = jnp.ones((1, 3, 16)), jnp.array([[True, True, False]])
      >>> out, sown = nnx.capture(layer, nnx.Intermediate)(x, tokens, sow_weights=True)
      >>> out.shape, sown["attention_weights"][0][0, 0, 0].tolist()
      ((1, 3, 16), [0.5, 0.5, 0.0])
    """

    def __init__(
        self,
        width: int,
        heads: int,
        score: str = "dot",
        scale: str | None = None,
        normalizer: str = "softmax",
        mask: str = "padding",
        mixer: str = "heads",
        qk_norm: str | None = None,
        position: str = "none",
        head_dim: int | None = None,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = False,
        tie_qk: bool = False,
        init: str = "unit_variance",
        kind: str = "pairwise",
        chunk: int | None = None,
        length: int | None = None,
        *,
        layer: int = 0,
        rngs: nnx.Rngs,
    ):
        inner = {"score": score, "normalizer": normalizer, "mask": mask, "mixer": mixer}
        inner |= {"scale": scale, "qk_norm": qk_norm, "position": position, "kind": kind}
        inner |= {"heads": heads, "head_dim": head_dim, "value_dim": value_dim, "init": init}
        inner |= {"dropout": dropout, "use_bias": use_bias, "tie_qk": tie_qk, "chunk": chunk}
        cell = attention_cell({"width": width, "dropout": 0.0, **_length(length)}, inner)
        key = rngs.params()
        super().__init__([cell], length, rngs, key)
        self.width, self.heads = cell.width, cell.heads
        index = whole("layer", layer, 0)
        self.attention = build_attention(cell, cell.sizes, KeyStream(key), index)

    def __call__(
        self,
        x: jax.Array,
        mask: Any = None,
        *,
        deterministic: bool | None = None,
        rngs: _Rngs = None,
        sow_weights: bool = False,
    ) -> jax.Array:
        """Let every position attend to the others.

        Args:
          x: (B, T, E) float32.
          mask: (B, T), True at real tokens; or (B, 1 or H, T, S), True where query t may see key s,
            as in Flax; a number other than zero counts as True. None if all tokens are real.
          deterministic: whether nothing is random; by default as `train` or `eval` has set it.
          rngs: decide what is dropped; by default those that the module keeps.
          sow_weights: whether to sow weights (B, H, T, S) as "attention_weights", as Flax does.

        Returns:
          (B, T, E) float32. A query that may see no key gets zeros from its heads.

        Raises:
          UserError: an input or a mask of another shape; or no weights to sow.
        """
        if x.ndim != 3 or x.shape[-1] != self.width:
            raise UserError(f"x has shape {x.shape}; expected (B, T, {self.width}).")
        self._check_length(x.shape[1])
        tokens, pairs = self._masks(x, mask)
        (call,) = self._contexts(deterministic, rngs, sow_weights)
        out, weights = self.attention.attend_with_weights(x, tokens, call, pairs)
        if sow_weights:
            self.sow(nnx.Intermediate, "attention_weights", weights)
        return out

    def _masks(self, x: jax.Array, mask: Any):
        """Return real tokens (B, T), and the pairs to compare, or None if padding decides them."""
        batch, length, _ = x.shape
        if mask is None:
            return jnp.ones((batch, length), bool), None
        mask = jnp.asarray(mask).astype(bool)
        if mask.shape == (batch, length):
            return mask, None
        sizes = (batch, self.heads, length, length)
        if mask.ndim != 4 or any(n not in (1, m) for n, m in zip(mask.shape, sizes, strict=True)):
            raise UserError(
                f"mask has shape {mask.shape}; expected (B, T) = {(batch, length)}, or one that "
                f"broadcasts to (B, H, T, S) = {sizes}."
            )
        if not self._at_once:
            raise UserError(f"mask has shape {mask.shape}, but {self._why}, or give a mask (B, T).")
        pairs = jnp.broadcast_to(mask, (batch, mask.shape[1], length, length))
        any_head = pairs.any(axis=1)
        return any_head.any(axis=1) | any_head.any(axis=2), pairs


class _TokenModule(_Module):
    """A module that takes token ids."""

    def _describe(
        self, outer: Mapping[str, object], attention: object, length: int | None, rngs: nnx.Rngs
    ) -> tuple[Cell, list[Cell], KeyStream]:
        """Check the settings; return the cells of the whole and of every block, and a stream."""
        layers = whole("layers", outer["layers"], 1)
        base, cells = layer_cells({**outer, **_length(length)}, attention, layers)
        key = rngs.params()
        super().__init__([base, *cells], length, rngs, key)
        return base, cells, KeyStream(key)

    def _inputs(self, ids: jax.Array, mask: Any, deterministic, rngs: _Rngs, sow_weights: bool):
        """Return real tokens (B, T), and the contexts of the pass and of every block."""
        if ids.ndim != 2:
            raise UserError(f"ids have shape {ids.shape}; expected (B, T).")
        self._check_length(ids.shape[1])
        tokens = ids != PADDING if mask is None else jnp.asarray(mask).astype(bool)
        if tokens.shape != ids.shape:
            raise UserError(f"mask has shape {tokens.shape}; expected (B, T) = {ids.shape}.")
        call, *calls = self._contexts(deterministic, rngs, sow_weights)
        return tokens, call, calls


class Encoder(_TokenModule):
    """Embeddings, positions and blocks of attention: token ids in, a vector for every token out.

    Args:
      vocab: how many ids there are; id 0 is padding.
      width: E.
      heads: H, in every block that does not say otherwise.
      layers: number of blocks.
      attention: keywords of `SelfAttention` for all blocks, or a list with those of every block.
      position: encodes the order of the tokens, in the embeddings or inside attention.
      ffn_width: width of the feed-forward layers; 4 * width by default.
      norm: "pre" or "post": layer norms before or after attention and feed-forward layers.
      dropout: rate on embeddings and on what blocks add.
      length: the most tokens of a text, for parts that depend on them.
      rngs: `params` draws the initial weights, `dropout` the random numbers of training.

    Raises:
      UserError: an unknown part or setting, or parts that do not fit together.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from attn_nlp import nn
      >>> layers = [{"score": "additive", "scale": "none"}, {"normalizer": "entmax15"}]
      >>> model = nn.Encoder(100, 16, 4, 2, attention=layers, rngs=nnx.Rngs(0))
      >>> model(jnp.array([[5, 7, 0]])).shape
      (1, 3, 16)
    """

    def __init__(
        self,
        vocab: int,
        width: int,
        heads: int,
        layers: int = 1,
        *,
        attention: Mapping[str, object] | Sequence[Mapping[str, object]] | None = None,
        position: str = "sinusoidal",
        ffn_width: int | None = None,
        norm: str = "pre",
        dropout: float = 0.0,
        length: int | None = None,
        rngs: nnx.Rngs,
    ):
        outer = {"width": width, "heads": heads, "layers": layers, "position": position}
        outer |= {"hidden": ffn_width, "norm": norm, "dropout": dropout}
        base, cells, stream = self._describe(outer, attention, length, rngs)
        vocabulary = whole("vocab", vocab, 1)
        sizes = base.sizes | {"V": vocabulary, "C": 0}
        self.embed = Embedding(vocabulary, base.width, stream / "embed")
        self.encoder = build_encoder(base, sizes, stream, cells)

    def __call__(
        self,
        ids: jax.Array,
        mask: Any = None,
        *,
        deterministic: bool | None = None,
        rngs: _Rngs = None,
        sow_weights: bool = False,
    ) -> jax.Array:
        """Return a vector for every token.

        Args:
          ids: (B, T) int32.
          mask: (B, T), True at real tokens; by default where the id is not 0.
          deterministic, rngs, sow_weights: as in `SelfAttention`; every block sows its weights.

        Returns:
          (B, T, E) float32.

        Raises:
          UserError: ids or a mask of another shape; or no weights to sow.
        """
        inputs = self._inputs(ids, mask, deterministic, rngs, sow_weights)
        return self.encoder(self.embed(ids), *inputs)


class Classifier(_TokenModule):
    """An encoder, a pooling and a class head: token ids in, class logits out.

    Args:
      vocab: how many ids there are; id 0 is padding.
      classes: C.
      width, heads, layers: sizes of the encoder.
      pooling: makes one vector of a text.
      attention, position, ffn_width, norm, length, rngs: as in `Encoder`.
      dropout: rate on embeddings, on what blocks add, and on the pooled vector.

    Raises:
      UserError: an unknown part or setting, or parts that do not fit together.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from attn_nlp import nn
      >>> model = nn.Classifier(100, 3, 16, 4, pooling="se_token", rngs=nnx.Rngs(0))
      >>> model(jnp.array([[5, 7, 0], [8, 0, 0]])).shape
      (2, 3)
    """

    def __init__(
        self,
        vocab: int,
        classes: int,
        width: int,
        heads: int,
        layers: int = 1,
        *,
        pooling: str = "mean",
        attention: Mapping[str, object] | Sequence[Mapping[str, object]] | None = None,
        position: str = "sinusoidal",
        ffn_width: int | None = None,
        norm: str = "pre",
        dropout: float = 0.0,
        length: int | None = None,
        rngs: nnx.Rngs,
    ):
        outer = {"width": width, "heads": heads, "layers": layers, "position": position}
        outer |= {"hidden": ffn_width, "norm": norm, "dropout": dropout, "pooling": pooling}
        classes = whole("classes", classes, 1)
        base, cells, stream = self._describe(outer, attention, length, rngs)
        self.model = build_classifier(base, whole("vocab", vocab, 1), classes, stream, cells)

    def __call__(
        self,
        ids: jax.Array,
        mask: Any = None,
        *,
        deterministic: bool | None = None,
        rngs: _Rngs = None,
        sow_weights: bool = False,
    ) -> jax.Array:
        """Return class logits (B, C) float32; arguments and errors are those of `Encoder`."""
        tokens, call, calls = self._inputs(ids, mask, deterministic, rngs, sow_weights)
        return self.model(ids, call, tokens, calls)


def _length(length: int | None) -> dict[str, object]:
    return {} if length is None else {"length": length}
