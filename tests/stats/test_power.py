"""Power, against statsmodels and simulation, and the seeds that follow from it."""

import warnings

import numpy as np
import pytest

from attn_nlp.stats import (
    BEYOND,
    detectable_effect,
    holm,
    power_of_difference,
    power_of_equivalence,
    power_of_significance,
    seeds_for_decision,
    sign_flip,
    significance_attainable,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the oracle's own imports
    from statsmodels.stats.power import TTestPower


@pytest.mark.parametrize(
    ("n", "effect"), [(3, 0.2), (3, 1.49), (5, 1.0), (10, 0.2), (10, 1.0), (10, 1.49), (20, 0.5)]
)
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_difference_agrees_with_statsmodels(n, effect, alpha):
    """To .002: the mean over 1,000 quantiles of the deviation stands for an integral. The
    oracle itself gives NaN where power is nearly one.
    """
    oracle = TTestPower().power(effect, n, alpha, alternative="two-sided")
    assert power_of_difference(effect * 0.01, 0.01, n, alpha) == pytest.approx(oracle, abs=2e-3)


@pytest.mark.parametrize(("n", "mean"), [(5, 0.0), (10, 0.0), (10, 0.002), (20, 0.0)])
def test_equivalence_agrees_with_simulation(n, mean):
    """20,000 draws have a standard error of at most .0036; the tolerance is four of them."""
    from scipy.stats import t

    draws = np.random.default_rng(0).normal(mean, 0.007, (20_000, n))
    reach = t.ppf(0.95, n - 1) * draws.std(axis=1, ddof=1) / np.sqrt(n)
    share = (np.abs(draws.mean(axis=1)) + reach < 0.005).mean()
    assert power_of_equivalence(mean, 0.007, n, 0.005) == pytest.approx(share, abs=0.0145)


def test_without_spread_power_is_all_or_nothing():
    assert power_of_difference(0.01, 0.0, 5) == 1.0
    assert power_of_difference(0.0, 0.0, 5) == 0.0
    assert power_of_equivalence(0.001, 0.0, 5, 0.01) == 1.0
    assert power_of_equivalence(0.01, 0.0, 5, 0.01) == 0.0


def test_seeds_are_the_fewest_that_reach_80_percent():
    seeds = seeds_for_decision(0.005, 0.007, 10, None, 1)
    assert power_of_difference(0.005, 0.007, seeds) >= 0.8
    assert power_of_difference(0.005, 0.007, seeds - 1) < 0.8
    # A textbook value: effect 5/7 at two-sided .05 needs 18 pairs.
    assert seeds == 18


def test_a_larger_family_needs_no_fewer_seeds():
    needed = [seeds_for_decision(0.005, 0.007, 10, 0.005, m) for m in (1, 2, 5, 25)]
    assert needed == sorted(needed)


def test_equivalence_can_decide_where_a_difference_never_would():
    assert seeds_for_decision(0.0, 0.007, 10, None, 1) == BEYOND
    seeds = seeds_for_decision(0.0, 0.007, 10, 0.005, 1)
    assert power_of_equivalence(0.0, 0.007, seeds, 0.005) >= 0.8
    assert power_of_equivalence(0.0, 0.007, seeds - 1, 0.005) < 0.8


def test_more_than_the_seeds_at_hand_and_enough_to_be_significant():
    assert seeds_for_decision(0.05, 0.001, 10, None, 1) == 11
    seeds = seeds_for_decision(0.05, 1e-6, 2, None, 25)
    assert seeds == 10
    assert significance_attainable(seeds, 25)


def test_the_predicted_power_is_that_of_the_procedure():
    """Deviation 1.0 point, difference 1.0 point, 20 seeds, 11 comparisons: to three points.

    1,200 tables of one real difference and ten that are none, from one reference: each score has a
    deviation of 1 / sqrt(2) points, so that each difference has 1.0. The procedure is the exact
    sign-flip test and Holm. A share of .87 of 1,200 has a standard error of .0097.
    """
    rng = np.random.default_rng(20_261_124)
    found = 0
    for _ in range(1_200):
        scores = rng.normal(0.0, 0.01 / 2**0.5, (12, 20))
        scores[1] += 0.01
        p = holm([sign_flip(each - scores[0]).p for each in scores[1:]])
        found += p[0] < 0.05
    assert power_of_significance(1.0, 20, 11) == pytest.approx(found / 1_200, abs=0.03)


@pytest.mark.parametrize(
    ("n", "comparisons"), [(6, 1), (8, 6), (10, 1), (10, 11), (12, 11), (13, 11), (14, 11)]
)
def test_the_detectable_effect_is_detected(n, comparisons):
    """.8 promised; 1,500 drawn families have a standard error of .0103, three of which are .031.

    Holm's level for the smallest p is asked, as if no other difference were real.
    """
    effect = detectable_effect(n, comparisons)
    assert effect is not None
    draws = np.random.default_rng(20_261_124).normal(effect, 1.0, (1_500, n))
    share = np.mean([comparisons * sign_flip(each).p < 0.05 for each in draws])
    assert share == pytest.approx(0.8, abs=0.031)
    assert power_of_significance(effect, n, comparisons) == pytest.approx(0.8, abs=0.001)


def test_other_real_differences_only_help():
    """All eleven are real: Holm's later steps are milder; more is significant than promised."""
    rng = np.random.default_rng(20_261_124)
    shares = []
    for _ in range(200):
        draws = rng.normal(1.0, 1.0, (11, 12))
        shares += [p < 0.05 for p in holm([sign_flip(each).p for each in draws])]
    assert np.mean(shares) > power_of_significance(1.0, 12, 11)


def test_what_cannot_earn_a_star_has_no_power():
    assert power_of_significance(5.0, 5, 1) == 0.0
    assert detectable_effect(5, 1) is None
    assert detectable_effect(10, 26) is None
    assert detectable_effect(10, 25) is not None


def test_more_seeds_detect_less():
    """Also where drawn samples give way to the t test, from 13 to 14 pairs."""
    for comparisons in (1, 11):
        effects = [detectable_effect(n, comparisons) for n in (10, 12, 13, 14, 16, 20, 40)]
        assert effects == sorted(effects, reverse=True)
