"""Two one-sided tests, against statsmodels and the 90% interval."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn_nlp.stats import default_margin, resolves, summarize, tost

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the oracle's own imports
    from statsmodels.stats.weightstats import ttost_paired

differences = st.lists(st.integers(-20, 20).map(lambda k: k / 500), min_size=2, max_size=10)


@given(differences.filter(lambda d: len(set(d)) > 1), st.sampled_from([0.005, 0.01, 0.02]))
def test_agrees_with_statsmodels(d, margin):
    p, _, _ = ttost_paired(np.array(d), np.zeros(len(d)), -margin, margin)
    assert tost(d, margin) == pytest.approx(p, abs=1e-12)


@given(differences.filter(lambda d: len(set(d)) > 1), st.sampled_from([0.005, 0.01, 0.02]))
def test_means_the_90_percent_interval_lies_inside(d, margin):
    interval = summarize(d, 0.90)
    edge = min(abs(interval.low + margin), abs(interval.high - margin))
    if edge > 1e-9:
        inside = -margin < interval.low and interval.high < margin
        assert (tost(d, margin) < 0.05) is inside


def test_degenerate():
    assert tost([0.0], 0.01) == 1.0  # one pair shows no spread
    assert tost([0.0] * 5, 0.01) == 1.0  # nor do pairs that all agree
    assert tost([0.02] * 5, 0.01) == 1.0
    with pytest.raises(ValueError, match="margin above 0"):
        tost([0.0, 0.1], 0.0)


@pytest.mark.parametrize(
    ("sentences", "margin", "is_one"),
    [(40, 0.02, False), (49, 0.02, False), (50, 0.02, True), (200, 0.005, True), (100, 0.01, True)],
)
def test_a_margin_is_at_least_one_sentence(sentences, margin, is_one):
    assert resolves(sentences, margin) is is_one


@pytest.mark.parametrize(
    ("sentences", "margin"),
    [(5_000, 0.005), (4_999, 0.01), (1_500, 0.01), (1_499, 0.02), (1, 0.02)],
)
def test_default_margin(sentences, margin):
    assert default_margin(sentences) == margin
