"""Means and t intervals, against hand calculation and scipy.stats."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from attn_nlp.stats import summarize

scores = st.lists(st.floats(0, 1).map(lambda x: round(x, 4)), min_size=2, max_size=12)


def test_by_hand():
    """1, 2, 3: mean 2, sd 1, t(2, .975) = 4.3027, half-width 4.3027 / sqrt(3) = 2.4841."""
    found = summarize([1.0, 2.0, 3.0])
    assert (found.n, found.mean, found.sd) == (3, 2.0, 1.0)
    assert found.half_width == pytest.approx(2.48414, abs=1e-5)


@given(scores, st.sampled_from([0.90, 0.95]))
def test_interval_is_that_of_scipy(values, confidence):
    found = summarize(values, confidence)
    if found.sd == 0:
        assert found.low == found.mean == found.high
        return
    low, high = stats.ttest_1samp(values, 0.0).confidence_interval(confidence)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)


@given(scores, st.floats(-1, 1))
def test_a_shift_moves_the_interval_and_nothing_else(values, shift):
    plain, moved = summarize(values), summarize([x + shift for x in values])
    assert moved.mean == pytest.approx(plain.mean + shift, abs=1e-9)
    assert moved.sd == pytest.approx(plain.sd, abs=1e-9)
    assert moved.half_width == pytest.approx(plain.half_width, abs=1e-8)


def test_one_value_has_no_interval():
    found = summarize([0.7])
    assert (found.mean, found.sd, found.low, found.high) == (0.7, None, None, None)
    assert found.half_width is None


def test_equal_values_have_an_interval_of_no_width():
    """Three equal scores, also where their sum leaves dust: (.1 + .2) and .3 are one score."""
    found = summarize([0.1 + 0.2, 0.3, 0.3])
    assert found.sd == 0.0
    assert found.low == found.high == found.mean


@pytest.mark.parametrize("values", [[], [0.5, math.nan], [math.inf]])
def test_no_mean_of_values_that_are_not_numbers(values):
    with pytest.raises(ValueError, match=r"give at least one|leave out"):
        summarize(values)
