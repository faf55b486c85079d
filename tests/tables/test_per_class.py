"""Classes and targets against pencil and paper, from stored counts and histories."""

from __future__ import annotations

import pytest

from attn_nlp.experiment import Cell, costs
from attn_nlp.tables import build
from attn_nlp.tables.formats import FORMATS, render
from attn_nlp.tables.views.per_class import per_class
from attn_nlp.tables.views.to_reach import to_reach

from .example import ROWS, cell, record, resolved, table

COUNTS = {0: [[3, 1], [2, 4]], 1: [[2, 2], [0, 6]]}  # by seed
LOOKS = [{"step": step, "validation_accuracy": step / 1000} for step in (200, 400, 600, 800)]


def made(datasets=("sst2",), seeds=(0, 1)):
    """One row over some seeds and datasets, every record with its classes and history."""
    plain = table(rows=ROWS[:1], columns=["dataset"])
    cells, records = [], {}
    for dataset in datasets:
        for seed in seeds:
            planned = cell(dataset=dataset, seed=seed, **{"attention.scale": "none"})
            cells.append(planned)
            found = record(0.7, dataset, confusion=COUNTS[seed % 2], history=LOOKS[: 2 + seed])
            names = {"sst2": ["bad", "good"], "trec6": ["HUM", "LOC"]}.get(dataset, ["bad", "good"])
            found["data"] = found["data"] | {"class_names": names}
            records[planned["spec"]] = found
    return plain, resolved(cells, [plain]), records


def means(grid, row):
    return [each.summary.mean for each in grid.rows[row].entries]


def test_every_class_of_every_row_is_a_line():
    """bad: precision 3/5 and 2/2, recall 3/4 and 2/4, F1 6/9 and 4/6; four sentences."""
    (grid,) = per_class(*made())
    assert [row.label for row in grid.rows] == ["unscaled: bad", "unscaled: good"]
    assert [column.labels[-1] for column in grid.columns] == [
        *("precision %", "recall %", "F1 %", "support")
    ]
    assert means(grid, 0) == pytest.approx([0.8, 0.625, 2 / 3, 4])
    assert means(grid, 1) == pytest.approx(
        [(4 / 5 + 6 / 8) / 2, (4 / 6 + 1) / 2, (8 / 11 + 12 / 14) / 2, 6]
    )


def test_datasets_of_other_classes_have_a_grid_of_their_own():
    grids = per_class(*made(("sst2", "mr", "trec6")))
    assert [[row.label for row in grid.rows] for grid in grids] == [
        ["unscaled: bad", "unscaled: good"],
        ["unscaled: HUM", "unscaled: LOC"],
    ]
    assert [len(grid.columns) for grid in grids] == [8, 4]


def test_cells_that_have_not_run_are_marked():
    plain, experiment, records = made()
    assert per_class(plain, experiment, {}) == []
    lost = records["sst2/none/1/1"] | {"status": "diverged", "confusion": None, "test": None}
    (grid,) = per_class(plain, experiment, records | {"sst2/none/1/1": lost})
    entry = grid.rows[0].entries[0]
    assert (entry.summary.n, entry.expected, entry.missing) == (1, 2, {"diverged": 1})


def test_steps_seconds_and_operations_until_the_first_look_that_shows_it():
    """.4 is seen at step 400 of 1,000 by both runs; 2.0 s less .5 of compiling: 0.6 s."""
    grid = to_reach(*made(), 0.4)
    reached, ended, steps, seconds, flops = means(grid, 0)
    assert (reached, ended, steps, seconds) == (2, 2, 400, pytest.approx(0.6))
    cell_of = Cell(heads=1).replace({"attention.scale": "none"})
    assert flops == 3 * costs.flops(cell_of, 128, 2) * 32 * 400


def test_runs_that_never_got_there_are_counted():
    grid = to_reach(*made(seeds=(0, 1, 2)), 0.6)
    assert means(grid, 0)[:3] == [2, 3, 600]
    entry = grid.rows[0].entries[2]
    assert (entry.summary.n, entry.expected, entry.missing) == (2, 3, {"never": 1})
    grid = to_reach(*made(), 0.99)
    assert [each.summary and each.summary.mean for each in grid.rows[0].entries] == [
        *(0, 2, None, None, None)
    ]
    nobody = grid.rows[0].entries[2]
    assert (nobody.state, nobody.summary, nobody.missing) == ("never", None, {"never": 2})


@pytest.mark.parametrize(
    ("changes", "state", "reason"),
    [
        ({"status": "diverged", "reason": "nan"}, "diverged", "1 of 2: 1 diverged (nan)"),
        ({"status": "failed", "reason": "full"}, "failed", "1 of 2: 1 failed (full)"),
        ({"confusion": None}, "without the value", ""),
        ({"confusion": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}, "without the value", ""),
    ],
)
def test_classes_are_of_the_runs_that_the_table_counts(changes, state, reason):
    """The remaining cells have precision 3/5, and their counts do not mix with the others."""
    plain, experiment, records = made()
    records["sst2/none/1/1"] |= changes
    (grid,) = per_class(plain, experiment, records)
    entry = grid.rows[0].entries[0]
    assert (entry.summary.mean, entry.summary.n, entry.expected) == (pytest.approx(0.6), 1, 2)
    assert entry.missing == {state: 1}
    assert entry.reason == reason
    if reason:
        assert grid.footnotes == (("a", reason),)
        (beside,) = build(plain, experiment, records).rows[0].entries
        assert (beside.summary.n, beside.missing) == (1, {state: 1})


def test_a_table_of_classes_says_that_the_rows_were_not_the_same():
    plain, experiment, records = made()
    for spec, each in records.items():
        each["fingerprint"] = spec[-1] * 64
    (grid,) = per_class(plain, experiment, records)
    assert grid.notes[-1].startswith("Mixed data: SST-2 had different rows")


@pytest.mark.parametrize(
    ("looks", "steps", "seconds"),
    [
        ([(40, 0.9), (10, 0.85), (20, 0.5)], 10, 0.015),  # in any order
        ([(2_000, 0.9)], 2_000, None),  # of more steps than the cell has
        ([(10, "0.9"), (None, 0.9), (20, 0.9)], 20, 0.03),
    ],
)
def test_the_first_look_is_the_one_of_the_fewest_steps(looks, steps, seconds):
    """1.5 s of training for 1,000 steps."""
    plain, experiment, records = made()
    for each in records.values():
        each["history"] = [{"step": step, "validation_accuracy": score} for step, score in looks]
    entries = to_reach(plain, experiment, records, 0.8).rows[0].entries
    assert entries[2].summary.mean == steps
    if seconds is not None:
        assert entries[3].summary.mean == pytest.approx(seconds)
    else:
        assert (entries[3].state, entries[3].missing) == (
            "without the value",
            {"without the value": 2},
        )


@pytest.mark.parametrize(
    ("scores", "status", "state", "missing"),
    [
        ((0.9, 0.9), "done", "without the value", {"without the value": 2}),
        ((0.9, 0.1), "done", "without the value", {"never": 1, "without the value": 1}),
        ((0.9, 0.1), "diverged", "never", {"diverged": 1, "never": 1}),
        ((0.1, 0.1), "done", "never", {"never": 2}),
    ],
)
def test_a_cost_that_is_not_known_is_not_an_accuracy_that_was_not_reached(
    scores, status, state, missing
):
    plain, experiment, records = made()
    for each, score in zip(records.values(), scores, strict=True):
        each |= {"wall_seconds": None, "history": [{"step": 10, "validation_accuracy": score}]}
    records["sst2/none/1/0"]["status"] = status
    entry = to_reach(plain, experiment, records, 0.8).rows[0].entries[3]
    assert (entry.state, entry.missing) == (state, missing)


@pytest.mark.parametrize("format", sorted(FORMATS))
def test_every_format_writes_them(format):
    text = render([*per_class(*made()), to_reach(*made(), 0.99)], format)
    assert "never" in text
    assert "unscaled: good" in text
