"""How much a file may hold, asked before it is read.

A few kilobytes of parquet can unpack to many gigabytes: compressed, or one long text named a
million times. So the footer is believed where it says that a file is too large, and not where it
says that it is small: then the texts are unpacked a few rows at a time and counted.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from attn_nlp.mistakes import Mistake

MOST_BYTES = 4 << 30  # of text, unpacked; $ATTN_NLP_MAX_BYTES
_ROWS_AT_ONCE = 64


def most_bytes() -> int:
    """The largest size of a dataset's files, unpacked.

    Raises:
      Mistake: $ATTN_NLP_MAX_BYTES is no whole number.
    """
    given = os.environ.get("ATTN_NLP_MAX_BYTES", "")
    if not given:
        return MOST_BYTES
    if not given.isdecimal():
        raise Mistake(f"ATTN_NLP_MAX_BYTES is {given!r}; give a whole number of bytes.")
    return int(given)


def check_sizes(kind: str, files: Sequence[Path]) -> None:
    """Refuse files that would unpack to more than is allowed.

    Args:
      kind: "parquet", "csv" or "json".
      files: all files of a dataset.

    Raises:
      Mistake: a file, or all together, are larger than `most_bytes`.
    """
    most, total = most_bytes(), 0
    for file in files:
        total += file.stat().st_size
        _refuse(file, total, most)
        if kind == "parquet":
            total = _unpacked(file, total, most)


def _unpacked(file: Path, total: int, most: int) -> int:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    try:
        opened = parquet.ParquetFile(file)
        footer = opened.metadata
        declared = sum(footer.row_group(n).total_byte_size for n in range(footer.num_row_groups))
        _refuse(file, total + declared, most)
        for batch in opened.iter_batches(batch_size=_ROWS_AT_ONCE):
            total += batch.nbytes
            _refuse(file, total, most)
    except (arrow.ArrowException, OSError):
        return total  # the loader says in its own words what is wrong with it
    return total


def _refuse(file: Path, size: int, most: int) -> None:
    if size > most:
        raise Mistake(
            f"{file.name} would unpack to more than the {most:,} bytes that are allowed; check the "
            "file, or raise ATTN_NLP_MAX_BYTES."
        )
