"""Find prepared data that this machine still has: texts for examples, lengths for estimates.

A store contains no text: it identifies rows by their fingerprint. Examples are printed from
prepared data, and left out if that is gone. Nothing is prepared, loaded or downloaded.

Also remember which prepared folder belongs to which files, so that they need not be read again: the
library that reads rows takes longer to import than everything else before a short run. What it
reads is a function of the bytes of the files, the settings and the code. A hash of all of these is
the name of a small file that contains the name of the folder. If a byte changes, or a package that
reads or is read, the name changes.
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

from attn_nlp.data.dataset import FACTS, DataSettings, open_prepared, read_kept
from attn_nlp.data.docstrings import LIBRARIES
from attn_nlp.data.files import code_stamp
from attn_nlp.data.limits import most_bytes
from attn_nlp.errors import UserError
from attn_nlp.files.atomic import replacing


def kept_texts(fingerprint: str, folder: Path, split: str = "test") -> list[str] | None:
    """Return the texts of a split of the dataset with a fingerprint, without loading anything else.

    Args:
      fingerprint: SHA-256 of the rows, as in a record.
      folder: where prepared datasets are kept, as for `prepare`.
      split: train, validation or test.

    Returns:
      The texts in the order of the stored predictions, or None if there is no intact folder with
      these rows. Rows with equal fingerprints are equal, however they are tokenized.
    """
    for path, kept in _intact(Path(folder)):
        if kept.get("fingerprint") == fingerprint:
            with suppress(UserError):  # its texts are damaged; another may have the same rows
                return open_prepared(path).texts(split)
    return None


def kept_lengths(folder: Path) -> dict[tuple[str, str], float]:
    """Return the mean number of tokens of a training text, before truncation.

    Args:
      folder: where prepared datasets are kept, as for `prepare`.

    Returns:
      (dataset, tokens) -> mean length in the most recent folder. Datasets are identified by the
      name that is shown: files with the same name are not distinguished, nor are vocabulary sizes.
      That is accurate enough for an estimate and for nothing else.
    """
    lengths: dict[tuple[str, str], float] = {}
    for _, kept in _intact(Path(folder)):
        with suppress(KeyError, TypeError, ValueError):  # written by another version
            settings, train = kept["facts"]["settings"], kept["facts"]["splits"]["train"]
            lengths[settings["dataset"], settings["tokens"]] = float(train["mean_length"])
    return lengths


def _intact(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield prepared folders with their metadata, the most recent last, but no damaged ones."""
    for file in sorted(folder.glob(f"*/{FACTS}"), key=lambda file: (_written(file), file)):
        with suppress(UserError):  # it will be prepared again when needed
            yield file.parent, read_kept(file.parent)


def _written(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:  # removed after it was listed
        return 0


# Packages that make or read rows, split and tokenize them; and those whose docstrings are read.
_PACKAGES = {"datasets", "numpy", "pandas", "pyarrow", "scikit-learn", "tokenizers"}
_PACKAGES |= {distribution for distribution, _ in LIBRARIES.values()}


def asked(settings: DataSettings, files: Sequence[Path]) -> str | None:
    """Return a hash of everything that decides the result of preparing these files.

    It is None if a file is too large or cannot be read, which the loader then reports.

    Args:
      settings: the settings of the dataset.
      files: all files that it is read from; none if it is embedded.
    """
    with suppress(OSError, PackageNotFoundError):
        if sum(file.stat().st_size for file in files) <= most_bytes():
            return _hash(settings, files)
    return None


def recall(folder: Path, question: str) -> Path | None:
    """Return the prepared folder within `folder`, or None if it was not noted or is gone."""
    try:
        said = (folder / "known" / question).read_text(encoding="utf-8")
        name = said.partition(" ")[0]
        # The name must exist and not lead out of the folder, whatever a damaged file says; and it
        # must be the one that was noted, not that of other data.
        valid = said == _answer(question, name) and name in os.listdir(folder)
        return folder / name if valid else None
    except (OSError, UnicodeDecodeError):
        return None


def note(folder: Path, question: str, target: Path) -> None:
    """Write down the answer; ignore a full disk, since the note only saves time."""
    with suppress(OSError):
        (folder / "known").mkdir(exist_ok=True)
        with replacing(folder / "known" / question) as unfinished:
            unfinished.write_text(_answer(question, target.name), encoding="utf-8")


def _answer(question: str, name: str) -> str:
    """Return the content of a note: a name, and a proof that it answers this question."""
    return f"{name} {hashlib.sha256(f'{question} {name}'.encode()).hexdigest()}"


def _hash(settings: DataSettings, files: Sequence[Path]) -> str:
    sha256 = hashlib.sha256()
    versions = {package: version(package) for package in sorted(_PACKAGES)}
    code = [platform.python_version(), versions, code_stamp()]
    sha256.update(json.dumps([asdict(settings), code], sort_keys=True).encode())
    for file in files:
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        sha256.update(json.dumps([str(file), digest]).encode())
    return sha256.hexdigest()
