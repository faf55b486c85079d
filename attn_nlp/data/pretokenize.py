"""Cut texts into pre-tokens exactly like the library, but handle each distinct one only once.

The library keeps track of where every character came from, which takes longer than everything that
is done here. The tokenizers of this package look at characters one by one: a character is dropped,
separates words, is a pre-token by itself, or belongs to a word, whatever its neighbors are. The
library is asked which, once per distinct character, by cutting it between two letters; NumPy then
cuts all texts at once. Only texts with a character that fits none of these classes, or with two
spaces in a row if spaces are marked, are cut by the library.

Pre-tokens are called pieces here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

CHUNK = 4096  # texts cut at once, so that memory stays small
_CODES = 0x110000
_UNASKED, _DROPPED, _SEPARATOR, _ALONE, _INSIDE, _ODD = range(6)


class PreTokenizer:
    """Cuts texts like a normalizer and a pre-tokenizer of the library, and numbers the pieces.

    Args:
      normalizer: a normalizer of the library, or None.
      pre_tokenizer: one that `attn_nlp.data.tokens` uses; how it treats a character may depend on
        its neighbors only in whether a space or the start of the text precedes it.

    Attributes:
      pieces: the distinct pieces so far, by number.
    """

    def __init__(self, normalizer: Any, pre_tokenizer: Any) -> None:
        self._normalizer = normalizer
        self._pre_tokenizer = pre_tokenizer
        self._numbers = _Numbers()
        self.pieces = self._numbers.pieces
        self._kinds = np.full(_CODES, _UNASKED, np.uint8)
        self._values = np.arange(_CODES, dtype=np.uint32)  # normalized
        self._one_to_one = np.zeros(_CODES, bool)  # whether the normalizer does no more than that
        # Numbers of pieces of one character, without and with the mark of a preceding space.
        self._single = np.full((2, _CODES), -1, np.int32)
        self._mark = self.by_library("x")[0].removesuffix("x")

    def by_library(self, text: str) -> list[str]:
        """Return the pieces of one text, cut by the library."""
        normal = self._normalized_by_library(text)
        return [piece for piece, _ in self._pre_tokenizer.pre_tokenize_str(normal)]

    def cut(self, texts: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Cut all texts, in chunks of texts.

        Yields:
          The numbers of the pieces, one text after another, and how many each text has.
        """
        for start in range(0, len(texts), CHUNK):
            yield self._cut(texts[start : start + CHUNK])

    def counts(self, texts: Sequence[str]) -> dict[str, int]:
        """Return how often each piece occurs in the texts."""
        total = np.zeros(0, np.int64)
        for numbers, _ in self.cut(texts):
            counts = np.bincount(numbers, minlength=len(self.pieces))
            counts[: len(total)] += total
            total = counts
        return {piece: int(n) for piece, n in zip(self.pieces, total, strict=False) if n}

    def normalized(self, texts: Sequence[str]) -> Iterator[str]:
        """Yield the normalized texts."""
        for start in range(0, len(texts), CHUNK):
            chunk = texts[start : start + CHUNK]
            codes, rows, kinds = self._read(chunk)
            odd = _rows_with((kinds == _ODD) | ~self._one_to_one[codes], rows, len(chunk))
            kept = kinds != _DROPPED
            whole = _text(self._values[codes[kept]])
            stops = np.cumsum(np.bincount(rows[kept], minlength=len(chunk))).tolist()
            begin = 0
            for text, stop, strange in zip(chunk, stops, odd.tolist(), strict=True):
                yield self._normalized_by_library(text) if strange else whole[begin:stop]
                begin = stop

    def _cut(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        codes, rows, kinds = self._read([f" {text}" for text in texts])
        odd = _rows_with(kinds == _ODD, rows, len(texts))
        kept = kinds != _DROPPED
        codes, rows, kinds = self._values[codes[kept]], rows[kept], kinds[kept]
        first = np.ones(len(rows), bool)  # the space that was put before each text
        first[1:] = rows[1:] != rows[:-1]
        separator = first | (kinds == _SEPARATOR)
        if self._mark:
            lonely = separator.copy()  # separators that no word follows
            lonely[:-1] &= separator[1:]
            odd |= _rows_with(lonely, rows, len(texts))
        inside = (kinds == _INSIDE) & ~first
        continues = inside.copy()
        continues[1:] &= inside[:-1]
        breaks = np.append(np.flatnonzero(~continues), len(rows))
        is_piece = ~separator[breaks[:-1]] & ~odd[rows[breaks[:-1]]]
        starts, stops = breaks[:-1][is_piece], breaks[1:][is_piece]
        numbers = self._number(codes, starts, stops, separator[starts - 1].view(np.int8))
        counts = np.bincount(rows[starts], minlength=len(texts))
        return self._with_odd(texts, odd, numbers, counts) if odd.any() else (numbers, counts)

    def _number(
        self, codes: np.ndarray, starts: np.ndarray, stops: np.ndarray, after: np.ndarray
    ) -> np.ndarray:
        """Return the number of every piece; pieces of one character are looked up in a table."""
        numbers = np.empty(len(starts), np.int32)
        single = stops - starts == 1
        characters, marks = codes[starts[single]], after[single]
        for mark in (0, 1):
            own = characters[marks == mark]
            for code in np.unique(own[self._single[mark, own] < 0]).tolist():
                self._single[mark, code] = self._numbers[self._mark * mark + chr(code)]
        numbers[single] = self._single[marks, characters]
        words = _spans(codes, starts[~single], stops[~single])
        if self._mark:
            marks = after[~single].tolist()
            words = [self._mark + w if m else w for w, m in zip(words, marks, strict=True)]
        numbers[~single] = self._numbers.of(words)
        return numbers

    def _with_odd(
        self, texts: Sequence[str], odd: np.ndarray, numbers: np.ndarray, counts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Insert the pieces of odd texts, which the library cuts, where they belong."""
        theirs = [
            self._numbers.of(self.by_library(texts[row])) for row in np.flatnonzero(odd).tolist()
        ]
        counts[odd] = [len(numbers_of_text) for numbers_of_text in theirs]
        strange = np.repeat(odd, counts)
        merged = np.empty(len(strange), np.int32)
        merged[~strange] = numbers
        merged[strange] = np.concatenate(theirs)
        return merged, counts

    def _read(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the code, the row and the kind of every character."""
        codes = code_points(texts)
        kinds = self._kinds[codes]
        unasked = np.unique(codes[kinds == _UNASKED])
        if len(unasked):
            for code in unasked.tolist():
                self._ask(code)
            kinds = self._kinds[codes]
        rows = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
        return codes, rows, kinds

    def _ask(self, code: int) -> None:
        """Find out what the library does with a character between two letters."""
        begin = self._mark + "x"
        around = self.by_library(f"x{chr(code)}x")
        normal = self._normalized_by_library(f"x{chr(code)}x")[1:-1]
        stripped = normal.strip() or normal  # a Han character may have been given spaces
        kinds = {
            (begin, stripped, "x"): _ALONE,
            (f"{begin}{stripped}x",): _INSIDE,
            (begin, begin): _SEPARATOR,
            (begin + "x",): _DROPPED,
        }
        kind = kinds.get(tuple(around), _ODD) if len(stripped) < 2 else _ODD
        self._kinds[code] = kind
        if len(stripped) == 1:
            self._values[code] = ord(stripped)
        self._one_to_one[code] = normal == ("" if kind == _DROPPED else stripped)

    def _normalized_by_library(self, text: str) -> str:
        return text if self._normalizer is None else self._normalizer.normalize_str(text)


class _Numbers(dict):
    """The numbers of pieces, and the pieces by number; a new piece gets the next number."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def __missing__(self, piece: str) -> int:
        self[piece] = number = len(self.pieces)
        self.pieces.append(piece)
        return number

    def of(self, pieces: Sequence[str]) -> np.ndarray:
        return np.fromiter(map(self.__getitem__, pieces), np.int32, len(pieces))


def code_points(texts: Iterable[str]) -> np.ndarray:
    """Return the characters of all texts as code points."""
    return np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32)


def _text(codes: np.ndarray) -> str:
    return codes.astype("<u4").tobytes().decode("utf-32-le")


def _spans(codes: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> list[str]:
    """Return the strings from starts to stops, which must be at least one character apart."""
    depth = np.zeros(len(codes) + 1, np.int8)
    depth[starts] = 1
    depth[stops] = -1
    chosen = np.append(codes, 0)
    chosen[stops] = ord("\n")  # no piece contains one
    within = np.cumsum(depth, dtype=np.int8).view(bool)
    within[stops] = True
    return _text(chosen[within]).split("\n")[:-1]


def _rows_with(where: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """Return (count,) bool, True for the texts in which `where` is True anywhere."""
    flags = np.zeros(count, bool)
    flags[rows[where]] = True
    return flags
