"""A short form of what `-m tests.faults` does with real training that is stopped amid a cell."""

from __future__ import annotations

import json
import signal

import pytest

from tests.faults.stopped import Stopping


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Stopping(tmp_path_factory.mktemp("stopped"))


def good(verdict) -> bool:
    print(verdict.plan)
    assert verdict.good, verdict
    return verdict.good


def test_cells_that_diverge_leave_the_others_done(bench):
    cells = [json.loads(text) for text in bench.reference["cells"].values()]
    found = {(c["settings"]["learning_rate"], c["settings"]["seed"]): c for c in cells}
    for seed in (0, 1):
        bad, fine = found[1e30, seed], found[0.002, seed]
        assert bad["status"] == "diverged"
        assert bad["reason"].startswith("the loss was not finite at step ")
        assert (fine["status"], fine["best_step"] > 0) == ("done", True)
        assert len(set(fine["confidences"])) > 10, "or equal bytes would mean little"
    assert "0 of 2: 2 diverged (the loss was not finite at step " in bench.printed.out
    assert "2 x the loss was not finite at step " in bench.printed.err


def test_stopped_within_a_cell_it_resumes_to_the_same_bytes(bench):
    assert good(bench.signaled(signal.SIGINT))


def test_killed_with_a_damaged_checkpoint_it_says_so_and_goes_on_to_the_same_bytes(bench):
    assert good(bench.damaged())


def test_a_trial_can_fail(bench):
    """Else its verdicts are worth nothing."""
    first = next(iter(bench.reference["examples"]))
    spoilt = {**bench.reference["examples"], first: "[[0], [0.5]]"}
    off = bench.reference | {"table": "another table", "examples": spoilt}
    assert bench.compare(bench.reference) == 0
    assert bench.compare(off) == 2
