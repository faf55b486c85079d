"""Laws that a user's own part must obey, tried on a few made-up sentences before training.

A part that forgets the mask trains without a complaint and gives a number that is simply wrong. So
the part stands once in an encoder of one block whose other parts are all built in and lawful, with
random weights and sentences of several lengths, one of padding alone, and then:

- a key that a query may not see has weight 0, exactly;
- the other sentences of a batch change no class logit of a sentence;
- what stands at padding changes no class logit, and neither does more padding;
- every class logit and every gradient is a finite number.

A part whose registry line says `sees_batch=True`, `sees_padding=True` or `undefined_gradient=True`
breaks the law of that name on purpose, and is warned of.
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
from attn_nlp.nn.bound import ForwardContext
from attn_nlp.nn.encoder import PADDING, Encoder
from attn_nlp.parts.selection import Choice
from attn_nlp.probe.traced import CLASSES, VOCABULARY, caught

LENGTH, FURTHER = 6, 8  # positions, and with more padding
# Class logits are near one here. A sum over more zeros is grouped otherwise: some fifty roundings
# of 6e-8. A part that lets padding in moves them by a hundredth at the least.
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
    "that what a sentence is given depends on its neighbors in the test split; axis 0 is the batch."
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
    "gives class logits that are not finite{}; keep the divisor, and what log and sqrt are taken "
    "of, above zero, as in jnp.maximum(n, 1)."
)
_NO_SLOPE = (
    "has a gradient that is not finite{}; replace what sqrt, log or a division is taken of, not "
    "only its result: jnp.sqrt(jnp.where(x > 0, x, 1.0))."
)


def broken_laws(cell: Cell, path: str) -> tuple[UserError | None, tuple[str, ...]]:
    """What is wrong with the part at that path of the cell, and what it is warned of.

    Returns:
      A law that it breaks, in one sentence, or None; the laws that it declares to break.
    """
    choice = cell.choices[path]
    if choice.part.slot in _NO_LAWS:
        return None, ()
    alone, causal = _alone(cell, choice)
    wrong, found = _tried(alone, causal)
    if wrong is None and any(fact == GRADIENT_LAW or "NaN" in text for fact, text in found):
        # It may need what another of the cell's own parts makes, such as logits above zero.
        wrong, found = _tried(_whole(cell), causal=False)
    if wrong is not None:
        return wrong, ()
    declared = {name for each in choice.family() for name, told in each.facts.items() if told}
    own = [each for each in choice.family() if each.code_hash is not None]
    name = f"{own[0].slot} {own[0].name!r}" if own else choice.text
    refused = [f"{name} {text}" for fact, text in found if fact not in declared]
    warned = [f"{name} {text} (declared: {f}=True)" for f, text in found if f in declared]
    return UserError(refused[0]) if refused else None, tuple(warned)


def _tried(cell: Cell, causal: bool) -> tuple[UserError | None, list[tuple[str, str]]]:
    """What a cell raises, if anything, and the laws that it breaks."""
    found: list[tuple[str, str]] = []
    wrong = None
    for lengths in _lengths(cell.length):
        found.clear()
        wrong = caught(lambda lengths=lengths: found.extend(violations(cell, lengths, causal)))
        if wrong is None:
            break
    return wrong, found


def _whole(cell: Cell) -> Cell:
    """The cell with one block and nothing dropped."""
    none = {"layers": 1, "dropout": 0.0, "attention.dropout": 0.0, "attention.chunk": None}
    return cell.replace(none)


def _lengths(length: int) -> list[tuple[int, int]]:
    """Short sentences; and whole ones, for a part that can do with no others."""
    short = (min(LENGTH, max(1, length - 2)), min(FURTHER, length))
    return [short] if length <= FURTHER else [short, (length, length)]


def _alone(cell: Cell, choice: Choice) -> tuple[Cell, bool]:
    """A cell of the same sizes with this part among built-in ones; whether keys are hidden in it.

    A key that comes later is hidden as padding is, but is no padding.
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
    cell: Cell, lengths: tuple[int, int] = (LENGTH, FURTHER), causal: bool = False
) -> Iterator[tuple[str, str]]:
    """(the fact that declares it, what is wrong) for each law that the cell's encoder breaks."""
    seen = _look(cell, lengths, causal)
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
    moved = np.abs(seen.further[~padding] - plain).max()
    if not moved <= allowed:
        yield PADDING_LAW, _COUNTS.format(_number(moved), lengths[1] - lengths[0])
    if not np.isfinite(seen.plain).all():
        yield GRADIENT_LAW, _NO_NUMBER.format(_PADDING_ALONE)
    elif not seen.slopes:
        yield GRADIENT_LAW, _NO_SLOPE.format(_PADDING_ALONE if seen.slopes_of_tokens else "")


def _hidden(weights: np.ndarray, mask: np.ndarray) -> Iterator[tuple[str, str]]:
    """The first of: padding or another hidden key has weight, in a row that sees keys or none."""
    mask = np.broadcast_to(mask, weights.shape)
    sees = mask.any(axis=-1, keepdims=True)
    padding = ~mask.any(axis=-2, keepdims=True) & ~mask
    for rows, whose in ((sees, ""), (~sees, " in the row of a query that may see no key")):
        for keys, what in ((padding, "padding keys"), (~mask, "hidden keys")):
            at = np.abs(weights[keys & rows])
            if not (at == 0).all():
                yield PADDING_LAW, _WEIGHS.format(_number(at.max()), what + whose)
                return


def _number(value: float) -> str:
    return "NaN" if np.isnan(value) else f"{value:.2g}"


@dataclass(frozen=True)
class _Seen:
    """What a look at the sentences gives, as NumPy arrays.

    Attributes:
      plain, other, further: class logits (B, C): as they are, with other numbers at padding, and
        with more padding.
      among_others: class logits (C,) of the first sentence, the others being different ones.
      weights: (B, M, T, S) of the block; None where it has none.
      mask: (B, 1, T, S), the keys that a query may see.
      slopes: whether all gradients are finite.
      slopes_of_tokens: the same without the sentence of padding alone.
    """

    plain: np.ndarray
    other: np.ndarray
    further: np.ndarray
    among_others: np.ndarray
    weights: np.ndarray | None
    mask: np.ndarray
    slopes: bool
    slopes_of_tokens: bool


@dataclass(frozen=True)
class _Watching(ForwardContext):
    """A call that keeps the weights which it is shown."""

    shown: list = field(default_factory=list)

    def drop_weights(self, weights, path, stream, here):
        self.shown.append(weights)
        return weights


def _look(cell: Cell, lengths: tuple[int, int], causal: bool) -> _Seen:
    """The cell's encoder with random weights, on sentences of several lengths."""
    draws = np.random.default_rng(1)
    length, further = lengths
    counts = np.array([length, (length + 1) // 2, 1, 0])
    tokens = np.arange(length) < counts[:, None]
    ids = np.where(tokens, draws.integers(1, VOCABULARY, tokens.shape), PADDING).astype(np.int32)
    graph, state = nnx.split(Encoder(cell, VOCABULARY, CLASSES, 0), nnx.Param)
    params = jax.tree.map(
        lambda leaf: np.asarray(leaf + 0.4 * draws.normal(size=leaf.shape), np.float32),
        nnx.to_pure_dict(state),
    )
    changed = {**params, "embed": params["embed"].copy()}
    changed["embed"][PADDING] += 3 * draws.normal(size=cell.width)
    numeric = {path: jnp.float32(value) for path, value in cell.numeric().items()}
    way = draws.normal(size=(len(counts), CLASSES)).astype(np.float32)

    def forward(params, ids):
        filled = jax.tree.map(lambda leaf: leaf, state)
        nnx.replace_by_pure_dict(filled, params)
        call = _Watching(numeric)
        return nnx.merge(graph, filled)(ids, call), call.shown

    def total(params, ids, counted):
        found = forward(params, ids)
        return (found[0] * way * counted).sum(), found

    def look(params, ids, counted):
        slopes, found = jax.grad(total, has_aux=True)(params, ids, counted)
        finite = [jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes)]
        return *found, jnp.stack(finite).all()

    every = np.ones((len(counts), 1), np.float32)
    with jax.default_matmul_precision("highest"):
        look = _quickly(look, params, ids, every)
        plain, shown, slopes = look(params, ids, every)
        other, _, _ = look(changed, ids, every)
        exchanged = np.where(tokens, ids % (VOCABULARY - 1) + 1, ids)
        exchanged[0] = ids[0]
        among_others, _, _ = look(params, exchanged, every)
        of_tokens = bool(slopes) or look(params, ids, tokens[:, :1].astype(np.float32))[2]
        wide = np.pad(ids, ((0, 0), (0, further - length)))
        longer, _ = _quickly(forward, params, wide)(params, wide)
    mask = np.broadcast_to(tokens[:, None, None, :], (len(counts), 1, length, length))
    if causal:
        mask = mask & np.tril(np.ones((length, length), bool))
    return _Seen(
        plain=np.asarray(plain),
        other=np.asarray(other),
        further=np.asarray(longer),
        among_others=np.asarray(among_others[0]),
        weights=np.asarray(shown[0]) if shown else None,
        mask=mask,
        slopes=bool(slopes),
        slopes_of_tokens=bool(of_tokens),
    )


def _quickly(function: Callable[..., Any], *given: Any) -> Callable[..., Any]:
    """The function compiled in the shortest time: it runs a few times."""
    lowered = jax.jit(function).lower(*given)
    try:
        return lowered.compile(compiler_options={"xla_backend_optimization_level": "0"})
    except Exception:  # a compiler that does not know the option
        return lowered.compile()
