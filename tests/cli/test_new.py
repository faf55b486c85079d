"""new: the file that it writes is planned, traced and never replaced; and completion of names."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete

from attn_nlp import cli, run
from attn_nlp.cli.main import commands
from attn_nlp.data.registry import sources
from attn_nlp.parts import registry
from attn_nlp.tables import FORMATS


def test_a_new_file_is_planned_with_its_part_traced(tmp_path, monkeypatch, capsys, catalogue):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATTN_NLP_CACHE", str(tmp_path / "cache"))
    assert cli.main(["new", "my idea.py"]) == 0
    out, err = capsys.readouterr()
    assert (out.splitlines()[1:], err) == (
        [f"  attn-nlp {command} 'my idea.py'" for command in ("plan", "run", "report")],
        "",
    )
    traced = []
    monkeypatch.setattr("attn_nlp.probe.probe", _listening(traced))
    assert cli.main(["plan", "my idea.py", "--store", "s.sqlite"]) == 0
    assert traced == ["my_score"]
    assert "my idea: 14 to do, 2 of them baselines" in capsys.readouterr().out
    text = (tmp_path / "my idea.py").read_text()
    assert len(text.splitlines()) <= 30
    assert max(map(len, text.splitlines())) <= 100
    (tmp_path / "my idea.py").write_text("mine")
    assert cli.main(["new", "my idea.py"]) == 2
    assert "already exists; choose another name" in capsys.readouterr().err
    assert (tmp_path / "my idea.py").read_text() == "mine"


def test_the_reference_of_a_new_file_learns(tmp_path, monkeypatch, capsys, catalogue):
    """Chance is one in four, and the majority class has as much."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(["new", "my_idea.py"]) == 0
    found = run("my_idea.py", only={"attention.score": "dot", "seed": 0}, in_process=True)
    trained = found.to_pandas().query("model == 'encoder'")
    assert trained["test.accuracy"].tolist() == [pytest.approx(0.98, abs=0.1)]


def _listening(traced: list):
    from attn_nlp.probe import probe

    def listening(cells, **options):
        traced.extend(cell.attention.score for cell in cells)
        return probe(cells, **options)

    return listening


@pytest.mark.parametrize("name", ["idea", "idea.txt"])
def test_a_name_that_is_no_experiment_file_is_rejected(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["new", name]) == 2
    assert "use a name that ends in .py" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def completed(*arguments: str) -> list[str]:
    """Return the completions that a shell offers for the last argument."""
    complete = ShellComplete(commands, {}, "attn-nlp", "_ATTN_NLP_COMPLETE")
    *before, incomplete = arguments
    return [item.value for item in complete.get_completions(before, incomplete)]


def test_commands_options_and_names_are_completed():
    assert completed("pl") == ["plan"]
    assert completed("table", "--cap") == ["--caption"]
    assert completed("table", "--caption", "") == ["short", "full"]
    assert set(registry.SLOTS) <= set(completed("parts", ""))
    assert completed("parts", "entmax15") == ["entmax15"]
    assert completed("run", "x.py", "--dataset", "") == [source.name for source in sources()]
    assert completed("datasets", "planted_l") == ["planted_lookup"]
    assert completed("table", "x.py", "--format", "") == list(FORMATS)


@pytest.mark.parametrize("words", ["attn-nlp parts sco", "attn-nlp datasets planted"])
def test_a_completion_imports_nothing_heavy(words):
    code = (
        "import sys, atexit; from attn_nlp.cli import main; "
        "atexit.register(lambda: print('heavy:', [n for n in "
        "('jax', 'datasets', 'tokenizers', 'scipy', 'sklearn') if n in sys.modules])); main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
            "_ATTN_NLP_COMPLETE": "bash_complete",
        },
        capture_output=True,
        text=True,
    )
    *offered, heavy = ended.stdout.splitlines()
    assert all(line.startswith(f"plain,{words.split()[-1]}") for line in offered)
    assert (bool(offered), heavy, ended.stderr) == (True, "heavy: []", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_printed(shell, capsys):
    assert cli.main(["completion", shell]) == 0
    assert f"_ATTN_NLP_COMPLETE={shell}_complete" in capsys.readouterr().out
