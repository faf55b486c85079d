"""A small file that unpacks to gigabytes is rejected before it is unpacked."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from attn_nlp.data import DataSettings, prepare_dataset
from attn_nlp.data.limits import MOST_BYTES, check_disk_sizes, check_unpacked
from attn_nlp.data.loading import load
from attn_nlp.errors import UserError

ROWS = 6_000
LONG = "x" * 1_000_000


@pytest.fixture(scope="module")
def bomb(tmp_path_factory):
    """Six thousand rows that all name one text of a million letters: 6 GB in about a megabyte."""
    path = tmp_path_factory.mktemp("bomb") / "train.parquet"
    texts = arrow.DictionaryArray.from_arrays(arrow.array([0] * ROWS, arrow.int32()), [LONG])
    labels = arrow.array(["a", "b"] * (ROWS // 2))
    table = arrow.table({"text": texts, "label": labels})
    parquet.write_table(table, path, compression="zstd", store_schema=False)
    return path


def test_a_text_named_many_times_is_counted_each_time(bomb):
    footer = parquet.ParquetFile(bomb).metadata
    assert footer.row_group(0).total_byte_size < MOST_BYTES, "the footer alone gives nothing away"
    assert bomb.stat().st_size < 2_000_000
    with pytest.raises(UserError, match=r"train\.parquet would unpack to more than"):
        load(str(bomb), bomb.parent)


def test_zeros_that_unpack_to_gigabytes_are_rejected_by_their_footer(tmp_path, monkeypatch):
    """Its footer names one group of 16 MiB of zeros 257 times: 4 GiB in a few hundred kilobytes."""
    path, footer = tmp_path / "train.parquet", tmp_path / "footer"
    zeros = arrow.table({"text": ["0" * (16 << 20)], "label": ["a"]})
    parquet.write_table(zeros, path, compression="zstd", use_dictionary=False)
    once = parquet.read_metadata(path)
    many = parquet.read_metadata(path)
    for _ in range(256):
        many.append_row_groups(once)
    many.write_metadata_file(footer)
    path.write_bytes(path.read_bytes() + footer.read_bytes()[len(b"PAR1") :])
    assert path.stat().st_size < 2_000_000
    assert parquet.ParquetFile(path).read_row_group(256).equals(zeros), "it really unpacks"
    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", None)  # nothing is unpacked now
    with pytest.raises(
        UserError, match=r"train\.parquet would unpack to more than the 4,294,967,296"
    ):
        load(str(path), tmp_path)


def test_what_the_footer_declares_is_believed(tmp_path, monkeypatch):
    path = tmp_path / "train.parquet"
    parquet.write_table(arrow.table({"text": [f"{n:01000}" for n in range(100)]}), path)
    monkeypatch.setenv("ATTN_NLP_MAX_BYTES", "90000")
    with pytest.raises(UserError, match="more than the 90,000 bytes"):
        check_unpacked([path])
    monkeypatch.setenv("ATTN_NLP_MAX_BYTES", "1000000")
    check_unpacked([path])


def test_files_count_together(tmp_path, monkeypatch):
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for file in files:
        file.write_text("x" * 60)
    monkeypatch.setenv("ATTN_NLP_MAX_BYTES", "100")
    with pytest.raises(UserError, match=r"b\.csv would unpack"):
        check_disk_sizes(files)


@pytest.mark.parametrize("given", ["4 GB", "abc", "", "-1", "1e9", "0x10", "²", "9" * 5000])
def test_a_limit_that_is_no_number_is_named(monkeypatch, given):
    monkeypatch.setenv("ATTN_NLP_MAX_BYTES", given)
    with pytest.raises(UserError, match=f"ATTN_NLP_MAX_BYTES is '{given[:40]}") as caught:
        check_disk_sizes([])
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("name", ["d.csv", "d.jsonl", "d.parquet", "f/train.csv"])
def test_what_is_too_large_is_rejected_before_it_is_opened(tmp_path, monkeypatch, name):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.touch()
    os.truncate(file, MOST_BYTES + 1)  # a hole: takes no room
    monkeypatch.setattr(Path, "open", None)
    dataset = file if name[0] == "d" else file.parent
    with pytest.raises(
        UserError, match=rf"{file.name} would unpack to more than the 4,294,967,296"
    ):
        prepare_dataset(DataSettings(str(dataset)), tmp_path / "kept")


@pytest.mark.parametrize("name", ["d.csv", "d.jsonl"])
def test_gigabytes_of_zeros_are_rejected_by_their_first_block(tmp_path, monkeypatch, name):
    file = tmp_path / name
    file.touch()
    os.truncate(file, 3 << 30)
    monkeypatch.setattr(hashlib, "file_digest", None)  # not even hashed
    with pytest.raises(UserError, match=f"{name}, line 1: a NUL byte"):
        prepare_dataset(DataSettings(str(file)), tmp_path / "kept")


def test_a_column_that_is_not_read_is_not_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "d.parquet"
    many = arrow.DictionaryArray.from_arrays(
        arrow.array([0] * 2_000, arrow.int32()), ["x" * 10_000]
    )
    table = arrow.table({"text": ["a", "b"] * 1_000, "label": ["a", "b"] * 1_000, "blob": many})
    parquet.write_table(table, path, store_schema=False)
    monkeypatch.setenv("ATTN_NLP_MAX_BYTES", "1000000")
    with pytest.raises(UserError, match="would unpack"):
        check_unpacked([path])
    raw = load(str(path), tmp_path)
    assert raw.columns["train"][0] == ["a", "b"] * 1_000
    assert raw.ignored == ("blob",)
