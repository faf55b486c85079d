"""Checks of the values that the hooks of a user's own part return, made only while JAX traces.

In come the inputs of a hook and the value that it returned; out goes the same value, or a
`UserError` that names the part, the hook, what was returned and what is expected. Nothing of this
is in a compiled step, and parts of this package are not checked: tests hold them to the same rules.

A wrong type is as bad as a wrong shape: logits of int32 or bool have no gradient, complex ones lose
half of it, and a number in place of a matrix is silently broadcast.
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

Expected = tuple[str, tuple[int, ...]]  # letters, such as "B, H, T, S", and their sizes


def run_checked(
    part: Part,
    hook: str,
    given: Mapping[str, Any],
    inputs: Mapping[str, Any],
    here: Any,
    sizes: Mapping[str, int],
) -> Any:
    """Run a hook of a user's own part, and return its value if that is as it must be.

    Args:
      part: the part.
      hook: the hook to run.
      given: the arguments that the hook function asks for.
      inputs: all inputs of the hook, asked for or not.
      here: the position of the block in the T x S matrix, or None.
      sizes: sizes by letter, with the part's integer settings.

    Raises:
      UserError: it returns something else.
    """
    for listener in _listeners:
        listener(part, hook, partial(part.hooks[hook], **given))
    try:
        returned = part.hooks[hook](**given)
    except Exception as error:
        if not any(note.startswith(_NOTE) for note in _notes(error)):
            error.add_note(f"{_NOTE}{hook!r} of {part.slot} {part.name!r}")
        raise
    wrong = _CHECKS[hook](returned, _HookCall(part, inputs, here, sizes))
    if wrong:
        raise (Swapped if _swapped(returned, wrong) else UserError)(
            _sentence(part, hook, returned, wrong)
        )
    return returned


_Listener = Callable[[Part, str, Callable[[], Any]], None]
_listeners: list[_Listener] = []


@contextmanager
def listening(listener: _Listener) -> Iterator[None]:
    """Call the listener with part, hook and what runs it, before each hook of the user's own."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


class Swapped(UserError):
    """A part returns a matrix with queries and keys swapped."""


_NOTE = "raised in hook "


def raised_in(error: BaseException) -> str:
    """Return "hook 'score' of score 'mine'" for an exception of a user's own part, or ""."""
    notes = [note for note in _notes(error) if note.startswith(_NOTE)]
    return notes[0].removeprefix("raised in ") if notes else ""


def _notes(error: BaseException) -> list[str]:
    notes = getattr(error, "__notes__", None)
    return [note for note in notes if isinstance(note, str)] if isinstance(notes, list) else []


class _HookCall:
    """A hook that has run: its inputs, and every size by letter."""

    def __init__(self, part: Part, inputs: Mapping[str, Any], here: Any, sizes: Mapping[str, int]):
        self.part, self.inputs, self.sizes = part, inputs, dict(sizes)
        if here is not None:
            self.sizes |= {"T": len(here.rows), "S": len(here.columns), "B": len(here.keys)}

    def of(self, letters: str, like: Any = None) -> Expected:
        """Return letters with their sizes, or with those of an array."""
        if like is not None:
            return letters, tuple(like.shape)
        return letters, tuple(self.sizes[letter] for letter in letters.split(", "))

    @property
    def weights(self) -> Expected:
        """The letters of logits and weights; M is written H if every head has one map."""
        maps = "H" if self.sizes["M"] == self.sizes["H"] else "M"
        return self.of(f"B, {maps}, T, S")


def _exactly(letters: str, name: str) -> Callable[[Any, _HookCall], str]:
    """Return a check for a float32 array like the input of that name."""

    def wrong(returned: Any, hook_call: _HookCall) -> str:
        if name not in hook_call.inputs:  # a part that another one names may be handed less
            return ""
        return _array(returned, hook_call.of(letters, hook_call.inputs[name]))

    return wrong


def _sized(letters: str) -> Callable[[Any, _HookCall], str]:
    """Return a check for a float32 array of these letters."""

    def wrong(returned: Any, hook_call: _HookCall) -> str:
        return _array(returned, hook_call.of(letters))

    return wrong


def _score(returned: Any, hook_call: _HookCall) -> str:
    return _array(returned, hook_call.weights, "logits ")


def _weights(returned: Any, hook_call: _HookCall) -> str:
    return _array(
        returned, hook_call.of(hook_call.weights[0], hook_call.inputs["logits"]), "weights "
    )


def _adjust(returned: Any, hook_call: _HookCall) -> str:
    return _array(
        returned, hook_call.of(hook_call.weights[0], hook_call.inputs["logits"]), "logits "
    )


def _spreads(results: bool = False) -> Callable[[Any, _HookCall], str]:
    """Return a check for numbers that broadcast to the logits, or to the results of all heads."""

    def wrong(returned: Any, hook_call: _HookCall) -> str:
        if "B" not in hook_call.sizes:  # the position of the block is not known
            return ""
        letters, size = hook_call.of("B, H, T, U") if results else hook_call.weights
        if (
            isinstance(returned, int | float)
            and not isinstance(returned, bool)
            and isfinite(returned)
        ):
            return ""
        fits = _is_array(returned) and _spread(_shape(returned), size)
        if fits and (_is_float(returned) or _kind(returned) == "int32"):
            return ""
        return f"{_float()} that broadcasts to ({letters}) = {size}"

    return wrong


def _allowed(returned: Any, hook_call: _HookCall) -> str:
    size = (hook_call.sizes["B"], 1, hook_call.sizes["T"], hook_call.sizes["S"])
    fits = isinstance(returned, bool) or (
        _is_array(returned) and _kind(returned) == "bool" and _spread(returned.shape, size)
    )
    return "" if fits else f"bool that broadcasts to (B, 1, T, S) = {size}"


def _prepare(returned: Any, hook_call: _HookCall) -> str:
    q, k = hook_call.inputs["q"], hook_call.inputs["k"]
    if isinstance(returned, tuple | list) and len(returned) == 2:
        widths = [array.shape[-1:] for array in returned if _is_array(array)]
        alike = [
            not _array(array, ("", (*given.shape[:-1], *widths[0])))
            for array, given in zip(returned, (q, k), strict=True)
            if len(widths) == 2
        ]
        if alike and all(alike):
            return ""
    sizes = f"(B, Q, T, D) = {tuple(q.shape)} and (B, Q, S, D) = {tuple(k.shape)}"
    return f"a pair, q and k, {_float()} {sizes}"


def _reweight(returned: Any, hook_call: _HookCall) -> str:
    given, (letters, _) = tuple(hook_call.inputs["weights"].shape), hook_call.weights
    # A part that declares `maps` takes several attention maps per head and may return one.
    fewer = (given[0], given[1] * hook_call.sizes["H"] // hook_call.sizes["Q"], *given[2:])
    if not _array(returned, (letters, fewer)):
        return ""
    return _array(returned, (letters, given), "weights ")


def _statistics(returned: Any, hook_call: _HookCall) -> str:
    leaves = jax.tree.leaves(returned, is_leaf=lambda leaf: leaf is None)
    if leaves and all(_is_array(leaf) for leaf in leaves):
        return ""
    return "arrays, such as a tuple of (B, H, T, 1)"


def _merged(returned: Any, hook_call: _HookCall) -> str:
    given = hook_call.inputs["a"]
    same = jax.tree.structure(returned) == jax.tree.structure(given)
    pairs = zip(jax.tree.leaves(returned), jax.tree.leaves(given), strict=False)
    if same and all(_is_array(one) and one.shape == other.shape for one, other in pairs):
        return ""
    return "the same arrays as `reduce` returns"


def _rescaled(returned: Any, hook_call: _HookCall) -> str:
    fits = _is_array(returned) and _is_float(returned) and len(returned.shape) == 4
    return "" if fits else f"{_float()} (B, H, T, 1)"


def _read(returned: Any, hook_call: _HookCall) -> str:
    from attn_nlp.parts.sizes import evaluate

    batch, width = len(hook_call.inputs["x"]), hook_call.part.facts.get("features", "E")
    assert isinstance(width, int | float | str)
    return _array(returned, ("B, features", (batch, int(evaluate(width, hook_call.sizes)))))


def _pool(returned: Any, hook_call: _HookCall) -> str:
    batch, _, width = hook_call.inputs["x"].shape
    return _array(returned, ("B, E", (batch, width)))


def _std(returned: Any, hook_call: _HookCall) -> str:
    wanted = "a Python number, 0 or more"
    if isinstance(returned, jax.core.Tracer):
        return f"{wanted}; compute it by ** or `math`, not by jax.numpy"
    try:
        number = float(returned)
    except Exception:
        return wanted
    plain = not isinstance(returned, bool | str)
    return "" if plain and isfinite(number) and number >= 0 else wanted


def _transform(returned: Any, hook_call: _HookCall) -> str:
    if callable(getattr(returned, "init", None)) and callable(getattr(returned, "update", None)):
        return ""
    return "an optax.GradientTransformation, such as optax.sgd(learning_rate)"


_CHECKS: dict[str, Callable[[Any, _HookCall], str]] = {
    "embed": _exactly("B, T, E", "x"),
    "prepare": _prepare,
    "score": _score,
    "relate": _spreads(),
    "factor": _spreads(),
    "adjust": _adjust,
    "allowed": _allowed,
    "reduce": _statistics,
    "merge": _merged,
    "rescale": _rescaled,
    "weights": _weights,
    "reweight": _reweight,
    "aggregate": _spreads(results=True),
    "finish": _exactly("B, H, T, U", "out"),
    "attend": _sized("B, H, T, U"),
    "block": _exactly("B, T, E", "x"),
    "pool": _pool,
    "read": _read,
    "activate": _exactly("B, T", "logits"),
    "features": _exactly("B, T, E", "x"),
    "weigh": _spreads(results=True),
    "std": _std,
    "transform": _transform,
}


def _array(returned: Any, wanted: Expected, what: str = "") -> str:
    """Return what is expected, if that is not what was returned, or ""."""
    letters, size = wanted
    if _is_array(returned) and _is_float(returned) and tuple(returned.shape) == size:
        return ""
    return f"{what}{_float()} ({letters}) = {size}"


def _is_array(returned: Any) -> bool:
    return hasattr(returned, "shape") and hasattr(returned, "dtype")


def _kind(returned: Any) -> str:
    """Return the type of the numbers as JAX takes them: float64 of NumPy is float32 there."""
    return str(jax.dtypes.canonicalize_dtype(returned.dtype))


def _is_float(returned: Any) -> bool:
    """Return whether the numbers are float32, or float64 if the process has enabled it."""
    return _kind(returned) in ("float32", str(jnp.result_type(float)))


def _float() -> str:
    return str(jnp.result_type(float))


def _spread(shape: tuple[int, ...], size: tuple[int, ...]) -> bool:
    """Return whether the shape broadcasts to exactly that size."""
    padded = (1,) * (len(size) - len(shape)) + tuple(shape)
    fits = zip(padded, size, strict=False)
    return len(padded) == len(size) and all(one in (1, other) for one, other in fits)


def _sentence(part: Part, hook: str, returned: Any, wanted: str) -> str:
    function = inspect.unwrap(part.hooks[hook])
    assert isinstance(function, FunctionType)
    missing = " Is a `return` missing?" if returned is None else ""
    swapped = _swapped(returned, wanted)
    return (
        f"{part.slot} {part.name!r}, hook {hook!r} ({frames.line_of(function)}): returned "
        f"{_said(returned)}; expected {wanted}.{missing}{swapped}"
    )


def _shape(returned: Any) -> tuple[int, ...]:
    return tuple(getattr(returned, "shape", ()))


def _swapped(returned: Any, wanted: str) -> str:
    """Return a hint if the last two axes are swapped, or ""."""
    shape = _shape(returned)
    if len(shape) == 4 and shape[2] != shape[3]:
        expected = str((*shape[:2], shape[3], shape[2]))
        if wanted.endswith(expected):
            return " T and S are swapped: rows are queries, columns keys."
    return ""


def _said(returned: Any) -> str:
    """Describe briefly what was returned."""
    if _is_array(returned):
        return f"{returned.dtype} of shape {tuple(returned.shape)}"
    if isinstance(returned, tuple | list):
        return f"a {type(returned).__name__} of {len(returned)}"
    if isinstance(returned, bool | int | float | complex):
        return f"the Python {type(returned).__name__} {returned!r}"
    return "None" if returned is None else f"a {type(returned).__name__}"
