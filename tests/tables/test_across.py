"""Captions over several datasets."""

import pytest

from attn_nlp.tables import build

from .example import ROWS, cell, record, resolved, table

NAMES = ("a", "b", "c", "d", "e", "f")


def grid_of(scores, names=NAMES, **changes):
    """One run of each row on each dataset, so that a mean is the score itself."""
    cells, records = [], {}
    for scale, each in scores.items():
        for name, score in zip(names, each, strict=False):
            planned = cell(**{"dataset": name, "attention.scale": scale})
            cells.append(planned)
            records[planned["spec"]] = record(score, name)
    plain = table(rows=ROWS[: len(scores)], **changes)
    return build(plain, resolved(cells, [plain]), records)


def note_of(grid):
    return next((note for note in grid.notes if note.startswith("Over the")), None)


def test_ranks_and_tests_by_hand():
    """Six datasets, one row below the reference on all: p = 2 / 2^6 = .0312, alone in its family.

    The order is the same everywhere: by chance (1 / 2)^5 = .0312.
    """
    scores = {"none": [0.5, 0.6, 0.7, 0.5, 0.6, 0.7], "rsqrt_dim": [0.8, 0.81, 0.82, 0.8, 0.8, 0.9]}
    assert note_of(grid_of(scores)) == (
        "Over the 6 datasets, each a replicate with its mean over runs: mean ranks 1/sqrt(D) 1.00, "
        "unscaled 2.00; Friedman's test in Iman and Davenport's form, p .0312; different from "
        "'1/sqrt(D)' by Wilcoxon's exact test with Holm's correction: 'unscaled' (0 won, 0 tied, "
        "6 lost, p .0312) (the smallest possible p is .0312). This is a statement about datasets "
        "like these, however many runs there were."
    )


def test_two_rows_are_corrected_together():
    """Two comparisons over six datasets: the least p is 4 / 2^6 = .0625, so that none is apart."""
    scores = {"none": [0.5] * 6, "rsqrt_dim": [0.8] * 6, "inv_dim": [0.8] * 6}
    note = note_of(grid_of(scores))
    assert "mean ranks 1/sqrt(D) 1.50, 1/D 1.50, unscaled 3.00" in note
    assert "correction: none (the smallest possible p is .0625)" in note


def test_a_lower_loss_ranks_first():
    scores = {"none": [0.5] * 6, "rsqrt_dim": [0.8] * 6}  # the loss is 1 - accuracy
    note = note_of(grid_of(scores, value="test.loss"))
    assert "mean ranks 1/sqrt(D) 1.00, unscaled 2.00" in note


@pytest.mark.parametrize(
    "changes", [{"names": NAMES[:2]}, {"columns": ["dataset", "heads"]}, {"columns": ["heads"]}]
)
def test_few_datasets_and_other_columns_are_not_ranked(changes):
    if changes.get("columns") == ["heads"]:
        changes = {**changes, "over": ["seed", "dataset"]}
    scores = {"none": [0.5] * 6, "rsqrt_dim": [0.8] * 6}
    assert note_of(grid_of(scores, **changes)) is None


def test_a_row_without_a_number_somewhere_is_left_out():
    scores = {"none": [0.5] * 6, "rsqrt_dim": [0.8] * 6, "inv_dim": [0.8] * 5}
    assert "1/D" not in note_of(grid_of(scores))
    assert note_of(grid_of({"none": [0.5] * 6, "rsqrt_dim": [0.8] * 5})) is None
