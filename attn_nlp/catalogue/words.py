"""The content of a registry line in words: settings, learned arrays, facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isinf
from typing import Any

from attn_nlp.experiment.compatibility import NAMES
from attn_nlp.parts.registry import Learned, Named, Numeric, Part, Setting, Static

_COUNTED = ("flops", "state")  # shown as costs


def setting(value: Setting) -> str:
    """Describe a setting: its default, and the values that are allowed.

    Example:
      >>> setting(Numeric("D**-0.5", low=0.0))
      'D**-0.5; a number from 0'
    """
    match value:
        case Named(slot=slot):
            return f"{default(value)}; any {slot} of the catalogue"
        case Static(low=low, high=high):
            upper = "" if high is None else f" to {high}"
            return f"{default(value)}; an integer from {low}{upper}"
        case Numeric(low=low, high=high):
            lower = "" if isinf(low) else f" from {low:g}"
            upper = "" if isinf(high) else f" to {high:g}"
            allowed = f"a number{lower}{upper}" if lower or upper else "any number"
            return f"{default(value)}; {allowed}"
    raise AssertionError(f"a setting of no known kind: {value!r}")


def default(value: Setting) -> str:
    """Write the default of a setting."""
    return value.default if isinstance(value.default, str) else f"{value.default:g}"


def shape(array: Learned) -> str:
    """Write the shape of a learned array in sizes.

    Example:
      >>> shape(Learned("H D D")), shape(Learned(""))
      ('(H, D, D)', '(), one number')
    """
    letters = array.shape.split()
    return f"({', '.join(letters)})" if letters else "(), one number"


def start(array: Learned) -> str:
    """Describe the initial values of a learned array.

    Example:
      >>> start(Learned("D", std="D**-0.5"))
      'starts at N(0, s²), s = D**-0.5'
    """
    if array.std == 0:
        return f"starts at {_number(array.fill)}"
    return f"starts at N({_number(array.fill)}, s²), s = {_number(array.std)}"


def facts(part: Part) -> list[str]:
    """Describe the facts of a part: properties that it has or lacks, and what it combines with.

    A fact without words here is shown by its name and value.
    """
    found = []
    for name, value in part.facts.items():
        if name in _COUNTED or value is None:
            continue
        said = _WORDS[name](value) if name in _WORDS else f"{name}: {value}"
        found += [said] if said else []
    return found


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _either(yes: str, no: str = "") -> Callable[[Any], str]:
    return lambda value: yes if value else no


def _pairs(value: Mapping[str, str], words: str) -> str:
    return "; ".join(
        f"{NAMES.get(left, left)} {words} {NAMES.get(right, right)}"
        for left, right in value.items()
    )


_WORDS: dict[str, Callable[[Any], str]] = {
    "sums_to_one": _either("its weights sum to one", "its weights need not sum to one"),
    "shift_invariant": _either(
        "a number added to all logits of a row changes nothing",
        "a number added to all logits of a row changes its weights",
    ),
    "kinked": _either("its gradient jumps where values tie"),
    "surrogate": _either("its gradient replaces one that is zero or absent"),
    "signed": _either("its weights may be negative"),
    "whole_rows": _either("it must see all keys of a query at once"),
    "position_bound": _either("it depends on the position of a token"),
    "equivariant": _either("it does not see the order of tokens"),
    "symmetric": _either(
        "t sees s wherever s sees t",
        "t may see s without being seen by it",
    ),
    "ignores_query": _either("it ignores the query"),
    "ignores_keys": _either("it ignores the keys"),
    "control": _either("a control: effects that remain with it have another cause"),
    "baseline": _either("a baseline: run once with every experiment"),
    "special_case_of": "a special case of {}".format,
    "fixed": _either("takes no settings"),
    "maps": "{} attention maps per head".format,
    "features": "features: {}".format,
    "key_heads": "heads of keys and values: {}".format,
    "requires": lambda value: f"needs {_pairs(value, 'equal to')}",
    "divides": lambda value: f"needs {_pairs(value, 'a multiple of')}",
    "exclusive": "incompatible with other parts that {}".format,
    "alone": _either("cannot be combined with another part of its slot"),
}
