"""Test sentences drawn anew, from stored predictions that can be checked with a pencil."""

import json
from typing import Any

import jsonschema
import pytest

from attn_nlp.stats import McNemar, two_way
from attn_nlp.store.correctness import packed
from attn_nlp.tables import build, render
from attn_nlp.tables.formats.json import schema

from .example import example, table

# Ten sentences, labeled 0 and 1 in turn. A run is right on the first few of them.
GOLD = [0, 1] * 5


def predicted(correct, offset=0):
    right = {(offset + place) % 10 for place in range(correct)}
    return [gold if place in right else 1 - gold for place, gold in enumerate(GOLD)]


def answered(predictions):
    return {"correct": packed(predictions, GOLD), "gold": GOLD}


def with_predictions(seeds=range(7), **changes):
    """The example, whose reference is right on 7 of 10, "unscaled" on 6 or 5, in every seed."""
    plain, experiment, records = example(**changes)
    for spec, record in list(records.items()):
        seed = spec.rpartition("/")[2]
        if seed.isdigit() and int(seed) not in seeds:
            del records[spec]
        elif record["status"] == "done" and "/none/" in spec:
            records[spec] = record | answered(predicted(6 - int(seed) % 2))
        elif record["status"] == "done":
            records[spec] = record | answered(predicted(7))
    return plain, experiment, records


def entry(grid, label, column=0) -> Any:
    return next(row for row in grid.rows if row.label == label).entries[column]


def test_every_comparison_is_judged_over_seeds_and_sentences():
    grid = build(*with_predictions())
    found = entry(grid, "unscaled").sentences
    # Seeds 0, 2, 4, 6 lose one sentence of ten to the reference and seeds 1, 3, 5 two of them.
    assert (found.seeds, found.sentences, found.mean) == (7, 10, pytest.approx(-10 / 70))
    ours = [[place < 6 - seed % 2 for place in range(10)] for seed in range(7)]
    assert found == two_way(ours, [[place < 7 for place in range(10)]] * 7)
    # One sentence (number 6) in all seeds, one (number 5) in three: by hand,
    # sums of e over sentences: -7 + 1, -3 + 1 and eight times 1: 36 + 4 + 8 = 48.
    assert found.error_sentences == pytest.approx((10 / 9 * 48) ** 0.5 / 70)
    assert entry(grid, "half").sentences.error == 0.0
    assert entry(grid, "1/sqrt(D)").sentences is None  # nothing to compare the reference with
    assert entry(grid, "unscaled", 1).sentences.seeds == 5  # one diverged, one failed


def test_the_caption_says_how_much_wider_and_what_is_lost():
    """Over seeds -2.4 to within .5 points, significant; over sentences -14 to within 24 points."""
    grid = build(*with_predictions())
    (note,) = [each for each in grid.notes if each.startswith("± does not cover another draw")]
    assert "better or worse, these then include zero: 'unscaled' (SST-2). They are in" in note
    assert "paired bootstrap over seeds and sentences (2,000 resamples, seed 20190804)" in note


def test_one_run_of_each_row_is_mcnemars():
    """Seed 1: the reference alone is right on two sentences: p = 2 / 2^2."""
    grid = build(*with_predictions(seeds=[1]))
    assert entry(grid, "unscaled").sentences == McNemar(0, 2, 0.5)
    (note,) = [each for each in grid.notes if each.startswith("One run of each row")]
    assert "'unscaled' (SST-2) .5000 (0 to 2 sentences)" in note


def test_formats_hold_them():
    grid = build(*with_predictions())
    found = entry(grid, "unscaled").sentences
    assert f",{found.low!r},{found.high!r},{found.bootstrap_low!r}," in render([grid], "csv")
    assert f'"error_sentences": {found.error_sentences!r}' in render([grid], "json")
    for seeds in (range(7), [1]):
        text = render([build(*with_predictions(seeds))], "json")
        jsonschema.Draft202012Validator(schema()).validate(json.loads(text))


def test_without_predictions_or_for_other_numbers_a_table_stays_as_it_is():
    assert all(each.sentences is None for row in build(*example()).rows for each in row.entries)
    for changes in ({"value": "test.loss"}, {"value": "validation.accuracy"}):
        grid = build(*with_predictions(**changes))
        assert all(each.sentences is None for row in grid.rows for each in row.entries)


def test_other_test_sentences_are_not_mixed():
    plain, experiment, records = with_predictions()
    records["sst2/none/1/0"]["gold"] = GOLD[::-1]
    assert entry(build(plain, experiment, records), "unscaled").sentences is None
    records["trec6/inv_dim/1/0"]["correct"] = None
    assert entry(build(plain, experiment, records), "1/D", 1).sentences is None


def test_a_run_without_predictions_that_is_not_compared_hides_nothing():
    plain, experiment, records = with_predictions()
    records["sst2/none/1/0"]["correct"] = None
    records["sst2/rsqrt_dim/1/0"]["status"] = "failed"  # the reference's run of that seed
    assert entry(build(plain, experiment, records), "unscaled").sentences.seeds == 6


def test_a_table_without_a_reference_compares_no_sentences():
    plain, experiment, records = with_predictions()
    rows = [row | {"reference": False} for row in plain["rows"]]
    grid = build(table(rows=rows), experiment, records)
    assert not any(each.startswith("± does not cover another draw") for each in grid.notes)
