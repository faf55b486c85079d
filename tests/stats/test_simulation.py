"""The procedure on real predictions: tables in which nothing is real, and intervals that cover.

Normal draws would make this a tautology. Here seeds and sentences are drawn, with replacement, from
the stored predictions of forty seeds of three trained cells (`make_predictions.py`), so that scores
are as skewed, as tied and as correlated as those of a table. The seed of the draws was written down
before the first of them was made:
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from attn_nlp.stats import Verdict, compare, holm, sign_flip, summarize, two_way
from attn_nlp.stats.sentences import resampled_means

from .make_predictions import CELLS, SEEDS, read

RNG_SEED = 20_261_124
TABLES, VARIANTS, PAIRS = 2_000, 11, 10
# Of 2,000 tables, 5% may have a false star; and 2.3 standard errors of that number, as a count.
MOST_FALSE = 123
COVERAGE = (0.937, 0.963)


STARS = {
    Verdict.BETTER,
    Verdict.WORSE,
    Verdict.BETTER_WITHIN_MARGIN,
    Verdict.WORSE_WITHIN_MARGIN,
}


def covered(values, truth):
    """The share of t intervals over the last axis that hold the truth; some are `summarize`'s."""
    from scipy.stats import t

    n = values.shape[-1]
    mean, sd = values.mean(axis=-1), values.std(axis=-1, ddof=1)
    reach = t.ppf(0.975, n - 1) * sd / np.sqrt(n)
    for one, center, half in zip(
        values.reshape(-1, n)[:20], mean.ravel()[:20], reach.ravel()[:20], strict=True
    ):
        found = summarize(one)
        assert (found.low, found.high) == pytest.approx((center - half, center + half))
    return (np.abs(mean - truth) <= reach).mean()


def sign_flips(differences):
    """The library's exact sign-flip p of many rows at once, (..., n) to (...)."""
    n = differences.shape[-1]
    signs = np.array(list(itertools.product((1.0,), *[(1.0, -1.0)] * (n - 1))))
    observed = np.abs(differences.sum(axis=-1)) - 1e-9 * np.abs(differences).sum(axis=-1)
    return np.array(
        [
            (np.abs(some @ signs.T) >= least[..., None]).mean(axis=-1)
            for some, least in zip(differences, observed, strict=True)
        ]
    )


@pytest.fixture(scope="module")
def predictions():
    return read()


def null_tables(right, rng, tables=TABLES):
    """(tables, 1 + variants, pairs) accuracies: a reference and variants that are the same cell.

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
def test_verdicts_are_rarely_false_and_intervals_cover(predictions, name, capsys):
    """2,000 tables of eleven variants and ten seeds; no variant differs from the reference."""
    rng = np.random.default_rng((RNG_SEED, list(CELLS).index(name)))
    accuracies, truth = null_tables(predictions[name], rng)
    differences = accuracies[:, 1:] - accuracies[:, :1]
    p = sign_flips(differences)
    false = sum(min(holm(family)) < 0.05 for family in p.tolist())
    # What a table prints comes of the same procedure: its p values, and verdicts where they are
    # small.
    for family, quick in zip(differences[:50].tolist(), p.tolist(), strict=False):
        assert [sign_flip(each).p for each in family] == quick
    for family, quick in zip(differences[:5].tolist(), p.tolist(), strict=False):
        found = compare(family, [0.01] * VARIANTS)
        assert [each.p_holm for each in found] == holm(quick)
        assert [each.verdict in STARS for each in found] == [each < 0.05 for each in holm(quick)]
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


def test_intervals_over_seeds_and_sentences_cover(predictions, capsys):
    """Dot product against uniform attention, a difference that is what it is: -.18 points.

    Both seeds and sentences are drawn anew, ten seeds and as many sentences as there are. The
    interval over both covers what it claims; the one over seeds alone is made for the sentences at
    hand and covers less here. .95 of 500 draws has a standard error of .0097, of 100 draws .022.
    """
    rng = np.random.default_rng((RNG_SEED, len(CELLS)))
    variant, reference = predictions["dot"], predictions["uniform"]
    truth, size = variant.mean() - reference.mean(), variant.shape[1]
    both = bootstrap = alone = 0
    for number in range(500):
        seeds, sentences = rng.integers(SEEDS, size=PAIRS), rng.integers(size, size=size)
        pair = variant[seeds][:, sentences], reference[seeds][:, sentences]
        found = two_way(*pair, resamples=2)
        both += found.low <= truth <= found.high
        over_seeds = summarize((pair[0].mean(axis=1) - pair[1].mean(axis=1)).tolist())
        alone += over_seeds.low <= truth <= over_seeds.high
        if number < 100:
            means = resampled_means(pair[0].astype(float) - pair[1], 200, number)
            low, high = np.quantile(means, (0.025, 0.975))
            bootstrap += low <= truth <= high
    with capsys.disabled():
        print(
            f"\ntwo-way: the interval over seeds and sentences covers {both / 500:.3f}, its "
            f"bootstrap {bootstrap / 100:.3f}, the interval over seeds alone {alone / 500:.3f}"
        )
    assert both / 500 >= 0.95 - 3 * 0.0097
    assert bootstrap / 100 >= 0.95 - 3 * 0.022
    assert alone < both
