"""The verdict on a paired comparison; no other module decides it.

*Better* or *worse* means a Holm-adjusted sign-flip p < .05. *Equivalent* means a Holm-adjusted p
of two one-sided tests < .05, that is, for one comparison, that the 90% t interval of the difference
is inside the margin, with at least the pairs that `equivalence_attainable` requires. Both can hold.
A comparison that is neither is *undecided*, and comes with the number of seeds that a decision
would need.

Pairs that all show the same difference decide nothing, however many they are: seeds that change no
score are not replicates, and their number proves nothing. Such a comparison counts as p = 1 in its
family.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from attn_nlp.stats.attainable import ALPHA, equivalence_attainable
from attn_nlp.stats.effects import Effect, effect_size
from attn_nlp.stats.equivalence import tost
from attn_nlp.stats.holm import holm
from attn_nlp.stats.intervals import Summary, constant, summarize, t_interval
from attn_nlp.stats.power import seeds_for_decision
from attn_nlp.stats.signflip import SignFlip, sign_flips


class Verdict(StrEnum):
    """The verdict on a comparison."""

    BETTER = "better"
    WORSE = "worse"
    BETTER_WITHIN_MARGIN = "better, within margin"
    WORSE_WITHIN_MARGIN = "worse, within margin"
    EQUIVALENT = "equivalent"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Comparison:
    """One variant against the reference, paired over replicates.

    Attributes:
      difference: variant - reference: pairs, mean, standard deviation, 95% t interval.
      interval_90: (low, high) of the interval that must be inside the margin; None for one pair.
      p: exact two-sided sign-flip p.
      p_holm: the same, adjusted within the family.
      least_p: the smallest p that these pairs could have given.
      exact: True if all sign patterns were enumerated.
      margin: the largest difference that counts as none, or None if undefined.
      p_equivalence: of two one-sided tests; None without a margin.
      p_equivalence_holm: the same, adjusted within the family.
      family: comparisons declared together, this one included.
      verdict: see the module's docstring.
      seeds_needed: for an undecided comparison; `BEYOND` for more than `MOST_SEEDS`; None if it
        is decided, or if the pairs show no spread.
      differences: of every pair.
    """

    difference: Summary
    interval_90: tuple[float, float] | None
    p: float
    p_holm: float
    least_p: float
    exact: bool
    margin: float | None
    p_equivalence: float | None
    p_equivalence_holm: float | None
    family: int
    verdict: Verdict
    seeds_needed: int | None
    differences: tuple[float, ...] = field(repr=False, compare=False)

    @property
    def spreads(self) -> bool:
        """True if the pairs differ among themselves, so that they can decide anything."""
        return bool(self.difference.sd)

    @functools.cached_property
    def effect(self) -> Effect:
        """The effect size; computed on first use, since a terminal does not show it."""
        return effect_size(self.differences)


def compare(
    family: Sequence[Sequence[float]],
    margins: Sequence[float | None],
    *,
    higher_is_better: bool = True,
    alpha: float = ALPHA,
    flips: Sequence[SignFlip | None] | None = None,
) -> list[Comparison | None]:
    """Test every comparison of one family.

    Args:
      family: for each declared comparison the paired differences, variant - reference. A comparison
        without any pair is an empty sequence; it counts in the family as p = 1.
      margins: for each comparison its margin, or None.
      higher_is_better: False for a loss.
      alpha: level of the whole family.
      flips: the sign-flip test of each, as returned by `flips_of`, if already known.

    Returns:
      One `Comparison` for each member, None for one without pairs.

    Raises:
      ValueError: a difference that is not finite, or a margin that is not positive.
    """
    flips = flips_of(family) if flips is None else flips
    spreads = [bool(len(differences)) and not constant(differences) for differences in family]
    adjusted = holm(
        [flip.p if flip and spread else 1.0 for flip, spread in zip(flips, spreads, strict=True)]
    )
    tosts = [
        tost(differences, margin) if len(differences) and margin is not None else None
        for differences, margin in zip(family, margins, strict=True)
    ]
    enough = [
        equivalence_attainable(len(differences), len(family), alpha) for differences in family
    ]
    tosts_adjusted = holm(
        [1.0 if p is None or not many else p for p, many in zip(tosts, enough, strict=True)]
    )
    compared: list[Comparison | None] = []
    for index, differences in enumerate(family):
        flip, margin, p_equivalence = flips[index], margins[index], tosts[index]
        if flip is None:
            compared.append(None)
            continue
        summary = summarize(differences)
        n, mean, sd = summary.n, summary.mean, summary.sd
        p_holm, p_tost = adjusted[index], tosts_adjusted[index]
        up = mean > 0 if higher_is_better else mean < 0
        verdict = _verdict(p_holm < alpha, p_equivalence is not None and p_tost < alpha, up)
        needed = None
        if verdict is Verdict.UNDECIDED and sd:
            needed = seeds_for_decision(mean, sd, n, margin, len(family), alpha)
        compared.append(
            Comparison(
                difference=summary,
                interval_90=None if sd is None else t_interval(n, mean, sd, 0.90),
                p=flip.p,
                p_holm=p_holm,
                least_p=flip.least,
                exact=flip.exact,
                margin=margin,
                p_equivalence=p_equivalence,
                p_equivalence_holm=None if p_equivalence is None else p_tost,
                family=len(family),
                verdict=verdict,
                seeds_needed=needed,
                differences=tuple(differences),
            )
        )
    return compared


def flips_of(comparisons: Sequence[Sequence[float]]) -> list[SignFlip | None]:
    """Return the sign-flip tests of comparisons of any families; None for one without pairs.

    Families tested together draw their patterns of signs once; the results are the same as for each
    family by itself.
    """
    tested = iter(sign_flips([differences for differences in comparisons if len(differences)]))
    return [next(tested) if len(differences) else None for differences in comparisons]


def _verdict(differs: bool, within: bool, better: bool) -> Verdict:
    if differs and within:
        return Verdict.BETTER_WITHIN_MARGIN if better else Verdict.WORSE_WITHIN_MARGIN
    if differs:
        return Verdict.BETTER if better else Verdict.WORSE
    return Verdict.EQUIVALENT if within else Verdict.UNDECIDED
