"""The sign-flip test, against scipy's permutation test and hand counts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from attn_nlp.stats import least_attainable, sign_flip
from attn_nlp.stats.signflip import RESAMPLES, RNG_SEED, sign_flips

differences = st.lists(st.integers(-20, 20).map(lambda k: k / 500), min_size=1, max_size=9)


def test_by_hand():
    """3, 2, -1: |sum| = 4. As far from zero: 3 + 2 + 1, 3 + 2 - 1 and their mirrors, of 8."""
    assert sign_flip([3.0, 2.0, -1.0]).p == 4 / 8


@given(differences.filter(lambda d: len(d) > 1))
@settings(max_examples=60)
def test_agrees_with_scipy(d):
    found = sign_flip(d)
    oracle = stats.permutation_test(
        (np.array(d) * 500,), np.sum, permutation_type="samples", n_resamples=np.inf
    )
    assert found.exact
    assert found.p == pytest.approx(min(1.0, oracle.pvalue), abs=1e-12)


@given(differences)
def test_either_direction_is_the_same(d):
    assert sign_flip(d).p == sign_flip([-x for x in d]).p


@given(differences)
def test_p_is_never_below_the_least(d):
    found = sign_flip(d)
    assert found.least <= found.p <= 1.0
    assert found.least == least_attainable(found.nonzero)


@given(differences, st.integers(0, 4))
def test_zeros_add_no_evidence(d, zeros):
    assert sign_flip([*d, *[0.0] * zeros]).p == sign_flip(d).p


def test_identical_scores_give_one():
    found = sign_flip([0.0] * 10)
    assert (found.p, found.least, found.nonzero) == (1.0, 1.0, 0)


def test_rounding_errors_are_not_a_difference():
    assert sign_flip([(0.1 + 0.2) - 0.3] * 10).p == 1.0


def test_all_of_one_sign_give_the_least():
    assert sign_flip([0.01 * k for k in range(1, 11)]).p == 2 / 2**10


def test_twenty_are_enumerated_and_more_are_drawn():
    """d_i = 1 for all i: |sum| is n only where all signs agree, 2 of 2^n patterns."""
    assert sign_flip([1.0] * 20).p == 2 / 2**20
    drawn = sign_flip([1.0] * 21)
    assert not drawn.exact
    assert drawn.p == drawn.least == 1 / (RESAMPLES + 1)


def test_drawn_patterns_come_near_the_exact_share():
    """21 differences, 13 up and 8 down: |13 - 8| = 5 is reached with probability .3833 (binomial).

    The share of 99,999 patterns has a standard error of .0016; the tolerance is five of them.
    """
    found = sign_flip([1.0] * 13 + [-1.0] * 8)
    exact = 2 * stats.binom.sf(12, 21, 0.5)
    assert found.p == pytest.approx(exact, abs=0.008)
    assert found.p == sign_flip([1.0] * 13 + [-1.0] * 8).p


def test_drawn_patterns_follow_the_formula_whatever_else_is_tested():
    """Sums under every drawn pattern, one after another; bit b of byte i belongs to 8 i + 7 - b."""
    rng = np.random.default_rng(3)
    family = [rng.integers(-9, 10, n) / 500 for n in (25, 40, 12, 33)]
    draws = np.random.default_rng(RNG_SEED)
    signs = [
        1 - 2.0 * np.unpackbits(np.frombuffer(draws.bytes(12_500), np.uint8))[:RESAMPLES]
        for _ in range(40)
    ]
    found = sign_flips(family)
    assert found == [sign_flip(each) for each in family]
    assert [each.exact for each in found] == [False, False, True, False]
    for differences, each in zip(family, found, strict=True):
        kept = differences[differences != 0]
        if each.exact:
            continue
        sums = sum(sign * d for sign, d in zip(signs, kept, strict=False))
        beyond = (abs(sums) >= abs(kept.sum()) - 1e-9).sum()
        assert each.p == (beyond + 1) / (RESAMPLES + 1)


@pytest.mark.parametrize("d", [[], [float("nan")]])
def test_no_test_of_nothing(d):
    with pytest.raises(ValueError, match=r"give at least one|leave out"):
        sign_flip(d)
