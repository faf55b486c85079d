"""Every bad input of `bad_inputs`, on a store that holds results."""

from __future__ import annotations

import hashlib

import pytest

from attn_nlp.store import Store
from tests.faults.bad_inputs import BAD
from tests.runner.fakes import Here, write_experiment
from tests.store.records import SPEC, record

STORE = "runs/attn_nlp.sqlite"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def test_there_are_sixty():
    assert len({(bad.name, bad.arguments) for bad in BAD}) >= 60


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_one_line_status_two_and_an_unchanged_store(
    bad, tmp_path, cache, catalogue, monkeypatch, capsys
):
    write_experiment(tmp_path)
    if bad.before is not None:
        bad.before(tmp_path)
    with Store.open(tmp_path / STORE) as store:
        store.finish(SPEC, record())
    before = hashlib.sha256((tmp_path / STORE).read_bytes()).hexdigest()
    found = Here(tmp_path, cache, monkeypatch, capsys)(*bad.arguments)
    lines = found.stderr.splitlines()
    assert (found.returncode, len(lines), found.stdout) == (2, 1, ""), found.stderr
    assert lines[0].startswith("attn-nlp: ")
    assert bad.says in lines[0]
    assert "\x1b" not in lines[0]
    assert hashlib.sha256((tmp_path / STORE).read_bytes()).hexdigest() == before
    beside = {p.name for p in (tmp_path / "runs").iterdir()}
    # SQLite's own side files, empty, may stay after a look.
    assert beside <= {"attn_nlp.sqlite", "attn_nlp.sqlite-wal", "attn_nlp.sqlite-shm"}
