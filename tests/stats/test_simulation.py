"""The procedure on real predictions: tables in which nothing is real, and intervals that cover.

Normal draws would make this a tautology. Here seeds and sentences are drawn, with replacement, from
the stored predictions of forty seeds of three trained cells (`make_predictions.py`), so that scores
are as skewed, as tied and as correlated as those of a table. The seed of the draws was written down
before the first of them was made:
"""

from __future__ import annotations

import numpy as np
import pytest

from attn_nlp.stats import Verdict, compare, holm, sign_flip, summarise, two_way

from .make_predictions import CELLS, SEEDS, read

RNG_SEED = 20_261_124
TABLES, VARIANTS, PAIRS = 2_000, 11, 10
# Of 2,000 tables, 5 % may have a false star; and 2.3 standard errors of that number, as a count.
MOST_FALSE = 123
COVERAGE = (0.937, 0.963)


@pytest.fixture(scope="module")
def predictions():
    return read()


def null_tables(right, rng, tables=TABLES):
    """(tables, 1 + variants, pairs) accuracies: a baseline and variants that are the same cell.

    Each row draws its own ten seeds; the sentences of a table are drawn once for all of its rows,
    as a test split is. Also the true accuracy of each table: of all forty seeds on its sentences.
    """
    size = right.shape[1]
    counts = rng.multinomial(size, np.full(size, 1 / size), size=tables)
    accuracies = counts @ right.T.astype(np.int64) / size
    seeds = rng.integers(SEEDS, size=(tables, 1 + VARIANTS, PAIRS))
    drawn = accuracies[np.arange(tables)[:, None, None], seeds]
    return drawn, accuracies.mean(axis=1)


@pytest.mark.parametrize("name", CELLS)
def test_stars_are_rarely_false_and_intervals_cover(predictions, name, capsys):
    """2,000 tables of eleven variants and ten seeds; no variant differs from the baseline."""
    rng = np.random.default_rng((RNG_SEED, list(CELLS).index(name)))
    accuracies, truth = null_tables(predictions[name], rng)
    differences = accuracies[:, 1:] - accuracies[:, :1]
    false = 0
    for number, family in enumerate(differences):
        adjusted = holm([sign_flip(each).p for each in family])
        false += min(adjusted) < 0.05
        if number < 20:  # the verdicts that a table prints are those of this procedure
            found = compare(family.tolist(), [0.01] * VARIANTS)
            assert [each.p_holm for each in found] == adjusted
            stars = [each.verdict in STARS for each in found]
            assert stars == [p < 0.05 for p in adjusted]
    of_means = covered(accuracies, truth[:, None])
    of_differences = covered(differences, 0.0)
    with capsys.disabled():
        print(
            f"\n{name}: {false} of {TABLES:,} null tables with a false star; the 95% interval "
            f"covers {of_differences:.4f} of differences and {of_means:.4f} of means"
        )
    assert false <= MOST_FALSE
    assert COVERAGE[0] <= of_differences <= COVERAGE[1]
    assert COVERAGE[0] <= of_means <= COVERAGE[1]


STARS = {
    Verdict.BETTER,
    Verdict.WORSE,
    Verdict.BETTER_WITHIN_MARGIN,
    Verdict.WORSE_WITHIN_MARGIN,
}


def covered(values, truth):
    """The share of t intervals over the last axis that hold the truth; some are `summarise`'s."""
    from scipy.stats import t

    n = values.shape[-1]
    mean, sd = values.mean(axis=-1), values.std(axis=-1, ddof=1)
    reach = t.ppf(0.975, n - 1) * sd / np.sqrt(n)
    for one, centre, half in zip(
        values.reshape(-1, n)[:20], mean.ravel()[:20], reach.ravel()[:20], strict=True
    ):
        found = summarise(one)
        assert (found.low, found.high) == pytest.approx((centre - half, centre + half))
    return (np.abs(mean - truth) <= reach).mean()
