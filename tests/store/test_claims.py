"""A claim holds while its owner lives, and a result is stored only under the claim in force."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

import pytest

from attn_nlp import fault_injection
from attn_nlp.store import Store, StoreError, processes
from attn_nlp.store.claims import Heartbeat
from attn_nlp.store.processes import GRACE_SECONDS, Watch, elsewhere, this_process
from attn_nlp.store.tolerance import TOLERANCE
from tests.store.records import SPEC, record


class Clock:
    """Seconds that only a test moves."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def change(path, statement, *values):
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(statement, values)


def beat_of(path):
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT beat FROM claims").fetchone()[0]


@pytest.fixture
def far(path):
    """A claim that a process on another machine holds, and a store here with a clock of its own."""
    with Store.open(path) as one, Store.open(path) as here:
        one.claim(SPEC)
        change(path, "UPDATE claims SET boot = 'another machine', pid = 1, started = '1'")
        clock = Clock()
        here._claims._watch = Watch(clock)
        yield here, clock


def test_a_far_owner_is_given_the_whole_grace(far):
    here, clock = far
    assert not here.claim(SPEC)
    clock.now += GRACE_SECONDS - 1
    assert not here.claim(SPEC)
    assert here.running() == {SPEC}
    clock.now += 1
    assert here.running() == set()
    assert here.claim(SPEC)


def test_a_far_owner_of_two_claims_is_let_go_too(path):
    """The later claim has beaten less often; the two counts in turn are no heartbeat."""
    with Store.open(path) as one, Store.open(path) as here:
        one.claim(SPEC)
        Heartbeat(path, one._owner).beat(one._db)
        one.claim("b" * 64)
        change(path, "UPDATE claims SET boot = 'another machine'")
        clock = Clock()
        here._claims._watch = Watch(clock)
        assert here.running() == {SPEC, "b" * 64}
        clock.now += GRACE_SECONDS
        assert here.running() == set()


def test_a_far_owner_whose_heart_beats_keeps_its_claim(far, path):
    here, clock = far
    for _ in range(5):
        assert not here.claim(SPEC)
        clock.now += GRACE_SECONDS - 1
        change(path, "UPDATE claims SET beat = beat + 1")
    assert not here.claim(SPEC)


@pytest.mark.parametrize("world", ["pid", "time"])
def test_a_process_in_another_world_of_ids_or_times_cannot_be_asked(monkeypatch, world):
    """Where a process began is told in the time of who asks."""
    *_, place = this_process()
    assert not elsewhere(place)
    read = processes.os.readlink
    monkeypatch.setattr(
        processes.os, "readlink", lambda name: "other" if name.endswith(world) else read(name)
    )
    assert elsewhere(place)


def test_a_jump_of_the_wall_clock_takes_no_claim_away(far, monkeypatch):
    here, _ = far
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert not here.claim(SPEC)
    assert here.running() == {SPEC}


def test_a_heart_beats_for_its_owner_alone(path):
    with Store.open(path) as one, Store.open(path) as other:
        one.claim(SPEC)
        with Heartbeat(path, other._owner, seconds=0.01):
            time.sleep(0.1)
        assert beat_of(path) == 0
        with Heartbeat(path, one._owner, seconds=0.01):
            deadline = time.monotonic() + 30
            while beat_of(path) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.01)


def test_a_late_finisher_cannot_overwrite(path):
    """The first owner slept while its claim was taken over; its result comes while the second
    works, and again after it has failed."""
    with Store.open(path) as late, Store.open(path) as other:
        late.claim(SPEC)
        change(path, "UPDATE claims SET started = 'earlier'")
        assert other.claim(SPEC)
        assert not late.finish(SPEC, record())
        assert other.running() == {SPEC}, "the claim of the other stays"
        assert other.finish(SPEC, record(status="failed", reason="why", test=None))
        assert not late.finish(SPEC, record())
        assert late.records([SPEC])[SPEC]["status"] == "failed"


def test_a_claim_outlives_a_full_disk(path, monkeypatch):
    """Anything that was not committed has not happened, in memory either."""
    with Store.open(path) as store:
        store.claim(SPEC)
        monkeypatch.setattr(fault_injection, "_passed", fault_injection.Counter())
        monkeypatch.setenv("ATTN_NLP_FAULT", "store.commit:before:1:full")
        with pytest.raises(StoreError, match="No space left"):
            store.finish(SPEC, record())
        monkeypatch.delenv("ATTN_NLP_FAULT")
        assert store.running() == {SPEC}
        assert store.finish(SPEC, record())
        assert store.running() == set()


def test_a_claim_taken_again_after_a_failure_is_in_force(path):
    with Store.open(path) as store:
        store.claim(SPEC)
        store.finish(SPEC, record(status="failed", reason="why", test=None))
        failed_at = store.records([SPEC])[SPEC]["finished_at"]
        assert store.claim(SPEC, replaces=failed_at)
        assert store.finish(SPEC, record())


def test_results_of_two_environments_may_differ_by_the_tolerance(path):
    elsewhere = {"provenance": {"jax": "2"}, "predictions": [1, 1]}
    with Store.open(path) as store:
        store.finish(SPEC, record())
        near = {"accuracy": 0.5 + TOLERANCE / 2, "loss": 1.0 + TOLERANCE / 2, "macro_f1": 0.9}
        assert not store.finish(SPEC, record(test=near, **elsewhere))
        apart = {"accuracy": 0.5 + 2 * TOLERANCE, "loss": 1.0, "macro_f1": 0.5}
        with pytest.raises(StoreError, match=r"two environments, with test accuracy 0\.100 apart"):
            store.finish(SPEC, record(test=apart, **elsewhere))
        assert store.records([SPEC])[SPEC]["test"]["accuracy"] == 0.5
