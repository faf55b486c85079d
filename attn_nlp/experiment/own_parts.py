"""The user's own parts of a cell; every cell is checked, so nothing here starts JAX."""

from __future__ import annotations

from collections.abc import Iterable

from attn_nlp.experiment import Cell
from attn_nlp.parts import registry
from attn_nlp.parts.selection import Choice
from attn_nlp.user_code.hashing import Code


def own_choices(cell: Cell) -> dict[str, Choice]:
    """Return the cell's choices, by path, that are a user's own part or whose settings name one.

    A model with a `fit` may use no parts; what it returns is checked elsewhere.
    """
    chosen = cell.choices
    hooks = chosen["model"].part.hooks
    if "fit" in hooks:
        return {}
    if "read" in hooks:  # it has no blocks
        chosen = {path: chosen[path] for path in ("model", "optimizer")}
    return {
        path: choice
        for path, choice in chosen.items()
        if any(part.code_hash is not None for part in choice.family())
    }


def own_codes(cell: Cell) -> list[Code]:
    """Return the code of all of the user's own parts that are in the cell's identity."""
    parts = [part for choice in cell.choices.values() for part in choice.family()]
    return [part.own_code for part in parts if part.own_code is not None]


def with_own_parts(cells: Iterable[Cell]) -> list[Cell]:
    """Return the cells that use one of the user's own parts."""
    if all(part.code_hash is None for part in registry.parts()):
        return []  # as for every experiment that defines none
    return [cell for cell in cells if own_choices(cell)]


def without_numbers(choice: Choice) -> list[object]:
    """Return what distinguishes the code that a choice runs: all but its numeric settings."""
    part = choice.part
    given = {
        name: value
        for name, value in sorted(choice.given.items())
        if not isinstance(part.settings[name], registry.Numeric | registry.Named)
    }
    named = {name: without_numbers(other) for name, other in sorted(choice.named().items())}
    return [part.slot, part.name, part.code_hash, given, named]
