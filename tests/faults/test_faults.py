"""A short form of `make faults`: faults at some of the points that `-m tests.faults` tries."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.classes import FAULTS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sample():
    """Return the verdicts of a few trials."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.sample"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_points_are_where_a_crash_would_hurt(sample):
    names = {each.split(":")[0] for each in sample["points"]}
    assert names >= {
        *("data.write", "data.rename", "output.write", "output.fsync", "output.rename"),
        *("store.open", "store.begin", "store.write", "store.commit", "run.claim", "run.finish"),
    }
    assert len(set(sample["points"])) >= 200


def test_killed_there_it_goes_on_to_the_same_bytes(sample):
    for verdict in sample["killed"]:
        plan = verdict.pop("plan")
        assert verdict == {"lost": 0, "twice": 0, "bytes_differ": 0, "wrong": []}, plan
    assert len(sample["killed"]) == 3


def test_a_full_disk_is_one_line(sample):
    verdict = sample["full"]
    verdict.pop("plan")
    assert verdict == {"lost": 0, "twice": 0, "bytes_differ": 0, "wrong": []}


def test_a_trial_can_fail(sample):
    """Else its verdicts are worth nothing."""
    assert sample["wrong"]["bytes_differ"] == 1
    assert sample["wrong"]["wrong"] == ["it was not killed but ended with 0"]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_every_kind_of_fault_has_its_tests(fault):
    """`make faults` runs them; here it is enough that they are there."""
    for each in fault.tests:
        file, _, name = each.partition("::")
        assert f"\ndef {name}(" in (ROOT / file).read_text("utf-8"), each


def test_there_are_as_many_kinds_as_are_promised():
    assert len({fault.what for fault in FAULTS}) == 23
