"""A cell's whole classifier, traced with values that have only a shape and a type.

Every hook of every part runs as it will in the compiled step, on as many positions and heads, so
that `nn/promises.py` checks the values that a user's own part returns, and an exception is reported
with its line. Nothing is computed and nothing is compiled.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.experiment.own_parts import own_choices
from attn_nlp.nn.context import BlockContext, ForwardContext
from attn_nlp.nn.encoder import build_classifier
from attn_nlp.nn.part_module import PartModule
from attn_nlp.nn.promises import Swapped, raised_in
from attn_nlp.rng import Stream
from attn_nlp.train.stepper import stepper_of
from attn_nlp.user_code import frames

SENTENCES, VOCABULARY, CLASSES = 3, 11, 3
ROWS, COLUMNS = 5, 7  # T and S, which differ here to reveal a swap of them


def trace(cell: Cell) -> UserError | None:
    """Return the error of a user's own part in this cell, or None."""
    return caught(lambda: run_cell(cell)) or caught(lambda: _swapped(cell))


def caught(run: Callable[[], object]) -> UserError | None:
    """Run this and return what it raises as a `UserError` with its cause, or None."""
    try:
        run()
    except UserError as error:
        return error
    except (Exception, SystemExit) as error:
        hook = raised_in(error)
        wrong = UserError(frames.told(error) + (f" ({hook})" if hook else ""))
        wrong.__cause__ = error
        return wrong
    return None


def run_cell(cell: Cell) -> None:
    """Run the cell's classifier, and a step of its optimizer if that is the user's own."""
    run_classifier(cell)
    if "optimizer" in own_choices(cell):
        run_optimizer(cell)


def run_optimizer(cell: Cell) -> None:
    """Make one step on the cell's parameters, abstractly."""

    def step():
        model = build_classifier(cell, VOCABULARY, CLASSES, 0)
        params = nnx.to_pure_dict(nnx.split(model, nnx.Param)[1])
        numeric = {path: jnp.float32(value) for path, value in cell.numeric().items()}
        stepper = stepper_of(cell, numeric, lambda step: numeric["learning_rate"])
        return stepper.update(params, params, stepper.init(params), jnp.int32(0))

    jax.eval_shape(step)


def run_classifier(cell: Cell) -> None:
    """Run a forward pass as in evaluation, and one as in training for a part that draws numbers."""
    cell = cell.replace({"layers": min(cell.layers, 2)})  # a first and a later one
    numeric = {path: jax.ShapeDtypeStruct((), jnp.float32) for path in cell.numeric()}
    seed = jax.ShapeDtypeStruct((), jnp.uint32)
    ids = jax.ShapeDtypeStruct((SENTENCES, cell.length), jnp.int32)

    graphs = []
    own = [part for choice in own_choices(cell).values() for part in choice.family()]
    draws = any("draw" in part.arguments(hook) for part in own for hook in part.hooks)

    def start():  # traced, as in a program, which an initializer may not support
        graph, state = nnx.split(build_classifier(cell, VOCABULARY, CLASSES, 0), nnx.Param)
        graphs.append(graph)
        return state

    def forward(state, numeric, seed, ids):
        model, key = nnx.merge(graphs[0], state), jax.random.key(seed)
        keys = (key, None) if draws else (None,)  # an evaluation draws nothing
        return [model(ids, ForwardContext(numeric, seed, frozenset(), key)) for key in keys]

    jax.eval_shape(forward, jax.eval_shape(start), numeric, seed, ids)


def _swapped(cell: Cell) -> None:
    """Run hooks that return T x S matrices again, with fewer queries than keys.

    Only a swap of the two is an error: a part that is not meant for blocks may need T = S.
    """
    sizes = {**cell.sizes, "V": VOCABULARY, "C": CLASSES}
    q_shape = (SENTENCES, sizes["Q"], ROWS, sizes["D"])
    k_shape = (SENTENCES, sizes["Q"], COLUMNS, sizes["D"])
    pairs = (SENTENCES, sizes["M"], ROWS, COLUMNS)
    float32 = jnp.float32
    inputs = {
        "q": jax.ShapeDtypeStruct(q_shape, float32),
        "k": jax.ShapeDtypeStruct(k_shape, float32),
        "logits": jax.ShapeDtypeStruct(pairs, float32),
        "weights": jax.ShapeDtypeStruct(pairs, float32),
        "mask": jax.ShapeDtypeStruct((SENTENCES, 1, ROWS, COLUMNS), bool),
        "seen": jax.ShapeDtypeStruct((SENTENCES, 1, ROWS, 1), float32),
        "tokens": jax.ShapeDtypeStruct((SENTENCES, COLUMNS), bool),
    }
    numeric = cell.numeric()
    for path, choice in own_choices(cell).items():
        if not path.startswith(("attention.", "position")):
            continue
        for hook in set(_SQUARE) & set(choice.part.hooks):
            _try(PartModule(choice, path, sizes, Stream(0)), hook, numeric, inputs)


# Hooks with the inputs that each is handed.
_SQUARE = {
    "score": ("q", "k"),
    "relate": ("q", "k"),
    "adjust": ("logits", "q", "seen"),
    "weights": ("logits", "mask", "seen"),
    "reweight": ("weights",),
}


def _try(part: PartModule, hook: str, numeric, inputs) -> None:
    graph, state = nnx.split(part, nnx.Param)

    def run(state, inputs):
        part = nnx.merge(graph, state)
        rows, columns = jnp.arange(ROWS), jnp.arange(COLUMNS)
        here = BlockContext(rows, columns, inputs["tokens"][:, :ROWS], inputs["tokens"])
        call = ForwardContext(numeric)
        given = {name: inputs[name] for name in _SQUARE[hook]}
        if hook == "weights":
            given["stats"] = None
            if part.has("reduce"):
                given["stats"] = part.reduce(call, here, given["logits"], given["mask"])
        return getattr(part, hook)(call, here, **given)

    try:
        jax.eval_shape(run, state, inputs)
    except Swapped:
        raise
    except Exception:
        return
