"""`attn-nlp figure results`: what is written, what is left out and why, mistakes in a line."""

from __future__ import annotations

import pytest

from attn_nlp import cli
from attn_nlp.experiment.identity import key_of
from attn_nlp.experiment.load import resolve_file
from attn_nlp.figures.results import KINDS
from attn_nlp.parts import registry
from attn_nlp.store import Store
from tests.runner.fakes import write_experiment


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An experiment over heads with its results stored, none of which was trained.

    Accuracy is (10 heads + seed) / 100; one seed of four heads has diverged.
    """
    folder = tmp_path_factory.mktemp("stored")
    registry.load_builtin()
    before = dict(registry._parts)  # the file registers a part and takes another away
    resolved = resolve_file(write_experiment(folder))
    registry._parts.clear()
    registry._parts.update(before)
    store = Store.open(folder / "runs" / "attn_nlp.sqlite")
    with store:
        store.save_experiment(resolved)
        for cell in resolved.cells:
            heads, seed = cell["settings"]["heads"], cell["settings"]["seed"]
            scores = {"accuracy": (10 * heads + seed) / 100, "loss": 1.0, "macro_f1": 0.5}
            history = [
                {"step": s, "validation_accuracy": scores["accuracy"] * s / 4, "validation_loss": 1}
                for s in (2, 4)
            ]
            store.claim(cell["spec"])
            store.finish(
                cell["spec"],
                {
                    "key": key_of(cell["spec"], "f", "t"),
                    "status": "diverged" if (heads, seed) == (4, 2) else "done",
                    "reason": "loss is NaN at step 1" if (heads, seed) == (4, 2) else None,
                    "validation": scores,
                    "test": scores,
                    "history": history,
                    "wall_seconds": float(heads),
                    "parameters": heads,
                    "settings": cell["settings"],
                    "fingerprint": "f",
                    "tokenizer_hash": "t",
                    "data": {"label": "Reviews", "splits": {"test": {"rows": 2000}}},
                    "provenance": {"device": "cpu"},
                },
            )
    return folder


@pytest.fixture
def figure(folder, catalogue, monkeypatch, capsys):
    """The command in this process: status, standard output, standard error."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("ATTN_NLP_STORE", raising=False)

    def call(*arguments):
        status = cli.main(["figure", "results", *arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return call


def test_all_that_can_be_drawn_is_written(figure, tmp_path):
    status, out, err = figure("fake.py", "--all", "--out", str(tmp_path / "new"))
    assert status == 0
    names = ("forest", "curves", "sweep-heads", "seconds")
    assert out.split() == [
        str(tmp_path / "new" / f"fake-{name}.{format}")
        for name in names
        for format in ("svg", "png")
    ]
    assert sorted(map(str, (tmp_path / "new").iterdir())) == sorted(out.split())
    (line,) = [each for each in err.splitlines() if "pareto" in each]
    assert line == (
        "attn-nlp: no pareto of 'Heads': no finished run has both test accuracy and MFLOPs."
    )


def test_a_name_needs_no_file_and_gives_the_same_bytes(figure, tmp_path):
    figure("fake.py", "--kind", "forest", "--format", "svg", "--out", str(tmp_path / "a"))
    figure("--name", "fake", "--kind", "forest", "--format", "svg", "--out", str(tmp_path / "b"))
    (one,), (other,) = (list((tmp_path / each).iterdir()) for each in "ab")
    assert one.read_bytes() == other.read_bytes()


def test_options_change_the_experiment(figure, tmp_path):
    arguments = ("--kind", "sweep", "--format", "png,svg", "--out", str(tmp_path))
    status, out, _ = figure("fake.py", "--only", "heads=1,2", "--axis", "heads", *arguments)
    assert status == 0
    assert [line.rpartition(".")[2] for line in out.split()] == ["png", "svg"]
    status, _, err = figure("fake.py", "--only", "heads=1", *arguments)
    assert status == 2
    assert "no numeric setting of the experiment takes two values" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fake.py"], "give either a --kind of figure or --all."),
        (["fake.py", "--all", "--kind", "forest"], "give either a --kind of figure or --all."),
        (["--all"], "give either an experiment FILE or --name"),
        (["--name", "fake", "--seeds", "2", "--all"], "need its FILE"),
        (["--name", "fak", "--all"], "Did you mean 'fake'?"),
        (["fake.py", "--kind", "forrest"], "Did you mean 'forest'?"),
        (["fake.py", "--all", "--axis", "head"], "it has heads. Did you mean 'heads'?"),
        (["fake.py", "--all", "--format", "svg,pgn"], "Did you mean 'png'?"),
        (["fake.py", "--all", "--store", "none"], "nothing of 'fake' is stored in none; run it"),
        (["fake.py", "--kind", "pareto"], "no finished run has both test accuracy and MFLOPs."),
        (["fake.py", "--kind", "forest", "--out", "fake.py/x"], "cannot write to fake.py/x"),
        (["fake.py", "--set", "steps=9", "--all"], "nothing of 'fake' is stored in"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(figure, folder, tmp_path, arguments, said):
    if "--out" not in arguments:
        arguments = [*arguments, "--out", str(tmp_path / "new")]
    status, out, err = figure(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert not (tmp_path / "new").exists()
    assert not (folder / "none").exists()


def test_a_file_that_cannot_be_finished_leaves_the_old_one(figure, tmp_path, monkeypatch):
    arguments = ("fake.py", "--kind", "forest", "--format", "svg", "--out", str(tmp_path))
    assert figure(*arguments)[0] == 0
    (path,) = tmp_path.iterdir()
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    status, _, err = figure(*arguments)
    assert (status, err.count("\n")) == (4, 1)
    assert "No space left" in err
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_help_has_examples_and_every_kind(figure):
    status, out, _ = figure("--help")
    assert status == 0
    assert "Examples:" in out
    assert all(f"\n    {kind} " in out for kind in KINDS)
