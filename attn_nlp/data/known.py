"""Which prepared folder a dataset has led to before, so that its rows need not be read again.

The library that reads rows takes longer to import than all else that precedes a short run. What it
reads is a function of the bytes of the files, of the settings and of code; a hash of all of them is
the name of a small file that says the folder. Whoever changes a byte, or updates a package that
reads or is read, asks under another name.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from attn_nlp.data.docstrings import LIBRARIES
from attn_nlp.data.files import code_stamp, replacing
from attn_nlp.data.limits import most_bytes
from attn_nlp.data.prepared import DataSettings

# What makes or reads the rows, splits and tokenises them; and what docstrings are read from.
_PACKAGES = {"datasets", "numpy", "pandas", "pyarrow", "scikit-learn", "tokenizers"}
_PACKAGES |= {distribution for distribution, _ in LIBRARIES.values()}


def asked(settings: DataSettings, files: Sequence[Path]) -> str | None:
    """A hash of everything that decides what these files are prepared to.

    None where one is too large or cannot be read, for the loader to say so in its own words.

    Args:
      settings: of the dataset.
      files: all that it is read from; none of an embedded one.
    """
    with suppress(OSError, PackageNotFoundError):
        if sum(file.stat().st_size for file in files) <= most_bytes():
            return _hash(settings, files)
    return None


def recall(folder: Path, question: str) -> Path | None:
    """The prepared folder within `folder`, or None where nobody has noted it or it is gone."""
    try:
        said = (folder / "known" / question).read_text(encoding="utf-8")
        name = said.partition(" ")[0]
        # A name that is there, and no way out of the folder, whatever a damaged file says; and the
        # one that was noted, not that of other data.
        whole = said == _answer(question, name) and name in os.listdir(folder)
        return folder / name if whole else None
    except (OSError, UnicodeDecodeError):
        return None


def note(folder: Path, question: str, target: Path) -> None:
    """Keep the answer; without a word where the disk takes no more, since it only saves time."""
    with suppress(OSError), replacing(folder / "known" / question) as unfinished:
        unfinished.write_text(_answer(question, target.name), encoding="utf-8")


def _answer(question: str, name: str) -> str:
    """What a note says: a name, and that it answers this question."""
    return f"{name} {hashlib.sha256(f'{question} {name}'.encode()).hexdigest()}"


def _hash(settings: DataSettings, files: Sequence[Path]) -> str:
    found = hashlib.sha256()
    versions = {package: version(package) for package in sorted(_PACKAGES)}
    code = [platform.python_version(), versions, code_stamp()]
    found.update(json.dumps([asdict(settings), code], sort_keys=True).encode())
    for file in files:
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        found.update(json.dumps([str(file), digest]).encode())
    return found.hexdigest()
