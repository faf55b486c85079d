"""The verdict of a comparison."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_nlp.stats import (
    Verdict,
    binomial_error,
    compare,
    equivalence_attainable,
    holm,
    sign_flip,
    tost,
)

UP = [0.02, 0.03, 0.02, 0.03, 0.02, 0.03, 0.02, 0.03, 0.02, 0.03]
SMALL = [0.002, 0.003] * 5
NOISE = [0.03, -0.03, 0.01, -0.02, 0.02, -0.01, 0.03, -0.02, 0.01, 0.0]
QUIET = [0.001, -0.001] * 5


def named(differences, margin=0.01, **options):
    (found,) = compare([differences], [margin], **options)
    return found.verdict


def test_every_verdict():
    """Ten differences of one sign: p = 2/1024. |mean| .025 is outside the margin, .0025 inside."""
    down, small_down = [-d for d in UP], [-d for d in SMALL]
    assert named(UP) is Verdict.BETTER
    assert named(down) is Verdict.WORSE
    assert named(SMALL) is Verdict.BETTER_WITHIN_MARGIN
    assert named(small_down) is Verdict.WORSE_WITHIN_MARGIN
    assert named(QUIET) is Verdict.EQUIVALENT
    assert named(NOISE) is Verdict.UNDECIDED
    assert named(UP, higher_is_better=False) is Verdict.WORSE


def test_five_seeds_are_never_better():
    (found,) = compare([UP[:5]], [0.01])
    assert found.p == found.least_p == 0.0625
    assert found.verdict is Verdict.UNDECIDED
    assert found.seeds_needed >= 6


@pytest.mark.parametrize(("shift", "p"), [(0.0, 1.0), (0.025, 2 / 1024)])
def test_pairs_that_all_agree_decide_nothing(shift, p):
    """Ten runs that no seed changes are one run: neither equivalent nor better."""
    (found,) = compare([[shift] * 10], [0.01])
    assert (found.p, found.p_holm, found.effect.d_z) == (p, 1.0, None)
    assert (found.verdict, found.seeds_needed) == (Verdict.UNDECIDED, None)
    assert (found.p_equivalence, found.p_equivalence_holm) == (1.0, 1.0)
    assert not found.spreads
    (without,) = compare([[shift] * 10], [None])
    assert without.verdict is Verdict.UNDECIDED
    assert without.p_equivalence is None


def test_a_comparison_without_spread_counts_as_p_one():
    """So that it takes no place among the small p values, which would ease the rest."""
    among = compare([UP, [0.025] * 10, NOISE], [0.01] * 3)
    assert among[0].p_holm == 3 * 2 / 1024
    assert among[2].p_holm == min(1.0, 2 * among[2].p)


@pytest.mark.parametrize(("size", "fewest"), [(1, 5), (2, 6), (4, 7)])
def test_equivalence_needs_seeds_of_its_own(size, fewest):
    """m / 2^n < .05: an exact test on each side could show it too."""
    for n, verdict in ((fewest - 1, Verdict.UNDECIDED), (fewest, Verdict.EQUIVALENT)):
        quiet = [0.0001 * (-1) ** i for i in range(n)]
        found = compare([quiet, *[[]] * (size - 1)], [0.02] * size)[0]
        assert found.verdict is verdict
        assert found.p_equivalence < 0.01 / size
        assert (found.seeds_needed == fewest) is (verdict is Verdict.UNDECIDED)


def test_one_pair_decides_nothing():
    (found,) = compare([[0.5]], [0.01])
    assert found.verdict is Verdict.UNDECIDED
    assert found.seeds_needed is None
    assert found.interval_90 is None
    assert found.p == 1.0


def test_a_comparison_without_pairs_still_counts():
    """One of 26 declared comparisons: 26 * 2/1024 = .0508, no star; of 25: .0488."""
    for size, verdict in ((25, Verdict.BETTER), (26, Verdict.UNDECIDED)):
        found = compare([UP, *[[]] * (size - 1)], [None] * size)
        assert found[0].verdict is verdict
        assert found[0].p_holm == size * 2 / 1024
        assert found[1:] == [None] * (size - 1)


def test_equivalence_is_corrected_too():
    """The same differences: equivalent alone, undecided among five."""
    d = [0.004, -0.004, 0.005, -0.003, 0.006, -0.002, 0.004, -0.003]
    p = tost(d, 0.005)
    assert 0.01 < p < 0.05
    assert named(d, 0.005) is Verdict.EQUIVALENT
    among = compare([d, *[NOISE[:8]] * 4], [0.005] * 5)
    assert among[0].p_equivalence_holm == pytest.approx(5 * p)
    assert among[0].verdict is Verdict.UNDECIDED


def test_effect_size():
    """d_z: mean .025 over sd .00527 (ten values half a point either side, n - 1)."""
    (found,) = compare([UP], [0.01])
    assert found.effect.d_z == pytest.approx(0.025 / (0.005 * (10 / 9) ** 0.5))


@given(
    st.lists(
        st.lists(st.integers(-9, 9).map(lambda k: k / 500), min_size=2, max_size=8),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=40)
def test_rules_hold_for_every_family(family):
    found = compare(family, [0.01] * len(family))
    spread = [len(set(d)) > 1 for d in family]
    adjusted = holm([sign_flip(d).p if s else 1.0 for d, s in zip(family, spread, strict=True)])
    enough = [equivalence_attainable(len(d), len(family)) for d in family]
    within = holm([tost(d, 0.01) if e else 1.0 for d, e in zip(family, enough, strict=True)])
    for each, s, p, q in zip(found, spread, adjusted, within, strict=True):
        starred = each.verdict.split(",")[0] in ("better", "worse")
        assert starred is (p < 0.05)
        assert ("margin" in each.verdict or each.verdict == "equivalent") is (q < 0.05)
        assert (each.seeds_needed is None) is (each.verdict != "undecided" or not s)


def test_binomial_error():
    """sqrt(.8 * .2 / 500) = .0179; no error where all are right."""
    assert binomial_error(0.8, 500) == pytest.approx(0.017889, abs=1e-6)
    assert binomial_error(1.0, 10) == 0.0
    for share, size in ((1.2, 10), (0.5, 0)):
        with pytest.raises(ValueError, match=r"allowed|at least 1"):
            binomial_error(share, size)
