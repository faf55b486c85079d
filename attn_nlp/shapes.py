"""What a plain value may be: small checks that are put together to the shape of a document.

A check takes a value and its address, and raises `Misfit` where the value does not fit: that says
which value, what was given and what is allowed, in words for the reader. Values are JSON's: None,
bool, int, float, str, list and dict. A bool is no number here.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

Check = Callable[[Any, str], None]

LARGEST_FLOAT = 3.4e38  # of float32: squares of it, and sums of those, are still numbers
LARGEST_WHOLE = 2**63 - 1  # that SQLite holds
_NONE = type(None)
_SHOWN = 60


class Misfit(ValueError):
    """A value that is not what it must be.

    Attributes:
      at: the address of the value.
      given: what stands there, shortened.
      allowed: what may stand there.
    """

    def __init__(self, at: str, value: object, allowed: str) -> None:
        self.at, self.given, self.allowed = at, shown(value), allowed
        super().__init__(f"{at} is {self.given}; allowed is {allowed}")


def shown(value: object) -> str:
    """A value of any size and depth in a few letters.

    Example:
      >>> shown({"accuracy": [0.5] * 1000})
      "{'accuracy': [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, ...]}"
    """
    try:
        text = reprlib.repr(value)
    except Exception:  # whatever the repr of a stranger raises
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def number(low: float = -LARGEST_FLOAT, high: float = LARGEST_FLOAT, slack: float = 0.0) -> Check:
    """A finite number from low to high; `slack` is what rounding may add."""
    allowed = "a number" + _between(low, high)

    def check(value: Any, at: str) -> None:
        fits = type(value) in (float, int) and low - slack <= value <= high + slack
        if not fits:  # NaN is not between
            raise Misfit(at, value, allowed)

    return check


def whole(low: int = -LARGEST_WHOLE - 1, high: int = LARGEST_WHOLE) -> Check:
    """A whole number from low to high."""
    allowed = "a whole number" + _between(low, high)

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
    """Text that UTF-8 can hold, without NUL."""
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
    """Text, a number, a bool or None."""
    if isinstance(value, str):
        text(value, at)
    elif type(value) not in (bool, _NONE):
        number()(value, at)


def truth(value: Any, at: str) -> None:
    """A bool."""
    if type(value) is not bool:
        raise Misfit(at, value, "true or false")


def one_of(*known: str) -> Check:
    """One of some texts."""
    allowed = " or ".join(filter(None, [", ".join(known[:-1]), known[-1]]))

    def check(value: Any, at: str) -> None:
        if not isinstance(value, str) or value not in known:
            raise Misfit(at, value, allowed)

    return check


def optional(inner: Check) -> Check:
    """What the inner check allows, or None."""

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
    """A list of what the inner check allows, of a certain length where one is given."""

    def check(value: Any, at: str) -> None:
        if not isinstance(value, list):
            raise Misfit(at, value, "a list")
        if length is not None and len(value) != length:
            raise Misfit(f"the length of {at}", len(value), f"{length}")
        for place, each in enumerate(value):
            inner(each, f"{at}[{place}]")

    return check


def wholes(low: int, high: int = LARGEST_WHOLE, length: int | None = None) -> Check:
    """`listed(whole(low, high))`, quick for long lists."""
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
    """`listed(optional(number(low, high)))`, quick for long lists."""
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
    """A mapping of names to what the inner check allows."""

    def check(value: Any, at: str) -> None:
        if not isinstance(value, Mapping):
            raise Misfit(at, value, "a mapping")
        for name, each in value.items():
            text(name, f"a name in {at}")
            inner(each, f"{at}.{name}")

    return check


def fields(
    known: Mapping[str, Check], needed: Collection[str] = (), others: Check | None = None
) -> Check:
    """A mapping with certain names.

    Args:
      known: the check of each name.
      needed: names that must be there.
      others: the check of any other name; without one, no other is allowed.
    """

    def check(value: Any, at: str) -> None:
        if not isinstance(value, Mapping):
            raise Misfit(at, value, "a mapping")
        for name in needed:
            if name not in value:
                raise Misfit(at, value, f"a mapping with {name!r}")
        for name, each in value.items():
            inner = known.get(name, others)
            if inner is None:
                raise Misfit(at, value, f"a mapping without {shown(name)}")
            inner(each, f"{at}.{name}")

    return check
