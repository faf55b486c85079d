"""A local dataset that changed after cells were trained on it is recognized."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from attn_nlp.data import registry
from attn_nlp.data.source_bytes import FACT, changed, source_digest
from tests.runner.fakes import Here, write_experiment


def fill(folder, **files):
    """The folder with a file for each split, a, b, ... in them."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, content in files.items():
        (folder / f"{split}.csv").write_text(content)
    return folder


def test_a_folder_is_the_files_of_its_splits_and_their_names(tmp_path, monkeypatch):
    monkeypatch.delenv("ATTN_NLP_DATA", raising=False)
    folder = fill(tmp_path / "d", train="a", test="b")
    before = source_digest(str(folder))
    fill(folder, test="c")
    assert source_digest(str(folder)) != before
    fill(folder, test="b")
    assert source_digest(str(folder)) == before
    (folder / "test.csv").rename(folder / "validation.csv")
    assert source_digest(str(folder)) not in (before, None)
    assert source_digest(str(tmp_path / "none")) is None
    assert source_digest("sst2") is None


def test_what_is_not_read_does_not_count(tmp_path):
    folder = fill(tmp_path / "d", train="a", test="b")
    noted = {FACT: source_digest(str(folder))}
    for name in ("README.md", ".git/index", "data/.hidden", "plots/loss.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("c")
    assert changed([(str(folder), noted)]) == []
    fill(folder, extra="c")  # a folder that is rejected is no longer what it was
    assert len(changed([(str(folder), noted)])) == 1


def test_a_digest_of_all_files_as_it_was_noted_before_still_counts(tmp_path):
    folder = fill(tmp_path / "d", train="a", test="b")
    (folder / "README.md").write_text("c")
    every = hashlib.sha256()
    for name in ("README.md", "test.csv", "train.csv"):
        every.update(name.encode() + b"\0" + hashlib.sha256((folder / name).read_bytes()).digest())
    noted = {FACT: every.hexdigest()}
    assert changed([(str(folder), noted)]) == []
    fill(folder, train="c")
    assert len(changed([(str(folder), noted)])) == 1


def test_only_what_is_known_and_there_is_said_to_have_changed(tmp_path):
    file = tmp_path / "d.csv"
    file.write_text("a")
    now = {FACT: source_digest(str(file))}
    assert changed([(str(file), now), (str(file), None), ("gone.csv", now), ("sst2", {})]) == []
    assert len(changed([(str(file), {FACT: "0" * 64})] * 2)) == 1


COMMANDS = pytest.mark.parametrize("command", ["plan", "status", "table", "report", "figure"])


def show(attn_nlp, command):
    """Return the warnings of a command that shows results."""
    given = {"figure": ["figure", "results", "fake.py", "--all", "--format", "svg"]}
    found = attn_nlp(*given.get(command, [command, "fake.py"]))
    assert found.returncode == 0
    said = [line for line in found.stderr.splitlines() if "has changed" in line]
    written = {
        "table": found.stdout,
        "report": "".join(each.read_text() for each in Path().glob("*.html")),
    }
    if command in written:  # also where only what was written is read
        caption = " ".join(written[command].split())
        assert ("their numbers are of the earlier rows." in caption) == bool(said)
    return said


@COMMANDS
def test_every_command_that_shows_results_says_so(
    tmp_path, tmp_path_factory, catalogue, monkeypatch, capsys, command
):
    """Also of a file of equal size and time."""
    write_experiment(tmp_path)
    attn_nlp = Here(tmp_path, tmp_path_factory.mktemp("cache"), monkeypatch, capsys)
    assert attn_nlp("run", "fake.py", "--in-process").returncode == 0
    assert show(attn_nlp, command) == []
    file = tmp_path / "reviews.csv"
    before = os.stat(file)
    file.write_bytes(file.read_bytes()[:-2] + b"?\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert show(attn_nlp, command) == [
        "attn-nlp: dataset 'reviews.csv' has changed since its cells were trained; their numbers "
        "are of the earlier rows."
    ]


@COMMANDS
def test_another_data_folder_is_other_data(
    tmp_path, tmp_path_factory, catalogue, monkeypatch, capsys, command
):
    """A registered dataset is local where $ATTN_NLP_DATA has it."""
    file = write_experiment(tmp_path)
    file.write_text(file.read_text().replace("reviews.csv", "mr"))
    rows = (tmp_path / "reviews.csv").read_text().replace(",fine", ",pos").replace(",dull", ",neg")
    fill(tmp_path / "one" / "mr", train=rows)
    fill(tmp_path / "two" / "mr", train=rows.replace("film", "book"))
    fill(tmp_path / "copy" / "mr", train=rows)
    attn_nlp = Here(tmp_path, tmp_path_factory.mktemp("cache"), monkeypatch, capsys)
    monkeypatch.setenv("ATTN_NLP_DATA", "one")
    assert attn_nlp("run", "fake.py", "--in-process").returncode == 0
    for same in ("one", "copy", "elsewhere"):
        monkeypatch.setenv("ATTN_NLP_DATA", same)
        assert show(attn_nlp, command) == []
    monkeypatch.setenv("ATTN_NLP_DATA", "two")
    assert show(attn_nlp, command) == [
        "attn-nlp: dataset 'mr' has changed since its cells were trained; their numbers are of "
        "the earlier rows."
    ]
    again = attn_nlp("run", "fake.py", "--in-process")
    assert again.returncode == 2
    assert "the rows of dataset 'mr' have changed since store" in again.stderr


MADE = """
from attn_nlp import Cell, Experiment, Source, Table, register_dataset, vary
from attn_nlp.data.rows import Raw

OF_TEN = 6


def make(folder):
    labels = ["good" if row % 10 < OF_TEN else "bad" for row in range(200)]
    return Raw({"train": ([f"w{row} t" for row in range(200)], labels)}, None, "made")


register_dataset(Source("made", "Made", "en", make=make, license="none", cite="a test"))
base = Cell(dataset="made", model="majority")
experiment = Experiment(base, [vary("seed", 0)], [Table("Seeds", "seed")])
"""


def test_other_code_that_makes_the_rows_is_other_data(
    tmp_path, tmp_path_factory, catalogue, monkeypatch, capsys
):
    for known in (registry.SOURCES, registry.MADE_BY):  # put back at the end
        monkeypatch.setitem(known, "made", None)
        del known["made"]
    file = tmp_path / "made.py"
    file.write_text(MADE)
    attn_nlp = Here(tmp_path, tmp_path_factory.mktemp("cache"), monkeypatch, capsys)
    assert attn_nlp("run", "made.py", "--in-process").returncode == 0
    for text, warned in (
        (MADE.replace('"Seeds"', '"Others"'), False),
        (MADE.replace("OF_TEN = 6", "OF_TEN = 9"), True),
    ):
        file.write_text(text)
        found = attn_nlp("table", "made.py")
        assert ("'made' has changed since its cells were trained" in found.stderr) == warned
