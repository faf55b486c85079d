"""Parquet files of strings that this package writes and reads back, and the stamp of its code."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from attn_nlp.data.limits import check_unpacked
from attn_nlp.errors import UserError


@functools.cache
def code_stamp() -> str:
    """Return the SHA-256 of the source of this package.

    It is part of every name in the cache, which outlives an update: whatever another version wrote
    is prepared again, however similar the two versions are.
    """
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def write_columns(path: Path, columns: Mapping[str, Sequence[str]]) -> None:
    """Write columns of strings as parquet; `files.atomic` is for a file that others may read."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    table = arrow.table({name: arrow.array(c, arrow.string()) for name, c in columns.items()})
    with arrow.OSFile(str(path), "wb") as opened:
        parquet.write_table(table, opened)  # a path would be taken for an address


def read_columns(path: Path) -> dict[str, list[str]] | None:
    """Return the columns of a parquet file, or None if it is damaged."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    try:
        check_unpacked([path])
        with arrow.OSFile(str(path)) as opened:  # see `parquet_rows`
            return parquet.read_table(opened).to_pydict()
    except (UserError, arrow.ArrowException, OSError, ValueError):
        return None
