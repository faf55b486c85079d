"""Which bytes a local dataset was read from, so that a table can say that they have changed since.

In comes a path as an experiment names it. Out goes a digest of the file, or of all files of the
folder. Rows decide what a result is of; bytes are what can be compared without reading rows.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

FACT = "source_digest"  # its name among the facts of a dataset


def source_digest(dataset: str) -> str | None:
    """Return a digest of the bytes, or None if there is no such file or folder to be read."""
    place = Path(dataset).expanduser()
    try:
        files = [place] if place.is_file() else sorted(f for f in place.rglob("*") if f.is_file())
        if not files:
            return None
        found = hashlib.sha256()
        for file in files:
            if file != place and file.name.startswith("."):
                continue
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").digest()
            name = "" if file == place else str(file.relative_to(place))
            found.update(os.fsencode(name) + b"\0" + digest)
    except (OSError, ValueError, RuntimeError):  # gone, no name of a file, or of nobody's home
        return None
    return found.hexdigest()


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
    said = []
    for dataset, digests in known.items():
        now = source_digest(dataset)
        if now is not None and now not in digests:
            said.append(
                f"dataset {dataset!r} has changed since its cells were trained; their numbers are "
                "of the earlier rows."
            )
    return said
