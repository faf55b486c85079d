"""The caption on the data: splits, classes, columns, and the choices of the baselines."""

from __future__ import annotations

import pytest

from attn_nlp.tables import build
from attn_nlp.tables.facts import Facts, data_notes
from attn_nlp.tables.views.per_class import per_class
from tests.tables.example import example, table
from tests.tables.test_per_class import made

HELD_OUT = "no official test split: fold 0 of 10, held out from train"
OLDER = "no official test: a fold of StratifiedKFold(10, shuffle, random_state=0) held out: fold 0"
COUNTS = {"train": [4, 5, 0], "validation": [1, 1, 0], "test": [2, 0, 1]}


def known(**facts) -> dict:
    return {"class_names": ["bad", "good", "odd"], **facts}


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"splits": {s: {"class_counts": counts} for s, counts in COUNTS.items()}}, None),
        (
            {"look_alike_labels": ["'pos' and 'Pos'", "'1' and '1.0'"]},
            "x: classes that look alike: 'pos' and 'Pos'; '1' and '1.0'.",
        ),
        ({"ignored_columns": ["text_pair", "id"]}, "x: columns not read: text_pair, id."),
        (
            {"ignored_columns": list("abcde")},
            "x: columns not read: a, b, c, and 2 more.",
        ),
        ({}, "x: nothing is known about the data."),
    ],
)
def test_what_is_odd_about_classes_and_columns(facts, said):
    said = said or (
        "x: train has no sentence of class 'odd', which test contains; "
        "test has no sentence of class 'good'."
    )
    assert [note.text for note in data_notes(Facts({"x": known(**facts)}))] == [said]


def test_many_classes_are_counted_and_few_named():
    counts = {"train": [1] * 50, "test": [1] * 42 + [0] * 8}
    facts = {
        "class_names": [f"c{n}" for n in range(50)],
        "splits": {split: {"class_counts": each} for split, each in counts.items()},
    }
    said = "x: test has no sentence of 8 classes ('c42', 'c43', 'c44', and 5 more)."
    assert [note.text for note in data_notes(Facts({"x": facts}))] == [said]


def noted(grid) -> list[str]:
    return [note for note in grid.notes if note.startswith("Test: ")]


@pytest.mark.parametrize("rule", [HELD_OUT, OLDER])
def test_a_fold_used_as_test_is_named_in_the_caption(rule):
    plain, experiment, records = example()
    assert noted(build(plain, experiment, records)) == []
    for spec, record in records.items():
        if "trec6" in spec:
            records[spec] = record | {"data": record["data"] | {"test_rule": rule}}
        else:
            records[spec] = record | {"data": record["data"] | {"test_rule": "official split"}}
    assert noted(build(plain, experiment, records)) == [f"Test: {rule} (TREC-6)."]
    assert noted(build(table(where={"dataset": "trec6"}, columns=[]), experiment, records)) == [
        f"Test: {rule}."
    ]


def test_classes_that_train_lacks_are_named_next_to_their_zeros():
    plain, experiment, records = made()
    for spec, record in records.items():
        counts = {"train": [9, 0], "test": [4, 6]}
        facts = {
            "test_rule": HELD_OUT,
            "splits": {split: {"class_counts": each} for split, each in counts.items()},
        }
        records[spec] = record | {"data": record["data"] | facts}
    (grid,) = per_class(plain, experiment, records)
    assert noted(grid) == [f"Test: {HELD_OUT}."]
    assert grid.notes[-1] == "SST-2: train has no sentence of class 'good', which test contains."


def chose(records, **reasons):
    """The records, where the baseline of a dataset gives that reason."""
    return records | {
        spec: records[spec] | {"reason": reason}
        for name, reason in reasons.items()
        if (spec := f"tfidf_logreg/{name}") in records
    }


def test_the_choice_of_a_baseline_is_in_the_note_on_baselines():
    plain, experiment, records = example()
    baselines = "The last rows are baselines without a neural network: one deterministic run each, "
    said = [note for note in build(plain, experiment, records).notes if note.startswith(baselines)]
    assert said == [f"{baselines}not compared."]
    both = chose(records, sst2="by words, C = 10", trec6="by characters, C = 1")
    assert (
        f"{baselines}not compared. TF-IDF + logistic regression chose on validation: "
        "by words, C = 10 (SST-2); by characters, C = 1 (TREC-6)."
    ) in build(plain, experiment, both).notes
    one = table(where={"dataset": "sst2"}, columns=[])
    (note,) = (n for n in build(one, experiment, both).notes if n.startswith(baselines))
    assert note.endswith("chose on validation: by words, C = 10.")
    failed = both | {"tfidf_logreg/sst2": both["tfidf_logreg/sst2"] | {"status": "failed"}}
    (note,) = (n for n in build(one, experiment, failed).notes if n.startswith(baselines))
    assert note == f"{baselines}not compared."
