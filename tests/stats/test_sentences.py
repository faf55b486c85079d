"""Seeds and sentences: against statsmodels, exact counts, and what has no spread."""

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_nlp.stats import mcnemar, two_way
from attn_nlp.stats.sentences import resampled_means

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the oracle's own imports
    from statsmodels.regression.linear_model import OLS
    from statsmodels.stats.contingency_tables import mcnemar as mcnemar_oracle


def drawn(seeds, sentences, rng_seed, apart=1.5):
    """Right or wrong: sentences differ in how hard each model finds them, seeds in how good."""
    rng = np.random.default_rng(rng_seed)
    hard = rng.normal(0, 1, sentences) + rng.normal(0, apart, (2, 1, sentences))
    good = rng.normal(0, apart, (2, seeds, 1))
    return rng.random((2, seeds, sentences)) < 1 / (1 + np.exp(hard - good))


@pytest.mark.parametrize("shape", [(8, 40), (10, 30), (30, 12)])
def test_errors_agree_with_statsmodels(shape):
    """A regression on a constant, clustered by seed, by sentence and by both."""
    variant, reference = drawn(*shape, rng_seed=1)
    found = two_way(variant, reference)
    d = (variant.astype(float) - reference).ravel()
    seed, sentence = (each.ravel() for each in np.indices(shape))

    def error(groups):
        fitted = OLS(d, np.ones_like(d)).fit(cov_type="cluster", cov_kwds={"groups": groups})
        return fitted.bse[0]

    assert found.mean == pytest.approx(d.mean())
    assert found.error_seeds == pytest.approx(error(seed))
    assert found.error_sentences == pytest.approx(error(sentence))
    both = error(np.stack([seed, sentence], axis=1))
    assert both > max(found.error_seeds, found.error_sentences)
    assert found.error == pytest.approx(both)


def test_the_errors_are_those_of_the_formula_but_for_rounding():
    """The sums are integers, so that only the formula's own steps round."""
    variant, reference = drawn(7, 90, rng_seed=5)
    found = two_way(variant, reference)
    d = variant.astype(float) - reference
    e, (n, size) = d - d.mean(), d.shape
    seeds = n / (n - 1) * (e.sum(axis=1) ** 2).sum() / d.size**2
    sentences = size / (size - 1) * (e.sum(axis=0) ** 2).sum() / d.size**2
    twice = d.size / (d.size - 1) * (e**2).sum() / d.size**2
    assert found.mean == d.mean()
    assert found.error_seeds == pytest.approx(np.sqrt(seeds), rel=1e-13)
    assert found.error_sentences == pytest.approx(np.sqrt(sentences), rel=1e-13)
    assert found.error == pytest.approx(np.sqrt(seeds + sentences - twice), rel=1e-13)
    means = resampled_means(d, found.resamples, found.rng_seed)
    assert [found.bootstrap_low, found.bootstrap_high] == np.quantile(
        means, [0.025, 0.975]
    ).tolist()


def test_where_the_parts_leave_less_than_nothing_the_larger_stands():
    """Differences that cancel in every row and column: the parts are zero, what is left is not."""
    variant = np.array([[1, 0], [0, 1]])
    found = two_way(variant, 1 - variant)
    assert (found.error_seeds, found.error_sentences, found.error) == (0.0, 0.0, 0.0)
    variant, reference = drawn(3, 40, rng_seed=1, apart=0.0)
    found = two_way(variant, reference)
    assert found.error == max(found.error_seeds, found.error_sentences)


def test_the_bootstrap_draws_rows_and_columns():
    """Its variance is known: E* = (n-1)(N-1)/(nN) of the row and column parts and the rest.

    With d = row[i] + column[j], integers, a resampled mean is mean(row*) + mean(column*), of
    variance var0(row) / n + var0(column) / N with var0 over n. 20,000 draws: 1% of the deviation.
    """
    rng = np.random.default_rng(2)
    row, column = rng.integers(-3, 4, (6, 1)), rng.integers(-2, 3, (1, 25))
    means = resampled_means((row + column).astype(float), 20_000, 7)
    assert means.mean() == pytest.approx((row + column).mean(), abs=0.02)
    assert means.std() == pytest.approx(np.sqrt(row.var() / 6 + column.var() / 25), rel=0.02)


def test_the_bootstrap_is_the_same_every_time_and_other_for_another_seed():
    variant, reference = drawn(5, 60, rng_seed=3)
    once, again = two_way(variant, reference), two_way(variant, reference)
    assert once == again
    assert (once.bootstrap_low, once.bootstrap_high) == (again.bootstrap_low, again.bootstrap_high)
    other = two_way(variant, reference, rng_seed=1)
    assert (other.mean, other.error) == (once.mean, once.error)
    assert other.bootstrap_low != once.bootstrap_low
    assert two_way(variant, reference, resamples=50).resamples == 50


def test_turning_the_pair_round_turns_the_interval_round():
    variant, reference = drawn(5, 60, rng_seed=4)
    one, other = two_way(variant, reference), two_way(reference, variant)
    assert (other.low, other.high) == pytest.approx((-one.high, -one.low))
    assert other.bootstrap_low == pytest.approx(-one.bootstrap_high)


def test_more_seeds_do_not_shrink_what_sentences_bring():
    variant, reference = drawn(40, 200, rng_seed=5)
    few, many = two_way(variant[:5], reference[:5]), two_way(variant, reference)
    assert many.error_seeds < few.error_seeds
    assert many.error > many.error_seeds


def test_two_way_degenerate():
    right = np.ones((4, 9), bool)
    same = two_way(right, right)
    assert (same.mean, same.error, same.low, same.high) == (0.0, 0.0, 0.0, 0.0)
    assert (same.bootstrap_low, same.bootstrap_high) == (0.0, 0.0)
    constant = two_way(right, ~right)
    assert (constant.mean, constant.low, constant.bootstrap_high) == (1.0, 1.0, 1.0)
    one_seed = two_way(right[:1], ~right[:1])
    assert (one_seed.error_seeds, one_seed.error, one_seed.low) == (None, None, None)
    assert one_seed.error_sentences == 0.0
    one_sentence = two_way(right[:, :1], ~right[:, :1])
    assert (one_sentence.error_sentences, one_sentence.error) == (None, None)
    for a, b in ((right, right[:2]), (right[0], right[0]), (right[:0], right[:0])):
        with pytest.raises(ValueError, match=r"must be \(seeds, sentences\)"):
            two_way(a, b)


# Agresti, "Categorical Data Analysis": 1,600 people asked twice whether they approve of the prime
# minister. 794 did both times, 570 neither time, 150 only at first and 86 only later; he gives
# z^2 = (86 - 150)^2 / (86 + 150) = 17.36.
BOTH, FIRST, LATER, NEITHER = 794, 150, 86, 570


def test_mcnemar_of_agresti():
    first = np.repeat([1, 1, 0, 0], [BOTH, FIRST, LATER, NEITHER])
    later = np.repeat([1, 0, 1, 0], [BOTH, FIRST, LATER, NEITHER])
    found = mcnemar(first, later)
    assert (found.only_variant, found.only_reference) == (150, 86)
    table = [[BOTH, FIRST], [LATER, NEITHER]]
    rough: Any = mcnemar_oracle(table, exact=False, correction=False)
    exact: Any = mcnemar_oracle(table, exact=True)
    assert round(rough.statistic, 2) == 17.36
    assert found.p == pytest.approx(exact.pvalue)
    assert found.p == pytest.approx(rough.pvalue, rel=0.25)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
@settings(max_examples=60)
def test_mcnemar_agrees_with_statsmodels(pairs):
    a, b = np.array(pairs).T
    table = [[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]]
    found = mcnemar(a, b)
    if found.only_variant + found.only_reference:
        exact: Any = mcnemar_oracle(table, exact=True)
        assert found.p == pytest.approx(exact.pvalue, abs=1e-12)
    else:
        assert found.p == 1.0


def test_mcnemar_degenerate():
    assert mcnemar([1], [1]).p == 1.0
    assert mcnemar([1], [0]).p == 1.0
    assert mcnemar([1] * 6, [0] * 6).p == 2 / 2**6
    for a, b in (([], []), ([1], [1, 0]), ([[1]], [[1]])):
        with pytest.raises(ValueError, match=r"must be \(sentences,\)"):
            mcnemar(a, b)
