"""Forest plot: markers, intervals, band and marks are the table's own numbers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from attn_nlp.figures.results import Missing, forest
from attn_nlp.figures.results.forest import SHAPES
from attn_nlp.stats import Verdict
from attn_nlp.tables import build
from attn_nlp.tables.legend import MARKS
from tests.tables.example import example, table

from .measuring import extent, faults, panels, texts, words


@pytest.fixture(scope="module")
def grid():
    return build(*example())


@pytest.fixture(scope="module")
def figure(grid):
    return forest(grid)


def shown(grid):
    """For every panel the entries of the rows that stand in it."""
    rows = [row for row in grid.rows if row.kind == "row"]
    return [[row.entries[place] for row in rows] for place in range(len(grid.columns))]


def parts(axes):
    """Intervals and markers of a panel, by height."""
    lines = [each for each in axes.lines if len(each.get_xdata()) in (1, 2)]
    at = {}
    for each in lines:
        x, y = each.get_data()
        if each.get_linestyle() == "None" or len(set(y)) == 1:
            at.setdefault(float(y[0]), {})["interval" if len(x) == 2 else "mean"] = each
    return dict(sorted(at.items()))


def test_markers_and_intervals_are_the_differences_in_points(grid, figure):
    compared = 0
    for axes, entries in zip(panels(figure), shown(grid), strict=True):
        drawn = list(parts(axes).values())
        wanted = [entry.comparison for entry in entries if entry.comparison]
        assert len(drawn) == len(wanted)
        for found, comparison in zip(drawn, wanted, strict=True):
            difference = comparison.difference
            assert found["mean"].get_xdata() == pytest.approx([100 * difference.mean])
            ends = [100 * difference.low, 100 * difference.high]
            assert found["interval"].get_xdata() == pytest.approx(ends)
            shape, filled = SHAPES[comparison.verdict]
            assert found["mean"].get_marker() == shape
            assert (found["mean"].get_markerfacecolor() != "white") == filled
            compared += 1
    assert compared == 5  # by hand: three in sst2, two in trec6, where "half" is skipped


def test_by_hand(figure):
    """unscaled in sst2 is -.02, -.03, ... below: -17/7 points."""
    first = next(iter(parts(panels(figure)[0]).values()))
    assert first["mean"].get_xdata() == pytest.approx([-17 / 7])


def test_the_band_is_the_margin(grid, figure):
    for axes, entries in zip(panels(figure), shown(grid), strict=True):
        (band,) = [patch for patch in axes.patches if patch.get_label() == "margin"]
        margin = next(entry.comparison.margin for entry in entries if entry.comparison)
        assert band.get_x() == pytest.approx(-100 * margin)
        assert band.get_width() == pytest.approx(200 * margin)
        assert axes.get_xlim()[0] < -100 * margin


def test_a_mark_stands_level_with_its_marker_and_the_label(grid, figure):
    figure.canvas.draw()
    for axes, entries in zip(panels(figure), shown(grid), strict=True):
        marks = [each for each in axes.texts if each.get_text()[0] in MARKS.values()]
        heights = parts(axes)
        assert len(marks) == len(heights)
        for text, (y, _) in zip(marks, heights.items(), strict=True):
            _, low, _, high = extent(text)
            middle = axes.transData.transform((0, y))[1]
            assert low < middle < high
        verdicts = [MARKS[e.comparison.verdict] for e in entries if e.comparison]
        assert [each.get_text()[0] for each in marks] == verdicts
    labels = {each.get_text(): each for each in texts(figure)}
    y = next(iter(parts(panels(figure)[0])))
    _, low, _, high = extent(labels["unscaled"])
    assert low < panels(figure)[0].transData.transform((0, y))[1] < high


def test_what_is_missing_says_so(figure):
    said = words(figure)
    assert "skipped [b]" in said
    assert "[b] half is too few" in said
    assert "3 to 7 pairs" in said


def test_it_is_laid_out_well(figure):
    assert faults(figure) == []


def test_the_shapes_of_verdicts_differ_without_color():
    assert set(SHAPES) == set(Verdict)
    assert len(set(SHAPES.values())) == len(SHAPES)


def test_without_a_reference_or_a_pair_there_is_no_figure(grid):
    plain, experiment, records = example()
    rows = [row | {"reference": False} for row in plain["rows"]]
    with pytest.raises(Missing, match="no reference"):
        forest(build(table(rows=rows), experiment, records))
    with pytest.raises(Missing, match="no row has a finished run"):
        forest(build(plain, experiment, {}))


def test_one_pair_has_no_interval():
    plain, experiment, records = example()
    one = {spec: each for spec, each in records.items() if spec.endswith("/0")}
    figure = forest(build(plain, experiment, one))
    assert all("interval" not in each for a in panels(figure) for each in parts(a).values())
    assert "no interval can be given" in words(figure)


def test_many_rows_and_columns_keep_apart(grid):
    row = next(each for each in grid.rows if each.kind == "row")
    rows = [
        dataclasses.replace(row, label=f"a row with a long label, number {n}") for n in range(12)
    ]
    columns = [
        dataclasses.replace(grid.columns[n % 2], labels=(f"Data set number {n}",)) for n in range(7)
    ]
    rows = [
        dataclasses.replace(each, entries=tuple(each.entries[n % 2] for n in range(7)))
        for each in [*rows, grid.reference]
    ]
    figure = forest(dataclasses.replace(grid, rows=tuple(rows), columns=tuple(columns)))
    assert faults(figure) == []
    assert len(panels(figure)) == 7
    heights = np.diff(sorted({round(float(a.get_position().y0), 6) for a in panels(figure)}))
    assert len(heights) == 2  # three rows of panels
