"""A run whose store vanishes, or whose model returns what is no result."""

from __future__ import annotations

import pytest

from attn_nlp.result.schema import FIELDS, fit_to_store
from attn_nlp.store import Store
from tests.runner.fakes import BASELINES, CELLS, trained

STORE = "runs/attn_nlp.sqlite"


@pytest.mark.parametrize("how", [("--in-process",), ("--workers", "1")], ids=lambda how: how[0])
@pytest.mark.parametrize("cell", ["2,0", "4,2"], ids=["amid", "last"])
def test_a_store_that_vanishes_ends_the_run_in_one_line(attn_nlp, tmp_path, how, cell):
    found = attn_nlp("run", "fake.py", *how, vanish=cell)
    assert (found.returncode, found.stdout) == (4, "")
    (said,) = (line for line in found.stderr.splitlines() if " cells" not in line)
    assert said == (
        f"attn-nlp: store {STORE} is no longer there: it was removed or moved away while it was in "
        "use; results since then are not kept. Put the file back or choose another --store, and "
        "run again."
    )
    assert cell in trained(tmp_path)
    assert not list((tmp_path / "runs").iterdir())
    assert attn_nlp("run", "fake.py", "--in-process").returncode == 0


def test_a_cell_whose_model_returns_percent_fails_alone(attn_nlp, tmp_path):
    found = attn_nlp("run", "fake.py", "--in-process", percent="2,0")
    assert found.returncode == 3
    assert "test.accuracy is 33.33" in found.stderr
    assert "allowed is a number from 0 to 1" in found.stderr
    with Store.read(tmp_path / STORE) as store:
        statuses = [each["status"] for each in store.records(None, ["status"]).values()]
    assert (statuses.count("failed"), statuses.count("done")) == (1, CELLS + BASELINES - 1)
    assert attn_nlp("doctor").returncode == 0
    for command in (["table", "fake.py"], ["table", "fake.py", "--per-class"]):
        assert attn_nlp(*command).returncode == 0


DEEP: list = []
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"status": "odd"}, "status is 'odd'; allowed is done, diverged, skipped or failed"),
        ({}, "status is None"),
        ({"status": "done", "peak_bytes": 2**70}, "peak_bytes is 1180591620717411303424"),
        ({"status": "done", "reason": "\ud800"}, "text without lone surrogates"),
        ({"status": "done", "history": DEEP}, "history[0] is"),
        ({"status": "done", "confusion": [[1, 2], [3]]}, "the length of confusion[1] is 1"),
        ({"status": "done", "test": {"accuracy": float("nan")}}, "test.accuracy is nan"),
    ],
)
def test_whatever_a_worker_hands_over_can_be_stored(given, says, tmp_path):
    found = fit_to_store(given)
    assert found["status"] == "failed"
    assert found["reason"].startswith("the result cannot be stored: ")
    assert says in found["reason"]
    with Store.open(tmp_path / "s.sqlite") as store:
        assert store.finish("a" * 64, {"key": "k", **found})


def test_words_of_an_error_are_kept_as_far_as_text_can_hold_them():
    given = {"status": "failed", "reason": "a\ud800\0b", "detail": None, "finished_at": "z"}
    assert fit_to_store(given) == {"status": "failed", "reason": "a?\ufffdb", "detail": None}
    whole = dict.fromkeys(FIELDS) | {"status": "done", "peak_bytes": 5}
    assert fit_to_store(whole | {"more": 1}) == whole
