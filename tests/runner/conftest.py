"""A folder with the pretending experiment, and the command line in it."""

from __future__ import annotations

import pytest

from tests.runner.fakes import Here, write_experiment


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def folder(tmp_path):
    write_experiment(tmp_path)
    return tmp_path


@pytest.fixture
def attn_nlp(folder, cache, catalogue, monkeypatch, capsys):
    return Here(folder, cache, monkeypatch, capsys)
