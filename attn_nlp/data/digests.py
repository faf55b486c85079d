"""Whether files are still what was written: SHA-256 sums, kept in a file of their own beside them.

In: a folder, or a file. Out: nothing, or an error that says what does not fit. The sums find damage
by a disk or a hand; whoever edits a file and works out its sum anew is not found, nor meant to be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

SUMS = "SHA256SUMS"  # lines as `sha256sum -c` reads them


def sha256_of(file: Path) -> str:
    """The sum of one file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def note_sums(folder: Path) -> None:
    """Write the sums of all files of a folder into it."""
    files = sorted(file for file in folder.iterdir() if file.name != SUMS)
    lines = [f"{sha256_of(file)}  {file.name}\n" for file in files]
    (folder / SUMS).write_bytes("".join(lines).encode("utf-8"))


def check_sums(folder: Path, names: Iterable[str]) -> None:
    """Refuse files that are not those that were noted.

    Args:
      folder: as `note_sums` left it.
      names: the files that matter; each must have its line.

    Raises:
      ValueError: a sum does not fit, or is missing.
      OSError: a file cannot be read.
    """
    lines = (folder / SUMS).read_bytes().decode("utf-8").split("\n")
    noted = {name: found for found, _, name in (line.partition("  ") for line in lines)}
    for name in names:
        if noted.get(name) != sha256_of(folder / name):
            raise ValueError(f"{name} is not what was written")
