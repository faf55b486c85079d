"""A small file that unpacks to gigabytes is refused before it is unpacked."""

from __future__ import annotations

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from attn_nlp.data.files import read_splits
from attn_nlp.data.limits import MOST_BYTES, check_sizes
from attn_nlp.mistakes import Mistake

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
    with pytest.raises(Mistake, match=r"train\.parquet would unpack to more than"):
        read_splits("parquet", {"train": [bomb]})


def test_zeros_that_unpack_to_gigabytes_are_refused_by_their_footer(tmp_path, monkeypatch):
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
        Mistake, match=r"train\.parquet would unpack to more than the 4,294,967,296"
    ):
        read_splits("parquet", {"train": [path]})


def test_what_the_footer_declares_is_believed(tmp_path, monkeypatch):
    path = tmp_path / "train.parquet"
    parquet.write_table(arrow.table({"text": [f"{n:01000}" for n in range(100)]}), path)
    monkeypatch.setenv("ATTN_NLP_MAX_BYTES", "90000")
    with pytest.raises(Mistake, match="more than the 90,000 bytes"):
        check_sizes("parquet", [path])
    monkeypatch.setenv("ATTN_NLP_MAX_BYTES", "1000000")
    check_sizes("parquet", [path])


def test_files_count_together(tmp_path, monkeypatch):
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for file in files:
        file.write_text("x" * 60)
    monkeypatch.setenv("ATTN_NLP_MAX_BYTES", "100")
    with pytest.raises(Mistake, match=r"b\.csv would unpack"):
        check_sizes("csv", files)


def test_a_limit_that_is_no_number_is_named(monkeypatch):
    monkeypatch.setenv("ATTN_NLP_MAX_BYTES", "4 GB")
    with pytest.raises(Mistake, match="ATTN_NLP_MAX_BYTES is '4 GB'"):
        check_sizes("csv", [])
