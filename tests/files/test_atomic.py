"""Files and folders that appear whole or not at all, and are on the disk before their name is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from attn_nlp.files import atomic


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_when_the_block_ends(tmp_path):
    target = tmp_path / "t"
    target.write_text("old")
    with atomic.replacing(target) as unfinished:
        unfinished.write_text("new")
        assert (target.read_text(), len(names(tmp_path))) == ("old", 2)
    assert (target.read_text(), names(tmp_path)) == ("new", ["t"])


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_text("half"),
        lambda path: (path / "below").mkdir(parents=True),
        lambda path: None,
    ],
    ids=["file", "folder", "nothing"],
)
def test_what_fails_leaves_nothing_behind(tmp_path, write):
    def fail():
        with atomic.replacing(tmp_path / "t") as unfinished:
            write(unfinished)
            raise KeyError

    (tmp_path / "t").write_text("old")
    with pytest.raises(KeyError):
        fail()
    assert ((tmp_path / "t").read_text(), names(tmp_path)) == ("old", ["t"])


def test_two_at_once_write_to_different_paths(tmp_path):
    target = tmp_path / "t"
    with atomic.unfinished(target) as one, atomic.unfinished(target) as other:
        assert one != other
        assert one.parent == other.parent == tmp_path


def test_all_of_a_folder_is_synced_before_it_is_renamed_and_its_name_after(tmp_path, monkeypatch):
    happened: list[int | str] = []
    fsync = os.fsync

    def synced(handle):
        happened.append(os.fstat(handle).st_ino)
        fsync(handle)

    def renamed(path, target):
        happened.append("rename")
        os.rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    with atomic.unfinished(tmp_path / "t") as unfinished:
        (unfinished / "below").mkdir(parents=True)
        (unfinished / "below/file").write_text("content")
        inside = {path.stat().st_ino for path in [unfinished, *unfinished.rglob("*")]}
        atomic.put(unfinished, tmp_path / "t", rename=renamed)
    at = happened.index("rename")
    assert set(happened[:at]) == inside
    assert len(inside) == 3
    assert happened[at + 1 :] == [tmp_path.stat().st_ino]


def test_a_folder_that_may_not_be_read_is_not_synced(tmp_path, monkeypatch):
    real = os.open

    def rejecting(path, flags, *mode, **options):
        if path == tmp_path:
            raise PermissionError
        return real(path, flags, *mode, **options)

    monkeypatch.setattr(os, "open", rejecting)
    with atomic.replacing(tmp_path / "t") as unfinished:
        unfinished.write_text("new")
    assert (tmp_path / "t").read_text() == "new"
