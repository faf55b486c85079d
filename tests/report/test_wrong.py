"""The hardest sentences, counted by hand on four of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from attn_nlp.report.wrong import Run, wrong

ROWS = [
    {"label": "a", "where": {"score": "a"}},
    {"label": "b", "where": {"score": "b"}},
    {"label": "elsewhere", "where": {"score": "c"}},
]
FACTS = {"label": "Films", "language": "en", "class_names": ["no", "yes", "perhaps"]}
GOLD = [0, 1, 0, 2]


def run(score: str, predictions: list[int], **more) -> Run:
    given = {"gold": GOLD, "confidences": [0.5, 0.6, 0.7, 0.8]} | more
    return Run({"score": score, "dataset": "films"}, "rows", FACTS, predictions, **given)


RUNS = [
    run("a", [0, 0, 1, 2]),
    run("a", [0, 2, 0, 2], confidences=[0.5, 0.8, 0.7, 0.8]),
    run("b", [0, 0, 2, 2], confidences=()),
]


@pytest.fixture
def texts(monkeypatch):
    given = ["first", "second", "x" * 1000, "fourth"]
    monkeypatch.setattr("attn_nlp.report.wrong.kept_texts", lambda *_: given)


def test_sentences_are_ordered_by_how_many_runs_failed(texts):
    (found,) = wrong(RUNS, ROWS, Path("nowhere"))
    assert (found.dataset, found.language, found.rows) == ("Films", "en", ("a", "b"))
    second, third = found.examples  # the first and the fourth were never wrong
    assert (second.number, second.text, second.label) == (2, "second", "yes")
    assert (second.wrong, second.runs, second.by_row) == (3, 3, ((2, 2), (1, 1)))
    assert second.predicted_as == (("no", 2), ("perhaps", 1))
    assert second.confidence == pytest.approx(0.7)  # of .6 and .8; the third run kept none
    assert (third.number, third.wrong, third.by_row) == (3, 2, ((1, 2), (1, 1)))
    assert len(third.text or "") == 600
    assert found.notes[0] == (
        "Of 4 test sentences, 2 were right in every one of 3 runs and 1 wrong in every one."
    )
    assert len(found.notes) == 1


def test_of_equally_wrong_sentences_the_one_that_runs_agree_on_comes_first(texts):
    runs = [run("a", [1, 0, 0, 2]), run("a", [2, 0, 0, 2])]
    (found,) = wrong(runs, ROWS, Path("nowhere"))
    assert [each.number for each in found.examples] == [2, 1]


def test_without_the_data_sentences_are_told_by_their_rows(tmp_path):
    (found,) = wrong(RUNS, ROWS, tmp_path)
    assert [(each.number, each.text) for each in found.examples] == [(2, None), (3, None)]
    assert "not on this machine" in found.notes[-1]


def test_an_older_store_does_not_know_what_is_right(tmp_path):
    (found,) = wrong([run("a", [0, 0, 0, 0], gold=())], ROWS, tmp_path)
    assert found.examples == ()
    assert "did not keep the right class" in found.notes[0]


def test_each_dataset_is_separate(texts):
    other = Run({"score": "b", "dataset": "songs"}, "others", {}, [1], gold=[0])
    first, second = wrong([*RUNS, other], ROWS, Path("nowhere"))
    assert (first.dataset, second.dataset) == ("Films", "songs")
    assert second.examples[0].label == "class 0"
    assert second.examples[0].confidence is None


def test_rows_of_one_label_are_told_apart_by_what_differs(texts):
    runs = [
        Run({"dataset": name, "split_seed": 0, "fold": fold}, f"{name}{fold}", FACTS, [1], gold=[0])
        for name, fold in (("a/data", 0), ("b/data", 0), ("b/data", 3))
    ]
    names = [each.dataset for each in wrong(runs, [], Path("nowhere"))]
    assert names == ["a/data", "b/data, fold 0", "b/data, fold 3"]
    assert [each.dataset for each in wrong(runs[:1], [], Path("nowhere"))] == ["Films"]


def test_rows_are_told_apart_by_the_sentences_that_divide_them_most(texts):
    runs = [
        run("a", [1, 1, 0, 0]),
        run("a", [1, 1, 1, 0]),
        run("b", [0, 1, 1, 0]),
    ]
    (found,) = wrong(runs, ROWS, Path("nowhere"))
    # Shares wrong of a and b: first 1 and 0, second 0 and 0, third 1/2 and 1, fourth 1 and 1.
    assert [each.number for each in found.divided] == [1, 3]
    assert [each.by_row for each in found.divided] == [((2, 2), (0, 1)), ((1, 2), (1, 1))]
    (alone,) = wrong(runs[:2], ROWS, Path("nowhere"))
    assert alone.divided == ()


def test_of_sentences_that_runs_agree_on_the_most_confident_comes_first(texts):
    runs = [run("a", [1, 0, 0, 2], confidences=[0.6, 0.9, 0.5, 0.5])]
    (found,) = wrong(runs, ROWS, Path("nowhere"))
    assert [each.number for each in found.examples] == [2, 1]
