"""Folds against pencil and paper: seeds are paired by their means, folds stated apart."""

from __future__ import annotations

import math

import pytest

from attn_nlp.experiment import Cell, Experiment, Row, Table, vary
from attn_nlp.tables import attainable, build
from attn_nlp.tables.grid import BASELINE
from attn_nlp.tables.layout import lay_out
from tests.tables.example import record

REFERENCE = {(0, 0): 0.70, (0, 1): 0.72, (0, 2): 0.74, (1, 0): 0.71, (1, 1): 0.73, (1, 2): 0.75}
ABOVE = {0: 0.01, 1: 0.02, 2: 0.03}  # by fold, the same for both seeds
ROWS = [Row("one", {"heads": 1}, reference=True), Row("two", {"heads": 2})]


@pytest.fixture
def made():
    """Two rows, three folds of thirty rows, two seeds; and a record for everything."""
    experiment = Experiment(
        base=Cell(dataset="mr"),
        axes=[vary("heads", 1, 2), vary("fold", 0, 1, 2), vary("seed", 0, 1)],
        tables=[Table("Heads", ROWS, over=("fold", "seed"))],
    ).resolve("folds", "Why?")
    records = {}
    for cell in experiment.cells:
        settings = cell["settings"]
        score = REFERENCE[settings["seed"], settings["fold"]]
        score += ABOVE[settings["fold"]] * (settings["heads"] == 2)
        records[cell["spec"]] = found = record(round(score, 2), "mr")
        for split, rows in (("train", 18), ("validation", 2), ("test", 10)):
            found["data"]["splits"][split]["rows"] = rows
    for baseline in experiment.baselines:
        records[baseline["spec"]] = record(0.5 + baseline["settings"]["fold"] / 10, "mr")
    return experiment, records


def spec(experiment, **wanted):
    return next(
        cell["spec"]
        for cell in experiment.cells
        if all(cell["settings"][path] == value for path, value in wanted.items())
    )


def test_the_replicate_is_the_seed_and_its_number_the_mean_over_folds(made):
    experiment = made[0]
    grid = build(experiment.tables[0], *made)
    one, two = (row.entries[0] for row in grid.rows[:2])
    assert (one.expected, one.summary.n) == (2, 2)
    assert one.summary.mean == pytest.approx(0.725)  # (.72 + .73) / 2
    assert one.summary.sd == pytest.approx(0.01 / math.sqrt(2))
    assert two.comparison.difference.n == 2
    assert two.comparison.difference.mean == pytest.approx(0.02)
    assert two.comparison.difference.sd == pytest.approx(0.0, abs=1e-12)
    assert two.comparison.least_p == 0.5  # two seeds, not six folds
    assert attainable(experiment)[0].seeds == 2
    assert "over 2 seeds" in " ".join(grid.notes)


def test_the_spread_over_folds_is_separate_and_corrected(made):
    """.01, .02, .03: s = .01; sqrt(1/3 + 10/18) s = .009428; times t(2) = 4.302653 is .0406."""
    notes = " ".join(build(made[0].tables[0], *made).notes)
    assert "Nadeau & Bengio (2003)" in notes
    assert "'two' +2.0 ±4.1 (3 folds)" in notes
    assert "its mean over 3 folds" in notes


def test_every_sentence_is_tested_once(made):
    """Three folds of thirty rows: the error of the test split is that of thirty sentences."""
    text = " ".join(build(made[0].tables[0], *made).notes)
    assert "the 30 test sentences alone give" in text


def test_the_caption_names_the_folds_that_play_test_and_what_baselines_chose_on_them(made):
    experiment, records = made
    rule = "no official test split: fold {} of 10, held out from train"
    for cell in [*experiment.cells, *experiment.baselines]:
        fold, found = cell["settings"]["fold"], records[cell["spec"]]
        found["data"] = found["data"] | {"test_rule": rule.format(fold)}
        if cell["settings"]["model"] == "tfidf_logreg":
            found["reason"] = f"by words, C = {10 if fold else 1}"
    notes = build(experiment.tables[0], *made).notes
    assert "Test: no official test split: folds 0, 1, 2 of 10, held out from train." in notes
    said = " ".join(notes)
    assert "by words, C = 1 (mr, 1 of 3 folds or splits); by words, C = 10 (mr, 2 of 3" in said


def test_a_class_of_one_row_is_tested_in_no_fold(made):
    """Of thirty rows one stays in train; three folds leave 29 sentences of test."""
    experiment, records = made
    for found in records.values():
        counts = {"train": [10, 7, 1], "validation": [1, 1, 0], "test": [5, 5, 0]}
        for split, each in counts.items():
            found["data"]["splits"][split]["class_counts"] = each
    assert "the 29 test sentences alone give" in " ".join(build(experiment.tables[0], *made).notes)


def test_a_seed_that_lacks_a_fold_is_missing_with_the_reason(made):
    experiment, records = made
    failed = spec(experiment, heads=2, fold=2, seed=1)
    records[failed] |= {"status": "failed", "reason": "out of memory"}
    del records[spec(experiment, heads=2, fold=0, seed=1)]  # failing weighs more than waiting
    grid = build(experiment.tables[0], experiment, records)
    entry = grid.rows[1].entries[0]
    assert (entry.summary.n, entry.expected, entry.missing) == (1, 2, {"failed": 1})
    assert entry.reason.startswith("1 of 2: 1 failed (fold 2: out of memory)")
    assert entry.comparison.difference.n == 1


def test_a_baseline_is_its_mean_over_folds(made):
    grid = build(made[0].tables[0], *made)
    baselines = [row.entries[0] for row in grid.rows if row.kind == BASELINE]
    assert len(baselines) == 2
    for each in baselines:
        assert each.summary.mean == pytest.approx(0.6)
        assert (each.expected, each.summary.n, each.summary.half_width) == (1, 1, None)


def test_a_diverged_seed_counts_as_the_mean_of_the_weakest_baseline(made):
    experiment, records = made
    records[spec(experiment, heads=2, fold=1, seed=0)] |= {"status": "diverged", "test": None}
    entry = build(experiment.tables[0], experiment, records).rows[1].entries[0]
    assert entry.counted.summary.mean == pytest.approx((0.6 + 0.75) / 2)


def test_without_folds_in_over_they_are_not_mentioned(made):
    experiment, records = made
    table = {**experiment.tables[0], "columns": ["fold"], "over": ["seed"]}
    grid = build(table, experiment, records)
    assert not lay_out(table, experiment).folded
    assert len(grid.columns) == 3
    assert "Nadeau" not in " ".join(grid.notes)
    baselines = [row for row in grid.rows if row.kind == BASELINE]
    assert [each.summary.mean for each in baselines[0].entries] == pytest.approx([0.5, 0.6, 0.7])
