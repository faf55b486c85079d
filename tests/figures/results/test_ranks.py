"""Critical-difference diagram: leaders stand at the mean ranks, bars join what is not apart."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from attn_nlp.figures.results import Missing, Ranked, critical_difference, ranked
from attn_nlp.stats.datasets import across_datasets
from attn_nlp.tables import build
from tests.tables.example import by_heads, example

from .measuring import extent, faults, line, panels, texts, words

SCORES = {
    "first": [0.90, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97],
    "second": [0.80, 0.92, 0.82, 0.83, 0.84, 0.85, 0.86, 0.87],
    "third": [0.81, 0.71, 0.72, 0.73, 0.74, 0.75, 0.76, 0.77],
    "fourth": [0.10, 0.11, 0.12, 0.13, 0.14, 0.15, 0.16, 0.17],
}
NAMES = [f"data {n}" for n in range(8)]


@pytest.fixture(scope="module")
def found():
    return across_datasets(SCORES, NAMES)


@pytest.fixture(scope="module")
def figure(found):
    return critical_difference("Title", "test accuracy", [Ranked("", found, ())])


def test_leaders_and_labels(found, figure):
    """By hand: first is beaten once, second is best once and third once."""
    assert found.mean_ranks == (1.125, 2.0, 2.875, 4.0)
    (axes,) = panels(figure)
    figure.canvas.draw()
    labels = {each.get_text().split("  ")[0]: each for each in texts(figure)}
    for name, rank in zip(found.variants, found.mean_ranks, strict=True):
        leader = line(axes, name)
        assert leader[:2, 0].tolist() == [rank, rank]
        assert labels[name].get_text() == f"{name}  {rank:.2f}"
        _, low, _, high = extent(labels[name])
        assert low < axes.transData.transform(leader[-1])[1] < high
    assert labels["first"].get_horizontalalignment() == "right"
    assert labels["fourth"].get_horizontalalignment() == "left"


def test_bars_join_the_groups(found, figure):
    (axes,) = panels(figure)
    assert found.groups
    for level, group in enumerate(found.groups):
        bar = line(axes, f"group {level}")
        ends = sorted(found.mean_ranks[place] for place in group)
        assert bar[:, 0] == pytest.approx([ends[0], ends[-1]], abs=0.02)
        assert bar[0, 0] < ends[0]
        assert bar[1, 0] > ends[-1]
    reach = line(axes, "critical difference")
    assert np.diff(reach[:, 0])[0] == pytest.approx(found.critical_difference)


def test_leaders_cross_no_other_leader(figure, found):
    """The part of a leader that lies flat meets no other leader's upright part."""
    (axes,) = panels(figure)
    leaders = [line(axes, name) for name in found.variants]
    for one in leaders:
        low, high = sorted(one[1:, 0])
        for other in leaders:
            inside = low < other[0, 0] < high
            assert not (inside and other[1, 1] > one[1, 1])


def test_it_is_laid_out_well_also_with_many_rows_and_ties():
    rng = np.random.default_rng(5)
    scores = {f"a rather long label of row {n}": list(rng.integers(0, 4, 9)) for n in range(13)}
    many = across_datasets(scores, [f"d{n}" for n in range(9)])
    few = across_datasets({name: SCORES[name][:2] for name in SCORES}, NAMES[:2])
    figure = critical_difference(
        "T", "x", [Ranked("heads 1", many, ()), Ranked("heads 4", few, ())]
    )
    assert faults(figure) == []
    assert "more than all ranks" in words(figure)
    assert "With 2 datasets" in words(figure)


def test_a_table_is_ranked_by_its_means():
    grid = build(*example())
    (only,) = ranked(grid)
    # "half" is skipped on trec6; on sst2 the reference and 1/D are equal in the mean.
    assert only.across.variants == ("unscaled", "1/sqrt(D)", "1/D")
    assert only.left_out == ("half",)
    means = [[row.entries[place].summary.mean for row in grid.rows[:3]] for place in (0, 1)]
    for ranks, scores in zip(only.across.ranks, means, strict=True):
        order = np.argsort(scores)[::-1]
        assert list(np.argsort(ranks, kind="stable")) == list(order) or len(set(ranks)) < 3


def test_other_columns_have_diagrams_of_their_own():
    made = ranked(build(*by_heads()))
    assert [each.title for each in made] == ["heads 1", "heads 4", "heads 16"]
    assert all(each.across.mean_ranks == (2.0, 1.0) for each in made)


def test_one_dataset_or_none_cannot_be_ranked():
    plain, experiment, records = example()
    one = {spec: each for spec, each in records.items() if spec.startswith("sst2")}
    with pytest.raises(Missing, match="ranks need two datasets"):
        ranked(build(plain, experiment, one))
    grid = build(plain, experiment, records)
    with pytest.raises(Missing, match="columns of the table are not datasets"):
        ranked(dataclasses.replace(grid, paths=("heads",)))
