"""Figures of trials: what was drawn and what came of it, from records of trials alone."""

from __future__ import annotations

import numpy as np
import pytest

from attn_nlp.experiment.tuning import settle
from attn_nlp.figures.results import KINDS, Absent, Drawn, Missing, draw, figures_of
from attn_nlp.figures.results.trials import by_setting, found_by
from attn_nlp.stats import expected_best
from tests.experiment.test_tuning import ended, resolved
from tests.tables.example import by_heads

from .measuring import faults, line, panels, words


def accuracy(heads, trial, seed):
    """By hand, means over seeds 50 and 51: .55, .65, .75 of one head; two heads lose trial 1."""
    if (heads, trial, seed) == (2, 1, 51):
        return None
    return 0.5 * heads + trial / 10 + (seed - 50) / 10 if heads == 1 else 0.9 - trial / 10


@pytest.fixture(scope="module")
def tuned():
    found = resolved()
    return found, ended(found, accuracy)


def test_the_curve_is_the_expected_best_of_means_over_seeds(tuned):
    found, records = tuned
    figure = draw(found_by(found.tables[0], found, records))
    (axes,) = panels(figure)
    one = [100 * each for each in expected_best([0.55, 0.65, 0.75])]
    two = [100 * each for each in expected_best([0.9, 0.0, 0.7])]  # the lost one found nothing
    assert line(axes, "one")[:, 1] == pytest.approx(one)
    assert line(axes, "two")[:, 1] == pytest.approx(two)
    assert "count as 0%: 1." in words(figure)
    assert faults(figure) == []


def test_trials_stand_at_what_was_drawn_and_the_chosen_is_ringed(tuned):
    found, records = tuned
    rates = [draw["learning_rate"] for draw in found.tuning["draws"]]
    figure = draw(by_setting(found.tables[0], "learning_rate", found, records))
    (axes,) = panels(figure)
    wanted = sorted(zip(rates, [55.0, 65.0, 75.0], strict=True))
    assert line(axes, "one") == pytest.approx(np.array(wanted))
    assert sorted(line(axes, "two")[:, 1]) == pytest.approx([70, 90])
    rings = [each.get_data() for each in axes.lines if each.get_label() == "ring"]
    chosen = settle(found, records).cells
    for (x, y), heads, best in zip(rings, (1, 2), (75.0, 90.0), strict=True):
        cell = next(each for each in chosen if each["settings"]["heads"] == heads)
        assert x[0] == cell["settings"]["learning_rate"]
        assert y[0] == pytest.approx(best)
    assert "diverged or failed: 1." in words(figure)
    assert faults(figure) == []


def test_a_row_is_drawn_when_all_its_trials_have_ended(tuned):
    found, records = tuned
    last = next(c["spec"] for c in found.tuning["cells"] if c["settings"]["heads"] == 2)
    left = {spec: each for spec, each in records.items() if spec != last}
    chart = found_by(found.tables[0], found, left)
    assert [len(each.points) for each in chart.panels[0].lines] == [3, 0]
    with pytest.raises(Missing, match="two finished trials"):
        found_by(found.tables[0], found, {})
    with pytest.raises(Missing, match="no row has finished all its trials"):
        by_setting(found.tables[0], "learning_rate", found, {})


def test_all_kinds_say_what_they_lack():
    _, experiment, _ = by_heads()
    made = list(figures_of(experiment, {}))
    absent = [figure for figure in made if isinstance(figure, Absent)]
    assert made == absent
    assert {figure.kind for figure in absent} == set(KINDS)
    reasons = {figure.kind: figure.reason for figure in absent}
    assert reasons["best-of"] == reasons["trials"]
    assert "give the experiment a budget" in reasons["trials"]
    assert not any(figure.reason.endswith(".") for figure in absent)


def test_figures_of_trials_are_kinds(tuned):
    found, records = tuned
    made = list(figures_of(found, records, ["best-of", "trials"]))
    assert [each.name for each in made if isinstance(each, Drawn)] == [
        "best-of",
        "trials-learning_rate",
    ]
