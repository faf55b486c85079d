"""The expected best of k trials, against its definition: every set of k, one by one."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn_nlp.stats import expected_best


def by_enumeration(values, pick=max) -> list[float]:
    """The mean of the best over all sets of k trials, for every k."""
    counts = range(1, len(values) + 1)
    return [np.mean([pick(each) for each in combinations(values, k)], dtype=float) for k in counts]


scores = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=8)


@given(scores)
def test_it_is_the_mean_over_all_sets(values):
    assert expected_best(values) == pytest.approx(by_enumeration(values), abs=1e-12)


@given(scores)
def test_of_losses_the_least_is_best(values):
    found = expected_best(values, higher_is_better=False)
    assert found == pytest.approx(by_enumeration(values, min), abs=1e-12)


@given(scores)
def test_more_trials_never_find_less(values):
    found = expected_best(values)
    assert all(b >= a - 1e-12 for a, b in pairwise(found))
    assert found[0] == pytest.approx(np.mean(values))
    assert found[-1] == pytest.approx(max(values))


def test_it_does_not_fall_short_on_average():
    """Uniform trials: the best of k is k / (k + 1) in the mean, whatever number was run."""
    rng = np.random.default_rng(11)
    found = np.mean([expected_best(row) for row in rng.uniform(size=(4000, 6))], axis=0)
    # Four standard errors: the deviation of a best of k is below .29.
    assert found == pytest.approx([k / (k + 1) for k in range(1, 7)], abs=4 * 0.29 / 4000**0.5)


def test_a_hundred_trials_are_exact_enough():
    values = [i / 100 for i in range(1, 101)]
    # The largest of k of 1..n is k (n + 1) / (k + 1) in the mean.
    assert expected_best(values) == pytest.approx([k * 1.01 / (k + 1) for k in range(1, 101)])


def test_no_trial_has_no_best():
    with pytest.raises(ValueError, match="no values"):
        expected_best([])
    with pytest.raises(ValueError, match="nan among"):
        expected_best([0.5, float("nan")])
