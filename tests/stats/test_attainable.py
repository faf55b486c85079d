"""The verdicts that a number of seeds can reach at all."""

import pytest

from attn_nlp.stats import (
    carries,
    holm,
    least_attainable,
    seeds_for_significance,
    significance_attainable,
)


@pytest.mark.parametrize(
    ("seeds", "most"), [(1, 0), (5, 0), (6, 1), (7, 3), (8, 6), (10, 25), (12, 102)]
)
def test_how_many_comparisons_seeds_carry(seeds, most):
    """alpha * 2^(n - 1), rounded down: 10 seeds, .05 * 512 = 25.6."""
    assert carries(seeds) == most
    assert significance_attainable(seeds, most) is (most > 0)
    assert not significance_attainable(seeds, most + 1)


@pytest.mark.parametrize("comparisons", [1, 2, 6, 25, 26, 102, 103])
def test_fewest_seeds_are_enough_and_one_less_is_not(comparisons):
    seeds = seeds_for_significance(comparisons)
    best = [least_attainable(seeds)] + [1.0] * (comparisons - 1)
    assert holm(best)[0] < 0.05
    assert carries(seeds - 1) < comparisons


def test_no_comparison_earns_nothing():
    assert not significance_attainable(100, 0)
    with pytest.raises(ValueError, match="at least 1"):
        seeds_for_significance(0)


def test_least_p():
    assert [least_attainable(n) for n in (0, 1, 5, 10)] == [1.0, 1.0, 0.0625, 2 / 1024]
