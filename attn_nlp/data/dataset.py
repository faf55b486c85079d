"""Open a dataset that is ready to train on from its folder.

`prepare_dataset` has written the folder. Its arrays are opened at once, texts and tokenizer when
needed. Arrays are an .npz without pickles, texts are parquet, and the rest is JSON: nothing in a
folder can run code. The folder contains the SHA-256 of every file and its own name: if anything was
changed, truncated or renamed, it counts as damaged, and `prepare_dataset` makes it again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from attn_nlp.data import tokens
from attn_nlp.data.digests import check_sums
from attn_nlp.data.files import read_columns
from attn_nlp.errors import UserError

ARRAYS, FACTS, TEXTS, TOKENIZER = "arrays.npz", "prepared.json", "texts.parquet", "tokenizer.json"


@dataclass(frozen=True)
class DataSettings:
    """The settings of a cell that decide its data.

    Attributes:
      dataset: a registered name, Hub id, file or folder.
      split_seed: draws the validation rows if the dataset has none of its own.
      tokens: a name in `TOKENIZERS`.
      vocabulary: maximum number of ids, including padding and unknown.
      length: maximum number of tokens of a text; the rest is cut off.
      fold: which of ten folds is the test split, if the dataset has no test split of its own.
    """

    dataset: str
    split_seed: int = 0
    tokens: str = "word"
    vocabulary: int = 8000
    length: int = 128
    fold: int = 0


@dataclass(frozen=True, eq=False)
class Prepared:
    """Ids, labels and facts of one dataset under one set of settings.

    Attributes:
      path: the folder that it was read from.
      name: the dataset's name, without a path of this machine.
      fingerprint: SHA-256 of the ordered rows of all splits.
      tokenizer_hash: SHA-256 of the tokenizer's JSON.
      class_names: C names, in the order of the labels.
      vocabulary: number of ids; 0 is [PAD], 1 is [UNK].
      edges: ascending bucket edges; the last is T.
      ids: (N, T) int32; rows of train, then validation, then test; 0 is padding.
      lengths: (N,) int32, 1 to T.
      labels: (N,) int32, 0 to C - 1.
      splits: split -> [start, stop) of its rows.
      deciding: (N, T) bool, True at tokens that decide the label, or None if unknown.
      facts: counts, rules and provenance for tables and footnotes, as JSON values.
    """

    path: Path
    name: str
    fingerprint: str
    tokenizer_hash: str
    class_names: tuple[str, ...]
    vocabulary: int
    edges: tuple[int, ...]
    ids: np.ndarray
    lengths: np.ndarray
    labels: np.ndarray
    splits: dict[str, tuple[int, int]]
    deciding: np.ndarray | None
    facts: dict[str, Any]

    def sealed(self) -> Prepared:
        """Return the data without its test split, whose rows are blank and which has no name."""
        test = slice(*self.splits["test"])
        blank = {"ids": 0, "lengths": 1, "labels": 0, "deciding": False}
        arrays = {}
        for name, nothing in blank.items():
            array = getattr(self, name)
            if array is not None:
                arrays[name] = array.copy()
                arrays[name][test] = nothing
        arrays["ids"][test, 0] = 1  # one unknown token, like an empty text
        fixed = {name: _fixed(array) for name, array in arrays.items()}
        return replace(self, splits=_Sealed(self.splits), **fixed)

    def apart(self) -> Prepared:
        """Return a copy of the data for one `fit`, whose changes to it affect nothing else.

        Its arrays are read-only views, which cannot be made writable.
        """
        named = ("ids", "lengths", "labels", "deciding")
        arrays = {name: getattr(self, name) for name in named}
        views = {name: a if a is None else a.view() for name, a in arrays.items()}
        return replace(self, splits=copy(self.splits), facts=deepcopy(self.facts), **views)

    @property
    def positive(self) -> int | None:
        """The number of the class whose F1 is the customary metric of the dataset, or None."""
        name = self.facts.get("positive")
        return self.class_names.index(name) if name in self.class_names else None

    def labels_of(self, split: str) -> np.ndarray:
        """Return the labels of a split, in the order of its rows."""
        start, stop = self.splits[split]
        return self.labels[start:stop]

    def texts(self, split: str) -> list[str]:
        """Read the texts of a split, in the order of its rows."""
        start, stop = self.splits[split]
        self._check(TEXTS)
        columns = read_columns(self.path / TEXTS)
        if columns is None:
            raise damaged(self.path)
        return columns["text"][start:stop]

    def encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return ids (n, t) int32 and lengths (n,) int32 of new texts, cut like the dataset."""
        encoded = tokens.encode(self._tokenizer(), texts, self.facts["settings"]["length"])
        return encoded.ids, encoded.lengths

    def tokens_of(self, ids: Sequence[int]) -> list[str]:
        """Return the token for each id."""
        tokenizer = self._tokenizer()
        return [tokenizer.id_to_token(int(i)) for i in ids]

    def _tokenizer(self) -> Any:
        """Read the trained tokenizer."""
        self._check(TOKENIZER)
        return tokens.library().Tokenizer.from_file(str(self.path / TOKENIZER))

    def _check(self, file: str) -> None:
        """Reject a file that was changed since the folder was opened."""
        try:
            check_sums(self.path, [file])
        except (OSError, ValueError) as error:
            raise damaged(self.path) from error


class _Sealed(dict):
    """Splits without test, which raises a `UserError` if it is asked for."""

    def __init__(self, splits: Mapping[str, tuple[int, int]]) -> None:
        super().__init__({name: rows for name, rows in splits.items() if name != "test"})

    def __missing__(self, name: str):
        if name == "test":
            raise UserError(
                "tuning trials use validation data only, so the test split must not be read."
            )
        raise KeyError(name)


def damaged(path: Path) -> UserError:
    """Return the error for a prepared folder that cannot be read."""
    return UserError(f"prepared data in {path} is missing or damaged; delete the folder and rerun.")


def read_kept(path: Path) -> dict[str, Any]:
    """Read the metadata of a prepared folder, without its arrays and texts.

    Raises:
      UserError: the folder is missing, damaged, or not a prepared dataset.
    """
    try:
        check_sums(path, [FACTS])
        kept = json.loads((path / FACTS).read_text(encoding="utf-8"))
        if kept["folder"] != path.name:
            raise ValueError(f"it was written as {kept['folder']}")
    except MemoryError:
        raise
    except Exception as error:  # whatever is raised, the folder cannot be used
        raise damaged(path) from error
    return kept


def _fixed(array: np.ndarray) -> np.ndarray:
    """Make an array read-only, since all cells of a worker share it."""
    part: object = array
    while isinstance(part, np.ndarray):  # otherwise a view could be made writable again
        part.flags.writeable = False
        part = part.base
    return array


def open_prepared(path: Path) -> Prepared:
    """Open a prepared dataset from the folder that `prepare_dataset` has written.

    Raises:
      UserError: the folder is missing, damaged, or not a prepared dataset.
    """
    path = Path(path)
    kept = read_kept(path)
    try:
        check_sums(path, [ARRAYS, TEXTS, TOKENIZER])
        with (
            (path / ARRAYS).open("rb") as file,  # closed here: NumPy leaks a damaged one
            np.load(file, allow_pickle=False) as arrays,
        ):
            return Prepared(
                path=path,
                name=kept["name"],
                fingerprint=kept["fingerprint"],
                tokenizer_hash=kept["tokenizer_hash"],
                class_names=tuple(kept["class_names"]),
                vocabulary=kept["vocabulary"],
                edges=tuple(kept["edges"]),
                ids=_fixed(arrays["ids"]),
                lengths=_fixed(arrays["lengths"]),
                labels=_fixed(arrays["labels"]),
                splits={split: tuple(rows) for split, rows in kept["splits"].items()},
                deciding=_fixed(arrays["deciding"]) if "deciding" in arrays else None,
                facts=kept["facts"],
            )
    except MemoryError:
        raise
    except Exception as error:  # NumPy and zipfile have several types of errors for damage
        raise damaged(path) from error
