"""Single values as a person writes them: made plain, checked, and shown in messages.

The input is any object, since an experiment file is ordinary Python. The output is a plain number
or text, or a sentence about what was given. Numbers reach a program in float32: one that would
become infinite there is rejected, and so is one that would become zero. XLA flushes subnormal
numbers to zero on some devices, so the smallest normal number is the bound.
"""

from __future__ import annotations

import os
import re
import reprlib
from collections.abc import Iterable, Mapping

from attn_nlp.errors import UserError
from attn_nlp.wording import NO_CHARACTERS

LARGEST = 3.4028234663852886e38  # of float32
SMALLEST = 1.1754943508222875e-38  # the smallest normal number of float32
MOST_WHOLE = 2**31 - 1  # sizes and steps are int32 in a compiled program
UNPRINTABLE = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff{NO_CHARACTERS}]")

_PLAIN = (int, float, str, bool, type(None))
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60


def plain(value: object) -> object:
    """Return a NumPy scalar, a member of an enumeration or the like as Python's own type.

    Other values are returned unchanged. A number of fewer bits than Python's becomes the number
    that it prints as: float32's 0.1 is 0.1.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind.__module__ == "numpy" and kind.__name__ != "ndarray" and hasattr(value, "item"):
        narrow = kind.__name__ in ("float16", "float32")
        value = float(str(value)) if narrow else value.item()  # type: ignore[attr-defined]
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int.__int__(value)
    return float.__float__(value) if isinstance(value, float) else value


def shown(value: object) -> str:
    """Return a value for a message: short and on one line, whatever its class does.

    Example:
      >>> shown([1, 4]), shown(int), shown(range(3)), len(shown("a" * 100))
      ('[1, 4]', 'the class int', 'range(0, 3)', 60)
    """
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if type(value).__module__.startswith("attn_nlp."):
        return f"{type(value).__name__}(...)"
    try:
        return " ".join(_SHORT.repr(value).split())
    except Exception:  # of a class with a fault of its own, or a number of too many digits
        return f"one {type(value).__name__}"


def is_several(value: object) -> bool:
    """Return whether it is a collection of values, where a single one may have been meant."""
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | os.PathLike)


def spread(value: object) -> str:
    """Return a collection as the arguments of a call: "1, 4", or "*range(0, 10)".

    Example:
      >>> spread([1, 4]), spread(range(10)), spread(iter([1]))
      ('1, 4', '*range(0, 10)', '*...')
    """
    if isinstance(value, list | tuple) and len(value) <= 4:
        return ", ".join(map(shown, value))
    return f"*{shown(value)}" if isinstance(value, range | list | tuple) else "*..."


def number(where: str, value: object, low: float, high: float) -> float:
    """Return a number as it is kept.

    Raises:
      UserError: it is not a number, is outside the bounds, or is one that float32 cannot tell
        from zero or infinity.
    """
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{where} is a number, not {shown(value)}.")
    size = abs(value)
    if low <= value <= high and (size == 0 or SMALLEST <= size <= LARGEST):
        return float(value)
    if not low <= value <= high or size == float("inf"):
        raise UserError(f"{where} is {shown(value)}; allowed: from {low:g} to {high:g}.")
    raise UserError(
        f"{where} is {shown(value)}, and float32, in which cells are trained, takes it for "
        f"{'zero' if size < 1 else 'infinity'}; allowed: 0, or {SMALLEST:.3g} to {LARGEST:.3g} "
        "in size."
    )


def whole(where: str, value: object, low: int, high: int | None = None) -> int:
    """Return an integer as it is kept; without an upper bound it must fit into int32.

    Raises:
      UserError: it is not an integer, or is outside the bounds.
    """
    value = plain(value)
    most = MOST_WHOLE if high is None else high
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= most:
        return value
    too_large = isinstance(value, int) and value > most
    bounds = f"from {low} to {most}" if high is not None or too_large else f">= {low}"
    raise UserError(f"{where} is {shown(value)}; allowed: integers {bounds}.")


def flag(where: str, value: object) -> bool:
    """Return True or False.

    Raises:
      UserError: it is anything else, such as 0 or 1, which may be meant as numbers.
    """
    value = plain(value)
    if isinstance(value, bool):
        return value
    raise UserError(f"{where} is {shown(value)}; allowed: True, False.")


def line(where: str, value: object, *, empty: bool = False) -> str:
    """Return a text of one line that can be printed and stored.

    Raises:
      UserError: it is not a text, is empty, or has a line break or another control character.
    """
    value = plain(value)
    if not isinstance(value, str):
        raise UserError(f"{where} is {shown(value)}; it must be a string.")
    if not (empty or value.strip()):
        raise UserError(f"{where} is empty; give a string.")
    control = UNPRINTABLE.search(value)
    if control:
        raise UserError(
            f"{where} is {shown(value)}, with {control.group()!r} in it; give a string of one "
            "line, without control characters."
        )
    return value


def keyed(where: str, value: object, form: str) -> dict[str, object]:
    """Return a mapping whose keys are texts as a new dictionary.

    Raises:
      UserError: it is not a mapping; `form` shows how one is written.
    """
    if not isinstance(value, Mapping):
        raise UserError(f"{where} is {shown(value)}; give settings by path, such as {form}.")
    return dict(value)
