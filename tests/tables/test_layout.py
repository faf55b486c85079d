"""The layout puts every cell in its entry."""

import dataclasses

import pytest

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell, Experiment, Table, skip, vary
from attn_nlp.experiment.resolved import alone
from attn_nlp.tables.layout import _rows_of, lay_out, matches

from .example import ROWS, by_heads, cell, example, resolved, settings, table


def test_columns_of_one_outermost_value_are_adjacent():
    """The cells run heads first; the header groups by dataset, values in order of appearance."""
    plain, experiment, _ = by_heads()
    columns = lay_out(plain, experiment).columns
    assert columns == tuple((d, h) for d in ("sst2", "trec6") for h in (1, 4, 16))


def test_a_column_that_is_always_skipped_keeps_its_place():
    skipped = [{"settings": settings(heads=4), "reason": "too wide"}]
    plain = table(columns=["heads"], rows=ROWS[1:2])
    layout = lay_out(plain, resolved([cell(heads=1)], [plain], skipped=skipped))
    assert layout.columns == ((1,), (4,))
    assert layout.entry(0, (4,)).skipped == ["too wide"]


def test_no_columns_are_one_column():
    plain, experiment, _ = example(columns=[], where={"dataset": "sst2"})
    layout = lay_out(plain, experiment)
    assert layout.columns == ((),)
    assert len(layout.entry(0, ()).cells) == 7


def test_families():
    """sst2 compares three rows; trec6 two, since "half" is skipped there."""
    plain, experiment, _ = example()
    assert [len(each) for each in lay_out(plain, experiment).families(plain)] == [3, 2]
    plain, experiment, _ = example(family="table")
    assert [len(each) for each in lay_out(plain, experiment).families(plain)] == [5]
    without = [row | {"reference": False} for row in ROWS]
    plain, experiment, _ = example(rows=without)
    assert lay_out(plain, experiment).families(plain) == []


def test_two_cells_for_one_entry_are_rejected():
    plain = table(columns=[], rows=ROWS[1:2])
    with pytest.raises(UserError, match=r"several cells fall into one table entry"):
        lay_out(plain, resolved([cell(heads=1), cell(heads=4)], [plain]))


def test_rows_are_found_whatever_their_conditions_are():
    rows = [
        {"label": "one path", "where": {"heads": 1.0}},
        {"label": "two", "where": {"dataset": "sst2", "heads": 4}},
        {"label": "the same again", "where": {"heads": 1}},
        {"label": "everything", "where": {}},
        {"label": "the other way round", "where": {"heads": 4, "dataset": "sst2"}},
        {"label": "nothing", "where": {"heads": 5}},
    ]
    rows_of = _rows_of(rows)
    for heads in (1, 4):
        for dataset in ("sst2", "trec6"):
            given = settings(heads=heads, dataset=dataset)
            wanted = [n for n, row in enumerate(rows) if matches(given, row["where"])]
            assert rows_of(given) == wanted


@pytest.mark.parametrize(
    "asked",
    [
        {"columns": "heads"},
        {"columns": ("dataset", "seed"), "where": {"heads": 1}},
        {"columns": "heads", "over": ("fold", "seed")},
        {"over": ("seed", "heads")},
        {"where": {"seed": 1}, "columns": "heads"},
    ],
)
def test_cells_that_differ_in_their_seed_are_laid_out_together_as_one_by_one(asked):
    axes = [
        vary("dataset", "planted_lookup"),
        vary("seed", 3, 0, 1),
        vary("attention.scale", "none", "rsqrt_dim"),
        vary("heads", 1, 4),
        *([vary("fold", 0, 1)] if "fold" in asked.get("over", ()) else []),
    ]
    skips = [skip("dull", when={"heads": 4, "attention.scale": "none"})]
    made = Experiment(Cell(), axes, [Table("T", "attention.scale", **asked)], skips)
    known = made.resolve("name", "Why?")
    assert known.seeds == (3, 0, 1)
    together = lay_out(known.tables[0], known)
    apart = dataclasses.replace(known, families=tuple(map(alone, known.cells)))
    one_by_one = lay_out(apart.tables[0], apart)
    assert together.columns == one_by_one.columns
    assert list(together.entries) == list(one_by_one.entries)
    for where, planned in together.entries.items():
        assert list(planned.cells.items()) == list(one_by_one.entries[where].cells.items())
        assert planned.skipped == one_by_one.entries[where].skipped
        without = [each | {"seed": 0} for each in one_by_one.entries[where].settings]
        assert all(each | {"seed": 0} in without for each in planned.settings)
        assert all(each in [s | {"seed": 0} for s in planned.settings] for each in without)
