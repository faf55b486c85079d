"""Checksums of stored values: what a disk has changed is noticed and never shown.

Every value of a row has a CRC-32 of four bytes, in the order of the columns. It begins with the CRC
of the row's spec, so that a value moved to another row does not fit there. A burst of up to 32
wrong bits is always noticed, other damage but for one case in four billion. Whoever forges a value
can also compute its checksum; this is protection against rot, not against people.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping, Sequence
from zlib import crc32

NAME = "checksums"  # of the column that holds them
_BYTES = 4


def of_value(value: object, start: int = 0) -> int:
    """Return the checksum of one value of SQLite."""
    if isinstance(value, str):
        return crc32(value.encode("utf-8", "surrogateescape"), start)
    if isinstance(value, bytes):
        return crc32(value, start)
    return crc32(b"\0" if value is None else repr(value).encode(), start)


def of_row(spec: object, *values: object) -> bytes:
    """Return the checksums of a row, in the order of its values."""
    start = of_value(spec)
    return b"".join(of_value(value, start).to_bytes(_BYTES, "little") for value in values)


def unfit(
    rows: Sequence[bytes], columns: Mapping[int, Sequence], starts: Sequence[int], width: int
) -> int | None:
    """Find values that do not have their checksum.

    Args:
      rows: the checksums of the rows.
      columns: values by the index of their column among the checksums.
      starts: `of_value` of the spec of every row.
      width: the number of columns that have a checksum.

    Returns:
      The index of a column with such a value, or None if there is none.
    """
    if not all(type(row) is bytes and len(row) == width * _BYTES for row in rows):
        return min(columns)
    sums = array("I", b"".join(rows))
    if sys.byteorder == "big":
        sums.byteswap()
    for index, values in columns.items():
        if _of_values(values, starts) != sums[index::width].tolist():
            return index
    return None


def _of_values(values: Sequence, starts: Sequence[int]) -> list[int]:
    if set(map(type, values)) == {str}:  # most columns, in half of the time
        return [crc32(value.encode(), start) for value, start in zip(values, starts, strict=True)]
    return list(map(of_value, values, starts))


def fits(checksums: object, index: int, value: object, spec: object) -> bool:
    """Return whether one value has its checksum."""
    if not isinstance(checksums, bytes):
        return False
    expected = of_value(value, of_value(spec)).to_bytes(_BYTES, "little")
    return checksums[index * _BYTES : (index + 1) * _BYTES] == expected
