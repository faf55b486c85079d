"""A table whose cells met a dataset in two states says so."""

from __future__ import annotations

import pytest

from attn_nlp.tables import build
from tests.tables.example import example


def mixed(**changes):
    planned, resolved, records = example()
    for spec, record in records.items():
        record["fingerprint"] = changes.get(spec, "sst2 rows" if "sst2" in spec else "trec6 rows")
    notes = build(planned, resolved, records).notes
    return [each for each in notes if each.startswith("Mixed data")]


@pytest.mark.parametrize("baseline", ["", "majority/sst2"])
def test_cells_of_two_states_of_a_dataset_are_counted(baseline):
    assert mixed() == []
    spec = baseline or "sst2/rsqrt_dim/1/3"
    assert mixed(**{spec: "abcdefghijklmnop"}) == [
        "Mixed data: SST-2 had different rows when cells ran; by fingerprint, 29 cells of "
        "sst2 rows, 1 cell of abcdefghijkl. Numbers cannot be compared across them."
    ]
