"""A cell that is cut off anywhere goes on to the same bits; damage costs steps and no more."""

from __future__ import annotations

import dataclasses
import errno
import json

import pytest

from attn_nlp import fault_injection
from attn_nlp.errors import UserError
from attn_nlp.train import loop
from attn_nlp.train.checkpoint import KEPT, SECONDS, Checkpoints, interval
from attn_nlp.train.loop import train
from tests.train.tiny import CELL, TRAIN, ignored, measured, prepared

DATA = prepared()
WHO = {"spec": "s" * 64}


class Cut(BaseException):
    """The run is asked to stop."""


class Hand:
    """The report and the clock of a cell: an hour passes at some steps, and at one it is cut.

    It is cut when the step is told for the n-th time: first after the step, then amid its look.
    """

    def __init__(self, hours=(), cut=None, time=1):
        self.hours, self.cut, self.time, self.now, self.seen = hours, cut, time, 0.0, []
        self.notes = []

    def __call__(self, progress):
        if "note" in progress:
            self.notes.append(progress["note"])
            return
        step = progress["step"]
        if step in self.hours and step not in self.seen:
            self.now += 3600.0
        self.seen.append(step)
        if step == self.cut and self.seen.count(step) == self.time:
            self.now += 3600.0
            raise Cut

    @property
    def trained(self):
        """The steps that it was told of, each once."""
        return list(dict.fromkeys(self.seen[1:]))


def go(folder, hand, identity=WHO, data=DATA):
    """Train with checkpoints; one is due at the step after an hour has passed, and at a cut."""
    return train(CELL, data, hand, Checkpoints(folder, identity, lambda: hand.now))


@pytest.fixture(autouse=True)
def steps(monkeypatch):
    """Ten steps in the first chunk and one in every other."""
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 1e-9)


@pytest.fixture(scope="module")
def uncut():
    return measured(train(CELL, DATA, ignored))


def names(folder):
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.parametrize("places", [[10], [19, 20], [21, 40, 59], [60]], ids=str)
def test_where_it_was_cut_changes_no_bit(tmp_path, uncut, places):
    for place in places:
        with pytest.raises(Cut):
            go(tmp_path, Hand(cut=place))
        assert names(tmp_path)[-1] == f"{place:010d}"
    last = Hand()
    assert measured(go(tmp_path, last)) == uncut
    told = [step for step in last.trained if step > places[-1]]
    assert told == list(range(places[-1] + 10, 61)) or places[-1] > 50
    assert set(last.trained) - set(told) <= {places[-1]}, "nothing is trained twice"
    assert len(names(tmp_path)) <= KEPT


def test_where_a_look_was_cut_changes_no_bit(tmp_path):
    """It is told once after a step, twelve times amid a look at validation, then amid the test."""
    start, stop = TRAIN, TRAIN + 400  # 13 batches, each of which is a call here
    splits = {"validation": (start, stop), "test": (stop, len(DATA.labels))}
    data = dataclasses.replace(DATA, splits={**DATA.splits, **splits})
    uncut = measured(train(CELL, data, ignored))
    for step, time, first in ((20, 3, 0), (60, 15, 60)):
        with pytest.raises(Cut):
            go(tmp_path, Hand(cut=step, time=time), data=data)
        facts = json.loads((tmp_path / f"{step:010d}" / "facts.json").read_text())["facts"]
        assert (facts["step"], facts["first"]) == (step, first), "what was cut is still to come"
    for time in (2, 5):
        with pytest.raises(Cut):
            go(tmp_path, Hand(cut=60, time=time), data=data)
    last = Hand()
    assert measured(go(tmp_path, last, data=data)) == uncut
    assert last.trained == [60]


def test_short_training_leaves_no_checkpoint(tmp_path):
    train(CELL, DATA, ignored, Checkpoints(tmp_path / "none", WHO))
    assert not (tmp_path / "none").exists()


@pytest.fixture
def cut(tmp_path):
    with pytest.raises(Cut):
        go(tmp_path, Hand(hours=[28], cut=30))
    assert names(tmp_path) == ["0000000029", "0000000030"]
    return tmp_path


def believed(facts):
    pytest.fail("it was believed")


def test_every_damaged_file_is_found(cut):
    newest, older = cut / "0000000030", cut / "0000000029"
    older.rename(cut / "away")  # so that nothing is left to fall back on
    for file in sorted(p for p in newest.rglob("*") if p.is_file()):
        whole = file.read_bytes()
        for damaged in (whole + b"x", whole[:-1] + bytes([whole[-1] ^ 1]) if whole else b"x", None):
            file.unlink() if damaged is None else file.write_bytes(damaged)
            said = []
            assert Checkpoints(cut, WHO).load(believed, said.append) is None
            assert "0000000030 is damaged" in said[0], file
            (cut / "damaged-0000000030").rename(newest)
            file.write_bytes(whole)


def test_damage_costs_steps_and_changes_no_bit(cut, uncut):
    facts = cut / "0000000030" / "facts.json"
    facts.write_bytes(facts.read_bytes().replace(b"1", b"2", 1))
    hand = Hand()
    assert measured(go(cut, hand)) == uncut
    assert hand.trained[0] == 39, "it went on from step 29, ten steps first"
    (said,) = hand.notes
    assert "0000000030 is damaged (its hash does not match its files)" in said
    assert "damaged-0000000030" in names(cut)


def test_the_state_of_another_cell_or_another_machine_is_never_taken(cut, uncut):
    hand = Hand()
    assert measured(go(cut, hand, {"spec": "o" * 64})) == uncut
    assert hand.seen[1] == 10


@pytest.mark.parametrize("place", ["write", "fsync", "rename"])
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_full_disk_costs_the_checkpoint_alone(tmp_path, uncut, monkeypatch, place, side):
    monkeypatch.setattr(fault_injection, "_passed", fault_injection.Counter())
    monkeypatch.setenv("ATTN_NLP_FAULT", f"checkpoint.{place}:{side}:1:full")
    hand = Hand(hours=[15])
    assert measured(go(tmp_path, hand)) == uncut
    (said,) = hand.notes
    assert said.startswith(f"no checkpoint at step 16: [Errno {errno.ENOSPC}]")
    assert not [each for each in names(tmp_path) if each.startswith(".writing")]


@pytest.mark.parametrize("given", ["abc", "", "nan", "inf", "-1", "1 s"])
def test_an_interval_that_is_no_number_of_seconds_is_rejected(monkeypatch, given):
    monkeypatch.setenv("ATTN_NLP_CHECKPOINT_SECONDS", given)
    with pytest.raises(UserError, match=f"ATTN_NLP_CHECKPOINT_SECONDS is '{given}'; give seconds"):
        interval()


def test_an_interval_is_read_where_it_is_given(monkeypatch):
    monkeypatch.delenv("ATTN_NLP_CHECKPOINT_SECONDS", raising=False)
    assert interval() == SECONDS
    monkeypatch.setenv("ATTN_NLP_CHECKPOINT_SECONDS", "0")
    assert interval() == 0
