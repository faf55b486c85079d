"""Local files and folders, good and bad."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from attn_nlp.data import DataSettings, prepare_dataset
from attn_nlp.data.loading import load
from attn_nlp.data.rows import check
from attn_nlp.errors import UserError

CSV = "text,label\nNA,pos\n007,neg\n,pos\nnull,neg\n" + "".join(
    f'"row {i}, quoted",{"pos" if i % 2 else "neg"}\n' for i in range(20)
)


def write(path: Path, content: str | bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def lines(*rows: dict) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_csv_cells_stay_as_written(tmp_path):
    raw = load(write(tmp_path / "a.csv", CSV), tmp_path)
    rows, names = check(raw)
    assert rows["train"].texts[:5] == ["NA", "007", "", "null", "row 0, quoted"]
    assert names == ("neg", "pos")
    assert raw.origin == "local file"


def test_a_byte_order_mark_is_no_part_of_a_column_name(tmp_path):
    raw = load(write(tmp_path / "a.csv", b"\xef\xbb\xbftext,label\na,0\nb,1\n"), tmp_path)
    assert raw.columns["train"] == (["a", "b"], ["0", "1"])


@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
def test_json_lines_and_a_json_array(tmp_path, suffix):
    given = [{"sentence": "x", "label": 3}, {"sentence": "y", "label": 1}]
    content = json.dumps(given) if suffix == ".json" else lines(*given)
    rows, names = check(load(write(tmp_path / f"a{suffix}", content), tmp_path))
    assert rows["train"].texts == ["x", "y"]
    assert [names[i] for i in rows["train"].labels] == ["3", "1"]
    assert names == ("1", "3")


def test_a_folder_has_a_file_for_each_split(tmp_path):
    folder = tmp_path / "mine"
    write(folder / "train.csv", "text,label\na,0\nb,1\n")
    write(folder / "dev.csv", "text,label\nc,0\n")
    write(folder / "test.csv", "text,label\nd,1\n")
    raw = load(str(folder), tmp_path)
    assert {s: texts for s, (texts, _) in raw.columns.items()} == {
        "train": ["a", "b"],
        "validation": ["c"],
        "test": ["d"],
    }
    assert raw.origin == "local folder"


def test_a_changed_file_is_read_anew(tmp_path):
    import os

    name = write(tmp_path / "a.csv", "text,label\na,0\nb,1\n")
    before = os.stat(name)
    first = load(name, tmp_path)
    write(tmp_path / "a.csv", "text,label\nx,0\nb,1\n")
    os.utime(name, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert load(name, tmp_path).columns != first.columns


def test_parquet_keeps_the_declared_order_of_classes(tmp_path):
    import datasets

    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["zeta", "alpha"])}
    )
    rows = {"text": ["a", "b", "c"], "label": [0, 1, 1]}
    folder = tmp_path / "mine"
    folder.mkdir()
    datasets.Dataset.from_dict(rows, features=features).to_parquet(folder / "train.parquet")
    checked, names = check(load(str(folder), tmp_path))
    assert names == ("zeta", "alpha")
    assert checked["train"].labels == [0, 1, 1]


@pytest.mark.parametrize(
    "features",
    [
        '["text"]',
        '{"label": "string"}',
        '{"label": {"_type": "Sequence"}}',
        '{"label": {"_type": ["x"]}}',
        '{"label": {"_type": "ClassLabel", "names": [1, 2]}}',
        '{"label": {"_type": "ClassLabel", "names": ["\\ud800", "b"]}}',
        '{"label": {"_type": "ClassLabel", "names": ["a", "a"]}}',
        "[" * 100_000,
    ],
)
def test_declarations_in_no_known_form_are_one_sentence(tmp_path, features):
    table = arrow.table({"text": ["a", "b"], "label": [0, 1]})
    odd = table.replace_schema_metadata({"huggingface": f'{{"info": {{"features": {features}}}}}'})
    parquet.write_table(odd, tmp_path / "d.parquet")
    with pytest.raises(
        UserError, match=r"^cannot read d\.parquet: its metadata 'huggingface' does not declare"
    ):
        load(str(tmp_path / "d.parquet"), tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("a.csv", b"", "a.csv is empty"),
        ("a.csv", "text,label\na,0\nx, y,1\n", "a.csv row 2: 3 fields under 2 column names"),
        ("a.csv", b"text,label\na,0\nb\xff,1\n", "a.csv, line 3: byte 0xff is not UTF-8"),
        ("a.jsonl", b'{"text": "a\xe9", "label": 1}\n', "a.jsonl, line 1: byte 0xe9"),
        ("a.jsonl", '{"text": "a\\ud800", "label": 1}\n', "cannot read a.jsonl: .*surrogate"),
        ("a.jsonl", '{"text": "a", "label": 1\n', "cannot read a.jsonl: "),
        ("a.parquet", b"junk", "cannot read a.parquet: "),
        (
            "a.csv",
            "txt,label\na,0\n",
            "no text column named 'text' or 'sentence'; columns: txt, label. Did .* 'txt'",
        ),
        (
            "a.csv",
            "text,labels\na,0\n",
            "no label column named 'label'; columns: text, labels. Did .* 'labels'",
        ),
        ("a.jsonl", lines({"text": "a", "label": 1}, {"text": None, "label": 0}), "train row 2"),
        ("a.jsonl", lines({"text": "a", "label": 1}, {"text": "b"}), r"train row 2: no label"),
        ("a.jsonl", lines({"text": "a\0", "label": 1}, {"text": "b", "label": 0}), "NUL"),
        ("a.jsonl", lines({"text": "a", "label": -1}, {"text": "b", "label": 0}), "label -1"),
        ("a.csv", "text,label\na,0\nb,1\nc,2\n", "cannot be split"),
    ],
)
def test_bad_files_are_one_sentence(tmp_path, file, content, said):
    name = write(tmp_path / file, content)
    with pytest.raises(UserError, match=said) as caught:
        prepare_dataset(DataSettings(name), tmp_path / "kept")
    assert "\n" not in str(caught.value)


def test_folders_without_a_train_file_or_of_two_kinds(tmp_path):
    write(tmp_path / "empty" / "notes.txt", "")
    with pytest.raises(UserError, match=r"has no train file; .* found: notes.txt"):
        load(str(tmp_path / "empty"), tmp_path)
    (tmp_path / "bare").mkdir()
    with pytest.raises(
        UserError, match=r"folder 'bare' has no train file; .* found: no data files"
    ):
        load(str(tmp_path / "bare"), tmp_path)
    write(tmp_path / "mixed" / "train.csv", "text,label\na,0\n")
    write(tmp_path / "mixed" / "test.jsonl", lines({"text": "a", "label": 0}))
    with pytest.raises(UserError, match="mixes csv and json"):
        load(str(tmp_path / "mixed"), tmp_path)


def test_a_registered_set_is_found_in_the_data_folder(tmp_path, monkeypatch):
    write(tmp_path / "sst2" / "train.jsonl", lines(*({"text": f"{i}", "label": 1} for i in "ab")))
    monkeypatch.setenv("ATTN_NLP_DATA", str(tmp_path))
    raw = load("sst2", tmp_path)
    assert raw.class_names == ("negative", "positive")
    assert raw.origin == "local folder"


def test_a_copy_with_other_labels_is_not_taken_for_the_registered_set(tmp_path, monkeypatch):
    write(tmp_path / "sst2" / "train.csv", "text,label\na,good\nb,bad\n")
    monkeypatch.setenv("ATTN_NLP_DATA", str(tmp_path))
    with pytest.raises(UserError, match="labels bad, good are not among the registered ones"):
        load("sst2", tmp_path)


def test_a_set_that_is_only_local_says_where_to_put_it(tmp_path, monkeypatch):
    monkeypatch.delenv("ATTN_NLP_DATA", raising=False)
    with pytest.raises(UserError, match=r"'mr' is not on the Hub .* ATTN_NLP_DATA is not set; put"):
        load("mr", tmp_path)
    monkeypatch.setenv("ATTN_NLP_DATA", str(tmp_path))
    with pytest.raises(UserError, match="ATTN_NLP_DATA has no folder 'mr'"):
        load("mr", tmp_path)
