"""Laws that a user's own part must obey, tried on a few made-up sentences before training.

A part that ignores the mask trains without complaint and gives a number that is simply wrong. So
the part is put once into an encoder of one block whose other parts are all built in and lawful,
with random weights and sentences of several lengths, one of padding alone, and then:

- a key that a query may not see has weight 0, exactly;
- the other sentences of a batch change no class logit of a sentence;
- the values at padding change no class logit, and neither does more padding;
- every class logit and every gradient is a finite number.

A part whose registry line says `sees_batch=True`, `sees_padding=True` or `undefined_gradient=True`
breaks the law of that name on purpose and causes a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.experiment.cell import PATHS, get
from attn_nlp.nn.context import ForwardContext
from attn_nlp.nn.encoder import PADDING, build_classifier
from attn_nlp.parts.selection import Choice
from attn_nlp.probe.traced import CLASSES, VOCABULARY, caught

LENGTH, LONGER = 6, 8  # positions, and with more padding
# Class logits are near one here. A sum over more zeros is grouped differently: some fifty roundings
# of 6e-8. A part that lets padding in moves them by at least a hundredth.
TOLERANCE = 1e-4
BATCH_LAW, PADDING_LAW, GRADIENT_LAW = "sees_batch", "sees_padding", "undefined_gradient"
_SIZES = ("width", "heads", "head_dim", "value_dim", "hidden", "length")
_NO_LAWS = ("init", "optimizer")  # they see no sentence
_PADDING_ALONE = " where a sentence is padding alone, so that its queries see no key"
_WEIGHS = (
    "gives weight {} to {}, where it must be 0; multiply by the mask, as in "
    "jnp.where(mask, weights, 0.0)."
)
_MIXES = (
    "mixes the sentences of a batch: class logits of one move by {} when the others change, so "
    "that a sentence's result depends on its neighbors in the test split; axis 0 is the batch."
)
_LETS_IN = (
    "lets padding into the result: class logits move by {} when nothing but the numbers at padding "
    "change; leave out the positions where the mask is False, in sums by "
    "jnp.where(mask, ..., 0.0) and in means by dividing by mask.sum()."
)
_COUNTS = (
    "depends on how far a sentence is padded: class logits move by {} with {} more positions of "
    "padding; count tokens by mask.sum(), never by the shape."
)
_NO_NUMBER = (
    "gives class logits that are not finite{}; keep divisors and the arguments of log and sqrt "
    "above zero, as in jnp.maximum(n, 1)."
)
_NO_GRADIENT = (
    "has a gradient that is not finite{}; replace the argument of sqrt, log or a division, not "
    "only its result: jnp.sqrt(jnp.where(x > 0, x, 1.0))."
)


def broken_laws(cell: Cell, path: str) -> tuple[UserError | None, tuple[str, ...]]:
    """Return the error and the warnings of the part at that path of the cell.

    Returns:
      A law that it breaks, in one sentence, or None; the laws that it declares that it breaks.
    """
    choice = cell.choices[path]
    if choice.part.slot in _NO_LAWS:
        return None, ()
    alone, causal = _alone(cell, choice)
    wrong, broken = _tried(alone, causal)
    if wrong is None and any(fact == GRADIENT_LAW or "NaN" in text for fact, text in broken):
        # It may need the output of another of the cell's own parts, such as logits above zero.
        wrong, broken = _tried(_whole(cell), causal=False)
    if wrong is not None:
        return wrong, ()
    declared = {name for part in choice.family() for name, value in part.facts.items() if value}
    own = [part for part in choice.family() if part.code_hash is not None]
    name = f"{own[0].slot} {own[0].name!r}" if own else choice.text
    rejected = [f"{name} {text}" for fact, text in broken if fact not in declared]
    warned = [f"{name} {text} (declared: {f}=True)" for f, text in broken if f in declared]
    return UserError(rejected[0]) if rejected else None, tuple(warned)


def _tried(cell: Cell, causal: bool) -> tuple[UserError | None, list[tuple[str, str]]]:
    """Return what a cell raises, if anything, and the laws that it breaks."""
    broken: list[tuple[str, str]] = []
    wrong = None
    for lengths in _lengths(cell.length):
        broken.clear()
        wrong = caught(lambda lengths=lengths: broken.extend(violations(cell, lengths, causal)))
        if wrong is None:
            break
    return wrong, broken


def _whole(cell: Cell) -> Cell:
    """Return the cell with one block and without dropout."""
    none = {"layers": 1, "dropout": 0.0, "attention.dropout": 0.0, "attention.chunk": None}
    return cell.replace(none)


def _lengths(length: int) -> list[tuple[int, int]]:
    """Return short lengths, and full ones for a part that works with no others."""
    short = (min(LENGTH, max(1, length - 2)), min(LONGER, length))
    return [short] if length <= LONGER else [short, (length, length)]


def _alone(cell: Cell, choice: Choice) -> tuple[Cell, bool]:
    """Return a cell of the same sizes with this part among built-in ones, and whether it is causal.

    A later key is then hidden as padding is, but is not padding.
    """
    sizes = {name: get(cell, name) for name in _SIZES}
    slot = choice.part.slot
    path = next(path for path, info in PATHS.items() if info.get("slot") == slot)
    causal = slot == "normalizer"
    hidden = {"attention.mask": "causal"} if causal else {}
    try:
        return Cell(dropout=0.0).replace({**sizes, **hidden, path: choice.text}), causal
    except UserError:  # it needs another of the cell's parts
        return _whole(cell), False


def violations(
    cell: Cell, lengths: tuple[int, int] = (LENGTH, LONGER), causal: bool = False
) -> Iterator[tuple[str, str]]:
    """Yield (the fact that declares it, the error) for each law that the cell's encoder breaks."""
    seen = _observe(cell, lengths, causal)
    padding = ~seen.mask.any(axis=(1, 2, 3))  # sentences of padding alone
    if seen.weights is not None:
        yield from _hidden(seen.weights, seen.mask)
    plain = seen.plain[~padding]
    if not np.isfinite(plain).all():
        yield GRADIENT_LAW, _NO_NUMBER.format("")
        return
    allowed = TOLERANCE * (1 + np.abs(plain).max())
    moved = np.abs(seen.among_others - seen.plain[0]).max()
    if not moved <= allowed:
        yield BATCH_LAW, _MIXES.format(_number(moved))
    moved = np.abs(seen.other[~padding] - plain).max()
    if not moved <= allowed:
        yield PADDING_LAW, _LETS_IN.format(_number(moved))
    moved = np.abs(seen.longer[~padding] - plain).max()
    if not moved <= allowed:
        yield PADDING_LAW, _COUNTS.format(_number(moved), lengths[1] - lengths[0])
    if not np.isfinite(seen.plain).all():
        yield GRADIENT_LAW, _NO_NUMBER.format(_PADDING_ALONE)
    elif not seen.finite:
        yield (
            GRADIENT_LAW,
            _NO_GRADIENT.format(_PADDING_ALONE if seen.finite_without_padding else ""),
        )


def _hidden(weights: np.ndarray, mask: np.ndarray) -> Iterator[tuple[str, str]]:
    """Yield an error if padding or another hidden key has weight, in any row."""
    mask = np.broadcast_to(mask, weights.shape)
    sees = mask.any(axis=-1, keepdims=True)
    padding = ~mask.any(axis=-2, keepdims=True) & ~mask
    for rows, which in ((sees, ""), (~sees, " in the row of a query that may see no key")):
        for keys, name in ((padding, "padding keys"), (~mask, "hidden keys")):
            sizes = np.abs(weights[keys & rows])
            if not (sizes == 0).all():
                yield PADDING_LAW, _WEIGHS.format(_number(sizes.max()), name + which)
                return


def _number(value: float) -> str:
    return "NaN" if np.isnan(value) else f"{value:.2g}"


@dataclass(frozen=True)
class _Observed:
    """Results on the sentences, as NumPy arrays.

    Attributes:
      plain, other, longer: class logits (B, C): as they are, with other numbers at padding, and
        with more padding.
      among_others: class logits (C,) of the first sentence, the others being different ones.
      weights: (B, M, T, S) of the block, or None if it has none.
      mask: (B, 1, T, S), the keys that a query may see.
      finite: whether all gradients are finite.
      finite_without_padding: the same without the sentence of padding alone.
    """

    plain: np.ndarray
    other: np.ndarray
    longer: np.ndarray
    among_others: np.ndarray
    weights: np.ndarray | None
    mask: np.ndarray
    finite: bool
    finite_without_padding: bool


@dataclass(frozen=True)
class _Recording(ForwardContext):
    """A context that records weights instead of dropping them."""

    shown: list = field(default_factory=list)

    def drop_weights(self, weights, path, stream, here):
        self.shown.append(weights)
        return weights


def _observe(cell: Cell, lengths: tuple[int, int], causal: bool) -> _Observed:
    """Run the cell's classifier with random weights on sentences of several lengths."""
    draws = np.random.default_rng(1)
    length, longer = lengths
    counts = np.array([length, (length + 1) // 2, 1, 0])
    tokens = np.arange(length) < counts[:, None]
    ids = np.where(tokens, draws.integers(1, VOCABULARY, tokens.shape), PADDING).astype(np.int32)
    graph, state = nnx.split(build_classifier(cell, VOCABULARY, CLASSES, 0), nnx.Param)
    params = jax.tree.map(
        lambda leaf: np.asarray(leaf + 0.4 * draws.normal(size=leaf.shape), np.float32),
        nnx.to_pure_dict(state),
    )
    table = params["embed"]["embedding"].copy()
    table[PADDING] += 3 * draws.normal(size=cell.width)
    changed = {**params, "embed": {"embedding": table}}
    numeric = {path: jnp.float32(value) for path, value in cell.numeric().items()}
    direction = draws.normal(size=(len(counts), CLASSES)).astype(np.float32)

    def forward(params, ids):
        filled = jax.tree.map(lambda leaf: leaf, state)
        nnx.replace_by_pure_dict(filled, params)
        call = _Recording(numeric)
        return nnx.merge(graph, filled)(ids, call), call.shown

    def total(params, ids, counted):
        results = forward(params, ids)
        return (results[0] * direction * counted).sum(), results

    def observe(params, ids, counted):
        grads, results = jax.grad(total, has_aux=True)(params, ids, counted)
        finite = [jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(grads)]
        return *results, jnp.stack(finite).all()

    every = np.ones((len(counts), 1), np.float32)
    with jax.default_matmul_precision("highest"):
        observe = _quickly(observe, params, ids, every)
        plain, shown, finite = observe(params, ids, every)
        other, _, _ = observe(changed, ids, every)
        exchanged = np.where(tokens, ids % (VOCABULARY - 1) + 1, ids)
        exchanged[0] = ids[0]
        among_others, _, _ = observe(params, exchanged, every)
        of_tokens = bool(finite) or observe(params, ids, tokens[:, :1].astype(np.float32))[2]
        wide = np.pad(ids, ((0, 0), (0, longer - length)))
        at_longer, _ = _quickly(forward, params, wide)(params, wide)
    mask = np.broadcast_to(tokens[:, None, None, :], (len(counts), 1, length, length))
    if causal:
        mask = mask & np.tril(np.ones((length, length), bool))
    return _Observed(
        plain=np.asarray(plain),
        other=np.asarray(other),
        longer=np.asarray(at_longer),
        among_others=np.asarray(among_others[0]),
        weights=np.asarray(shown[0]) if shown else None,
        mask=mask,
        finite=bool(finite),
        finite_without_padding=bool(of_tokens),
    )


def _quickly(function: Callable[..., Any], *given: Any) -> Callable[..., Any]:
    """Compile a function that runs only a few times in the shortest time."""
    lowered = jax.jit(function).lower(*given)
    try:
        return lowered.compile(compiler_options={"xla_backend_optimization_level": "0"})
    except Exception:  # the compiler does not know the option
        return lowered.compile()
