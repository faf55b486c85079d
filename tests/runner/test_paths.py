"""Where a worker imports from."""

from __future__ import annotations

import os
import sys

import pytest

from attn_nlp.runner import paths

OURS = os.path.dirname(paths.PACKAGE)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with a folder for an experiment; nothing is said by PYTHONPATH."""
    (tmp_path / "own").mkdir()
    (tmp_path / "libraries").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return str(tmp_path)


@pytest.mark.parametrize("entry", ["", ".", "{here}", "{here}/", "own/..", "{here}/own/.."])
def test_the_working_directory_is_left_out_however_it_is_written(here, monkeypatch, entry):
    monkeypatch.setattr(sys, "path", [entry.format(here=here), "/one", "libraries"])
    assert paths.for_workers("own/file.py") == ["/one", f"{here}/libraries", OURS]


def test_the_folder_of_the_experiment_file_is_left_for_its_loading(here, monkeypatch):
    monkeypatch.setattr(sys, "path", [f"{here}/own", "/one", f"{here}/own/"])
    assert paths.for_workers("own/file.py") == ["/one", OURS]
    assert paths.for_workers("file.py") == [f"{here}/own", "/one", OURS]
    assert paths.for_workers(None)[:2] == [f"{here}/own", "/one"]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("{here}", True),
        (".", True),
        ("/x:{here}", True),
        ("", False),
        (":/x", False),
        ("/x", False),
    ],
)
def test_what_pythonpath_names_is_meant_and_an_empty_entry_is_not(here, monkeypatch, said, kept):
    monkeypatch.setenv("PYTHONPATH", said.format(here=here))
    monkeypatch.setattr(sys, "path", [here, "/one"])
    assert paths.for_workers("own/file.py") == [here] * kept + ["/one", OURS]


def test_this_package_is_found_wherever_it_lies(here, monkeypatch):
    monkeypatch.setattr(sys, "path", ["/one", OURS, "/two"])
    assert paths.for_workers(None) == ["/one", OURS, "/two"]
    monkeypatch.chdir(OURS)  # and nothing else of the folder goes before the libraries
    assert paths.for_workers(None) == ["/one", "/two", OURS]


def test_python_put_the_folder_first_and_we_put_it_last(here, monkeypatch):
    monkeypatch.setattr(sys, "path", [f"{here}/own", "/one"])
    paths.put_last("own/file.py")
    assert sys.path == ["/one", f"{here}/own"]
    monkeypatch.setattr(sys, "path", [f"{here}/own", "/one"])
    monkeypatch.setenv("PYTHONPATH", "own")
    paths.put_last("own/file.py")
    assert sys.path == [f"{here}/own", "/one"]
    monkeypatch.setattr(sys, "path", ["/one"])
    paths.put_last("file.py")
    assert sys.path == ["/one"]


def test_a_missing_working_directory_is_not_a_fault(here, monkeypatch):
    for each in ("own", "libraries", here):
        os.rmdir(each)
    monkeypatch.setattr(sys, "path", ["", "/one"])
    assert paths.for_workers("/elsewhere/file.py") == ["/one", OURS]
    monkeypatch.chdir("/")
