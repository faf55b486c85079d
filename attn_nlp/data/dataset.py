"""A dataset ready to train on, opened from its folder.

In: a folder that `prepare` has written. Out: arrays at once, texts and tokenizer when asked for.
Arrays are an .npz without pickles, texts parquet, the rest JSON: nothing in a folder can run code.
Every file has its SHA-256 noted beside it, and the folder its own name within: whatever was changed
since, cut, or put under another's name counts as damaged, and `prepare` makes it anew.
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
    """What of a cell decides its data.

    Attributes:
      dataset: a registered name, Hub id, file or folder.
      split_seed: draws the validation rows where the dataset has none of its own.
      tokens: a name in `TOKENIZERS`.
      vocabulary: most ids, padding and unknown included.
      length: most tokens of a text; the rest is cut off.
      fold: which of ten folds is test, where the dataset has no test split of its own.
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
      path: the folder it was read from.
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
      deciding: (N, T) bool, True at tokens that decide the label, or None where unknown.
      facts: counts, rules and provenance for tables and footnotes; JSON-able.
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
        """The same data without its test split: its rows are blank, and no split has its name."""
        test = slice(*self.splits["test"])
        blank = {"ids": 0, "lengths": 1, "labels": 0, "deciding": False}
        arrays = {}
        for name, nothing in blank.items():
            array = getattr(self, name)
            if array is not None:
                arrays[name] = array.copy()
                arrays[name][test] = nothing
        arrays["ids"][test, 0] = 1  # one unknown token, as an empty text has
        fixed = {name: _fixed(array) for name, array in arrays.items()}
        return replace(self, splits=_Sealed(self.splits), **fixed)

    def apart(self) -> Prepared:
        """The same data for one fit, which may change what it is given; nobody else sees it.

        Its arrays are views, for reading only: the writing that they refuse cannot be allowed.
        """
        named = ("ids", "lengths", "labels", "deciding")
        arrays = {name: getattr(self, name) for name in named}
        views = {name: each if each is None else each.view() for name, each in arrays.items()}
        return replace(self, splits=copy(self.splits), facts=deepcopy(self.facts), **views)

    @property
    def positive(self) -> int | None:
        """The class whose F1 is the dataset's customary metric, or None where it has none."""
        name = self.facts.get("positive")
        return self.class_names.index(name) if name in self.class_names else None

    def labels_of(self, split: str) -> np.ndarray:
        """The labels of a split, in the order of its rows."""
        start, stop = self.splits[split]
        return self.labels[start:stop]

    def texts(self, split: str) -> list[str]:
        """The texts of a split, in the order of its rows, read when asked for."""
        start, stop = self.splits[split]
        self._check(TEXTS)
        columns = read_columns(self.path / TEXTS)
        if columns is None:
            raise damaged(self.path)
        return columns["text"][start:stop]

    def encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Ids (n, t) int32 and lengths (n,) int32 of new texts, cut as the dataset's were."""
        encoded = tokens.encode(self._tokenizer(), texts, self.facts["settings"]["length"])
        return encoded.ids, encoded.lengths

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The token each id stands for."""
        tokenizer = self._tokenizer()
        return [tokenizer.id_to_token(int(i)) for i in ids]

    def _tokenizer(self) -> Any:
        """The trained tokenizer, read when asked for."""
        self._check(TOKENIZER)
        return tokens.library().Tokenizer.from_file(str(self.path / TOKENIZER))

    def _check(self, file: str) -> None:
        """Refuse a file that was changed since the folder was opened."""
        try:
            check_sums(self.path, [file])
        except (OSError, ValueError) as error:
            raise damaged(self.path) from error


class _Sealed(dict):
    """Splits without test, which says so to whoever asks for it."""

    def __init__(self, splits: Mapping[str, tuple[int, int]]) -> None:
        super().__init__({name: rows for name, rows in splits.items() if name != "test"})

    def __missing__(self, name: str):
        if name == "test":
            raise UserError(
                "a trial is judged on validation only; its test split is not to be read."
            )
        raise KeyError(name)


def damaged(path: Path) -> UserError:
    """The error for a prepared folder that cannot be read back."""
    return UserError(f"prepared data in {path} is missing or damaged; delete the folder and rerun.")


def read_kept(path: Path) -> dict[str, Any]:
    """What a prepared folder says of itself, without its arrays and texts.

    Raises:
      UserError: the folder is missing, damaged or not one of ours.
    """
    try:
        check_sums(path, [FACTS])
        kept = json.loads((path / FACTS).read_text(encoding="utf-8"))
        if kept["folder"] != path.name:
            raise ValueError(f"it was written as {kept['folder']}")
    except MemoryError:
        raise
    except Exception as error:  # whatever is raised, it is none of ours
        raise damaged(path) from error
    return kept


def _fixed(array: np.ndarray) -> np.ndarray:
    """The array for reading only: the cells of a worker share it, and a model may try to write."""
    part: object = array
    while isinstance(part, np.ndarray):  # else a view could be opened for writing again
        part.flags.writeable = False
        part = part.base
    return array


def open_prepared(path: Path) -> Prepared:
    """The prepared dataset in a folder that `prepare` has written.

    Raises:
      UserError: the folder is missing, damaged or not one of ours.
    """
    path = Path(path)
    kept = read_kept(path)
    try:
        check_sums(path, [ARRAYS, TEXTS, TOKENIZER])
        with (
            (path / ARRAYS).open("rb") as file,  # ours to close: NumPy leaks a damaged one
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
    except Exception as error:  # NumPy and zipfile have no one type of error for damage
        raise damaged(path) from error
