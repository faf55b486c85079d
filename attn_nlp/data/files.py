"""Files of rows, read and written through `datasets`.

The library copies what it reads into a cache keyed by path and time. A private, short-lived cache
keeps it from ever answering with an older file, and works where the home folder is read-only.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attn_nlp.data.limits import check_sizes
from attn_nlp.mistakes import Mistake


@dataclass(frozen=True)
class Columns:
    """One split: column -> values, and column -> class names where the file declares them.

    A declared label comes as its name; null, -1 and out-of-range numbers come as they are.
    """

    values: dict[str, list[Any]]
    names: dict[str, tuple[str, ...]]


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


@contextmanager
def quiet_datasets() -> Iterator[Any]:
    """The `datasets` module, without its progress bars and its log for as long as the block lasts.

    What it logs it also raises, and that is said in a sentence of our own.
    """
    import datasets
    from datasets.utils import logging

    shown, level = not datasets.are_progress_bars_disabled(), logging.get_verbosity()
    datasets.disable_progress_bars()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield datasets
    finally:
        logging.set_verbosity(level)
        if shown:
            datasets.enable_progress_bars()


def one_line(error: BaseException) -> str:
    """What a library's error and its cause say, first lines only."""
    said = [str(e).strip().split("\n", 1)[0] for e in (error, error.__cause__) if e is not None]
    return ": ".join(dict.fromkeys(s.rstrip(".") for s in said if s)) or type(error).__name__


def read_splits(
    kind: str, files: Mapping[str, Sequence[Path]], columns: Sequence[str] | None = None
) -> dict[str, Columns]:
    """Columns of every split, as Python lists.

    Args:
      kind: "parquet", "csv" or "json".
      files: split -> files.
      columns: for CSV, the column names; every cell is then a string, as written.

    Returns:
      split -> its columns.

    Raises:
      Mistake: the files are too large, or the library cannot read them; its reason is quoted.
    """
    check_sizes(kind, [file for given in files.values() for file in given])
    options: dict[str, Any] = {}
    with quiet_datasets() as datasets, tempfile.TemporaryDirectory(prefix="attn-nlp-") as cache:
        if columns is not None:
            features = datasets.Features({name: datasets.Value("string") for name in columns})
            options = {"features": features, "keep_default_na": False}
        names = {split: [str(file) for file in given] for split, given in files.items()}
        try:
            loaded = datasets.load_dataset(kind, data_files=names, cache_dir=cache, **options)
            return {split: take_columns(loaded[split]) for split in names}
        except Exception as error:  # whatever the library raises, the file is at fault
            where = ", ".join(sorted({f.name for given in files.values() for f in given}))
            if "corresponds to no data" in str(error):
                raise Mistake(f"{where} has a header and no rows.") from error
            raise Mistake(f"cannot read {where}: {one_line(error)}.") from error


def take_columns(split: Any) -> Columns:
    """Columns of one loaded split as lists, ClassLabel numbers replaced by their names."""
    values, names = {}, {}
    for column, feature in split.features.items():
        values[column] = list(split[column])
        if type(feature).__name__ == "ClassLabel":
            names[column] = tuple(feature.names)
            by_number = dict(enumerate(feature.names))
            values[column] = [by_number.get(value, value) for value in values[column]]
    return Columns(values, names)


def write_columns(path: Path, columns: Mapping[str, Sequence[str]]) -> None:
    """Write columns of strings as parquet; a reader sees the old file or the whole new one."""
    with replacing(path) as unfinished, quiet_datasets() as datasets:
        features = datasets.Features({name: datasets.Value("string") for name in columns})
        datasets.Dataset.from_dict(dict(columns), features=features).to_parquet(unfinished)


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
    try:
        return read_splits("parquet", {"train": [path]})["train"].values
    except Mistake:
        return None
