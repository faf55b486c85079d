"""Checks of the user's own parts before anything is trained.

In come cells; out come warnings, or a `UserError` that names the part and what it does wrong. Every
cell that uses such a part is traced as a whole with abstract values (`traced.py`), which costs no
arithmetic and detects wrong shapes, wrong types and missing returns; and every such part runs once
on a few made-up sentences (`laws.py`), which detects one that reads padding. One that is random or
keeps something between calls is not the same when it is traced again (`twice.py`). Cells of
built-in parts alone are left to the tests, and none of this is imported for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import jax
from jax._src import xla_bridge  # JAX has no public way to ask whether it has started

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.experiment.data_key import DATA
from attn_nlp.experiment.own_parts import own_choices, own_codes, without_numbers
from attn_nlp.probe.laws import broken_laws
from attn_nlp.probe.traced import trace
from attn_nlp.probe.twice import changing, hooks_of
from attn_nlp.user_code.watching import watching

__all__ = ["probe"]

_traced: dict[str, UserError | None] = {}  # errors by program
_changing: dict[str, UserError | None] = {}  # changes between two traces, by part and settings
# Errors and warnings, by part and settings.
_tried: dict[str, tuple[UserError | None, tuple[str, ...]]] = {}


def probe(cells: Iterable[Cell], alone: bool = True) -> tuple[str, ...]:
    """Try the user's own parts that these cells use; what was tried before costs nothing.

    Args:
      cells: any cells.
      alone: whether this process trains nothing afterward; then JAX runs on the CPU.

    Returns:
      Warnings: laws that a part breaks and declares that it breaks.

    Raises:
      UserError: a part does not return what it must, raises an exception, or breaks a law.
    """
    if alone and not xla_bridge.backends_are_initialized():
        jax.config.update("jax_platforms", "cpu")
    named = {_program(cell): cell for cell in cells}
    with watching([code for cell in named.values() for code in own_codes(cell)]):
        return _probe(named)


def _probe(named: Mapping[str, Cell]) -> tuple[str, ...]:
    for name, cell in named.items():
        if name not in _traced:
            _traced[name] = trace(cell)
        _reject(_traced[name])
    own = [
        (cell, path, json.dumps(without_numbers(choice), default=str))
        for cell in named.values()
        for path, choice in own_choices(cell).items()
    ]
    firsts = {}
    for cell, path, key in own:
        if key not in _tried:
            firsts[key] = cell, hooks_of(cell)
            _tried[key] = broken_laws(cell, path)
    if firsts:
        _changing.update(changing(firsts))
    for _, _, key in own:  # first, since a part that changes may break laws by chance
        _reject(_changing[key])
    warnings: dict[str, None] = {}
    for _, _, key in own:
        wrong, notes = _tried[key]
        _reject(wrong)
        warnings |= dict.fromkeys(notes)
    return tuple(warnings)


def _reject(wrong: UserError | None) -> None:
    if wrong is not None:
        raise UserError(str(wrong)) from wrong.__cause__


# Settings of a program that its parts do not see.
_UNSEEN = (
    "steps",
    "batch_size",
    "warmup",
    "layers",
    *(path for path in DATA if path != "length"),
)


def _program(cell: Cell) -> str:
    """Return, as text, the settings of a cell that decide the inputs of its parts."""
    seen = {path: value for path, value in cell.program().items() if path not in _UNSEEN}
    return json.dumps({**seen, "later layers": cell.layers > 1}, sort_keys=True, default=str)
