"""The significance that a plan calls attainable before anything runs."""

import dataclasses
from typing import Any

import pytest

from attn_nlp.experiment.resolved import families_of
from attn_nlp.tables import attainable

from .example import ROWS, example


def test_attainable_by_hand():
    """sst2: three comparisons over seven seeds, 3 * 2/128 = .0469; trec6: two, .0313."""
    _, experiment, _ = example()
    first, second = attainable(experiment)
    assert (first.comparisons, first.seeds, first.least_p) == (3, 7, 2 / 128)
    assert first.least_p_holm == 6 / 128
    assert first.attainable
    assert (second.family, second.comparisons) == ("dataset trec6", 2)
    assert first.sentence == (
        "Scales (dataset sst2): 3 comparisons over 7 seeds, smallest p .0156, after Holm .0469: "
        "better and worse are attainable."
    )


def test_a_family_that_is_too_large():
    """Five comparisons in one family: 5 * 2/128 = .0781; 8 seeds give .0391."""
    _, experiment, _ = example(family="table")
    (found,) = attainable(experiment)
    assert not found.attainable
    assert found.seeds_needed == 8
    assert found.sentence.endswith(
        "neither better nor worse is attainable; that takes at least 8 seeds."
    )


def test_without_a_reference_nothing_is_compared():
    _, experiment, _ = example(rows=[row | {"reference": False} for row in ROWS])
    (found,) = attainable(experiment)
    assert (found.comparisons, found.attainable) == (0, False)
    assert "nothing is compared" in found.sentence


@pytest.mark.parametrize("known", [0, 1])
def test_cells_that_wait_for_trials_are_compared_too(known):
    """They have no spec yet; the family is as large before the trials as after them."""
    _, experiment, _ = example()
    after = attainable(experiment)
    waiting: list[Any] = [{**cell, "spec": None} for cell in experiment.cells]
    waiting[:known] = experiment.cells[:known]
    assert attainable(dataclasses.replace(experiment, families=families_of(waiting))) == after
