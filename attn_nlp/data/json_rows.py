"""Read the rows of a JSON file: a list of objects, or objects one after another, as in JSON Lines.

Python's parser reads one row at a time. It keeps types as they are written: a date remains a
string, and true, 1 and "1" remain three different values.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attn_nlp.data.columns import Glance, Labeled, Wanted
from attn_nlp.data.names import shown
from attn_nlp.errors import UserError
from attn_nlp.wording import is_utf8

DEEPEST = 200  # nested brackets in one row
_SPACE = re.compile(r"[ \t\n\r]*")
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)
_WITHOUT_TEXT = {type(None), bool, int, float}
_ROWS = "write a list of objects, each with a text and a label"


def read_json(file: Path, wanted: Wanted) -> Labeled:
    """Return the text and the label of every row; missing ones are None.

    Args:
      file: UTF-8 text, with or without a byte order mark.
      wanted: the columns that are read.

    Raises:
      UserError: naming the row or the line at fault.
    """
    name = shown(file.name)
    values: dict[str, list[Any]] = {column: [] for column in (*wanted.texts, wanted.label)}
    glance = Glance()  # of every column, in the order of their first appearance
    number, row = 0, {}
    for number, row in enumerate(_rows(name, file.read_text("utf-8-sig")), 1):
        if not isinstance(row, dict):
            raise UserError(f"{name}, row {number} is not an object; {_ROWS}.")
        for column, kept in values.items():
            kept.append(row.get(column))
        for column, value in row.items():
            if column in glance.open and type(value) in _WITHOUT_TEXT:
                continue  # contains no text; cheaper than `see`
            if column in glance.open or column not in glance.kept:
                glance.see(column, value)
    if not number:
        raise UserError(f"{name} has no rows; {_ROWS}.")
    whole = number == 1 and any(isinstance(value, dict | list) for value in row.values())
    if whole and not any(isinstance(values[column][0], str) for column in wanted.texts):
        raise UserError(f"cannot read {name}: it is one object, not a list of rows; {_ROWS}.")
    text, label = wanted.of(name, list(glance.kept))
    for kept in (values[text], values[label]):
        for row_number, value in enumerate(kept, 1):
            if isinstance(value, str) and not value.isascii() and not is_utf8(value):
                raise UserError(
                    f"cannot read {name}: row {row_number} has a lone surrogate, which has no "
                    "UTF-8 form; write the character itself."
                )
    ignored = {column: kept for column, kept in glance.kept.items() if column not in (text, label)}
    return Labeled(values[text], values[label], None, ignored, text)


def _rows(name: str, text: str) -> Iterator[Any]:
    """Yield every value of a list, or of several values in a row."""
    at = _skip(text, 0)
    listed = text.startswith("[", at)
    if listed:
        at = _skip(text, at + 1)
        if text.startswith("]", at):
            return
    number = 0
    while at < len(text) or listed:
        number += 1
        value, end = _value(name, number, text, at)
        yield value
        at = _skip(text, end)
        if not listed:
            continue
        if text.startswith(",", at):
            at = _skip(text, at + 1)
        elif text.startswith("]", at):
            rest = _skip(text, at + 1)
            if rest < len(text):
                raise _broken(name, text, rest, "more follows the list of rows")
            return
        else:
            raise _broken(name, text, at, "a comma or the end of the list is missing")


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    assert space is not None
    return space.end()


def _broken(name: str, text: str, at: int, what: str) -> UserError:
    return UserError(f"cannot read {name}: line {text.count(chr(10), 0, at) + 1}: {what}.")


def _value(name: str, number: int, text: str, at: int) -> tuple[Any, int]:
    """Return the value that begins at a position, and the position of its end."""
    try:
        value, end = _DECODER.raw_decode(text, at)
    except RecursionError as error:
        raise _too_deep(name, number) from error
    except json.JSONDecodeError as error:
        if text.startswith("\ufeff", error.pos):
            what = "a byte order mark: files seem to be joined here; remove it"
            raise _broken(name, text, error.pos, what) from error
        raise _broken(name, text, error.pos, error.msg.removesuffix(" at")) from error
    except _Twice as error:
        raise UserError(f"cannot read {name}: row {number} has the key {error} twice.") from error
    except ValueError as error:  # Python converts at most some thousand digits
        raise UserError(
            f"cannot read {name}: row {number} has a number that is too long."
        ) from error
    brackets = text.count("[", at, end) + text.count("{", at, end)
    if brackets > DEEPEST and _depth(text, at, end) > DEEPEST:
        raise _too_deep(name, number)
    return value, end


def _too_deep(name: str, number: int) -> UserError:
    return UserError(
        f"cannot read {name}: row {number} is nested more than {DEEPEST} deep; remove that value."
    )


def _depth(text: str, at: int, end: int) -> int:
    deepest = depth = 0
    for match in _BRACKETS.finditer(text, at, end):
        bracket = match[0]
        if bracket in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif bracket in "]}":
            depth -= 1
    return deepest


class _Twice(ValueError):
    """An object has a key twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose keys are all different, or raise `_Twice`."""
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise _Twice(f"'{shown(twice)}'")
    return made


_DECODER = json.JSONDecoder(object_pairs_hook=_object)
