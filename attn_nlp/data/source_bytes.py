"""Hash the files of a local dataset, so that a table can report that they have changed.

The digest covers the files from which the rows of a dataset are read, whether its name is a path or
it is in $ATTN_NLP_DATA, or the user's code that makes its rows. Results depend on rows, but
comparing bytes avoids parsing the file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from attn_nlp.data.loading import data_path, files_of
from attn_nlp.data.registry import MADE_BY
from attn_nlp.errors import UserError

FACT = "source_digest"  # its name among the facts of a dataset


def source_digest(dataset: str) -> str | None:
    """Return a digest of the bytes of a dataset or of the code that makes its rows, or None."""
    if dataset in MADE_BY:
        return MADE_BY[dataset].hash
    path = _path(dataset)
    return None if path is None else _of_what_is_read(path)


def changed(facts: Iterable[tuple[str, Mapping | None]]) -> list[str]:
    """Return a sentence for every dataset whose files have changed since its cells were trained.

    Args:
      facts: the dataset of each cell, and the facts about its data in the store.
    """
    known: dict[str, set[str]] = {}
    for dataset, of_data in facts:
        digest = (of_data or {}).get(FACT)
        if isinstance(digest, str):
            known.setdefault(dataset, set()).add(digest)
    return [
        f"dataset {dataset!r} has changed since its cells were trained; their numbers are of the "
        "earlier rows."
        for dataset, digests in known.items()
        if _is_other(dataset, digests)
    ]


def _is_other(dataset: str, digests: set[str]) -> bool:
    """Return whether the dataset can be read locally and has none of these digests."""
    if dataset in MADE_BY:
        return MADE_BY[dataset].hash not in digests
    path = _path(dataset)
    if path is None or (now := _of_what_is_read(path)) in digests:
        return False
    everything = _of_everything(path)
    return everything not in digests and (now or everything) is not None


def _path(dataset: str) -> Path | None:
    with suppress(UserError, OSError, ValueError):  # not the name of anything that can be read
        return data_path(dataset)
    return None


def _of_what_is_read(path: Path) -> str | None:
    """Return the digest of a file, or of the splits in a folder; None if they would be rejected."""
    with suppress(UserError):
        return _digest(path, [file for given in files_of(path).values() for file in given])
    return None


def _of_everything(path: Path) -> str | None:
    """Return the digest of all files of a folder, which earlier versions stored."""
    with suppress(OSError, RuntimeError):
        files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
        return _digest(path, [f for f in files if f == path or not f.name.startswith(".")])
    return None


def _digest(path: Path, files: Sequence[Path]) -> str | None:
    """Return a digest of the bytes and the names of files below a path; None without files."""
    sha256 = hashlib.sha256()
    try:
        for file in sorted(files):
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").digest()
            name = "" if file == path else str(file.relative_to(path))
            sha256.update(os.fsencode(name) + b"\0" + digest)
    except OSError:  # gone, or not readable
        return None
    return sha256.hexdigest() if files else None
