"""The texts behind stored predictions, where this machine still has them.

A store keeps no text: it names its rows by their fingerprint. Whoever prints examples looks here,
and does without where the prepared data is gone.
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
