"""Check how large a file is, before it is read.

A few kilobytes of parquet can unpack to many gigabytes: compressed, or as one long text that is
referenced a million times. So the footer is trusted if it says that a file is too large, but not if
it says that it is small: then the texts are unpacked a few rows at a time and counted.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from attn_nlp.data.names import shown
from attn_nlp.errors import UserError

MOST_BYTES = 4 << 30  # of text, unpacked; $ATTN_NLP_MAX_BYTES
_ROWS_AT_ONCE = 64
_MOST_DIGITS = 18


def most_bytes() -> int:
    """Return the largest allowed size of a dataset's files, unpacked, in bytes.

    Raises:
      UserError: $ATTN_NLP_MAX_BYTES is not an integer.
    """
    given = os.environ.get("ATTN_NLP_MAX_BYTES")
    if given is None:
        return MOST_BYTES
    if not given.isdecimal() or len(given) > _MOST_DIGITS:
        raise UserError(
            f"ATTN_NLP_MAX_BYTES is '{shown(given)}'; give a whole number of bytes, such as "
            f"{MOST_BYTES}, or unset it."
        )
    return int(given)


def check_disk_sizes(files: Sequence[Path]) -> int:
    """Reject files that are larger than allowed, before any of them is read.

    Args:
      files: all files of a dataset.

    Returns:
      Their size in bytes.

    Raises:
      UserError: one file, or all together, are larger than `most_bytes`.
    """
    most, total = most_bytes(), 0
    for file in files:
        total += file.stat().st_size
        _reject(file, total, most)
    return total


def check_unpacked(files: Sequence[Path], columns: Sequence[str] | None = None) -> None:
    """Reject parquet files that would unpack to more than allowed.

    Args:
      files: all files of a dataset.
      columns: those that will be read; all of them if None.

    Raises:
      UserError: one file, or all together, are larger than `most_bytes`.
    """
    most, total = most_bytes(), check_disk_sizes(files)
    for file in files:
        total = _unpacked(file, total, most, columns)


def _unpacked(file: Path, total: int, most: int, columns: Sequence[str] | None) -> int:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    try:
        with arrow.OSFile(str(file)) as source:  # see `parquet_rows`
            opened = parquet.ParquetFile(source)
            footer = opened.metadata
            groups = map(footer.row_group, range(footer.num_row_groups))
            _reject(file, total + sum(group.total_byte_size for group in groups), most)
            if columns is not None:
                columns = [name for name in columns if name in opened.schema_arrow.names]
            if not footer.num_rows:
                return total
            for batch in opened.iter_batches(batch_size=_ROWS_AT_ONCE, columns=columns):
                total += batch.nbytes
                _reject(file, total, most)
    except (arrow.ArrowException, OSError):
        return total  # the loader reports what is wrong with it
    return total


def _reject(file: Path, size: int, most: int) -> None:
    if size > most:
        raise UserError(
            f"{shown(file.name)} would unpack to more than the {most:,} bytes that are allowed; "
            "check the file, or raise ATTN_NLP_MAX_BYTES."
        )
