"""One step of training after the gradient: clip it, hand it to the optimizer, move the parameters.

In comes a cell, out goes what its program calls in every step. Clipping by the global norm and the
schedule of the learning rate belong to no optimizer and apply to all. `adamw` has a fast path of
its own, see `adamw.py`; every other optimizer is a transformation of Optax.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.nn.promises import run_checked
from attn_nlp.parts.registry import Numeric, Part
from attn_nlp.parts.selection import Choice
from attn_nlp.train import adamw, optimizers
from attn_nlp.train.leaf_order import ordered, rebuilt


class Stepper(NamedTuple):
    """The two functions of an optimizer, as the program calls them.

    Attributes:
      init: from the parameters to the optimizer's state, a tree of arrays.
      update: (params, grads, state, step counted from 0) -> (params, state).
    """

    init: Callable[[Any], Any]
    update: Callable[[Any, Any, Any, Any], tuple[Any, Any]]


def stepper_of(cell: Cell, numeric: Mapping[str, Any], rate: Callable[[Any], Any]) -> Stepper:
    """Return the stepper of a cell.

    Args:
      cell: any cell of the program; the numbers of its optimizer are constants of the program.
      numeric: numeric settings by path, of which `weight_decay` and `clip` are read.
      rate: from a step, counted from 0, to its learning rate.

    Raises:
      UserError: an optimizer of the user's own returns something other than it must.
    """
    choice = cell.choices["optimizer"]
    settings = _settings(choice, cell)
    clip, decay = numeric["clip"], numeric["weight_decay"]
    if choice.part.hooks["transform"] is optimizers.adamw:

        def fused(params, grads, state, step):
            return adamw.update(params, grads, state, rate(step), decay, clip, **settings)

        return Stepper(adamw.init, fused)
    transform = transformation(choice.part, settings, rate, decay)
    clipping = optax.clip_by_global_norm(clip)

    def init(params):
        # A Python number, which a state may hold, has no type that a loop can keep.
        return jax.tree.map(
            lambda leaf: jnp.asarray(leaf, jnp.result_type(leaf)), transform.init(params)
        )

    def update(params, grads, state, step):
        leaves, _ = clipping.update(ordered(grads), optax.EmptyState())
        updates, after = transform.update(rebuilt(leaves, grads), state, params)
        if choice.part.own_code is not None:
            _check_step(choice.part, params, updates, state, after)
        return optax.apply_updates(params, updates), after

    return Stepper(init, update)


def transformation(
    part: Part, settings: Mapping[str, float], rate: Callable[[Any], Any], decay: Any
) -> optax.GradientTransformation:
    """Return the optimizer itself, without clipping.

    Args:
      part: of the slot `optimizer`.
      settings: all of its settings by name.
      rate: from a step, counted from 0, to its learning rate.
      decay: the weight decay, a scalar.
    """
    inputs = {"learning_rate": rate, "weight_decay": decay, "matrices": optimizers.matrices}
    available = {**inputs, **settings}
    given = {name: available[name] for name in part.arguments("transform")}
    if part.own_code is None:
        return part.hooks["transform"](**given)
    return run_checked(part, "transform", given, inputs, None, {})


def one_step(make: Callable[[], optax.GradientTransformation]) -> Any:
    """Return the update and the state after one step on a small tree of parameters."""
    params = {"body": {"blocks": {"kernel": jnp.ones((2, 3))}}, "head": {"bias": jnp.ones(3)}}
    made = make()
    return made.update(params, made.init(params), params)


def _settings(choice: Choice, cell: Cell) -> dict[str, float]:
    sizes, part = cell.sizes, choice.part
    numbers = choice.numeric(sizes, "")
    own = {name: numbers[f".{name}"] for name, s in part.settings.items() if isinstance(s, Numeric)}
    return {**own, **choice.static(sizes)}


def _check_step(part: Part, params: Any, updates: Any, before: Any, after: Any) -> None:
    for what, returned, wanted in (
        ("updates", updates, params),
        ("a state", after, before),
    ):
        if _shapes(returned) != _shapes(wanted):
            like = "the parameters" if what == "updates" else "the state that it was given"
            raise UserError(
                f"{part.slot} {part.name!r}: its `update` returns {what} of other names, shapes or "
                f"types than {like}; return one array for each, of the same shape and type."
            )


def _shapes(tree: Any) -> tuple:
    leaves, structure = jax.tree.flatten(tree)
    return structure, [(jnp.shape(leaf), jnp.result_type(leaf)) for leaf in leaves]
