"""A cell's whole encoder, traced with values that have a shape and a type and nothing else.

Every hook of every part runs as it will in the compiled step, on as many positions and heads, so
that what a user's own part returns is checked by `nn/promises.py`, and what it raises is
found with its line. Nothing is computed and nothing compiled.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.experiment.own_parts import own_choices
from attn_nlp.nn.bound import BlockContext, ForwardContext, PartModule
from attn_nlp.nn.encoder import Encoder
from attn_nlp.nn.promises import Swapped, raised_in
from attn_nlp.rng import Stream
from attn_nlp.train.stepper import stepper_of
from attn_nlp.user_code import frames

SENTENCES, VOCABULARY, CLASSES = 3, 11, 3
ROWS, COLUMNS = 5, 7  # T and S, which differ here so that a swap of them shows


def trace(cell: Cell) -> UserError | None:
    """What is wrong with a part of the user's own in this cell; None where nothing is."""
    return caught(lambda: run_cell(cell)) or caught(lambda: _swapped(cell))


def caught(run: Callable[[], object]) -> UserError | None:
    """What running this raises, as a user is told, with its cause; None where it raises nothing."""
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
    """Run the cell's encoder, and a step of its optimizer if that is the user's own."""
    run_encoder(cell)
    if "optimizer" in own_choices(cell):
        run_optimizer(cell)


def run_optimizer(cell: Cell) -> None:
    """Make one step on the cell's parameters, abstractly."""

    def step():
        params = nnx.to_pure_dict(nnx.split(Encoder(cell, VOCABULARY, CLASSES, 0), nnx.Param)[1])
        numeric = {path: jnp.float32(value) for path, value in cell.numeric().items()}
        stepper = stepper_of(cell, numeric, lambda step: numeric["learning_rate"])
        return stepper.update(params, params, stepper.init(params), jnp.int32(0))

    jax.eval_shape(step)


def run_encoder(cell: Cell) -> None:
    """A forward pass as in evaluation, and one as in training for a part that draws numbers."""
    cell = cell.replace({"layers": min(cell.layers, 2)})  # a first and a later one
    numeric = {path: jax.ShapeDtypeStruct((), jnp.float32) for path in cell.numeric()}
    seed = jax.ShapeDtypeStruct((), jnp.uint32)
    ids = jax.ShapeDtypeStruct((SENTENCES, cell.length), jnp.int32)

    graphs = []
    own = [part for choice in own_choices(cell).values() for part in choice.family()]
    draws = any("draw" in part.arguments(hook) for part in own for hook in part.hooks)

    def start():  # traced, as a program does it, which an initializer may not like
        graph, state = nnx.split(Encoder(cell, VOCABULARY, CLASSES, 0), nnx.Param)
        graphs.append(graph)
        return state

    def forward(state, numeric, seed, ids):
        model, key = nnx.merge(graphs[0], state), jax.random.key(seed)
        keys = (key, None) if draws else (None,)  # an evaluation draws nothing
        return [model(ids, ForwardContext(numeric, seed, frozenset(), each)) for each in keys]

    jax.eval_shape(forward, jax.eval_shape(start), numeric, seed, ids)


def _swapped(cell: Cell) -> None:
    """Hooks that return T x S matrices, once more with fewer queries than keys.

    Only a swap of the two counts: a part that is not meant for blocks may need T = S.
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


# With the inputs that each is handed.
_SQUARE = {
    "score": ("q", "k"),
    "relate": ("q", "k"),
    "adjust": ("logits", "q", "seen"),
    "weights": ("logits", "mask", "seen"),
    "reweight": ("weights",),
}


def _try(bound: PartModule, hook: str, numeric, inputs) -> None:
    graph, state = nnx.split(bound, nnx.Param)

    def run(state, inputs):
        bound = nnx.merge(graph, state)
        rows, columns = jnp.arange(ROWS), jnp.arange(COLUMNS)
        here = BlockContext(rows, columns, inputs["tokens"][:, :ROWS], inputs["tokens"])
        given = {name: inputs[name] for name in _SQUARE[hook]}
        if bound.has("reduce"):
            found = {"logits": given["logits"], "mask": given["mask"]}
            given["stats"] = bound.run("reduce", ForwardContext(numeric), here, **found)
        elif hook == "weights":
            given["stats"] = None
        return bound.run(hook, ForwardContext(numeric), here, **given)

    try:
        jax.eval_shape(run, state, inputs)
    except Swapped:
        raise
    except Exception:
        return
