"""What of prepared data this machine still has: texts behind predictions, lengths for a plan.

A store keeps no text: it names its rows by their fingerprint. Whoever prints examples looks here,
and does without where the prepared data is gone. Nothing is prepared, loaded or downloaded.
"""

from __future__ import annotations

import json
from pathlib import Path

from attn_nlp.data.prepared import open_prepared
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
    for file in sorted(Path(folder).glob("*/prepared.json")):
        try:
            known = json.loads(file.read_text(encoding="utf-8")).get("fingerprint")
            if known == fingerprint:
                return open_prepared(file.parent).texts(split)
        except (OSError, ValueError, Mistake):  # a damaged folder; another may have the same rows
            continue
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
    for _, file in sorted((_written(file), file) for file in Path(folder).glob("*/prepared.json")):
        try:
            facts = json.loads(file.read_text(encoding="utf-8"))["facts"]
            settings, train = facts["settings"], facts["splits"]["train"]
            found[settings["dataset"], settings["tokens"]] = float(train["mean_length"])
        except (OSError, ValueError, KeyError, TypeError):  # damaged: `prepare` makes it anew
            continue
    return found


def _written(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:  # removed since it was listed
        return 0
