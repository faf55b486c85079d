"""attn-nlp report: from a file or from the store alone, and what it rejects."""

from __future__ import annotations

import pytest

from attn_nlp import cli
from attn_nlp.report.build import COLUMNS
from attn_nlp.store import Store
from attn_nlp.tables import build
from tests.tables.example import example


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store that knows an experiment of which nothing has run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATTN_NLP_CACHE", str(tmp_path / "cache"))
    with Store.open("results.sqlite") as opened:
        opened.save_experiment(example()[1])
    return tmp_path


def write_experiment(folder):
    (folder / "mine.py").write_text(
        '"""Why?"""\n'
        "from attn_nlp.experiment import Cell, Experiment, Table, vary\n"
        "experiment = Experiment(\n"
        '    Cell(), [vary("attention.score", "dot", "l2"), vary("seed", 0, 1)],\n'
        '    [Table("T", "attention.score")],\n'
        ")\n"
    )


def call(*arguments):
    return cli.main(["report", *arguments, "--store", "results.sqlite"])


def test_a_report_is_written_from_the_store_alone(store, capsys):
    assert call("--name", "example", "--out", "mine.html") == 0
    assert capsys.readouterr().out.startswith("mine.html (0.")
    text = (store / "mine.html").read_text("utf-8")
    assert "53 not run yet" in text
    assert "attn-nlp run example.py" in text
    assert "written from the store alone" in text
    assert not list(store.glob(".writing-*"))


def test_a_report_reads_what_its_tables_judge_sentences_by(store):
    plain, experiment, records = example()
    with Store.open("results.sqlite") as opened:
        for spec, each in records.items():
            size = each["data"]["splits"]["test"]["rows"]
            right = 4 * size // 5
            given = {"key": spec, "gold": [0] * size}
            given["predictions"] = [0] * right + [1] * (size - right)
            opened.finish(spec, given | each | {"test": {**each["test"], "accuracy": right / size}})
        grid = build(plain, experiment, opened.records(None, COLUMNS))
    assert any(note.startswith("± does not cover another draw") for note in grid.notes)


def test_a_report_of_a_file_says_how_to_get_it_again(store):
    write_experiment(store)
    given = ["mine.py", "--dataset", "docstrings", "--set", "width=32", "--steps", "20"]
    assert call(*given, "--only", "attention.score=dot") == 0
    text = (store / "report.html").read_text("utf-8")
    options = "--dataset docstrings --steps 20 --only attention.score=dot --set width=32"
    for command in ("plan", "run", "report"):
        assert f"attn-nlp {command} mine.py {options}\n" in text.replace("</pre>", "\n")
    assert f"<code>{options}</code>" in text
    assert str(store) not in text


def test_a_tuned_experiment_says_what_its_trials_chose(store):
    write_experiment(store)
    assert call("mine.py", "--budget", "2") == 0
    text = (store / "report.html").read_text("utf-8")
    assert 'id="tuning-1"' in text
    assert "attn-nlp run mine.py --budget 2\n" in text
    assert call("mine.py") == 0
    assert 'id="tuning-1"' not in (store / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either an experiment FILE or --name"),
        (["mine.py", "--name", "example"], "give either an experiment FILE or --name"),
        (["--name", "exampel"], "Did you mean 'example'?"),
        (["--name", "example", "--seeds", "2"], "need its FILE"),
        (["--name", "example", "--out", "results.sqlite/r.html"], "results.sqlite is no folder"),
    ],
)
def test_mistakes_are_one_line(store, capsys, arguments, message):
    assert call(*arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
