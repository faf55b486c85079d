"""The cost of a part in the default cell, for comparing parts."""

from __future__ import annotations

from dataclasses import dataclass

from attn_nlp.experiment import Cell, costs
from attn_nlp.parts.registry import Named, Part
from attn_nlp.parts.selection import choose

LENGTHS = (16, 64, 256, 1024)
VOCABULARY, CLASSES = 8000, 2


@dataclass(frozen=True)
class Price:
    """Counts for the default cell with one part in it, by `LENGTHS` if they depend on one.

    Attributes:
      parameters: learned numbers of the part itself, in one block.
      in_all: parameters of the cell, for `VOCABULARY` ids and `CLASSES` classes.
      own: operations of the part itself, or None if it states none.
      flops: operations of the cell.
      state: numbers kept to answer one more query, or None if unknown.
      acts: whether a forward pass runs the part at all.
    """

    parameters: int
    in_all: int
    own: tuple[float, ...] | None
    flops: tuple[float, ...]
    state: tuple[float, ...] | None
    acts: bool


def price(part: Part) -> Price | None:
    """Return the costs of a part, or None for a model that is fitted by its own code."""
    if "fit" in part.hooks:
        return None
    cell, alone = costs.showing(part), choose(part.slot, part.name)
    letters = {**cell.sizes, "C": CLASSES}
    running = {active.place for choice in costs.acting(cell) for active in choice.family()}
    states = [costs.state(cell, tokens) for tokens in LENGTHS]
    own = tuple(costs.part_flops(alone, letters, tokens) for tokens in LENGTHS)
    return Price(
        parameters=costs.arrays(alone, letters),
        in_all=costs.parameters(cell, VOCABULARY, CLASSES),
        own=own if "flops" in part.facts else None,
        flops=tuple(costs.flops(cell, tokens, CLASSES) for tokens in LENGTHS),
        state=None if None in states else tuple(count or 0.0 for count in states),
        acts=part.place in running,
    )


def formula(part: Part) -> str:
    """Return the operations of a part as a formula in sizes, or "" if it states none."""
    if "flops" not in part.facts:
        return ""
    return f"{part.facts['flops']}"


def naming(part: Part) -> str:
    """Return in words what is added to a part's formula."""
    named = [name for name, setting in part.settings.items() if isinstance(setting, Named)]
    return f" and those of its {' and '.join(named)}" if named else ""


def setup() -> str:
    """Describe the cell that prices are for."""
    cell = Cell()
    n = cell.sizes
    return (
        f"the default cell ({n['N']} block of width {n['E']}, {n['H']} heads of {n['D']}, "
        f"feed-forward {n['F']}; {VOCABULARY:,} words, {CLASSES} classes)"
    )
