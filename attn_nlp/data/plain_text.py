"""Check that a file is plain UTF-8 text, block by block, before it is parsed."""

from __future__ import annotations

import codecs
from pathlib import Path

from attn_nlp.data.names import shown
from attn_nlp.errors import UserError

BLOCK = 1 << 20
# First bytes of files that often have the wrong extension.
_BEGINNINGS = (
    (b"\x1f\x8b", "gzip; unpack it"),
    (b"PK\x03\x04", "zip (or .xlsx); unpack it, or export it as CSV"),
    (b"BZh", "bzip2; unpack it"),
    (b"\xfd7zXZ\0", "xz; unpack it"),
    (b"\x28\xb5\x2f\xfd", "zstd; unpack it"),
    (b"PAR1", "parquet; name it .parquet"),
    (b"ARROW1", "Arrow; write it as .parquet"),
    (b"SQLite format 3\0", "SQLite; export the table as CSV"),
    (b"\xff\xfe\0\0", "UTF-32; re-encode it as UTF-8"),
    (b"\0\0\xfe\xff", "UTF-32; re-encode it as UTF-8"),
    (b"\xff\xfe", "UTF-16; re-encode it as UTF-8"),
    (b"\xfe\xff", "UTF-16; re-encode it as UTF-8"),
    (b"version https://git-lfs.github.com/", "a Git LFS pointer; fetch the file with git lfs pull"),
)
_FEW = 4096


def check_beginning(file: Path) -> None:
    """Reject a file of text whose first bytes show that it is something else.

    Raises:
      UserError: naming what it looks like.
    """
    with file.open("rb") as opened:
        head = opened.read(_FEW)
    for start, what in _BEGINNINGS:
        if head.startswith(start):
            raise UserError(f"{shown(file.name)} is not text: it begins like {what}.")
    if b"\0" in head:
        raise _has_nul(file, head, 1 + head[: head.index(b"\0")].count(b"\n"))


def check_utf8(file: Path) -> None:
    """Reject a file that is not UTF-8 or contains a NUL.

    Raises:
      UserError: naming the line and the byte.
    """
    check_beginning(file)
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    with file.open("rb") as opened:
        while True:
            block = opened.read(BLOCK)
            if b"\0" in block:
                raise _has_nul(file, block, line + block[: block.index(b"\0")].count(b"\n"))
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                line += error.object[: error.start].count(b"\n")
                raise UserError(
                    f"{shown(file.name)}, line {line}: byte {error.object[error.start]:#04x} is "
                    "not UTF-8; re-encode the file."
                ) from error
            if not block:
                return
            line += block.count(b"\n")


def _has_nul(file: Path, block: bytes, line: int) -> UserError:
    """Return the error for a NUL, which text never contains and UTF-16 often does."""
    of = max(block.count(0), 1)
    aside = max(block[0::2].count(0), block[1::2].count(0))
    wide = block.count(0) < len(block) * 0.75 and of > len(block) * 0.2 and aside > 0.9 * of
    instead = "it looks like UTF-16; re-encode it as UTF-8" if wide else "it may be binary"
    return UserError(
        f"{shown(file.name)}, line {line}: a NUL byte, which no text contains; {instead}."
    )
