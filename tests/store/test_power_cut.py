"""A power cut takes what had not reached the disk: the end of the log, cut anywhere or zeroed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from attn_nlp.experiment.identity import key_of
from attn_nlp.store import Store
from attn_nlp.store import log as log_of_store
from attn_nlp.store.doctor import examine
from tests.store.records import record

CELLS = 6


@pytest.mark.parametrize("lost", ["cut off", "zeroed"])
def test_a_log_without_its_end_holds_the_first_cells_whole(path, tmp_path, monkeypatch, lost):
    monkeypatch.setattr(log_of_store, "_PAUSE", 0)
    specs = [f"{place:064}" for place in range(CELLS)]
    with Store.open(path) as store:
        for spec in specs:
            store.finish(spec, record(key=key_of(spec, "rows", "tokens")))
        log = Path(f"{path}-wal").read_bytes()
        whole = path.read_bytes()
    counts = []
    for kept in [*range(0, len(log), 1000), len(log)]:
        folder = tmp_path / str(kept)
        folder.mkdir()
        copy = folder / path.name
        copy.write_bytes(whole)
        rest = b"" if lost == "cut off" else bytes(len(log) - kept)
        Path(f"{copy}-wal").write_bytes(log[:kept] + rest)
        with Store.open(copy) as store:
            found = sorted(store.records())
        assert found == specs[: len(found)], "a later cell without an earlier one"
        assert not [each.message for each in examine(copy) if each.severe]
        counts.append(len(found))
        shutil.rmtree(folder)
    assert counts == sorted(counts)
    assert set(counts) == set(range(CELLS + 1))
