"""Whether a local dataset is still what stored cells were trained on."""

from __future__ import annotations

import os

import pytest

from attn_nlp.source_bytes import FACT, changed, source_digest
from tests.engines.fakes import Here, write_experiment


def test_a_folder_is_all_its_files_and_their_names(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/train.csv").write_text("a")
    (tmp_path / "d/test.csv").write_text("b")
    before = source_digest(str(tmp_path / "d"))
    (tmp_path / "d/.hidden").write_text("c")
    assert source_digest(str(tmp_path / "d")) == before
    (tmp_path / "d/test.csv").write_text("c")
    assert source_digest(str(tmp_path / "d")) != before
    assert source_digest(str(tmp_path / "none")) is None
    assert source_digest("sst2") is None


def test_only_what_is_known_and_there_is_said_to_have_changed(tmp_path):
    file = tmp_path / "d.csv"
    file.write_text("a")
    now = {FACT: source_digest(str(file))}
    assert changed([(str(file), now), (str(file), None), ("gone.csv", now), ("sst2", {})]) == []
    assert len(changed([(str(file), {FACT: "0" * 64})] * 2)) == 1


@pytest.mark.parametrize("command", ["plan", "status", "table", "report"])
def test_every_command_that_shows_results_says_so(
    tmp_path, tmp_path_factory, catalogue, monkeypatch, capsys, command
):
    """Also of a file of equal size and time."""
    write_experiment(tmp_path)
    attn_nlp = Here(tmp_path, tmp_path_factory.mktemp("cache"), monkeypatch, capsys)
    assert attn_nlp("run", "fake.py", "--in-process").returncode == 0
    assert "has changed" not in attn_nlp(command, "fake.py").stderr
    file = tmp_path / "reviews.csv"
    before = os.stat(file)
    file.write_bytes(file.read_bytes()[:-2] + b"?\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    found = attn_nlp(command, "fake.py")
    assert (found.returncode, found.stderr) == (
        0,
        "attn-nlp: dataset 'reviews.csv' has changed since its cells were trained; their numbers "
        "are of the earlier rows.\n",
    )
