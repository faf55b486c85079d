"""The arguments of an experiment's classes: what may stand where, told as data.

Each class lists a `Kind` for every argument and calls `check_fields` when it is made, so that a
slip is refused where it is written and not where it hurts. A kind also says how a value is kept:
what can be read only once becomes a tuple, a scalar of NumPy a plain number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from itertools import islice
from typing import Any

from attn_nlp.errors import UserError, nearest
from attn_nlp.parts import values
from attn_nlp.parts.values import plain, shown

MOST = 1_000_000  # cells of an experiment, and values of an axis: what can be planned in a minute


@dataclass(frozen=True)
class Kind:
    """What an argument may be.

    Attributes:
      read: the value as it is kept; called with where the argument stands, for its `UserError`.
    """

    read: Callable[[str, object], object]


def check_fields(made: object, where: str, kinds: Mapping[str, Kind]) -> None:
    """Hold the fields of a frozen dataclass against their kinds and keep what those make of them.

    Args:
      made: the instance.
      where: what a message calls it.
      kinds: by name of the field.

    Raises:
      UserError: naming the field, what was given and what is allowed.
    """
    for name, kind in kinds.items():
        kept = kind.read(f"{where}: {name}", getattr(made, name))
        object.__setattr__(made, name, kept)


def line(*, empty: bool = False) -> Kind:
    """A text of one line."""
    return Kind(lambda place, value: values.line(place, value, empty=empty))


def sentence() -> Kind:
    """A text, maybe empty; where it runs over several lines, they are joined by spaces."""

    def read(place: str, value: object) -> object:
        joined = " ".join(value.split()) if isinstance(value, str) else value
        return values.line(place, joined, empty=True)

    return Kind(read)


def flag() -> Kind:
    """True or False."""
    return Kind(values.flag)


def anything() -> Kind:
    """A value that is held against the path it belongs to later on."""
    return Kind(lambda place, value: plain(value))


def whole(low: int, high: int) -> Kind:
    """A whole number."""
    return Kind(lambda place, value: values.whole(place, value, low, high))


def above_zero() -> Kind:
    """A finite number greater than zero."""

    def read(place: str, value: object) -> object:
        value = plain(value)
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        if not fits or not 0 < value <= values.LARGEST:  # type: ignore[operator]
            raise UserError(f"{place} is {shown(value)}; give a number above 0.")
        return float(value)  # type: ignore[arg-type]

    return Kind(read)


def one_of(*names: str) -> Kind:
    """One of some names."""

    def read(place: str, value: object) -> object:
        value = plain(value)
        if isinstance(value, str) and value in names:
            return value
        close = nearest(value, names) if isinstance(value, str) else None
        raise UserError(
            f"{place} is {shown(value)}; allowed: {', '.join(names)}."
            + (f" Did you mean {close!r}?" if close else "")
        )

    return Kind(read)


def maybe(kind: Kind) -> Kind:
    """None, or what the kind allows."""
    return Kind(lambda place, value: None if value is None else kind.read(place, value))


def made_by(cls: type, form: str, **instead: str) -> Kind:
    """An instance of a class.

    Args:
      cls: the class.
      form: how one is written.
      instead: the nearest right form by the name of the class that was given.
    """

    def read(place: str, value: object) -> object:
        if isinstance(value, cls):
            return value
        better = instead.get(type(value).__name__)
        raise UserError(f"{place} is {shown(value)}; " + (better or f"give {form}."))

    return Kind(read)


def several(kind: Kind, form: str, alone: type | tuple[type, ...] = (), **instead: str) -> Kind:
    """A list of what the kind allows, kept as a tuple.

    Args:
      kind: of each.
      form: how the list is written.
      alone: a class whose instance may have been given without the brackets of a list.
      instead: the nearest right form by the name of the class that was given.
    """

    def read(place: str, value: object) -> object:
        better = instead.get(type(value).__name__)
        if isinstance(value, alone):
            better = f"put it in a list: {form}."
        if better or isinstance(value, str | bytes | Mapping | Set):
            raise UserError(f"{place} is {shown(value)}; " + (better or f"give a list: {form}."))
        if not isinstance(value, Iterable):
            raise UserError(f"{place} is {shown(value)}; give a list: {form}.")
        found = list(islice(value, MOST + 1))
        if len(found) > MOST:
            raise UserError(f"{place} has more than {MOST:,} entries.")
        return tuple(kind.read(f"{place}[{at}]", each) for at, each in enumerate(found))

    return Kind(read)


def path_or(kind: Kind) -> Kind:
    """A single path, or what the kind allows."""

    def read(place: str, value: object) -> object:
        value = plain(value)
        return values.line(place, value) if isinstance(value, str) else kind.read(place, value)

    return Kind(read)


def path() -> Kind:
    """A path of a cell, which is looked up later on."""

    def read(place: str, value: object) -> object:
        value = plain(value)
        if not isinstance(value, str):
            raise UserError(f"{place} is {shown(value)}; give a path, such as 'heads'.")
        return value

    return Kind(read)


def settings(form: str) -> Kind:
    """Values by path."""

    def read(place: str, value: Any) -> object:
        return values.keyed(place, value, form)

    return Kind(read)
