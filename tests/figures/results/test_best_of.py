"""The curve of what k trials find, as a chart."""

from __future__ import annotations

import pytest

from attn_nlp.figures.results import Missing, best_of, draw
from attn_nlp.stats import expected_best
from attn_nlp.tables import quantity

from .measuring import faults, line, panels

TRIALS = {"SST-2": {"dot": [0.5, 0.7, 0.6], "additive": [0.4, 0.8]}, "TREC-6": {"dot": [0.3]}}


def test_points_are_expected_bests_in_percent():
    figure = draw(best_of("T", TRIALS, quantity("validation.accuracy"), reference="dot"))
    first, second = panels(figure)
    for label in ("dot", "additive"):
        values = TRIALS["SST-2"][label]
        drawn = line(first, label)
        assert drawn[:, 0].tolist() == list(range(1, len(values) + 1))
        assert drawn[:, 1] == pytest.approx([100 * each for each in expected_best(values)])
    assert line(second, "dot")[:, 1] == pytest.approx([30])
    assert [each.get_label() for each in second.lines if each.get_label() == "additive"] == []
    assert faults(figure) == []


def test_a_single_trial_has_no_curve():
    with pytest.raises(Missing, match="no row has two finished trials"):
        best_of("T", {"": {"dot": [0.5]}}, quantity("validation.accuracy"))
