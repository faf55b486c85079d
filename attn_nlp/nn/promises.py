"""What the hooks of a user's own part must return, checked while JAX traces and at no other time.

In come what a hook was handed and what it returned; out goes the same, or a `UserError` that names
the part, the hook, what came back and what is expected. A compiled step holds nothing of this, and
parts of this package, which the tests hold to the same, are not asked.

A wrong type is as bad as a wrong shape: logits of int32 or bool have no gradient, complex ones lose
a half, and a number in place of a matrix is spread over it without a word.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from math import isfinite
from types import FunctionType
from typing import Any

import jax
import jax.core
import jax.numpy as jnp

from attn_nlp.errors import UserError
from attn_nlp.parts.registry import Part
from attn_nlp.user_code import frames

Expected = tuple[str, tuple[int, ...]]  # letters, such as "B, H, T, S", and what they stand for


def kept(
    part: Part,
    hook: str,
    given: Mapping[str, Any],
    inputs: Mapping[str, Any],
    here: Any,
    sizes: Mapping[str, int],
) -> Any:
    """What the hook of a user's own part returns, once it is known to be what it must be.

    Args:
      part: the part.
      hook: the hook to run.
      given: what the hook function asks for.
      inputs: all that the hook is handed, asked for or not.
      here: where the block of the T x S matrix stands, if anywhere.
      sizes: sizes by letter, with the part's whole-number settings.

    Raises:
      UserError: it returns something else.
    """
    for listener in _listeners:
        listener(part, hook, partial(part.hooks[hook], **given))
    try:
        found = part.hooks[hook](**given)
    except Exception as error:
        if not any(note.startswith(_NOTE) for note in _notes(error)):
            error.add_note(f"{_NOTE}{hook!r} of {part.slot} {part.name!r}")
        raise
    wrong = _CHECKS[hook](found, _Known(part, inputs, here, sizes))
    if wrong:
        raise (Swapped if _turned(found, wrong) else UserError)(_sentence(part, hook, found, wrong))
    return found


_Listener = Callable[[Part, str, Callable[[], Any]], None]
_listeners: list[_Listener] = []


@contextmanager
def heard(listener: _Listener) -> Iterator[None]:
    """Hand part, hook and what runs it to the listener, before each hook of a user's own runs."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


class Swapped(UserError):
    """Queries and keys have changed places in what a part returns."""


_NOTE = "raised in hook "


def raised_in(error: BaseException) -> str:
    """ "hook 'score' of score 'mine'" of an exception that a user's own part raised, or ""."""
    found = [note for note in _notes(error) if note.startswith(_NOTE)]
    return found[0].removeprefix("raised in ") if found else ""


def _notes(error: BaseException) -> list[str]:
    found = getattr(error, "__notes__", None)
    return [note for note in found if isinstance(note, str)] if isinstance(found, list) else []


class _Known:
    """What is known when a hook has run: its inputs, and every size by letter."""

    def __init__(self, part: Part, inputs: Mapping[str, Any], here: Any, sizes: Mapping[str, int]):
        self.part, self.inputs, self.sizes = part, inputs, dict(sizes)
        if here is not None:
            self.sizes |= {"T": len(here.rows), "S": len(here.columns), "B": len(here.keys)}

    def of(self, letters: str, like: Any = None) -> Expected:
        """Letters with the sizes that they stand for, or with those of an array."""
        if like is not None:
            return letters, tuple(like.shape)
        return letters, tuple(self.sizes[letter] for letter in letters.split(", "))

    @property
    def weights(self) -> Expected:
        """The letters of logits and weights; M is written H where every head has one map."""
        maps = "H" if self.sizes["M"] == self.sizes["H"] else "M"
        return self.of(f"B, {maps}, T, S")


def _exactly(letters: str, name: str) -> Callable[[Any, _Known], str]:
    """A float32 array like the input of that name."""

    def wrong(found: Any, known: _Known) -> str:
        if name not in known.inputs:  # a part that another names may be handed less
            return ""
        return _array(found, known.of(letters, known.inputs[name]))

    return wrong


def _sized(letters: str) -> Callable[[Any, _Known], str]:
    def wrong(found: Any, known: _Known) -> str:
        return _array(found, known.of(letters))

    return wrong


def _score(found: Any, known: _Known) -> str:
    return _array(found, known.weights, "logits ")


def _weights(found: Any, known: _Known) -> str:
    return _array(found, known.of(known.weights[0], known.inputs["logits"]), "weights ")


def _adjust(found: Any, known: _Known) -> str:
    return _array(found, known.of(known.weights[0], known.inputs["logits"]), "logits ")


def _spreads(results: bool = False) -> Callable[[Any, _Known], str]:
    """Numbers that broadcast to the logits, or to the results of all heads."""

    def wrong(found: Any, known: _Known) -> str:
        if "B" not in known.sizes:  # nobody has said where the block stands
            return ""
        letters, size = known.of("B, H, T, U") if results else known.weights
        if isinstance(found, int | float) and not isinstance(found, bool) and isfinite(found):
            return ""
        fits = _is_array(found) and _spread(_shape(found), size)
        if fits and (_is_float(found) or _kind(found) == "int32"):
            return ""
        return f"{_float()} that broadcasts to ({letters}) = {size}"

    return wrong


def _visible(found: Any, known: _Known) -> str:
    size = (known.sizes["B"], 1, known.sizes["T"], known.sizes["S"])
    fits = isinstance(found, bool) or (
        _is_array(found) and _kind(found) == "bool" and _spread(found.shape, size)
    )
    return "" if fits else f"bool that broadcasts to (B, 1, T, S) = {size}"


def _prepare(found: Any, known: _Known) -> str:
    q, k = known.inputs["q"], known.inputs["k"]
    if isinstance(found, tuple | list) and len(found) == 2:
        widths = [each.shape[-1:] for each in found if _is_array(each)]
        alike = [
            not _array(each, ("", (*given.shape[:-1], *widths[0])))
            for each, given in zip(found, (q, k), strict=True)
            if len(widths) == 2
        ]
        if alike and all(alike):
            return ""
    sizes = f"(B, Q, T, D) = {tuple(q.shape)} and (B, Q, S, D) = {tuple(k.shape)}"
    return f"a pair, q and k, {_float()} {sizes}"


def _reweigh(found: Any, known: _Known) -> str:
    given, (letters, _) = tuple(known.inputs["weights"].shape), known.weights
    # A part that declares `maps` takes several maps of a head and may return one.
    fewer = (given[0], given[1] * known.sizes["H"] // known.sizes["Q"], *given[2:])
    if not _array(found, (letters, fewer)):
        return ""
    return _array(found, (letters, given), "weights ")


def _statistics(found: Any, known: _Known) -> str:
    leaves = jax.tree.leaves(found, is_leaf=lambda each: each is None)
    if leaves and all(_is_array(each) for each in leaves):
        return ""
    return "arrays, such as a tuple of (B, H, T, 1)"


def _merged(found: Any, known: _Known) -> str:
    given = known.inputs["a"]
    same = jax.tree.structure(found) == jax.tree.structure(given)
    pairs = zip(jax.tree.leaves(found), jax.tree.leaves(given), strict=False)
    if same and all(_is_array(one) and one.shape == other.shape for one, other in pairs):
        return ""
    return "the same arrays as `reduce` returns"


def _rescaled(found: Any, known: _Known) -> str:
    fits = _is_array(found) and _is_float(found) and len(found.shape) == 4
    return "" if fits else f"{_float()} (B, H, T, 1)"


def _read(found: Any, known: _Known) -> str:
    from attn_nlp.parts.sizes import evaluate

    batch, width = len(known.inputs["x"]), known.part.facts.get("features", "E")
    assert isinstance(width, int | float | str)
    return _array(found, ("B, features", (batch, int(evaluate(width, known.sizes)))))


def _pool(found: Any, known: _Known) -> str:
    batch, _, width = known.inputs["x"].shape
    return _array(found, ("B, E", (batch, width)))


def _deviation(found: Any, known: _Known) -> str:
    wanted = "a number of Python, 0 or more"
    if isinstance(found, jax.core.Tracer):
        return f"{wanted}; work it out by ** or `math`, not by jax.numpy"
    try:
        number = float(found)
    except Exception:
        return wanted
    plain = not isinstance(found, bool | str)
    return "" if plain and isfinite(number) and number >= 0 else wanted


def _transform(found: Any, known: _Known) -> str:
    if callable(getattr(found, "init", None)) and callable(getattr(found, "update", None)):
        return ""
    return "an optax.GradientTransformation, such as optax.sgd(learning_rate)"


_CHECKS: dict[str, Callable[[Any, _Known], str]] = {
    "embed": _exactly("B, T, E", "x"),
    "prepare": _prepare,
    "score": _score,
    "relate": _spreads(),
    "factor": _spreads(),
    "adjust": _adjust,
    "allowed": _visible,
    "reduce": _statistics,
    "merge": _merged,
    "rescale": _rescaled,
    "weights": _weights,
    "reweight": _reweigh,
    "aggregate": _spreads(results=True),
    "finish": _exactly("B, H, T, U", "out"),
    "attend": _sized("B, H, T, U"),
    "block": _exactly("B, T, E", "x"),
    "pool": _pool,
    "read": _read,
    "activate": _exactly("B, T", "logits"),
    "features": _exactly("B, T, E", "x"),
    "weigh": _spreads(results=True),
    "std": _deviation,
    "transform": _transform,
}


def _array(found: Any, wanted: Expected, what: str = "") -> str:
    """What is expected, where it is not what was found; else ""."""
    letters, size = wanted
    if _is_array(found) and _is_float(found) and tuple(found.shape) == size:
        return ""
    return f"{what}{_float()} ({letters}) = {size}"


def _is_array(found: Any) -> bool:
    return hasattr(found, "shape") and hasattr(found, "dtype")


def _kind(found: Any) -> str:
    """The type of the numbers, as JAX takes them: float64 of NumPy is float32 there."""
    return str(jax.dtypes.canonicalize_dtype(found.dtype))


def _is_float(found: Any) -> bool:
    """Whether the numbers are float32, or float64 where a process has asked for it."""
    return _kind(found) in ("float32", str(jnp.result_type(float)))


def _float() -> str:
    return str(jnp.result_type(float))


def _spread(shape: tuple[int, ...], size: tuple[int, ...]) -> bool:
    """Whether the shape broadcasts to that size, and to no larger one."""
    padded = (1,) * (len(size) - len(shape)) + tuple(shape)
    fits = zip(padded, size, strict=False)
    return len(padded) == len(size) and all(one in (1, other) for one, other in fits)


def _sentence(part: Part, hook: str, found: Any, wanted: str) -> str:
    function = inspect.unwrap(part.hooks[hook])
    assert isinstance(function, FunctionType)
    missing = " Is a `return` missing?" if found is None else ""
    turned = _turned(found, wanted)
    return (
        f"{part.slot} {part.name!r}, hook {hook!r} ({frames.line_of(function)}): returned "
        f"{_said(found)}; expected {wanted}.{missing}{turned}"
    )


def _shape(found: Any) -> tuple[int, ...]:
    return tuple(getattr(found, "shape", ()))


def _turned(found: Any, wanted: str) -> str:
    """A hint where the last two axes have changed places."""
    shape = _shape(found)
    if len(shape) == 4 and shape[2] != shape[3]:
        swapped = str((*shape[:2], shape[3], shape[2]))
        if wanted.endswith(swapped):
            return " T and S are swapped: rows are queries, columns keys."
    return ""


def _said(found: Any) -> str:
    """What was returned, in few words."""
    if _is_array(found):
        return f"{found.dtype} of shape {tuple(found.shape)}"
    if isinstance(found, tuple | list):
        return f"a {type(found).__name__} of {len(found)}"
    if isinstance(found, bool | int | float | complex):
        return f"the Python {type(found).__name__} {found!r}"
    return "None" if found is None else f"a {type(found).__name__}"
