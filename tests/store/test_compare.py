"""Two stores beside each other: what only one has, what agrees, and what differs in what."""

from __future__ import annotations

import pytest

from attn_nlp.store import Store
from attn_nlp.store.compare import compare

from .records import record

SPECS = [letter * 64 for letter in "abcdef"]


def filled(path, records):
    with Store.open(path) as store:
        for spec, each in records.items():
            assert store.claim(spec)
            assert store.finish(spec, each)
    return path


@pytest.fixture
def compared(tmp_path):
    def made(first, second):
        one, other = (
            filled(tmp_path / name, records) for name, records in (("a", first), ("b", second))
        )
        with Store.read(one) as left, Store.read(other) as right:
            return compare(left, right)

    return made


def test_two_stores_with_the_same_results_are_the_same(compared):
    """Seconds, memory and dates are no results."""
    found = compared(
        {spec: record() for spec in SPECS},
        {spec: record(wall_seconds=9.0, peak_bytes=5) for spec in reversed(SPECS)},
    )
    assert found.same
    assert (len(found.equal), len(found.different)) == (6, 0)


def test_cells_of_one_store_are_listed_with_their_settings(compared):
    found = compared(
        {spec: record(settings={"heads": n}) for n, spec in enumerate(SPECS[:3])},
        {spec: record(settings={"heads": n}) for n, spec in enumerate(SPECS[1:5], 1)},
    )
    assert not found.same
    assert found.only_first == {SPECS[0]: {"heads": 0}}
    assert found.only_second == {SPECS[3]: {"heads": 3}, SPECS[4]: {"heads": 4}}
    assert [each.spec for each in found.equal] == SPECS[1:3]


def test_a_difference_says_in_what_and_how_much(compared):
    changed = record(
        test={"accuracy": 0.25, "loss": 1.1, "macro_f1": 0.5},
        confusion=[[0, 1], [0, 1]],
        predictions=[1, 1],
    )
    found = compared(
        {SPECS[0]: record(), SPECS[1]: record()}, {SPECS[0]: record(), SPECS[1]: changed}
    )
    (pair,) = found.different
    assert (pair.spec, pair.status) == (SPECS[1], ("done", "done"))
    assert pair.differ == ("test", "confusion", "predictions")
    assert (pair.metric, pair.largest) == ("test.accuracy", 0.25)
    assert pair.predictions == 1
    assert pair.environment == {}
    assert [each.spec for each in found.pairs] == [SPECS[1], SPECS[0]]  # differing ones first


def test_a_cell_that_diverged_in_one_store(compared):
    gone = record(status="diverged", validation=None, test=None, confusion=None, predictions=None)
    (pair,) = compared({SPECS[0]: record()}, {SPECS[0]: gone}).different
    assert pair.status == ("done", "diverged")
    assert pair.differ == ("status", "validation", "test", "confusion", "predictions")
    assert pair.largest is None
    assert pair.metric is not None
    assert pair.predictions is None


def test_a_difference_in_the_last_bit_is_one(compared):
    other = record(validation={"accuracy": 0.3, "loss": 1.0, "macro_f1": 0.5})
    (pair,) = compared({SPECS[0]: record()}, {SPECS[0]: other}).different
    assert pair.largest == (0.1 + 0.2) - 0.3 > 0


def test_another_environment_is_said_and_is_no_difference(compared):
    found = compared(
        {SPECS[0]: record(provenance={"jax": "1", "cpu": "x"})},
        {SPECS[0]: record(provenance={"jax": "2", "cpu": "x", "threads": 1})},
    )
    assert found.same
    assert found.equal[0].environment == {"jax": ("1", "2"), "threads": (None, 1)}


def test_many_cells_are_compared_in_portions(compared, monkeypatch):
    monkeypatch.setattr("attn_nlp.store.compare._AT_ONCE", 4)
    records = {spec: record(parameters=place) for place, spec in enumerate(SPECS)}
    found = compared(records, {**records, SPECS[5]: record(parameters=0)})
    assert [each.spec for each in found.equal] == SPECS[:5]
    assert found.different[0].differ == ("parameters",)


@pytest.mark.parametrize("name", ["fingerprint", "tokenizer_hash"])
def test_equal_scores_of_other_data_are_a_contradiction(compared, name):
    found = compared({SPECS[0]: record()}, {SPECS[0]: record(**{name: "changed"})})
    assert not found.same
    assert found.equal == ()
    (pair,) = found.different
    assert pair.differ == (name,)
