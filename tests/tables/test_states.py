"""One name of a dataset, read or cut in several ways: each is said, never the first for all."""

from __future__ import annotations

import pytest

from attn_nlp.experiment import Cell, costs
from attn_nlp.report.caveats import datasets
from attn_nlp.tables import build, cost
from attn_nlp.tables.facts import facts_of, together
from attn_nlp.tables.formats import FORMATS, render
from attn_nlp.tables.grid import BASELINE
from attn_nlp.tables.layout import lay_out
from attn_nlp.tables.views.to_reach import to_reach

from .example import facts, record, resolved, settings, table

CLEAN = "No repeated text, no conflicting label and no cut text was found."
ROW = {"cite": "", "reference": False}


def met(path, values, says, over=("seed",)):
    """A row for every value of a setting, and in records of its cells what `says` gives for it."""
    rows = [ROW | {"label": f"{value}", "where": {path: value}} for value in values]
    plain = table(rows=rows, columns=[], over=list(over))
    cells, records = [], {}
    for value in values:
        for seed in range(2):
            chosen = settings(**{"dataset": "x", "seed": seed, path: value})
            spec = f"{path}/{value}/{seed}"
            cells.append({"spec": spec, "settings": chosen})
            records[spec] = record(0.7, "x") | {"data": says(value)}
    return plain, resolved(cells, [plain]), records


def clean(**changes):
    splits = {
        split: {"rows": rows, "truncated": 0, "unknown_rate": 0.0}
        for split, rows in (("train", 80), ("test", 20))
    }
    for split, values in changes.items():
        splits[split] |= values
    return {"label": "X", "splits": splits}


def cut_at_four(value):
    return clean(train={"truncated": 30 if value == 4 else 0}, test={"truncated": 4 * (value == 4)})


def spoken(plain, experiment, records):
    """The caption's line of the data, and the caveats of a report."""
    (said,) = (note for note in build(plain, experiment, records).notes if "X: 80" in note)
    (found,) = datasets(together([facts_of(lay_out(plain, experiment), records)]), {})
    return said, found


@pytest.mark.parametrize("lengths", [(4, 64), (64, 4)])
def test_the_truncation_of_every_length_is_said(lengths):
    said, found = spoken(*met("length", lengths, cut_at_four))
    assert said == (
        "X: 80 train, 20 test sentences; 34 texts truncated (30 train, 4 test) at length 4, none "
        "truncated at length 64."
    )
    assert found.caveats == ("34 texts cut off at length 4, none at length 64.",)
    assert [(what, each) for what, each in found.sizes if "truncated" in what] == [
        (f"truncated at length {length}", ("30", "", "4") if length == 4 else ("0", "", "0"))
        for length in lengths
    ]
    assert dict(found.sizes)["sentences"] == ("80", "", "20")


@pytest.mark.parametrize(("path", "values"), [("tokens", ("word", "char")), ("vocabulary", (9, 5))])
def test_the_unknown_tokens_of_every_reading_are_said(path, values):
    said, _ = spoken(
        *met(path, values, lambda v: clean(test={"unknown_rate": 0.5 * (v in ("char", 5))}))
    )
    assert said.endswith(
        f"unknown tokens 50.0% of test with {path} {values[1]}, none with {path} {values[0]}."
    )


def test_nothing_is_repeated_if_every_reading_is_alike():
    said, found = spoken(*met("length", (4, 64), lambda _: clean()))
    assert (said, found.caveats) == ("X: 80 train, 20 test sentences.", (CLEAN,))


def test_what_has_run_alone_speaks_for_its_own_reading():
    for left, denied in ((4, "34 texts cut off"), (64, CLEAN[:-1] + " at length 64")):
        plain, experiment, records = met("length", (4, 64), cut_at_four)
        records = {spec: each for spec, each in records.items() if f"/{left}/" in spec}
        said, found = spoken(plain, experiment, records)
        assert found.caveats[0].startswith(denied)
        assert said.endswith("truncated (30 train, 4 test) at length 4.") == (left == 4)


def test_tables_of_one_report_are_of_different_lengths():
    one, two = met("length", (64,), cut_at_four), met("length", (4,), cut_at_four)
    every = together(
        facts_of(lay_out(plain, cells), records) for plain, cells, records in (one, two)
    )
    (found,) = datasets(every, {"x": ["a" * 64, "b" * 64]})
    assert found.caveats[0].endswith("at length 4, none at length 64.")
    assert dict(found.origin)["Fingerprint"] == f"{'a' * 16}, {'b' * 16}"


@pytest.mark.parametrize("path", ["fold", "split_seed"])
def test_the_sizes_of_every_cut_are_said_from_the_least_to_the_most(path):
    def says(value):
        made = clean(train={"rows": 80 - value, "truncated": value}, test={"rows": 20 + value})
        return made | {"duplicates": {"train": value}, "ignored_columns": ["id"] * (value == 2)}

    plain, experiment, records = met(path, (0, 1, 2), says)
    plain |= {"rows": [ROW | {"label": "all", "where": {}}], "columns": [path]}
    grid = build(plain, experiment, records)
    assert grid.notes[-1] == (
        "X: 78 to 80 train, 20 to 22 test sentences; 0 to 2 texts truncated (0 to 2 train); "
        "columns not read: id (in 1 of 3 folds or splits); 0 to 2 repeated texts in train."
    )
    assert any("the 20 to 22 test sentences alone give" in note for note in grid.notes)


def with_means(values):
    return met("tokens", values, lambda v: clean(train={"mean_length": 9.2 if v == "word" else 45}))


@pytest.mark.parametrize("values", [("word", "char"), ("char", "word")])
def test_operations_are_counted_at_the_mean_length_of_the_own_tokens(values):
    plain, experiment, records = with_means(values)
    grid = cost(plain, experiment, records)
    found = {row.label: [each.summary.mean for each in row.entries[4:6]] for row in grid.rows}
    cell = Cell(heads=1)
    for tokens, mean in (("word", 9), ("char", 45)):
        assert found[tokens] == [costs.flops(cell, mean, 2), costs.state(cell, mean)]
    (said,) = (note for note in grid.notes if note.startswith("Length counted"))
    named = {"word": "X 9 with tokens word", "char": "X 45 with tokens char"}
    assert f"(in tokens: {named[values[0]]}, {named[values[1]]})" in said


def test_operations_to_reach_are_those_of_the_own_tokens():
    plain, experiment, records = with_means(("word", "char"))
    looks = [{"step": 10, "validation_accuracy": 0.9}]
    records = {spec: each | {"history": looks} for spec, each in records.items()}
    found = [row.entries[-1].summary.mean for row in to_reach(plain, experiment, records, 0.8).rows]
    assert found == [3 * costs.flops(Cell(heads=1), mean, 2) * 32 * 10 for mean in (9, 45)]


@pytest.mark.parametrize("format", sorted(FORMATS))
def test_every_format_that_has_notes_says_both_lengths(format):
    text = render([build(*met("length", (4, 64), cut_at_four))], format, caption="full")
    told = " ".join(text.split())
    assert ("none truncated at length 64" in told) == (format != "csv")


@pytest.mark.parametrize("ran", [(), ("a/data",), ("b/data",), ("a/data", "b/data")])
def test_what_a_column_is_called_does_not_hang_on_what_has_run(ran, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a/data", "b/data"):
        (tmp_path / name).mkdir(parents=True)
    plain, experiment, records = met("dataset", ("a/data", "b/data"), lambda _: clean())
    plain |= {"rows": [ROW | {"label": "all", "where": {}}], "columns": ["dataset"]}
    for spec in list(records):
        records[spec] |= {"data": clean() | {"label": "data"}}
        if not any(name in spec for name in ran):
            del records[spec]
    grid = build(plain, experiment, records)
    assert [column.labels for column in grid.columns] == [("a/data",), ("b/data",)]


def with_baselines(plain, experiment, records, carves):
    baselines = []
    for carve in carves:
        spec = f"majority/{carve}"
        chosen = settings(model="majority", dataset="x", split_seed=carve)
        baselines.append({"spec": spec, "settings": chosen})
        records[spec] = record(0.5 + carve / 10, "x")
    return plain, resolved(experiment.cells, [plain], baselines), records


def test_a_baseline_is_its_mean_over_carves_as_the_rows_are():
    plain, experiment, records = met(
        "split_seed", (0, 1, 2), lambda _: clean(), ("seed", "split_seed")
    )
    plain["rows"] = [ROW | {"label": "all", "where": {}}]
    grid = build(*with_baselines(plain, experiment, records, (0, 1, 2)))
    baseline = grid.rows[-1]
    assert baseline.kind == BASELINE
    assert baseline.entries[0].summary.mean == pytest.approx(0.6)
    assert (baseline.entries[0].expected, baseline.entries[0].summary.n) == (1, 1)
    (said,) = (note for note in grid.notes if "baselines" in note)
    assert "the mean of one deterministic run on each split of the data, not compared" in said


def test_baselines_that_cannot_be_compared_with_rows_are_marked():
    plain, experiment, records = met("split_seed", (0, 1), lambda _: clean())
    grid = build(*with_baselines(plain, experiment, records, (0, 1)))
    assert all(row.kind != BASELINE for row in grid.rows)
    assert "No baseline is shown for columns that mix different data." in grid.notes


def test_answers_of_a_diverged_run_are_no_replicate():
    plain, experiment, records = met("length", (4,), lambda _: facts("x"))
    for each in records.values():
        each["correct"] = b"same"
    assert any("Distinct prediction" in note for note in build(plain, experiment, records).notes)
    records["length/4/1"]["status"] = "diverged"
    assert not any(
        "Distinct prediction" in note for note in build(plain, experiment, records).notes
    )
