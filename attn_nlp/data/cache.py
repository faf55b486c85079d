"""What of prepared data this machine still has: texts behind predictions, lengths for a plan.

A store keeps no text: it names its rows by their fingerprint. Whoever prints examples looks here,
and does without where the prepared data is gone. Nothing is prepared, loaded or downloaded.

Which prepared folder a dataset has led to before, so that its rows need not be read again.

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
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from attn_nlp.atomic import replacing
from attn_nlp.data.dataset import FACTS, DataSettings, open_prepared, read_kept
from attn_nlp.data.docstrings import LIBRARIES
from attn_nlp.data.files import code_stamp
from attn_nlp.data.limits import most_bytes
from attn_nlp.errors import UserError


def kept_texts(fingerprint: str, folder: Path, split: str = "test") -> list[str] | None:
    """The texts of a split of the dataset with that fingerprint; loads and downloads nothing else.

    Args:
      fingerprint: SHA-256 of the rows, as a record has it.
      folder: where prepared datasets are kept, as for `prepare`.
      split: train, validation or test.

    Returns:
      The texts in the order of the stored predictions, or None where no whole folder of these rows
      is there. Tokens may be prepared in several ways; the rows of equal fingerprints are equal.
    """
    for place, kept in _whole(Path(folder)):
        if kept.get("fingerprint") == fingerprint:
            with suppress(UserError):  # its texts are damaged; another may have the same rows
                return open_prepared(place).texts(split)
    return None


def kept_lengths(folder: Path) -> dict[tuple[str, str], float]:
    """Mean tokens of a training text, before any cut, by dataset and way to make tokens.

    Args:
      folder: where prepared datasets are kept, as for `prepare`.

    Returns:
      The latest of each. Datasets go by the name that is shown: two files of one name count as one,
      and so do two sizes of vocabulary. That is near enough for an estimate and for nothing else.
    """
    found: dict[tuple[str, str], float] = {}
    for _, kept in _whole(Path(folder)):
        with suppress(KeyError, TypeError, ValueError):  # written by another version
            settings, train = kept["facts"]["settings"], kept["facts"]["splits"]["train"]
            found[settings["dataset"], settings["tokens"]] = float(train["mean_length"])
    return found


def _whole(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Prepared folders and what they say of themselves, the latest last; damaged ones left out."""
    for file in sorted(folder.glob(f"*/{FACTS}"), key=lambda file: (_written(file), file)):
        with suppress(UserError):  # `prepare` makes it anew
            yield file.parent, read_kept(file.parent)


def _written(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:  # removed since it was listed
        return 0


# What makes or reads the rows, splits and tokenizes them; and what docstrings are read from.
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
    with suppress(OSError):
        (folder / "known").mkdir(exist_ok=True)
        with replacing(folder / "known" / question) as unfinished:
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
