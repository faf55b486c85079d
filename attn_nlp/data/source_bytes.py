"""Which bytes a local dataset was read from, so that a table can say that they have changed since.

In comes a dataset as an experiment names it. Out goes a digest of the files that its rows are read
from, whether its name is a path or is found in $ATTN_NLP_DATA. Rows decide what a result is of;
bytes are what can be compared without reading rows.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from attn_nlp.data.loading import data_path, files_of
from attn_nlp.errors import UserError

FACT = "source_digest"  # its name among the facts of a dataset


def source_digest(dataset: str) -> str | None:
    """Return a digest of the bytes, or None if nothing of this machine would be read."""
    place = _place(dataset)
    return None if place is None else _of_what_is_read(place)


def changed(facts: Iterable[tuple[str, Mapping | None]]) -> list[str]:
    """Return a sentence for every dataset whose files are not those that its cells were trained on.

    Args:
      facts: the dataset of a cell and what the store says of its data.
    """
    known: dict[str, set[str]] = {}
    for dataset, of_data in facts:
        digest = (of_data or {}).get(FACT)
        if isinstance(digest, str):
            known.setdefault(dataset, set()).add(digest)
    return [
        f"dataset {dataset!r} has changed since its cells were trained; their numbers are of the "
        "earlier files."
        for dataset, digests in known.items()
        if _is_other(dataset, digests)
    ]


def _is_other(dataset: str, digests: set[str]) -> bool:
    """Whether there is something to be read of which none of these is the digest."""
    place = _place(dataset)
    if place is None or (now := _of_what_is_read(place)) in digests:
        return False
    everything = _of_everything(place)
    return everything not in digests and (now or everything) is not None


def _place(dataset: str) -> Path | None:
    with suppress(UserError, OSError, ValueError):  # a name of nothing that can be read
        return data_path(dataset)
    return None


def _of_what_is_read(place: Path) -> str | None:
    """Of the file, or of the files of a folder's splits; None where they would be refused."""
    with suppress(UserError):
        return _digest(place, [file for given in files_of(place).values() for file in given])
    return None


def _of_everything(place: Path) -> str | None:
    """Of all files of a folder: earlier versions noted that; without other files it is the same."""
    with suppress(OSError, RuntimeError):
        files = [place] if place.is_file() else [f for f in place.rglob("*") if f.is_file()]
        return _digest(place, [f for f in files if f == place or not f.name.startswith(".")])
    return None


def _digest(place: Path, files: Sequence[Path]) -> str | None:
    """Of the bytes and the names of files in a place; None where there are none."""
    found = hashlib.sha256()
    try:
        for file in sorted(files):
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").digest()
            name = "" if file == place else str(file.relative_to(place))
            found.update(os.fsencode(name) + b"\0" + digest)
    except OSError:  # gone, or not to be read
        return None
    return found.hexdigest() if files else None
