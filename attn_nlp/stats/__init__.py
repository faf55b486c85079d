"""Statistics of replicated runs: numbers in, numbers out.

The replicate is the seed, comparisons are paired over seeds, and a family of comparisons is
corrected together. The rules by which a difference is called better, worse or equivalent are in
`verdict.py` and nowhere else.
"""

from attn_nlp.stats.attainable import (
    carries,
    equivalence_attainable,
    least_attainable,
    seeds_for_equivalence,
    seeds_for_significance,
    significance_attainable,
)
from attn_nlp.stats.best_of import expected_best
from attn_nlp.stats.binomial import binomial_error
from attn_nlp.stats.datasets import (
    AcrossDatasets,
    AgainstReference,
    Friedman,
    across_datasets,
    against_reference,
    critical_difference,
    signed_rank,
)
from attn_nlp.stats.effects import Effect, effect_size
from attn_nlp.stats.equivalence import default_margin, resolves, tost
from attn_nlp.stats.folds import Folds, over_folds
from attn_nlp.stats.holm import holm
from attn_nlp.stats.intervals import Summary, summarize
from attn_nlp.stats.power import (
    BEYOND,
    MOST_SEEDS,
    detectable_effect,
    power_of_difference,
    power_of_equivalence,
    power_of_significance,
    seeds_for_decision,
)
from attn_nlp.stats.sentences import McNemar, TwoWay, mcnemar, right, two_way
from attn_nlp.stats.signflip import SignFlip, sign_flip
from attn_nlp.stats.verdict import ALPHA, Comparison, Verdict, compare, flips_of

__all__ = [
    "ALPHA",
    "BEYOND",
    "MOST_SEEDS",
    "AcrossDatasets",
    "AgainstReference",
    "Comparison",
    "Effect",
    "Folds",
    "Friedman",
    "McNemar",
    "SignFlip",
    "Summary",
    "TwoWay",
    "Verdict",
    "across_datasets",
    "against_reference",
    "binomial_error",
    "carries",
    "compare",
    "critical_difference",
    "default_margin",
    "detectable_effect",
    "effect_size",
    "equivalence_attainable",
    "expected_best",
    "flips_of",
    "holm",
    "least_attainable",
    "mcnemar",
    "over_folds",
    "power_of_difference",
    "power_of_equivalence",
    "power_of_significance",
    "resolves",
    "right",
    "seeds_for_decision",
    "seeds_for_equivalence",
    "seeds_for_significance",
    "sign_flip",
    "signed_rank",
    "significance_attainable",
    "summarize",
    "tost",
    "two_way",
]
