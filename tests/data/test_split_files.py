"""Every file in a folder is a split, a shard, harmless, or rejected by name."""

from __future__ import annotations

import gzip
import os
import socket
from pathlib import Path

import pytest

from attn_nlp.data import DataSettings, check_dataset, prepare_dataset
from attn_nlp.data.loading import load
from attn_nlp.data.split_files import files_of
from attn_nlp.errors import UserError

CSV = "text,label\na,0\nb,1\n"
LINES = '{"text": "a", "label": "0"}\n'


def fill(folder: Path, names) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        content = LINES if name.endswith(".jsonl") else CSV
        file.write_bytes(gzip.compress(content.encode()) if ".gz" in name else content.encode())
    return folder


def found(folder: Path) -> dict[str, list[str]]:
    files = files_of(folder)
    return {split: [str(f.relative_to(folder)) for f in given] for split, given in files.items()}


@pytest.mark.parametrize(
    "name",
    [
        "test.csv.gz",
        "test.CSV",
        "test.tsv",
        "test.txt",
        "test.xlsx",
        "test.dat",
        "test",
        "test/part.csv",
        "TEST/part.csv",
        "test.csv.part",
        "eval.csv",
        "testing.csv",
        "train_old.csv",
        "train-copy.csv",
        "train (1).csv",
        "train_0.csv",
        "test_metrics.json",
        "sample_submission.csv",
        "more.parquet",
        "all.ZIP",
        "data/extra.jsonl",
        "train-00000-of-2.csv",
    ],
)
def test_data_that_is_no_split_is_named(tmp_path, name):
    folder = fill(tmp_path / "mine", ["train.csv", name])
    said = name.partition("/")[0] if name.lower().startswith("test/") else name
    with pytest.raises(
        UserError, match="folder 'mine' contains data that belongs to no split: "
    ) as e:
        load(str(folder), tmp_path)
    assert f": {said}; name the files train" in str(e.value)


def test_what_describes_the_data_is_left_alone(tmp_path):
    harmless = [
        "README.md",
        "README.txt",
        "LICENSE",
        "license.txt",
        "CITATION.cff",
        ".gitattributes",
        ".train.csv.swp",
        "dataset_infos.json",
        "train.csv~",
        "train.py",
        "notes.md",
        "old/train.csv",
        ".cache/test.csv",
    ]
    folder = fill(tmp_path / "mine", ["train.csv", "Test.csv", *harmless])
    assert found(folder) == {"train": ["train.csv"], "test": ["Test.csv"]}


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["train.csv", "data/train.csv"], "2 files for train: mine/train.csv, data/train.csv"),
        (["train.csv", "train.jsonl"], "2 files for train: mine/train.csv, mine/train.jsonl"),
        (["train.csv", "training.csv"], "2 files for train"),
        (["train.csv", "Train.csv"], "2 files for train"),
        (["train.csv", "dev.csv", "validation.csv"], "2 files for validation: mine/dev.csv, mine/"),
        (["train.csv", "train-00000-of-00001.csv"], "2 files for train"),
        (["train-00000-of-00002.csv"], "lacks 1 of 2 shards of train, number 00001 for one"),
        (["train-00000-of-00003.csv", "train-00002-of-00003.csv"], "lacks 1 of 3 .* number 00001"),
        (["train-00000-of-00001.csv", "train-00000-of-00002.csv"], "2 files for train"),
        (
            ["train-00000-of-00001.csv", "data/train-00000-of-00001.csv"],
            "has a shard of train twice",
        ),
        (["train-00000-of-00002.csv", "train-00001-of-00002.jsonl"], "2 files for train"),
        (["train.csv", "test.jsonl"], r"mixes csv and json \(train.csv, test.jsonl\)"),
        (["train.csv", "data/test.csv"], "and its subfolder 'data' both contain splits"),
        (["train.csv.gz"], "no train file; .* found: train.csv.gz"),
        (["TRAIN.CSV", "test.csv"], "no train file; .* found: test.csv, TRAIN.CSV"),
        (["train/pos/0_9.txt"], "no train file; .* found: train"),
    ],
)
def test_two_files_for_one_split_and_missing_shards(tmp_path, names, said):
    folder = fill(tmp_path / "mine", names)
    with pytest.raises(UserError, match=f"folder 'mine' (has )?{said}"):
        load(str(folder), tmp_path)


def test_shards_are_read_in_their_order_wherever_the_hub_puts_them(tmp_path):
    names = [f"data/train-0000{n}-of-00003-0123456789abcdef.csv" for n in (2, 0, 1)]
    folder = fill(tmp_path / "mine", [*names, "data/test-00000-of-00001.csv"])
    assert found(folder) == {"train": sorted(names), "test": ["data/test-00000-of-00001.csv"]}
    raw = load(str(folder), tmp_path)
    assert raw.columns["train"] == (["a", "b"] * 3, ["0", "1"] * 3)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_pipe(path: Path) -> None:
    os.mkfifo(path.with_suffix(".fifo"))
    path.symlink_to(path.with_suffix(".fifo").name)


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(path))


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (pipe, "a named pipe"),
        (link_to_pipe, "a named pipe"),
        (zeros, "a device"),
        (listening, "a socket"),
        (lambda path: path.symlink_to("nowhere.csv"), "a link to a file that is not there"),
        (lambda path: path.symlink_to(path.name), "Too many levels of symbolic links"),
        (lambda path: path.mkdir(), "a folder"),
    ],
    ids=["pipe", "link to a pipe", "device", "socket", "dangling link", "loop", "folder"],
)
def test_what_is_no_file_is_rejected_without_opening_it(tmp_path, monkeypatch, make, what):
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    for name in ("train.csv", "f/train.csv", "g/test.csv"):
        Path(name).parent.mkdir(exist_ok=True)
        make(Path(name))
    fill(Path("g"), ["train.csv"])
    for dataset, name in (("f", "f/train.csv"), ("g", "g/test.csv")):
        with pytest.raises(UserError, match=f"^{name} is .*{what}") as caught:
            prepare_dataset(DataSettings(dataset), tmp_path / "kept")
        assert "kept" not in str(caught.value), "the folder of prepared data is not to blame"
    with pytest.raises(
        UserError, match=what if what != "a folder" else "folder 'train.csv' has no"
    ):
        load("train.csv", tmp_path)


def test_a_device_itself_is_no_dataset():
    with pytest.raises(UserError, match="'/dev/zero' is a device"):
        check_dataset("/dev/zero")


@pytest.mark.parametrize("dataset", ["f", "d.csv"])
def test_a_fault_of_a_data_file_is_its_own(tmp_path, monkeypatch, dataset):
    monkeypatch.chdir(tmp_path)
    fill(Path("f"), ["train.csv"])
    fill(Path(), ["d.csv"])
    read = Path.open

    def denied(path: Path, *args, **more):
        if path.name in ("train.csv", "d.csv"):
            raise PermissionError(13, "Permission denied")
        return read(path, *args, **more)

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(UserError, match=r"^cannot read (f/train|d)\.csv: Permission denied\.$"):
        prepare_dataset(DataSettings(dataset), tmp_path / "kept")


@pytest.mark.parametrize("what", ["access", "iterdir"])
def test_a_file_or_folder_without_permission_is_named(tmp_path, monkeypatch, what):
    monkeypatch.chdir(tmp_path)
    fill(Path("f"), ["train.csv"])
    if what == "access":
        monkeypatch.setattr(os, "access", lambda path, mode: False)
    else:

        def denied(path):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "iterdir", denied)
    with pytest.raises(UserError, match=r"^cannot read f.*: Permission denied\.$"):
        prepare_dataset(DataSettings("f"), tmp_path / "kept")
