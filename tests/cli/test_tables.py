"""`attn-nlp table` reads enough from a store for what it prints."""

import pytest

from attn_nlp.cli import main
from attn_nlp.store import Store
from attn_nlp.store.schema import COLUMNS, CORRECT
from attn_nlp.tables import build, render
from attn_nlp.tables.notes import MORE
from tests.tables.example import example


@pytest.mark.parametrize("value", ["test.accuracy", "test.loss", "validation.accuracy"])
def test_a_table_of_scores_is_the_same_from_fewer_columns(tmp_path, capsys, value):
    plain, experiment, records = example(value=value)
    path = tmp_path / "store.sqlite"
    with Store.open(path) as store:
        for spec, each in records.items():
            size = each["data"]["splits"]["test"]["rows"]
            gold = [place % 2 for place in range(size)]
            right = round(size * each["test"]["accuracy"])
            answers = gold[:right] + [1 - label for label in gold[right:]]
            own = {"key": spec, "predictions": answers, "gold": gold}
            test = {"test": each["test"] | {"accuracy": right / size}, "confusion": None}
            store.finish(spec, own | each | test)
        store.save_experiment(experiment)
        grid = build(plain, experiment, store.records(None, [*COLUMNS, CORRECT]))
    assert main(["table", "--name", experiment.name, "--store", str(path), "--format", "json"]) == 0
    assert capsys.readouterr().out == render([grid], "json")
    assert any(entry.summary for row in grid.rows for entry in row.entries)


def test_the_caption_is_short_unless_asked_for_in_full(tmp_path, capsys):
    _, experiment, records = example()
    path = tmp_path / "store.sqlite"
    with Store.open(path) as store:
        for spec, each in records.items():
            store.finish(spec, {"key": spec, **each, "confusion": None})
        store.save_experiment(experiment)
    printed = {}
    for options in ("--caption short", "--caption full", "", "--format json --caption short"):
        given = ["table", "--name", experiment.name, "--store", str(path), *options.split()]
        assert main(given) == 0
        printed[options] = capsys.readouterr().out
    assert printed[""] == printed["--caption short"]
    assert MORE in printed[""]
    assert "Power: with probability .8" not in printed[""]
    assert "Power: with probability .8" in printed["--caption full"]
    assert "Power: with probability .8" in printed["--format json --caption short"]
