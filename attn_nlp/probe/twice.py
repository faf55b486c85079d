"""Checks that a user's own part is the same twice: a hook runs only when a program is traced.

A number that it takes from `random`, from the clock or from a variable that it changes is then a
constant of that program, another one in every process and in no record. So every hook of the user's
is traced twice, and the result must be the same program with the same constants. The second time is
on another day, by a fresh run of the experiment file, and in reverse order: a table that a hook
keeps for all cells, but computes from the settings of the first, differs then.
"""

from __future__ import annotations

import contextlib
import inspect
import re
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import FunctionType
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.experiment.cell import flatten, unflatten
from attn_nlp.experiment.load import load_file
from attn_nlp.experiment.own_parts import own_codes
from attn_nlp.nn.promises import listening
from attn_nlp.parts.registry import Part
from attn_nlp.probe.traced import caught, run_cell
from attn_nlp.train.stepper import one_step
from attn_nlp.user_code import frames

_LATER = 86_401.618  # seconds; no rounding to float32 hides the difference
_ADDRESS = re.compile(r"0x[0-9a-f]+")


Traced = list[tuple[Part, str, str, list[Any]]]  # hooks, each with its program and constants


def changing(firsts: dict[str, tuple[Cell, Traced]]) -> dict[str, UserError | None]:
    """Return by cell the error of the first hook that has changed, or None.

    All caches of JAX are cleared: otherwise a function under `jax.jit` is traced only once. The
    experiment files are run again.

    Args:
      firsts: by any name, a cell and its hooks as `hooks_of` gave them.
    """
    jax.clear_caches()
    loads = [code.load for cell, _ in firsts.values() for code in own_codes(cell)]
    for file in dict.fromkeys(load.file for load in loads if load is not None):
        load_file(file)
    with _later():
        return {
            key: caught(
                lambda cell=cell, first=first: _compare(first, hooks_of(unflatten(flatten(cell))))
            )
            for key, (cell, first) in reversed(firsts.items())
        }


def hooks_of(cell: Cell) -> Traced:
    """Trace the user's own hooks that the cell runs in one block, and return them in order."""
    hooks: Traced = []

    def record(part: Part, hook: str, run: Callable[[], Any]) -> None:
        traced = jax.make_jaxpr(partial(one_step, run) if hook == "transform" else run)()
        hooks.append((part, hook, _ADDRESS.sub("", str(traced.jaxpr)), list(traced.consts)))

    with listening(record):
        run_cell(cell.replace({"layers": 1}))
    return hooks


def _compare(first: Traced, second: Traced) -> None:
    for (part, hook, text, constants), other in zip(first, second, strict=False):
        same = (part.name, hook, text) == (other[0].name, *other[1:3])
        if not same or not all(map(_equal, constants, other[3])):
            raise UserError(_sentence(part, hook))


def _equal(one: Any, other: Any) -> bool:
    """Return whether two constants are the same; those of the pass around a hook are its inputs."""
    if isinstance(one, jax.core.Tracer) or isinstance(other, jax.core.Tracer):
        return isinstance(one, jax.core.Tracer) and isinstance(other, jax.core.Tracer)
    if jnp.issubdtype(one.dtype, jax.dtypes.prng_key):
        one, other = jax.random.key_data(one), jax.random.key_data(other)
    return np.asarray(one).tobytes() == np.asarray(other).tobytes()


def _sentence(part: Part, hook: str) -> str:
    function = inspect.unwrap(part.hooks[hook])
    assert isinstance(function, FunctionType)
    return (
        f"{part.slot} {part.name!r}, hook {hook!r} ({frames.line_of(function)}): it is not "
        "the same twice, from randomness or state outside of it, such as `random`, `numpy.random`, "
        "the clock or a variable that it changes; ask for `draw` or `seed` for numbers that are "
        "drawn, and keep nothing between calls."
    )


@contextlib.contextmanager
def _later() -> Iterator[None]:
    """Make it the next day for this thread, as `time.time` tells it."""
    now, now_ns, ours = time.time, time.time_ns, threading.get_ident()

    def shifted() -> float:
        return now() + (_LATER if threading.get_ident() == ours else 0.0)

    def shifted_ns() -> int:
        return now_ns() + (int(_LATER * 1e9) if threading.get_ident() == ours else 0)

    time.time, time.time_ns = shifted, shifted_ns
    try:
        yield
    finally:
        time.time, time.time_ns = now, now_ns
