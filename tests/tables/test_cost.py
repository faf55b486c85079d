"""Measured costs, apart from results, and those that are worked out."""

import dataclasses

import pytest

from attn_nlp.experiment import Cell, costs
from attn_nlp.parts import registry
from attn_nlp.tables import cost, csv, terminal

from .example import example


def with_length(mean):
    """The example, SST-2's facts with a mean length."""
    table, resolved, records = example()
    for record in records.values():
        if record["data"]["name"] == "sst2":
            found = {"mean_length": mean, "class_counts": [3_000, 2_000, 1_920]}
            record["data"]["splits"]["train"] |= found
    return table, resolved, records


def numbers(grid, label):
    """The means of the first row in the columns of that label."""
    return [
        entry.summary and entry.summary.mean
        for column, entry in zip(grid.columns, grid.rows[0].entries, strict=True)
        if column.labels[-1] == label
    ]


def test_costs_of_every_row_and_column():
    grid = cost(*example())
    assert [column.labels for column in grid.columns][:6] == [
        ("SST-2", "seconds"),
        ("SST-2", "compiling"),
        ("SST-2", "peak MiB"),
        ("SST-2", "parameters"),
        ("SST-2", "MFLOPs"),
        ("SST-2", "state"),
    ]
    first = grid.rows[0].entries
    assert [each.summary.mean for each in first[:4]] == [2.0, 0.5, 200 * 2**20, 41_230]
    assert all(each.comparison is None for row in grid.rows for each in row.entries)


def test_costs_print_without_intervals():
    printed = terminal(cost(*example()))
    assert "±" not in printed.split("Measured")[0]
    assert "41,230" in printed
    assert "200" in printed
    assert "Scales" in csv(cost(*example()))


def test_operations_are_counted_at_the_mean_length_of_the_training_sentences():
    grid = cost(*with_length(18.7))
    cell = Cell(heads=1)
    assert numbers(grid, "MFLOPs") == [costs.flops(cell, 19, 3), costs.flops(cell, 128, 2)]
    assert numbers(grid, "state") == [19 * 128, 128 * 128]
    assert (
        "Length counted: the mean of the training sentences (SST-2 19 tokens), at most the "
        "cell's; the cell's where no mean is stored (TREC-6)." in grid.notes
    )


def test_no_sentence_is_longer_than_the_cell_reads():
    grid = cost(*with_length(300.0))
    assert numbers(grid, "MFLOPs")[0] == costs.flops(Cell(heads=1), 128, 3)


def test_what_cannot_be_worked_out_is_left_open():
    """The scale "half" is of no file at hand; a baseline is fitted by its own code."""
    grid = cost(*example())
    for row in (row for row in grid.rows if row.label == "half" or row.kind == "baseline"):
        assert [each.summary for each in row.entries[4:6]] == [None, None]
        assert row.entries[0].summary is not None


def test_a_cell_that_has_not_run_has_no_numbers():
    table, resolved, _ = example()
    grid = cost(table, resolved, {})
    assert all(each.summary is None for row in grid.rows for each in row.entries)
    assert not any("Length counted" in note for note in grid.notes)


@pytest.fixture
def silent(monkeypatch):
    """The softmax normalizer without its operations."""
    part = registry._parts["normalizer", "softmax"]
    facts = {name: value for name, value in part.facts.items() if name != "flops"}
    monkeypatch.setitem(registry._parts, part.place, dataclasses.replace(part, facts=facts))


def test_a_part_that_states_no_operations_is_named(silent):
    grid = cost(*example())
    assert [row.entries[4].summary for row in grid.rows] == [None] * len(grid.rows)
    assert (
        "No operations are given for rows with Softmax, which declare none; flops= in the "
        "registration of a part declares them." in grid.notes
    )
