"""A cell that is cut off anywhere goes on to the same bits; damage costs steps and no more."""

from __future__ import annotations

import errno

import pytest

from attn_nlp import faults
from attn_nlp.train import loop
from attn_nlp.train.checkpoint import KEPT, Checkpoints
from attn_nlp.train.loop import train
from tests.train.tiny import CELL, ignored, measured, prepared

DATA = prepared()
WHO = {"spec": "s" * 64}


class Cut(BaseException):
    """The run is asked to stop."""


class Hand:
    """The report and the clock of a cell: an hour passes at some steps, and at one it is cut."""

    def __init__(self, hours=(), cut=None):
        self.hours, self.cut, self.now, self.seen = hours, cut, 0.0, []

    def __call__(self, progress):
        step = progress["step"]
        self.seen.append(step)
        if step in self.hours or step == self.cut:
            self.now += 3600.0
        if step == self.cut:
            raise Cut


def go(folder, hand, identity=WHO):
    """Train with checkpoints; one is due at the step after an hour has passed, and at a cut."""
    return train(CELL, DATA, hand, Checkpoints(folder, identity, lambda: hand.now))


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
    assert last.seen[1:] == list(range(places[-1] + 10, 61)) or places[-1] > 50
    assert not set(last.seen[1:]) & set(range(places[-1] + 1)), "nothing is trained twice"
    assert len(names(tmp_path)) <= KEPT


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


def test_damage_costs_steps_and_changes_no_bit(cut, uncut, capsys):
    facts = cut / "0000000030" / "facts.json"
    facts.write_bytes(facts.read_bytes().replace(b"1", b"2", 1))
    hand = Hand()
    assert measured(go(cut, hand)) == uncut
    assert hand.seen[1] == 39, "it went on from step 29, ten steps first"
    assert "0000000030 is damaged (its hash does not fit its files)" in capsys.readouterr().err
    assert "damaged-0000000030" in names(cut)


def test_the_state_of_another_cell_or_another_machine_is_never_taken(cut, uncut):
    hand = Hand()
    assert measured(go(cut, hand, {"spec": "o" * 64})) == uncut
    assert hand.seen[1] == 10


@pytest.mark.parametrize("place", ["write", "fsync", "rename"])
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_full_disk_costs_the_checkpoint_alone(tmp_path, uncut, monkeypatch, capsys, place, side):
    monkeypatch.setattr(faults, "_passed", faults.Counter())
    monkeypatch.setenv("ATTN_NLP_FAULT", f"checkpoint.{place}:{side}:1:full")
    assert measured(go(tmp_path, Hand(hours=[15]))) == uncut
    assert f"no checkpoint at step 16: [Errno {errno.ENOSPC}]" in capsys.readouterr().err
    assert not [each for each in names(tmp_path) if each.startswith(".writing")]
