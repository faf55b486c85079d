"""The same store says the same in every format: each is read back and compared with the others."""

from __future__ import annotations

import pytest

from attn_nlp.tables import FORMATS, build, render

from .example import by_heads, example
from .reading import READERS


def read(grid, format):
    options = {"width": 400} if format == "terminal" else {}
    return READERS[format](render([grid], format, **options))


def test_every_format_can_be_read_back():
    assert set(READERS) == set(FORMATS)


def test_the_example_as_its_readers_see_it():
    """So that readers which find nothing cannot agree on it; the numbers are those of README.md."""
    rows = read(build(*example()), "json")
    assert rows["unscaled"] == [
        ("70.6", "2.1", "", "-2.4", "0.5", "▼"),
        ("70.4", "3.2", "5 of 7 (1 diverged, 1 failed)", "-2.4", "0.7", "? 7"),
    ]
    assert rows["half"] == [
        ("73.0", "2.0", "", "0.0", "0.0", "?"),
        ("skipped", "", "b", "", "", ""),
    ]
    assert rows["majority class"] == [("50.1", "", "", "", "", "")] * 2
    assert len(rows) == 6


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("made", [example, by_heads], ids=["scales", "heads"])
def test_the_same_numbers_in_every_format(made, format):
    grid = build(*made())
    assert read(grid, format) == read(grid, "json")


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_holes_in_every_format(format):
    """Nothing run, all failed, all diverged, and a loss, which is printed with three decimals."""
    plain, experiment, records = example(value="test.loss")
    for seed in range(7):
        records[f"sst2/inv_dim/1/{seed}"] |= {"status": "failed", "reason": "out of memory"}
        records[f"sst2/half/1/{seed}"] |= {"status": "diverged", "reason": "loss is NaN"}
        del records[f"trec6/none/1/{seed}"]
    grid = build(plain, experiment, records)
    rows = read(grid, "json")
    assert [each[0] for each in rows["1/D"]] == ["failed", "0.287"]
    assert [each[0] for each in rows["unscaled"]] == ["0.294", "–"]
    if format == "csv":  # which does not say how numbers are printed
        text = render([grid], format)
        assert READERS["csv"](text, scale=1.0, decimals=3) == rows
    else:
        assert read(grid, format) == rows


@pytest.mark.parametrize("format", FORMATS)
def test_marks_and_reasons_are_explained_in_every_format(format):
    """Under the table; CSV spells them out beside every number."""
    grid = build(*example())
    options = {"width": 400} if format == "terminal" else {}
    text = " ".join(render([grid], format, caption="full", **options).split())
    for words in ("loss is NaN at step 40", "out of memory", "half is too few"):
        assert words in text
    if format == "csv":
        assert {verdict for verdict in ("worse", "equivalent", "undecided") if verdict in text} == {
            "worse",
            "equivalent",
            "undecided",
        }
        return
    for meaning in (
        "worse (Holm-adjusted p",
        "equivalent within the margin",
        "undecided; the number is",
    ):
        assert meaning in text
