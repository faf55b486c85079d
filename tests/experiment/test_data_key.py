"""The data that a cell reads: one list of paths, for the cell and for its preparation."""

from __future__ import annotations

import dataclasses

from attn_nlp.data import DataSettings
from attn_nlp.experiment import Cell
from attn_nlp.experiment.cell import flatten
from attn_nlp.experiment.data_key import DATA, data_key, reading_key


def test_the_paths_are_what_data_is_prepared_by():
    assert {*DATA} == {field.name for field in dataclasses.fields(DataSettings)}


def test_cells_of_the_same_rows_have_one_key():
    one = flatten(Cell(dataset="sst2", fold=3))
    assert data_key(one) == ("sst2", 0, 3)
    assert data_key(one | {"heads": 8, "tokens": "char"}) == data_key(one)
    for other in ({"dataset": "trec6"}, {"split_seed": 1}, {"fold": 0}):
        assert data_key(one | other) != data_key(one)


def test_a_setting_that_was_not_stored_has_its_default():
    assert data_key({"dataset": "sst2"}) == data_key(flatten(Cell(dataset="sst2")))
    assert reading_key({"length": 64}) == ("word", 8000, 64)
