"""Check that a journal can undo all of the write that it was begun for.

A store of one file, as `pack` and `export` leave it, is written under a journal: the pages as they
were. SQLite plays back what it finds sound and takes a damaged byte for the end, which leaves half
a write. What a journal says it holds has reached the disk, so that a lack is damage and no power
cut; before that, its first bytes are zero.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

MAGIC = bytes.fromhex("d9d505f920a163d7")
_HEAD = struct.Struct(">8s5I")
_WITHOUT_END = 2**32 - 1  # in the place of a count: up to the end of the file


def is_damaged(log: Path) -> bool:
    """Return whether a journal has content of which a part cannot be played back."""
    try:
        with open(log, "rb", buffering=0) as file:
            return not _is_sound(file.fileno())
    except OSError:  # gone since, or said where the store is opened
        return False


def _is_sound(file: int) -> bool:
    size = os.fstat(file).st_size
    seen: set[int] = set()
    at = 0
    while at + _HEAD.size <= size:
        magic, count, nonce, pages, sector, page = _HEAD.unpack(os.pread(file, _HEAD.size, at))
        if not any(magic):
            return True
        if magic != MAGIC or not _is_size(sector) or not _is_size(page):
            return False
        at += sector
        step = page + 8
        there = max(size - at, 0) // step
        if count == _WITHOUT_END:
            count = there
        for place in range(count):
            number = _number(os.pread(file, step, at + place * step), nonce, step)
            if not 0 < number <= pages or number in seen:
                return False
            seen.add(number)
        at += count * step
        if _number(os.pread(file, step, at), nonce, step):
            return False  # there are more than it says
        at += -at % sector
    return True


def _is_size(number: int) -> bool:
    return 512 <= number <= 65536 and not number & (number - 1)


def _number(record: bytes, nonce: int, step: int) -> int:
    """The page of a record; 0 where that is none, or its sum is wrong."""
    if len(record) < step:
        return 0
    stated = int.from_bytes(record[-4:])
    # Every 200th byte of the page, from its end, without the first.
    found = nonce + sum(record[4 + step - 8 - 200 : 4 : -200])
    return int.from_bytes(record[:4]) if found % 2**32 == stated else 0
