"""Check plain values, with small checks that are combined to describe a whole document.

A check takes a value and its address, and raises `Misfit` if the value does not fit. The message
says which value it is, what was given, and what is allowed. Values are those of JSON: None, bool,
int, float, str, list and dict. A bool does not count as a number.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

Check = Callable[[Any, str], None]

LARGEST_FLOAT = 3.4e38  # of float32: in float64, sums of its squares are still finite
LARGEST_WHOLE = 2**63 - 1  # that SQLite can store
_NONE = type(None)
_SHOWN = 60


class Misfit(ValueError):
    """A value that is not what it must be.

    Attributes:
      at: the address of the value.
      given: the value, shortened.
      allowed: what values are allowed.
    """

    def __init__(self, at: str, value: object, allowed: str) -> None:
        self.at, self.given, self.allowed = at, shown(value), allowed
        super().__init__(f"{at} is {self.given}; allowed is {allowed}")


def shown(value: object) -> str:
    """Return a value of any size and depth in a few characters.

    Example:
      >>> shown({"accuracy": [0.5] * 1000})
      "{'accuracy': [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, ...]}"
    """
    try:
        text = reprlib.repr(value)
    except Exception:  # the repr of a user's class may raise anything
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def number(low: float = -LARGEST_FLOAT, high: float = LARGEST_FLOAT, slack: float = 0.0) -> Check:
    """Return a check for a finite number from low to high, up to a rounding error of `slack`."""
    allowed = "a number" + _between(low, high)

    def check(value: Any, at: str) -> None:
        fits = type(value) in (float, int) and low - slack <= value <= high + slack
        if not fits:  # always true for NaN
            raise Misfit(at, value, allowed)

    return check


def whole(low: int = -LARGEST_WHOLE - 1, high: int = LARGEST_WHOLE) -> Check:
    """Return a check for an integer from low to high."""
    allowed = "an integer" + _between(low, high)

    def check(value: Any, at: str) -> None:
        if type(value) is not int or not low <= value <= high:
            raise Misfit(at, value, allowed)

    return check


def _between(low: float, high: float) -> str:
    least, most = low > -LARGEST_FLOAT and low > -LARGEST_WHOLE, high < LARGEST_WHOLE
    if least:
        return f" from {low:g} to {high:g}" if most else f" from {low:g}"
    return ""


def text(value: Any, at: str) -> None:
    """Check that a value is text with a UTF-8 form and without NUL."""
    if not isinstance(value, str):
        raise Misfit(at, value, "text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Misfit(at, value, "text without lone surrogates") from None
    if "\0" in value:
        raise Misfit(at, value, "text without NUL")


def scalar(value: Any, at: str) -> None:
    """Check that a value is text, a number, a bool or None."""
    if isinstance(value, str):
        text(value, at)
    elif type(value) not in (bool, _NONE):
        number()(value, at)


def truth(value: Any, at: str) -> None:
    """Check that a value is a bool."""
    if type(value) is not bool:
        raise Misfit(at, value, "true or false")


def one_of(*known: str) -> Check:
    """Return a check for one of some texts."""
    allowed = " or ".join(filter(None, [", ".join(known[:-1]), known[-1]]))

    def check(value: Any, at: str) -> None:
        if not isinstance(value, str) or value not in known:
            raise Misfit(at, value, allowed)

    return check


def optional(inner: Check) -> Check:
    """Return a check for what the inner check allows, or None."""

    def check(value: Any, at: str) -> None:
        if value is not None:
            try:
                inner(value, at)
            except Misfit as error:
                if error.at != at:
                    raise
                raise Misfit(at, value, f"{error.allowed}, or None") from None

    return check


def listed(inner: Check, length: int | None = None) -> Check:
    """Return a check for a list of what the inner check allows, of that length if given."""

    def check(value: Any, at: str) -> None:
        if not isinstance(value, list):
            raise Misfit(at, value, "a list")
        if length is not None and len(value) != length:
            raise Misfit(f"the length of {at}", len(value), f"{length}")
        for index, item in enumerate(value):
            inner(item, f"{at}[{index}]")

    return check


def wholes(low: int, high: int = LARGEST_WHOLE, length: int | None = None) -> Check:
    """Return a check like `listed(whole(low, high))` that is fast for long lists."""
    slowly = listed(whole(low, high), length)

    def check(value: Any, at: str) -> None:
        quick = (
            type(value) is list
            and set(map(type, value)) == {int}
            and low <= min(value)
            and max(value) <= high
            and length in (None, len(value))
        )
        if not quick:
            slowly(value, at)

    return check


def numbers(low: float, high: float, length: int | None = None) -> Check:
    """Return a check like `listed(optional(number(low, high)))` that is fast for long lists."""
    slowly = listed(optional(number(low, high)), length)

    def check(value: Any, at: str) -> None:
        quick = (
            type(value) is list
            and set(map(type, value)) <= {float, int}
            and length in (None, len(value))
            and all(map(math.isfinite, value))
            and (not value or (low <= min(value) and max(value) <= high))
        )
        if not quick:
            slowly(value, at)

    return check


def keyed(inner: Check) -> Check:
    """Return a check for a mapping of names to what the inner check allows."""

    def check(value: Any, at: str) -> None:
        if not isinstance(value, Mapping):
            raise Misfit(at, value, "a mapping")
        for name, item in value.items():
            text(name, f"a name in {at}")
            inner(item, f"{at}.{name}")

    return check


def fields(
    known: Mapping[str, Check], needed: Collection[str] = (), others: Check | None = None
) -> Check:
    """Return a check for a mapping with certain names.

    Args:
      known: name -> the check of its value.
      needed: names that must not be missing.
      others: the check of the values of all other names, or None if no others are allowed.
    """

    def check(value: Any, at: str) -> None:
        if not isinstance(value, Mapping):
            raise Misfit(at, value, "a mapping")
        for name in needed:
            if name not in value:
                raise Misfit(at, value, f"a mapping with {name!r}")
        for name, item in value.items():
            inner = known.get(name, others)
            if inner is None:
                raise Misfit(at, value, f"a mapping without {shown(name)}")
            inner(item, f"{at}.{name}")

    return check
