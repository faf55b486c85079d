"""Reliability diagram: bars are shares right, the error in the title is the mean over runs."""

from __future__ import annotations

import numpy as np
import pytest

from attn_nlp.figures.results import Missing, Run, calibrations, reliability
from tests.tables.example import example

from .measuring import faults, panels, words


def run(sure, right) -> Run:
    return Run(np.array(sure, float), np.array(right, bool))


def bars(axes):
    """(left, width, height, whether it is filled) of each bar."""
    return [
        (bar.get_x(), bar.get_width(), bar.get_height(), bar.get_facecolor()[:3] != (1, 1, 1))
        for bar in axes.patches
    ]


def test_by_hand():
    """Of four sentences of 90% one is right; of two of 30% both are: ECE (4 .65 + 2 .7) / 6."""
    figure = reliability("T", "D", {"row": [run([0.9] * 4 + [0.3] * 2, [1, 0, 0, 0, 1, 1])]})
    (axes,) = panels(figure)
    low, high = bars(axes)
    assert low == pytest.approx((100 * 4 / 15, 100 / 15, 100, True))
    assert high == pytest.approx((100 * 13 / 15, 100 / 15, 25, True))
    assert "row: ECE 66.7%" in words(figure)
    dots = [each.get_data() for each in axes.lines if each.get_marker() == "o"]
    assert np.array(dots)[..., 0] == pytest.approx(np.array([[30, 100], [90, 25]]))
    assert faults(figure) == []


def test_runs_are_pooled_and_their_errors_averaged():
    """One run is too sure and one not sure enough: the pool would have no error at all."""
    runs = [run([0.5] * 4, [1, 1, 1, 1]), run([0.5] * 4, [0, 0, 0, 0])]
    figure = reliability("T", "", {"row": runs})
    assert "ECE 50.0%" in words(figure)
    assert bars(panels(figure)[0])[0][2] == 50
    assert "2 runs on 4 sentences" in words(figure)


def test_a_bar_of_few_sentences_is_hollow():
    figure = reliability("T", "", {"row": [run([0.9] * 999 + [0.5], [1] * 1000)]})
    assert [filled for *_, filled in bars(panels(figure)[0])] == [False, True]


def test_runs_come_from_records():
    plain, experiment, records = example()
    for spec, each in records.items():
        if spec.startswith(("sst2/none/1/0", "sst2/none/1/1", "trec6/none/1/3")):  # one diverged
            each |= {"confidences": [0.9, 0.6], "predictions": [1, 0], "gold": [1, 1]}
    found = dict(calibrations(plain, experiment, records))
    assert list(found) == ["SST-2", "TREC-6"]
    assert list(found["SST-2"]) == ["unscaled"]
    assert [each.right.tolist() for each in found["SST-2"]["unscaled"]] == [[True, False]] * 2
    assert found["TREC-6"] == {}
    stored = next(each for each in records.values() if each.get("confidences"))
    stored["confidences"] = [None, 0.6]  # as the store holds a NaN
    found = dict(calibrations(plain, experiment, records))
    assert len(found["SST-2"]["unscaled"]) == 1


def test_rows_beyond_a_line_go_below():
    rows = {f"row {n} with a label": [run([0.9, 0.2], [1, 0])] for n in range(7)}
    figure = reliability("T", "D", rows)
    assert faults(figure) == []
    assert len({round(float(axes.get_position().y0), 4) for axes in panels(figure)}) == 3


def test_without_confidences_there_is_no_diagram():
    with pytest.raises(Missing, match="no finished run kept its confidences"):
        reliability("T", "D", {"row": []})
