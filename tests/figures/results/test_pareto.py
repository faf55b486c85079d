"""Score against cost: points, front and what has no cost."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from attn_nlp.figures.results import Missing, Point, draw, pareto, pareto_front
from attn_nlp.tables import build, cost
from tests.tables.example import example

from .measuring import faults, line, panels

SECONDS = {"none": 1.0, "rsqrt_dim": 4.0, "inv_dim": 2.0, "half": 8.0}


def priced(**changes):
    """Seconds by scale; 1/D scores what the reference scores, and costs half."""
    plain, experiment, records = example()
    for spec, each in records.items():
        each["wall_seconds"] = SECONDS.get(spec.split("/")[1], 0.1)
        each |= changes
    return build(plain, experiment, records), cost(plain, experiment, records)


def brute(points, upward):
    """The front by its definition, pair by pair."""
    front = []
    for p in points:
        better = [
            q
            for q in points
            if q.x <= p.x
            and (q.y >= p.y if upward else q.y <= p.y)
            and (q.x < p.x or (q.y > p.y if upward else q.y < p.y))
        ]
        if not better:
            front.append(p)
    return front


@pytest.mark.parametrize("upward", [True, False])
def test_the_front_is_what_nothing_beats(upward):
    rng = np.random.default_rng(3)
    for _ in range(50):
        points = [Point(float(x), float(y)) for x, y in rng.integers(0, 6, (8, 2))]
        found = pareto_front(points, upward=upward)
        assert sorted(map(str, found)) == sorted(map(str, brute(points, upward)))
        assert [p.x for p in found] == sorted(p.x for p in found)


def test_points_stand_at_cost_and_score():
    grid, costs = priced()
    figure = draw(pareto(grid, costs, "wall_seconds"))
    first = panels(figure)[0]
    for row in grid.rows[:4]:
        scale = {"unscaled": "none", "1/sqrt(D)": "rsqrt_dim", "1/D": "inv_dim", "half": "half"}
        x, y = line(first, row.label)[0]
        assert x == SECONDS[scale[row.label]]
        assert y == pytest.approx(100 * row.entries[0].summary.mean)
    assert first.get_xscale() == "log"
    assert faults(figure) == []


def test_the_front_is_filled_and_joined():
    """By hand, sst2: unscaled is cheapest, 1/D next and as good as the dearer two."""
    figure = draw(pareto(*priced(), "wall_seconds"))
    first = panels(figure)[0]
    filled = {
        each.get_label(): each.get_markerfacecolor() != "white"
        for each in first.lines
        if each.get_label() in ("unscaled", "1/sqrt(D)", "1/D", "half")
    }
    assert filled == {"unscaled": True, "1/D": True, "1/sqrt(D)": False, "half": False}
    joined = line(first, "front")
    assert joined[:-1, 0].tolist() == [1.0, 2.0]


def test_a_row_without_a_cost_is_named_below():
    grid, costs = priced()
    rows = [
        dataclasses.replace(
            row, entries=tuple(dataclasses.replace(each, summary=None) for each in row.entries)
        )
        if row.label == "half"
        else row
        for row in costs.rows
    ]
    found = pareto(grid, dataclasses.replace(costs, rows=tuple(rows)), "wall_seconds")
    assert all(line.label != "half" for panel in found.panels for line in panel.lines)
    assert found.notes[-1] == "Not drawn, their seconds unknown: half."
    assert faults(draw(found)) == []


def test_without_a_cost_there_is_no_figure():
    with pytest.raises(Missing, match="both test accuracy and seconds"):
        pareto(*priced(wall_seconds=None), "wall_seconds")
