"""What attn-nlp table reads from a store is enough for what it prints."""

import pytest

from attn_nlp.cli import main
from attn_nlp.store import Store
from attn_nlp.store.schema import COLUMNS, CORRECT
from attn_nlp.tables import build, render
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
