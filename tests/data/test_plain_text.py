"""A file that is not UTF-8 text is rejected by its first bytes, or by the line."""

from __future__ import annotations

import gzip

import pytest

from attn_nlp.data.loading import load
from attn_nlp.data.plain_text import BLOCK, check_utf8
from attn_nlp.errors import UserError

CSV = "text,label\na,0\nb,1\n"
LINES = '{"text": "a", "label": "b"}\n' * 3


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("d.jsonl", LINES.encode("utf-16-le"), "line 1: a NUL byte, .* looks like UTF-16"),
        ("d.csv", CSV.encode("utf-16-be"), "line 1: a NUL byte, .* looks like UTF-16"),
        ("d.csv", CSV.encode("utf-16"), "is not text: it begins like UTF-16"),
        ("d.csv", gzip.compress(CSV.encode(), mtime=0), "begins like gzip; unpack it"),
        ("d.json", b"PK\x03\x04junk", "begins like zip"),
        ("d.csv", b"PAR1junk", "begins like parquet; name it .parquet"),
        ("d.csv", b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        ("d.csv", CSV.encode() + b"a\0,0\n", "line 4: a NUL byte, .* may be binary"),
        ("d.csv", bytes(10_000), "line 1: a NUL byte, .* may be binary"),
    ],
)
def test_what_it_looks_like_is_said(tmp_path, name, content, said):
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(UserError, match=rf"{file.stem}\.\w+,? {said}|{said}"):
        load(str(file), tmp_path)


@pytest.mark.parametrize("before", [0, BLOCK - 3, BLOCK - 2, BLOCK - 1, BLOCK, 2 * BLOCK - 1])
def test_lines_are_counted_over_blocks_and_letters_may_span_them(tmp_path, before):
    file = tmp_path / "d.csv"
    lines = b"\n" * (before // 2) + b"x" * (before - before // 2)
    file.write_bytes(lines + "é€😀".encode())
    check_utf8(file)
    for bad, byte in ((b"\xff", "0xff"), (b"\xc3", "0xc3"), (b"\0", "NUL")):
        file.write_bytes(lines + bad)
        with pytest.raises(UserError, match=rf"d\.csv, line {before // 2 + 1}: .*{byte}"):
            check_utf8(file)
