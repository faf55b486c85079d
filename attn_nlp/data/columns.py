"""Choose the two columns of a file that are read, and check the others.

Given the names of a file's columns and some of their values, this decides which two are the text
and the label, or raises `UserError`. Columns that are not read are named in the facts. One that
looks like the second text of a pair is rejected, since otherwise half of each pair would be ignored
silently.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from attn_nlp.data.names import listed, shown
from attn_nlp.errors import UserError, nearest

GLANCE = 200  # values that are looked at in a column that is not read
# Names that suggest a second text, without case and punctuation.
_TEXTS = re.compile(
    r"(text|sentence|question|premise|hypothesis|passage|paragraph|context)(pair|[ab]|[0-9]+)?"
    r"|sent(pair|[ab]|[0-9]+)|(second|other|paired)(text|sentence)"
)
# Or a column of many distinct values with some words each: no dates, addresses, names, categories.
_FEWEST_VALUES, _FEWEST_WORDS = 5, 4.0
_WORD = re.compile(r"(?<!\S)\W?[^\W\d_]{2,}\W?(?!\S)")
_CHINESE = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]")


@dataclass(frozen=True)
class Labeled:
    """The columns read from one file.

    Attributes:
      texts, labels: values of the two columns, of any type; a declared label is given by its name,
        and null, -1 and out-of-range numbers are unchanged.
      class_names: as declared by the file, or None.
      ignored: every other column -> its first values that may be texts; see `Glance`.
      text_column: the name of the text column.
    """

    texts: list[Any]
    labels: list[Any]
    class_names: tuple[str, ...] | None
    ignored: dict[str, list[Any]]
    text_column: str = "text"


class Glance:
    """The first values of columns that are not read, in whatever rows they are.

    Attributes:
      kept: column -> values that contain text; if the column is named like a text, only the first
        that is not a number.
      open: columns of which more values are needed.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.kept: dict[str, list[Any]] = {name: [] for name in names}
        self.open = dict.fromkeys(self.kept)

    def see(self, name: str, value: Any) -> None:
        """Look at the next value of a column."""
        if name not in self.open:
            if name in self.kept:
                return
            self.kept[name], self.open[name] = [], None
        strings = list(strings_in(value))
        named = _names_a_text(name)
        if not strings or (named and all(map(_is_number, strings))):
            return
        self.kept[name].append(value)
        if len(self.kept[name]) == (1 if named else GLANCE):
            del self.open[name]


def strings_in(value: Any) -> Iterator[str]:
    """Yield every nonblank string in a value, including those within lists and objects."""
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            value = "\ufffd"  # not blank, but not a word
    if isinstance(value, str):
        if value.strip():
            yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from strings_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from strings_in(inner)


@dataclass(frozen=True)
class Wanted:
    """The names that a text column may have, best first, and the name of the label column."""

    texts: tuple[str, ...]
    label: str

    def of(self, where: str, names: Sequence[str]) -> tuple[str, str]:
        """Return the names of the text and the label column.

        Args:
          where: what the columns belong to, for the message.
          names: the names of all columns.

        Raises:
          UserError: one of them is missing, or its name occurs twice.
        """
        text = next((name for name in self.texts if name in names), None)
        label = self.label if self.label in names else None
        if text is None or label is None:
            lacking = {} if text else {"text": self.texts}
            raise _lacks(where, lacking if label else lacking | {"label": (self.label,)}, names)
        reject_twice(where, [name for name in names if name in (*self.texts, label)])
        return text, label


def reject_twice(where: str, names: Sequence[str]) -> None:
    """Reject columns if two of them have the same name."""
    for name, count in Counter(names).items():
        if count > 1:
            raise UserError(
                f"{where}: {count} columns are named '{shown(name)}'; give each column a name of "
                "its own."
            )


def _lacks(where: str, lacking: Mapping[str, Sequence[str]], names: Sequence[str]) -> UserError:
    """Return the error for columns that are missing: all of them, and what to rename.

    Args:
      where: what the columns belong to, for the message.
      lacking: the names that would do, best first, by what the column holds.
      names: the names of all columns.
    """
    missing = [f"no {what} column named {' or '.join(map(repr, n))}" for what, n in lacking.items()]
    message = f"{where}: {' and '.join(missing)}; columns: {listed(names)}."
    close = [f"'{shown(near)}'" for n in lacking.values() if (near := nearest(n[0], names))]
    if close:
        return UserError(f"{message} Did you mean to rename {' and '.join(close)}?")
    to = [f"the {what} column to {wanted[0]!r}" for what, wanted in lacking.items()]
    return UserError(f"{message} Rename {' and '.join(to)}.")


def reject_column_names(where: str, read: Labeled, wanted: Wanted) -> None:
    """Reject a row with the names of the text and the label column: a header read as a row.

    Raises:
      UserError: naming the row.
    """
    labels = {label for label in read.labels if isinstance(label, str)}
    if wanted.label not in map(bare_name, labels):
        return
    for row, (text, label) in enumerate(zip(read.texts, read.labels, strict=True), 1):
        both = isinstance(text, str) and isinstance(label, str)
        if both and bare_name(label) == wanted.label and bare_name(text) in wanted.texts:
            raise UserError(
                f"{where}, row {row} repeats the column names '{shown(text)}' and "
                f"'{shown(label)}'; remove it."
            )


def bare_name(field: str) -> str:
    """Return a column's name without case, surrounding spaces and byte order marks."""
    return field.replace("\ufeff", "").strip().casefold()


def reject_second_text(where: str, read: Labeled) -> None:
    """Reject columns if one that is not read looks like a second text.

    Args:
      where: what the columns belong to, for the message.
      read: what was read of them.

    Raises:
      UserError: naming the column.
    """
    for name, values in read.ignored.items():
        if _looks_like_text(name, values):
            raise UserError(
                f"{where}: column '{shown(name)}' looks like a second text, and only "
                f"{read.text_column!r} would be read; remove that column, or join the two texts "
                "into one."
            )


def _looks_like_text(name: str, values: Iterable[Any]) -> bool:
    strings = [string for value in values for string in strings_in(value)]
    if not strings or all(map(_is_number, strings)):
        return False
    if _names_a_text(name):
        return True
    distinct = len(set(strings))
    words = sum(len(_CHINESE.findall(value)) or len(_WORD.findall(value)) for value in strings)
    return (
        distinct >= _FEWEST_VALUES
        and 2 * distinct > len(strings)
        and words >= _FEWEST_WORDS * len(strings)
    )


@functools.lru_cache
def _names_a_text(name: str) -> bool:
    return _TEXTS.fullmatch(re.sub(r"[\W_]", "", name.casefold())) is not None


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def reject_mixed_kinds(labels: Mapping[str, Sequence[Any]]) -> None:
    """Reject labels of several types, such as true, 1 and "1", which may or may not be equal.

    Args:
      labels: split -> values, for which no file declares class names.

    Raises:
      UserError: naming a row of each of two types.
    """
    if len({type(value) for values in labels.values() for value in values}) < 2:
        return
    first: dict[str, tuple[str, Any]] = {}
    for split, values in labels.items():
        for row, value in enumerate(values, 1):
            kind = _kind(value)
            if kind is not None and kind not in first:
                first[kind] = (f"{split} row {row}", value)
    if len(first) > 1:
        (one, (where, value)), (two, (there, other)) = list(first.items())[:2]
        raise UserError(
            f"the labels mix {one} and {two}: {where} has {shown(repr(value))}, {there} has "
            f"{shown(repr(other))}; write all labels as one type."
        )


def _kind(value: Any) -> str | None:
    """Return the kind of a label, or None if it is missing, which is reported elsewhere."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "strings" if value else None
    if isinstance(value, int | float):
        return "numbers" if value == value else None
    return None
