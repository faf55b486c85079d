"""A short form of `make faults`: faults at some of the points that `-m tests.faults` tries."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import scenarios
from tests.faults.classes import FAULTS
from tests.faults.trials import imported

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    imported()
    return scenarios.stand_in(tmp_path_factory.mktemp("stand_in"))


def test_the_points_are_where_a_crash_would_hurt(bench):
    names = {each.split(":")[0] for each in bench.points}
    assert names >= {
        *("data.write", "data.rename", "output.write", "output.fsync", "output.rename"),
        *("store.open", "store.begin", "store.write", "store.commit", "run.claim", "run.finish"),
    }
    assert len(set(bench.points)) >= 200


@pytest.mark.parametrize(
    "plan", ["data.rename:after:1", "store.write:after:3", "store.commit:before:8"]
)
def test_killed_there_it_goes_on_to_the_same_bytes(bench, plan):
    verdict = bench.kill(plan)
    assert verdict.good, verdict


def test_a_trial_can_fail(bench):
    """Else its verdicts are worth nothing: a reference that is off, a point that never comes."""
    bench.reference["table"] += b" "
    try:
        verdict = bench.kill("store.begin:before:900")
    finally:
        bench.reference["table"] = bench.reference["table"][:-1]
    assert verdict.bytes_differ == 1
    assert verdict.wrong == ["it was not killed but ended with 0"]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_every_kind_of_fault_has_its_tests(fault):
    """`make faults` runs them; here it is enough that they are there."""
    for each in fault.tests:
        file, _, name = each.partition("::")
        assert f"\ndef {name}(" in (ROOT / file).read_text("utf-8"), each


def test_there_are_as_many_kinds_as_are_promised():
    assert len({fault.what for fault in FAULTS}) == 23


def test_a_full_disk_is_one_line(bench):
    verdict = bench.fail("store.commit:before:5", "full", (4,))
    assert verdict.good, verdict
