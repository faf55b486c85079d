"""Folds that share training data: by hand, against scipy, and on data where nothing differs."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from attn_nlp.stats import over_folds

tables = st.integers(1, 3).flatmap(
    lambda seeds: st.lists(
        st.lists(st.integers(-9, 9).map(lambda k: k / 500), min_size=seeds, max_size=seeds),
        min_size=2,
        max_size=10,
    )
)


@given(tables)
def test_without_overlap_it_is_the_paired_t_test_of_the_folds_means(table):
    means = np.mean(table, axis=1)
    assume(np.ptp(means) > 1e-9)
    found = over_folds(table, 0.0)
    oracle: Any = stats.ttest_1samp(means, 0.0)
    interval = oracle.confidence_interval(0.95)
    assert (found.p, found.low, found.high) == pytest.approx(
        (oracle.pvalue, interval.low, interval.high), abs=1e-9
    )


@given(tables, st.integers(2, 10))
def test_overlap_widens_the_interval_by_a_known_factor(table, k):
    """(1 / J + 1 / (K - 1)) in place of 1 / J: for ten folds once, sqrt(1 + 10 / 9) = 1.45."""
    plain, corrected = over_folds(table, 0.0), over_folds(table, 1 / (k - 1))
    factor = math.sqrt(1 + len(table) / (k - 1))
    assert corrected.mean == plain.mean
    assert corrected.error == pytest.approx(factor * plain.error)
    assert corrected.p >= plain.p


def test_by_hand():
    """Folds 1, 2, 3 and 6 points: mean 3, s^2 = 14 / 3; K = 4: error^2 = (1/4 + 1/3) 14 / 3.

    So error = 1.6499, t = 1.8183 on 3 degrees of freedom; t(3, .975) = 3.1824.
    """
    found = over_folds([[0, 2], [1, 3], [2, 4], [5, 7]], 1 / 3)
    assert (found.folds, found.seeds, found.mean) == (4, 2, 3.0)
    assert found.sd_folds == pytest.approx(math.sqrt(14 / 3))
    assert found.sd_seeds == pytest.approx(math.sqrt(2))
    assert found.error == pytest.approx(1.6499, abs=1e-4)
    assert (found.low, found.high) == pytest.approx((3 - 5.2507, 3 + 5.2507), abs=1e-3)
    assert found.p == pytest.approx(2 * stats.t.sf(1.81827, 3), abs=1e-4)


def fold_differences(rng, folds=5, size=10):
    """Two classifiers that are equally good: by the sign of one feature each, signs learned.

    Each learns on the other folds whether its feature goes with or against the label; on average
    the two, which see independent features of equal strength, score the same.
    """
    labels = rng.integers(0, 2, folds * size)
    x = rng.normal(0.3 * (2 * labels - 1)[:, None], 1.0, (folds * size, 2))
    right = []
    for fold in range(folds):
        test = np.arange(folds * size) // size == fold
        centers = [x[~test & (labels == c)].mean(axis=0) for c in (0, 1)]
        nearer = abs(x[test] - centers[1]) < abs(x[test] - centers[0])
        right.append((nearer == labels[test][:, None]).mean(axis=0))
    return [[a - b] for a, b in right]


def test_on_equal_learners_the_correction_keeps_the_level():
    """1,000 data sets: a true level of .05 has a standard error of .0069; three are .021."""
    rng = np.random.default_rng(20_261_124)
    plain, corrected = 0, 0
    for _ in range(1_000):
        table = fold_differences(rng)
        plain += over_folds(table, 0.0).p < 0.05
        corrected += over_folds(table, 1 / 4).p < 0.05
    assert corrected / 1_000 <= 0.05 + 0.021
    assert plain > corrected


def test_degenerate():
    one = over_folds([[0.1, 0.3]], 0.1)
    assert (one.mean, one.sd_folds, one.error, one.low, one.p) == (0.2, None, None, None, 1.0)
    same = over_folds([[0.0], [0.0], [0.0]], 0.5)
    assert (same.p, same.low, same.high, same.sd_seeds) == (1.0, 0.0, 0.0, None)
    assert over_folds([[0.01], [0.01]], 0.5).p == 0.0
    uneven = over_folds([[0.1], [0.1, 0.3]], 0.5)
    assert (uneven.seeds, uneven.mean) == (1, pytest.approx(0.15))
    for wrong, share, says in (
        ([], 0.1, "at least one"),
        ([[0.1], []], 0.1, "at least one"),
        ([[math.nan]], 0.1, "leave out"),
        ([[0.1]], -0.1, "0 or more"),
    ):
        with pytest.raises(ValueError, match=says):
            over_folds(wrong, share)
