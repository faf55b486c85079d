"""Check that all of a log can be read.

SQLite reads a log up to the first frame whose sum is wrong, and takes what is there for all of it:
a damaged byte makes a shorter log, and the next write goes over the rest. So the sums are worked
out here as well, as SQLite's file format has them, and what lies behind is looked at.

A write that was cut short leaves a wrong sum too, and no other transaction behind it: one has
reached the disk before the next begins (`synchronous = FULL`).

A sum goes through a page word by word, which Python does slowly. But a frame begins from the sum
that stands in the one before, so all are worked out side by side, as parts of one long number.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

_HEAD, _FRAME = 32, 24  # bytes before the first frame, and before the page of each
_AT_ONCE = 1 << 20  # bytes
Order = Literal["little", "big"]
_ORDERS: dict[int, Order] = {0x377F0682: "little", 0x377F0683: "big"}  # by the first bytes


class Lack(NamedTuple):
    """A part of a log that SQLite does not read.

    Attributes:
      frame: the first that it does not read, from 1; 0 for the header before them.
      transactions: how many it does not read, at least.
      certain: whether they had reached the disk, and were damaged there.
    """

    frame: int
    transactions: int
    certain: bool


class _Frame(NamedTuple):
    page: int
    size: int  # of the database, in the last frame of a transaction; else 0
    salts: tuple[int, int]
    sums: tuple[int, int]

    def of(self, salts: tuple[int, int]) -> bool:
        """Return whether a frame belongs to a log, even if it is damaged.

        Salts are others in every new beginning of a log: both of them.
        """
        return self.salts[0] == salts[0] or self.salts[1] == salts[1]


def lack(log: Path) -> Lack | None:
    """Return what cannot be read of a write-ahead log, or None if all of it can."""
    try:
        with open(log, "rb", buffering=0) as file:
            return _lack(file.fileno())
    except OSError:  # said where the store is opened
        return None


def _lack(file: int) -> Lack | None:
    size = os.fstat(file).st_size
    head = os.pread(file, _HEAD, 0)
    if size <= _HEAD or _is_blank(file, size):
        return None
    magic, _, page, _, *rest = struct.unpack(">8I", head)
    salts, sums = (rest[0], rest[1]), (rest[2], rest[3])
    order = _ORDERS.get(magic)
    if order is None or list(_sums(head[:24], range(6), [(0, 0)], order)) != [sums]:
        return Lack(0, 1, certain=True)
    step = _FRAME + page
    places = range(_HEAD, size - step + 1, step)
    frames = [_frame(os.pread(file, _FRAME, place)) for place in places]
    sound = _sound(file, frames, salts, sums, (step, order))
    behind = [place for place in range(sound, len(frames)) if frames[place].of(salts)]
    if not behind or os.pread(file, _HEAD, 0) != head:  # begun anew meanwhile, all of it read
        return None
    ends = sum(frames[place].size > 0 for place in behind[1:])
    # Every transaction of ours begins with the first page. What the first of these frames says of
    # itself may be wrong.
    begun = sum(
        frames[then].page == 1 and (place == sound or frames[place].size > 0)
        for place, then in pairwise(behind)
    )
    if not ends and not begun and len(behind) > 1:
        return None  # left by a write that was given up, under a shorter one
    certain = ends > 1 or (ends > 0 and begun > 0)
    return Lack(sound + 1, max(begun + 1, ends), certain)


def _is_blank(file: int, size: int) -> bool:
    """Return whether nothing was written: a disk may reserve space and then lose power."""
    return not any(any(os.pread(file, _AT_ONCE, at)) for at in range(0, size, _AT_ONCE))


def _frame(head: bytes) -> _Frame:
    page, size, salt, other, first, second = struct.unpack(">6I", head.ljust(_FRAME, b"\0"))
    return _Frame(page, size, (salt, other), (first, second))


def _sound(
    file: int,
    frames: list[_Frame],
    salts: tuple[int, int],
    before: tuple[int, int],
    form: tuple[int, Order],
) -> int:
    """Return how many of the first frames are sound.

    Args:
      file: the log.
      frames: what stands before each of its pages.
      salts, before: the salts of its header, and the sums.
      form: bytes of a frame, and the order of those in a word of the sums.
    """
    step, order = form
    there = next((at for at, frame in enumerate(frames) if frame.salts != salts), len(frames))
    words = [0, 1, *range(_FRAME // 4, step // 4)]
    at_once = max(_AT_ONCE // step, 1)
    for begin in range(0, there, at_once):
        stated = [frame.sums for frame in frames[begin : min(begin + at_once, there)]]
        content = os.pread(file, step * len(stated), _HEAD + step * begin)
        if len(content) < step * len(stated):  # emptied just now
            return begin
        found = _sums(content, words, [before, *stated[:-1]], order)
        for place, (one, other) in enumerate(zip(found, stated, strict=True)):
            if one != other:
                return begin + place
        before = stated[-1]
    return there


def _sums(
    content: bytes, words: Iterable[int], before: Sequence[tuple[int, int]], order: Order
) -> Iterator[tuple[int, int]]:
    """SQLite's sums of pieces of equal length: first += word + second, and in turn.

    Args:
      content: the pieces.
      words: which of the words of 32 bits in each, an even number of them.
      before: what the sums of each begin from.
      order: of the bytes of a word.
    """
    count = len(before)
    given = memoryview(content).cast("I")
    part = bytearray(8 * count)  # a word of every piece, in 64 bits
    half = memoryview(part).cast("I")[order == "big" :: 2]
    numbers = struct.Struct(f"{'<' if order == 'little' else '>'}{count}Q")
    kept = int.from_bytes(numbers.pack(*[2**32 - 1] * count), order)
    first, second = (
        int.from_bytes(numbers.pack(*sums), order) for sums in zip(*before, strict=True)
    )
    for word in words:
        half[:] = given[word :: len(given) // count]
        first, second = second, (first + second + int.from_bytes(part, order)) & kept
    ends = (numbers.unpack(number.to_bytes(8 * count, order)) for number in (first, second))
    return zip(*ends, strict=True)
