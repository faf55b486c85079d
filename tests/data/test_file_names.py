"""A name is a name: never a pattern, an address or a list, whatever characters it has."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from attn_nlp.data import DataSettings, check_dataset, prepare_dataset
from attn_nlp.data.files import read_columns, write_columns
from attn_nlp.data.loading import load
from attn_nlp.data.names import LONGEST, listed, shown
from attn_nlp.errors import UserError

OWN = "text,label\nmine one,a\nmine two,b\n"
OTHER = "text,label\nnot mine,c\nnot mine either,d\n"
# The name, and a neighbor that it would match as a pattern or an address.
NAMES = [
    ("br[1]", "br1"),
    ("star?", "starX"),
    ("star*", "starry"),
    ("a{b,c}", "ab"),
    ("**", "any"),
    ("[!x]", "y"),
    ("a::b", "b"),
    ("file:a", "a"),
    ("a%20b", "a b"),
    ("a#b", "a"),
    ("a b", "a"),
    ("-x", "x"),
    ("~x", "x"),
    ("~", "x"),
    ("$HOME", "x"),
    ("a\nb", "a"),
    ("a\\b", "b"),
    ("é", "e"),
]


def texts(name: str, folder: Path) -> list[str]:
    return load(name, folder).columns["train"][0]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("name", "neighbor"), NAMES, ids=lambda n: ascii(n))
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_file_is_read_itself_and_nothing_like_it(here, name, neighbor, suffix):
    for stem, whose in ((name, OWN), (neighbor, OTHER)):
        file = here / f"{stem}.{suffix}"
        rows = [line.split(",") for line in whose.splitlines()[1:]]
        if suffix == "csv":
            file.write_text(whose)
        elif suffix == "jsonl":
            file.write_text("".join(f'{{"text": "{t}", "label": "{v}"}}\n' for t, v in rows))
        else:
            table = arrow.table({"text": [r[0] for r in rows], "label": [r[1] for r in rows]})
            with file.open("wb") as opened:
                parquet.write_table(table, opened)
    assert texts(f"{name}.{suffix}", here) == ["mine one", "mine two"]


@pytest.mark.parametrize(("name", "neighbor"), NAMES, ids=lambda n: ascii(n))
def test_a_folder_is_read_itself_also_as_the_data_folder(here, monkeypatch, name, neighbor):
    for folder, whose in ((name, OWN), (neighbor, OTHER)):
        for place in (here / folder, here / folder / "mr"):
            place.mkdir()
            labels = (
                whose if place.name != "mr" else whose.replace(",a", ",neg").replace(",b", ",pos")
            )
            (place / "train.csv").write_text(labels)
    assert texts(name, here) == ["mine one", "mine two"]
    monkeypatch.setenv("ATTN_NLP_DATA", name)
    assert texts("mr", here) == ["mine one", "mine two"]


def test_prepared_data_is_written_to_a_folder_of_any_name(here):
    folder = here / "a::b [c]*"
    folder.mkdir()
    write_columns(folder / "x.parquet", {"text": ["one", "two"]})
    assert read_columns(folder / "x.parquet") == {"text": ["one", "two"]}
    assert [p.name for p in here.iterdir()] == ["a::b [c]*"]


@pytest.mark.parametrize("name", [os.fsdecode(b"bad\xff.csv"), "a\ud800.csv", "\udcff/train"])
def test_a_name_that_is_not_utf8_is_one_printable_line(here, name):
    if "\ud800" not in name:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(OWN)
    for given in (check_dataset, lambda n: prepare_dataset(DataSettings(n), here / "kept")):
        with pytest.raises(UserError, match=r"is not valid UTF-8, .* rename the file") as caught:
            given(name)
        assert str(caught.value).isprintable()


def test_names_in_messages_are_printable_and_short(here):
    (here / "f").mkdir()
    (here / "f" / "train.csv").write_text(OWN)
    (here / "f" / "te\x1b[31mst\n.csv").write_text(OWN)
    with pytest.raises(UserError, match=r"te\\x1b\[31mst\\n\.csv") as caught:
        load("f", here)
    assert str(caught.value).isprintable()
    assert len(shown("k" * 10_000)) == LONGEST + len("...")
    assert listed(map(str, range(100))).endswith("10, 11 and 88 more")
    assert listed([]) == "none"


def test_a_folder_in_the_way_of_a_hub_id_is_not_read_for_it(here, monkeypatch):
    monkeypatch.delenv("ATTN_NLP_DATA", raising=False)
    (here / "SetFit" / "sst2").mkdir(parents=True)
    (here / "SetFit" / "sst2" / "train.csv").write_text(OTHER)
    with pytest.raises(UserError, match=r"'SetFit/sst2' is also a file or folder here"):
        load("sst2", here)


def test_the_data_folder_must_hold_folders(here, monkeypatch):
    (here / "sst2").write_text("")
    monkeypatch.setenv("ATTN_NLP_DATA", str(here))
    with pytest.raises(UserError, match=r"sst2 is not a folder; it must contain the files of"):
        load("sst2", here)
    monkeypatch.setenv("ATTN_NLP_DATA", str(here / "sst2"))
    with pytest.raises(UserError, match=r"cannot read .*: Not a directory"):
        load("sst2", here)
