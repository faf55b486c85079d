"""Detect suspicious labels: measurements, several types, names that look alike.

Given labels as in a file, or class names, the functions return a sentence about what is wrong, for
an error, or groups of names, for a note. Nothing is changed here: a label that is silently repaired
is another label.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from attn_nlp.data.names import shown
from attn_nlp.wording import without_format_characters

FEW = 10  # so many distinct values of any kind may be classes
MANY = 20  # so many distinct integers may be classes; more may be measurements
ROWS_OF_A_CLASS = 5  # at least, on average, of numbers that are not measurements

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d{1,3})?", re.IGNORECASE)
_PLAIN_NUMBER = re.compile(r"([+-]?)(\d+)(?:\.(\d+))?")
_JOINED = re.compile(r"(?<=\w)[-_](?=\w)")
_QUOTES = "'\"`\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}" + (
    "\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}"
)
_KINDS = {bool: "true or false", int: "a number", float: "a number", str: "a text"}


def looks_measured(labels: Sequence[Any]) -> str | None:
    """Return a description, "232 values from 1.0 to 5.0", if labels look like measurements.

    Fractions look measured if there are more than `MANY` of them, or more than `FEW` with fewer
    than `ROWS_OF_A_CLASS` rows each. Integers look measured if both are true, unless they are
    consecutive from 0 or 1, like class ids.
    """
    given = {value for value in labels if isinstance(value, str | int | float)}
    numbers = {value: _number(value) for value in given}
    values = {number for number in numbers.values() if number is not None}
    count = len(values)
    if count <= FEW or None in numbers.values():
        return None
    thin = count * ROWS_OF_A_CLASS > len(labels)
    least, most = (f(given, key=lambda value: numbers[value] or 0.0) for f in (min, max))
    if all(value.is_integer() for value in values):
        through = min(values) in (0, 1) and count >= 0.9 * (max(values) - min(values) + 1)
        measured = count > MANY and thin and not through
    else:
        measured = count > MANY or thin
    return f"{count:,} values from {shown(str(least))} to {shown(str(most))}" if measured else None


def other_type(labels: Sequence[Any]) -> tuple[list[int], str]:
    """Return the rows whose label has another type than the first, and what is wrong with them.

    A column of 1 and "1", or of 1 and true, may name one class or two, and nobody can tell.
    """
    kinds = [_KINDS.get(type(label)) for label in labels]
    bad = [row for row, kind in enumerate(kinds) if kind != kinds[0]]
    if not bad or None in kinds:
        return [], ""
    first, other = labels[0], labels[bad[0]]
    other, first = shown(repr(other)), shown(repr(first))
    return bad, f"label {other} is {kinds[bad[0]]}, and that of row 1, {first}, is {kinds[0]}"


def bare(name: str) -> str:
    """Return a name without differences that are easily overlooked.

    These are case, Unicode forms, characters without width, quotes around it, double and
    surrounding spaces, a hyphen or underscore instead of a space, and the zeros of 01 and 1.0.

    Example:
      >>> bare("'Very_Negative '"), bare("1.0"), bare("０１")
      ('very negative', '1', '1')
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    text = without_format_characters(text).replace("\ufe0f", "")
    text = " ".join(_JOINED.sub(" ", text.strip().strip(_QUOTES)).split())
    number = _PLAIN_NUMBER.fullmatch(text)
    if number is None:
        return text or name
    sign, whole, rest = number.groups("")
    rest = rest.rstrip("0")
    return sign.strip("+") + (whole.lstrip("0") or "0") + (f".{rest}" if rest else "")


def alike(names: Iterable[str]) -> list[str]:
    """Return groups of names that look alike, each as a text: "'pos', 'Pos' and 'POS'"."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(bare(name), []).append(name)
    said = []
    for group in groups.values():
        *before, last = visible(group)
        said += [f"{', '.join(before)} and {last}"] if before else []
    return said


def visible(names: Sequence[str]) -> list[str]:
    """Return names in a form that makes their difference visible.

    Example:
      >>> print(*visible(["pos", "Pos"]), *visible(["caf\u00e9", "cafe\u0301"]))
      'pos' 'Pos' 'caf\\xe9' 'cafe\\u0301'
    """
    composed = {unicodedata.normalize("NFC", name) for name in names}
    return [ascii(name) if len(composed) < len(names) else repr(name) for name in names]


def _number(value: Any) -> float | None:
    """Return the number that a label is or spells, or None if it is a name."""
    if isinstance(value, str):
        spelled = _NUMBER.fullmatch(value.strip())
        return float(spelled[0].replace(",", ".")) if spelled else None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if not isinstance(value, bool) and number == number else None
