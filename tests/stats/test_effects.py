"""Sizes of paired differences: Student's sleep data, scipy, and what has no spread."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from attn_nlp.stats import effect_size, sign_flip, summarize

differences = st.lists(st.integers(-9, 9).map(lambda k: k / 500), min_size=1, max_size=9)

# Student, "The Probable Error of a Mean", 1908: hours of sleep gained by ten patients under the
# second drug over the first.
SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]


def test_sleep():
    """Mean 1.58 hours, t = 4.0621 on 9 degrees of freedom, 95% interval .700 to 2.460: the paired
    example of many textbooks. So d_z = 4.0621 / sqrt(10). Nine of ten slept longer and one as long.
    """
    found, mean = effect_size(SLEEP), summarize(SLEEP)
    assert mean.mean == pytest.approx(1.58)
    assert (mean.low, mean.high) == pytest.approx((0.7001142, 2.4598858), abs=1e-7)
    assert found.d_z == pytest.approx(4.0621 / math.sqrt(10), abs=1e-4)
    assert found.rank_biserial == 1.0
    assert sign_flip(SLEEP).p == 2 / 2**9


@given(differences, st.sampled_from([0.9, 0.95]))
@settings(max_examples=40)
def test_interval_inverts_the_noncentral_t(d, confidence):
    assume(len(d) > 1 and len(set(d)) > 1)
    found, n = effect_size(d, confidence), len(d)
    oracle: Any = stats.ttest_1samp(d, 0.0)
    t = oracle.statistic
    assert found.d_z * math.sqrt(n) == pytest.approx(t, abs=1e-9)
    for delta, tail in ((found.low, (1 + confidence) / 2), (found.high, (1 - confidence) / 2)):
        assert stats.nct.cdf(t, n - 1, delta * math.sqrt(n)) == pytest.approx(tail, abs=1e-6)


@given(differences)
def test_rank_biserial_agrees_with_scipy(d):
    found = effect_size(d).rank_biserial
    moved = np.array([x for x in d if x])
    if not len(moved):
        assert found is None
        return
    ranks = stats.rankdata(abs(moved).round(9))
    up, down = ranks[moved > 0].sum(), ranks[moved < 0].sum()
    assert found == pytest.approx((up - down) / (up + down))


@given(differences)
def test_the_other_direction_is_the_mirror_image(d):
    up, down = effect_size(d), effect_size([-x for x in d])
    if up.d_z is None:
        assert down.d_z is None
    else:
        assert (down.d_z, down.low, down.high) == pytest.approx((-up.d_z, -up.high, -up.low))
    assert (up.rank_biserial or 0.0) == -(down.rank_biserial or 0.0)


def test_interval_covers_a_known_effect():
    """2,000 samples of eight, effect .8: a share of .95 has a standard error of .0049."""
    draws = np.random.default_rng(20_261_124).normal(0.8, 1.0, (2_000, 8))
    found = [effect_size(each.tolist()) for each in draws]
    assert np.mean([e.low <= 0.8 <= e.high for e in found]) == pytest.approx(0.95, abs=0.0195)


def test_degenerate():
    same = effect_size([0.0] * 5)
    assert (same.d_z, same.low, same.high, same.rank_biserial) == (None,) * 4
    # All pairs agree: a direction, but nothing to divide by.
    constant = effect_size([0.01] * 5)
    assert (constant.d_z, constant.rank_biserial) == (None, 1.0)
    one = effect_size([-0.3])
    assert (one.d_z, one.low, one.rank_biserial) == (None, None, -1.0)
    # Hardly any spread: far out, yet finite and in order.
    far = effect_size([1.0, 1.0 + 1e-9, 1.0])
    assert 0 < far.low < far.d_z < far.high < math.inf
    for wrong in ([], [math.nan]):
        with pytest.raises(ValueError, match=r"give at least one|leave out"):
            effect_size(wrong)
