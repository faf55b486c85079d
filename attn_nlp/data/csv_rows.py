"""Read the rows of a CSV file with Python's `csv` in its strict mode.

A stray quote swallows all lines up to the next quote, labels included, into one field, and a
lenient reader does not complain. So a closing quote must be followed by a comma or the end of the
row, every row must have as many fields as the header, and no field may contain a line that would be
a row in itself.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attn_nlp.data.columns import Glance, Labeled, Wanted, bare_name
from attn_nlp.data.names import shown
from attn_nlp.errors import UserError

_OTHER_SEPARATORS = {";": "';'", "\t": "a tab", "|": "'|'"}
_QUOTING = 'write a quote inside a quoted field twice, as in "say ""yes"""'


def read_csv(file: Path, wanted: Wanted) -> Labeled:
    """Return the text and the label of every row, as strings exactly as written.

    Args:
      file: UTF-8 text, with or without a byte order mark; the first row names the columns.
      wanted: the columns that are read.

    Raises:
      UserError: naming the row or the line at fault.
    """
    name = shown(file.name)
    with _fields_of_any_length(), file.open(encoding="utf-8-sig", newline="") as lines:
        rows = _rows(name, lines)
        _, header = next(rows, (1, []))
        if not header:
            raise UserError(f"{name} is empty; a CSV file begins with its column names.")
        _reject_other_separators(name, header)
        text, label = wanted.of(name, header)
        text_at, label_at = header.index(text), header.index(label)
        others: dict[str, int] = {}
        for index, column in enumerate(header):
            if index not in (text_at, label_at):
                own = column or f"(column {index + 1}, without a name)"
                others[own if own not in others else f"{own}.{index + 1}"] = index
        glance = Glance(others)
        read = Labeled([], [], None, glance.kept, text)
        is_header = _headers(header, wanted)
        broken = []  # rows with a line break in a field
        number = 0
        for line, row in rows:
            if not row:
                continue
            number += 1
            if len(row) != len(header):
                raise UserError(f"{name} row {number}: {_wrong_count(row, header)}")
            if is_header(row[text_at], row[label_at], row):
                raise UserError(
                    f"{name}, line {line}: the column names again; remove that row, or give each "
                    "file a split of its own."
                )
            for field in (row[text_at], row[label_at]):
                if field[:1].isspace() and field.lstrip()[:1] == '"' == field[-1:]:
                    raise UserError(
                        f"{name}, line {line}: a space before the quote makes the quotes part of "
                        "the field; remove the space."
                    )
            if any("\n" in field or "\r" in field for field in row):
                broken.append((line, row))
            read.texts.append(row[text_at])
            read.labels.append(sys.intern(row[label_at]))
            for column in list(glance.open):
                if row[others[column]]:
                    glance.see(column, row[others[column]])
    _reject_swallowed(name, broken, label_at, set(read.labels) - {""})
    if not number:
        raise UserError(f"{name} has a header but no rows.")
    return read


def _headers(header: Sequence[str], wanted: Wanted) -> Callable[[str, str, list[str]], bool]:
    """Return a function that tells whether a row names columns: all, or a text and a label."""
    columns = {bare_name(field) for field in header}
    both = {bare_name(name) for name in (*wanted.texts, wanted.label)}
    known: dict[str, bool] = {}  # there are few labels

    def is_header(text: str, label: str, row: list[str]) -> bool:
        if label not in known:
            known[label] = bare_name(label) in columns | both
        if not known[label]:
            return False
        here = {bare_name(text), bare_name(label)}
        return {bare_name(field) for field in row} == columns or (
            bare_name(wanted.label) in here and len(here & both) == 2
        )

    return is_header


def _rows(name: str, lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows, each with the number of the line on which it begins."""
    rows = csv.reader(lines, strict=True)
    while True:
        line = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end" in str(error):
                what = "the quote that opens in this row is never closed"
            elif "expected after" in str(error):
                what = "a quoted field continues after its closing quote"
            else:
                raise UserError(f"cannot read {name}, line {line}: {error}.") from error
            if rows.line_num > line:
                what += f" (read up to line {rows.line_num})"
            raise UserError(f"{name}, line {line}: {what}; {_QUOTING}.") from error
        yield line, row


@contextmanager
def _fields_of_any_length() -> Iterator[None]:
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _reject_other_separators(name: str, header: Sequence[str]) -> None:
    """Reject a header of one field that another separator would split."""
    field = ",".join(header)
    if field.lower().startswith("sep="):
        raise UserError(f"{name} begins with '{shown(field)}'; remove that line and use commas.")
    if len(header) > 1:
        return
    for separator, what in _OTHER_SEPARATORS.items():
        if separator in field:
            raise UserError(
                f"{name} has one column, '{shown(field)}': its separator seems to be {what}; write "
                "it with commas."
            )


def _wrong_count(row: Sequence[str], header: Sequence[str]) -> str:
    """Return what is wrong with a row with more or fewer fields than the header, and the remedy."""
    counts = f"{len(row)} fields under {len(header)} column names"
    if len(row) > len(header) and not any(row[len(header) :]):
        return f"{counts}; it ends with a comma too many."
    if len(row) < len(header):
        return f"{counts}; give every row a field for each column."
    return f'{counts}; put texts that contain a comma in "double quotes".'


def _reject_swallowed(
    name: str, broken: Sequence[tuple[int, Sequence[str]]], label_at: int, labels: set[str]
) -> None:
    """Reject a field of several lines if one of them ends, or begins, like a row of this file."""
    for line, row in broken:
        for field in row:
            inside = field.splitlines()
            if len(inside) > 1 and (
                any(_is_row(text, len(row), label_at, labels) for text in inside)
                or _are_rows(inside, len(row), label_at, labels)
            ):
                raise UserError(
                    f"{name}, line {line}: a quoted field of {len(inside)} lines contains what "
                    "looks like whole rows with their labels; close its quote, or replace its line "
                    "breaks with spaces."
                )


def _is_row(line: str, fields: int, label_at: int, labels: set[str]) -> bool:
    parts = line.split(",")
    if len(parts) < 2:
        return False
    if label_at == 0:
        return parts[0] in labels and not parts[1][:1].isspace()  # no "Yes, I do"
    if label_at == fields - 1:
        return parts[-1].strip() in labels
    return len(parts) == fields and parts[label_at].strip() in labels


def _are_rows(lines: Sequence[str], fields: int, label_at: int, labels: set[str]) -> bool:
    """Return whether lines look like rows together, though no single one does for certain.

    Two of them have one label, perhaps that of a class with no other rows; or most of them begin
    with a label that is known, as "yes, it is" does.
    """
    split = [line.split(",") for line in lines if "," in line]
    if label_at == 0 and sum(parts[0] in labels for parts in split) > max(1, len(lines) // 2):
        return True
    if label_at not in (0, fields - 1):
        return False
    unspaced = [parts for parts in split if not parts[1 if label_at == 0 else -1][:1].isspace()]
    ends = Counter(parts[0 if label_at == 0 else -1].strip() for parts in unspaced)
    return any(end and count > 1 for end, count in ends.items())
