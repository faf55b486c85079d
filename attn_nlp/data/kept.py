"""What of prepared data this machine still has: texts behind predictions, lengths for a plan.

A store keeps no text: it names its rows by their fingerprint. Whoever prints examples looks here,
and does without where the prepared data is gone. Nothing is prepared, loaded or downloaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from attn_nlp.data.prepared import FACTS, open_prepared, read_kept
from attn_nlp.mistakes import Mistake


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
            with suppress(Mistake):  # its texts are damaged; another may have the same rows
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
        with suppress(Mistake):  # `prepare` makes it anew
            yield file.parent, read_kept(file.parent)


def _written(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:  # removed since it was listed
        return 0
