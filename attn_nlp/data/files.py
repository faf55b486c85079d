"""Files of our own: parquet of strings, written whole or not at all, and the stamp of this code."""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from attn_nlp.data.limits import check_unpacked
from attn_nlp.errors import UserError


@functools.cache
def code_stamp() -> str:
    """SHA-256 of this stage's own source.

    It is part of every name in the cache, which outlives an update of the package: what another
    version wrote is made again, however alike the two are.
    """
    found = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        found.update(file.read_bytes())
    return found.hexdigest()


def write_columns(path: Path, columns: Mapping[str, Sequence[str]]) -> None:
    """Write columns of strings as parquet; a reader sees the old file or the whole new one."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    table = arrow.table({name: arrow.array(c, arrow.string()) for name, c in columns.items()})
    with replacing(path) as unfinished, arrow.OSFile(str(unfinished), "wb") as opened:
        parquet.write_table(table, opened)  # a path would be taken for an address


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write in place of `path`, which it becomes where nothing is raised."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    os.close(handle)
    unfinished = Path(name)
    try:
        yield unfinished
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def read_columns(path: Path) -> dict[str, list[str]] | None:
    """Columns of a parquet file, or None where it is damaged."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    try:
        check_unpacked([path])
        with arrow.OSFile(str(path)) as opened:  # see `parquet_rows`
            return parquet.read_table(opened).to_pydict()
    except (UserError, arrow.ArrowException, OSError, ValueError):
        return None
