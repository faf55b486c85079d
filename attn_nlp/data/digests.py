"""Check that files are still what was written, by SHA-256 sums in a file next to them.

The sums detect damage by a disk or by accident. They cannot detect, and are not meant to detect,
someone who edits a file and updates its sum.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

SUMS = "SHA256SUMS"  # lines as `sha256sum -c` reads them


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of one file, in hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def note_sums(folder: Path) -> None:
    """Write the sums of all files of a folder into it."""
    files = sorted(file for file in folder.iterdir() if file.name != SUMS)
    lines = [f"{sha256_of(file)}  {file.name}\n" for file in files]
    (folder / SUMS).write_bytes("".join(lines).encode("utf-8"))


def check_sums(folder: Path, names: Iterable[str]) -> None:
    """Reject files that have changed since their sums were written.

    Args:
      folder: a folder with sums by `note_sums`.
      names: the files to check; each must have a sum.

    Raises:
      ValueError: a sum does not match, or is missing.
      OSError: a file cannot be read.
    """
    lines = (folder / SUMS).read_bytes().decode("utf-8").split("\n")
    noted = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name in names:
        if noted.get(name) != sha256_of(folder / name):
            raise ValueError(f"{name} is not what was written")
