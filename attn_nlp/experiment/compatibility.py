"""Checks of parts that are used together in a cell, by the facts that they declare.

    requires={"U": "D"}    two sizes, or expressions in sizes, that must be equal
    divides={"H": "groups"}  the first must be a multiple of the second, which may be a number
    exclusive="unit q, k"  no other part of the cell may declare the same
    alone=True             not to be joined with another part of its slot by " + "

A cell that breaks one of these is rejected where it is written, so that nothing in a forward pass
asks what else was chosen. A part that nothing would run is rejected, too: what acts inside pairwise
attention, such as a score, is not accepted for a kind without it, unless it is the default.
"""

from __future__ import annotations

from collections.abc import Mapping

from attn_nlp.errors import UserError
from attn_nlp.parts.hooks import PAIRWISE, Expression
from attn_nlp.parts.registry import Part, parts
from attn_nlp.parts.selection import Choice
from attn_nlp.parts.sizes import evaluate

NAMES = {
    "U": "value_dim",
    "D": "head_dim",
    "E": "width",
    "H": "heads",
    "Q": "query heads",
    "K": "heads of keys and values",
    "M": "attention maps",
}


def check_products(
    chosen: Mapping[str, Choice],
    sizes: Mapping[str, int],
    defaults: Mapping[str, str],
    tie_qk: bool = False,
) -> None:
    """Reject parts that cannot be used together.

    Args:
      chosen: the parts by path.
      sizes: the sizes that follow from them.
      defaults: the default of each path.
      tie_qk: whether queries and keys share their weights.

    Raises:
      UserError: naming the parts, the reason and what to choose instead.
    """
    for path, choice in chosen.items():
        _check_sizes(path, choice, chosen, sizes)
    _check_neighbors(chosen)
    _check_inert(chosen, defaults)
    if tie_qk and sizes["K"] != sizes["H"]:
        raise UserError(
            "tie_qk makes keys of the queries' weights, so it needs as many heads of keys as of "
            f"queries; they are {sizes['K']} and {sizes['H']}. Leave tie_qk at False, or "
            "choose the mixer 'heads'."
        )


def _check_sizes(
    path: str, choice: Choice, chosen: Mapping[str, Choice], sizes: Mapping[str, int]
) -> None:
    requires = choice.part.facts.get("requires", {})
    divides = choice.part.facts.get("divides", {})
    sizes = {**sizes, **choice.static(sizes)}
    for left, right in requires.items():
        one, other = evaluate(left, sizes), evaluate(right, sizes)
        if one != other:
            raise UserError(
                f"{path} {choice.text!r} needs {_name(left)} equal to {_name(right)}; they are "
                f"{one:g} and {other:g}. {_advice(left, right, choice, chosen, sizes)}"
            )
    for whole, part in divides.items():
        size, divisor = int(evaluate(whole, sizes)), int(evaluate(part, sizes))
        if size % divisor:
            raise UserError(
                f"{path} {choice.text!r} needs {_name(whole)} to be a multiple of {_name(part)}; "
                f"they are {size} and {divisor}. {_fitting(whole, part, choice, size, divisor)}"
            )


def _name(expression: float | str) -> str:
    return NAMES.get(str(expression), str(expression))


def _advice(
    left: str,
    right: Expression,
    choice: Choice,
    chosen: Mapping[str, Choice],
    sizes: Mapping[str, int],
) -> str:
    """Return what to change so that two sizes are equal."""
    if left == "U":
        return f"Leave value_dim out, or give {evaluate(right, sizes):g}."
    # What only one of the two sizes counts is what sets them apart.
    facts = set(_COUNTED.get(left, ())) ^ set(_COUNTED.get(str(right), ()))
    blamed = [
        f"{path} {other.text!r}, say {parts(other.part.slot)[0].name!r}"
        for path, other in chosen.items()
        if other.part.slot in ("score", "mixer") and facts & set(other.part.facts)
    ]
    if not blamed:
        return f"Choose other sizes, or another {choice.part.slot} than {choice.text!r}."
    return f"Choose another part than {', and than '.join(blamed)}."


_COUNTED = {"M": ("maps", "features"), "Q": ("maps",), "K": ("key_heads",)}


def _fitting(whole: str, part: float | str, choice: Choice, size: int, divisor: int) -> str:
    """Return the nearest numbers that divide, for the part's setting or for what it must divide."""
    if part in choice.part.settings:
        fits = [n for n in range(1, size + 1) if size % n == 0]
        return f"Choose {part}={min(fits, key=lambda n: abs(n - divisor))}."
    below = size - size % divisor
    fits = [n for n in (below, below + divisor) if n]
    return f"Choose {_name(whole)}={' or '.join(map(str, fits))}."


def _check_neighbors(chosen: Mapping[str, Choice]) -> None:
    seen: dict[object, str] = {}
    for path, choice in chosen.items():
        slot = choice.part.slot
        in_slot = [other for other in chosen.values() if other.part.slot == slot]
        if choice.part.facts.get("alone") and len(in_slot) > 1:
            raise UserError(
                f"{slot} {choice.text!r} must be alone: it cannot be joined with another {slot} by "
                f"' + '. Write {choice.text!r}."
            )
        exclusive = choice.part.facts.get("exclusive")
        if exclusive is None:
            continue
        if exclusive in seen:
            other = chosen[seen[exclusive]]
            free = [
                part.name
                for part in parts(slot)
                if not part.facts.get("exclusive") and not part.facts.get("control")
            ]
            raise UserError(
                f"{seen[exclusive]} {other.text!r} and {path} {choice.text!r} both "
                f"{exclusive}; choose one of them, say {slot} {free[0]!r}."
            )
        seen[exclusive] = path


def _check_inert(chosen: Mapping[str, Choice], defaults: Mapping[str, str]) -> None:
    """Reject parts that the chosen kind would not run."""
    kind = chosen["attention.kind"]
    for field, default in defaults.items():
        in_field = [choice for path, choice in chosen.items() if f"{path}.".startswith(f"{field}.")]
        text = " + ".join(choice.text for choice in in_field)
        if text == default or all(_acts(choice.part, kind.part) for choice in in_field):
            continue
        slot = in_field[0].part.slot
        acting = [part.name for part in parts(slot) if _acts(part, kind.part)]
        advice = f"choose one of {', '.join(acting)}" if acting else f"leave it at {default!r}"
        raise UserError(
            f"{field} {text!r} acts inside {defaults['attention.kind']} attention, which "
            f"attention.kind {kind.text!r} does not have; {advice}."
        )


def _acts(part: Part, kind: Part) -> bool:
    """Return whether a block of that kind, or the encoder around it, runs the part."""
    if not kind.hooks or "embed" in part.hooks:
        return True
    if part.slot == "init":  # first weights of the queries and keys that `attend` is given
        return "attend" in kind.hooks
    return part.slot not in PAIRWISE or (part.slot == "position" and not part.hooks)
