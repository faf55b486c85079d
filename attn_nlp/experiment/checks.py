"""Checks of the arguments of an experiment's classes, declared as data.

Each class lists a `Kind` for every argument and calls `check_fields` when it is made, so that a
wrong argument is rejected where it is written and not where it is used. A kind also decides how a
value is kept: an iterator becomes a tuple, a scalar of NumPy a plain number.
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
    """A check of one argument.

    Attributes:
      read: returns the value as it is kept; called with the name of the argument, for its
        `UserError`, and the value.
    """

    read: Callable[[str, object], object]


def check_fields(made: object, where: str, kinds: Mapping[str, Kind]) -> None:
    """Check the fields of a frozen dataclass and keep what their kinds make of them.

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
    """Allow a text of one line."""
    return Kind(lambda where, value: values.line(where, value, empty=empty))


def sentence() -> Kind:
    """Allow a text, which may be empty; several lines are joined by spaces."""

    def read(where: str, value: object) -> object:
        joined = " ".join(value.split()) if isinstance(value, str) else value
        return values.line(where, joined, empty=True)

    return Kind(read)


def flag() -> Kind:
    """Allow True or False."""
    return Kind(values.flag)


def anything() -> Kind:
    """Allow any value; it is checked later against the path that it belongs to."""
    return Kind(lambda where, value: plain(value))


def whole(low: int, high: int) -> Kind:
    """Allow an integer."""
    return Kind(lambda where, value: values.whole(where, value, low, high))


def above_zero() -> Kind:
    """Allow a finite number greater than zero."""

    def read(where: str, value: object) -> object:
        value = plain(value)
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        if not fits or not 0 < value <= values.LARGEST:  # type: ignore[operator]
            raise UserError(f"{where} is {shown(value)}; give a number above 0.")
        return float(value)  # type: ignore[arg-type]

    return Kind(read)


def one_of(*names: str) -> Kind:
    """Allow one of some names."""

    def read(where: str, value: object) -> object:
        value = plain(value)
        if isinstance(value, str) and value in names:
            return value
        close = nearest(value, names) if isinstance(value, str) else None
        raise UserError(
            f"{where} is {shown(value)}; allowed: {', '.join(names)}."
            + (f" Did you mean {close!r}?" if close else "")
        )

    return Kind(read)


def maybe(kind: Kind) -> Kind:
    """Allow None, or what the kind allows."""
    return Kind(lambda where, value: None if value is None else kind.read(where, value))


def made_by(cls: type, form: str, **instead: str) -> Kind:
    """Allow an instance of a class.

    Args:
      cls: the class.
      form: how one is written.
      instead: the nearest right form by the name of the class that was given.
    """

    def read(where: str, value: object) -> object:
        if isinstance(value, cls):
            return value
        better = instead.get(type(value).__name__)
        raise UserError(f"{where} is {shown(value)}; " + (better or f"give {form}."))

    return Kind(read)


def several(kind: Kind, form: str, alone: type | tuple[type, ...] = (), **instead: str) -> Kind:
    """Allow a list of what the kind allows, kept as a tuple.

    Args:
      kind: of an entry.
      form: how the list is written.
      alone: a class whose instance may have been given without the brackets of a list.
      instead: the nearest right form by the name of the class that was given.
    """

    def read(where: str, value: object) -> object:
        better = instead.get(type(value).__name__)
        if isinstance(value, alone):
            better = f"put it in a list: {form}."
        if better or isinstance(value, str | bytes | Mapping | Set):
            raise UserError(f"{where} is {shown(value)}; " + (better or f"give a list: {form}."))
        if not isinstance(value, Iterable):
            raise UserError(f"{where} is {shown(value)}; give a list: {form}.")
        entries = list(islice(value, MOST + 1))
        if len(entries) > MOST:
            raise UserError(f"{where} has more than {MOST:,} entries.")
        return tuple(kind.read(f"{where}[{at}]", entry) for at, entry in enumerate(entries))

    return Kind(read)


def path_or(kind: Kind) -> Kind:
    """Allow a single path, or what the kind allows."""

    def read(where: str, value: object) -> object:
        value = plain(value)
        return values.line(where, value) if isinstance(value, str) else kind.read(where, value)

    return Kind(read)


def path() -> Kind:
    """Allow a path of a cell, which is looked up later."""

    def read(where: str, value: object) -> object:
        value = plain(value)
        if not isinstance(value, str):
            raise UserError(f"{where} is {shown(value)}; give a path, such as 'heads'.")
        return value

    return Kind(read)


def settings(form: str) -> Kind:
    """Allow values by path."""

    def read(where: str, value: Any) -> object:
        return values.keyed(where, value, form)

    return Kind(read)
