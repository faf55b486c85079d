"""The command line: what it prints, and how it says what is wrong."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys

import pytest

from attn_nlp import cli
from attn_nlp.catalogue.markdown import markdown as catalogue_page
from attn_nlp.parts import registry
from attn_nlp.store import Store
from attn_nlp.tables import FORMATS
from attn_nlp.tables import suffix as suffix_of
from attn_nlp.tables.formats import as_file
from tests import proofs
from tests.runner.fakes import BASELINES, CELLS, command, environment, write_experiment

COMMANDS = ("plan", "run", "status", "table", "report", "parts", "datasets", "figure")
HEAVY = ("jax", "datasets", "matplotlib", "sklearn", "tokenizers", "pyarrow", "scipy")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, cache):
    """A folder with a finished experiment."""
    folder = tmp_path_factory.mktemp("finished")
    write_experiment(folder)
    ended = command(folder, environment(cache), "run", "fake.py", "--workers", "1")
    assert ended.returncode == 0, ended.stderr
    return folder


@pytest.fixture
def attn_nlp(finished, cache, catalogue, monkeypatch, capsys):
    """The command line in this process: status, standard output, standard error."""
    monkeypatch.chdir(finished)
    monkeypatch.setenv("ATTN_NLP_CACHE", str(cache))
    monkeypatch.delenv("ATTN_NLP_STORE", raising=False)

    def call(*arguments):
        status = cli.main(list(arguments))
        out, err = capsys.readouterr()
        return status, out, err

    return call


def modules_of(*arguments) -> set[str]:
    code = (
        "import sys; from attn_nlp.cli import main; status = main(sys.argv[1:]); "
        "print(*sys.modules, file=sys.stderr); sys.exit(status)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env=dict(os.environ),
    )
    assert ended.returncode == 0, ended.stderr
    return set(ended.stderr.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["figure", "--help"],
        ["parts"],
        ["parts", "query_mix"],
        ["parts", "--markdown"],
        ["datasets"],
    ],
)
def test_help_and_listings_import_nothing_heavy(arguments):
    assert modules_of(*arguments) & set(HEAVY) == set()


def test_a_table_imports_no_jax(finished):
    file, store = str(finished / "fake.py"), str(finished / "runs/attn_nlp.sqlite")
    loaded = modules_of("table", file, "--store", store, "--set", f"dataset={finished}/reviews.csv")
    assert loaded & {"jax", "datasets", "matplotlib"} == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_examples(attn_nlp, name):
    status, out, err = attn_nlp(name, "--help")
    assert (status, err) == (0, "")
    assert f"attn-nlp {name}" in out
    assert "Examples:" in out


def test_without_a_command_there_is_help(attn_nlp):
    status, out, err = attn_nlp()
    assert (status, out) == (2, "")
    assert "Commands:" in err


def test_the_version_is_printed(attn_nlp):
    status, out, _ = attn_nlp("--version")
    assert (status, out) == (0, "attn-nlp, version 0.1.0\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu"], "No such command 'rnu'."),
        (["run"], "Missing argument 'FILE'."),
        (["run", "fake.py", "--sedes", "2"], "--sedes"),
        (["run", "fake.py", "--workers", "0"], "0 is not in the range x>=1"),
        (["run", "fake.py", "--workers", "2", "--in-process"], "leave out --workers"),
        (["run", "fak.py"], "no experiment file 'fak.py'. Did you mean 'fake.py'?"),
        (["run", "reviews.csv"], "its name must end in .py"),
        (["run", "fake.py", "--seeds", "0"], "--seeds is 0; give at least 1."),
        (["run", "fake.py", "--seeds", "two"], "'two' is not a valid integer"),
        (["run", "fake.py", "--dataset", "planted_lokup"], "Did you mean 'planted_lookup'?"),
        (["run", "fa\udcffke.py"], "its name is not valid UTF-8"),
        (["status", "--store", "~/x.sqlite"], "the shell did not expand '~'"),
        (["table", "fake.py", "--out", "~root/x.md"], "the shell did not expand '~'"),
        (["plan", "fake.py", "--dataset", "planted_lokup"], "Did you mean 'planted_lookup'?"),
        (["table", "fake.py", "--dataset", "planted_lokup"], "Did you mean 'planted_lookup'?"),
        (["status", "fake.py", "--dataset", "planted_lokup"], "Did you mean 'planted_lookup'?"),
        (["report", "fake.py", "--dataset", "planted_lokup"], "Did you mean 'planted_lookup'?"),
        (["plan", "fake.py", "--set", "tokens=wrod"], "Did you mean 'word'?"),
        (["plan", "fake.py", "--only", "heds=2"], "Did you mean 'heads'?"),
        (["plan", "fake.py", "--set", "heads"], "write it as path=value"),
        (["run", "fake.py", "--format", "markdwon"], "Did you mean 'markdown'?"),
        (["table", "fake.py", "--out", "fake.py/x.md"], "x.md: fake.py is no folder"),
        (["table"], "give either an experiment FILE or --name"),
        (["table", "fake.py", "--name", "fake"], "give either an experiment FILE or --name"),
        (["table", "--name", "fak"], "Did you mean 'fake'?"),
        (["table", "--name", "fake", "--seeds", "2"], "need its FILE"),
        (["status", "--seeds", "2"], "need its FILE"),
        (["parts", "normaliser"], "Did you mean 'normalizer'?"),
        (["parts", "query_mx"], "Did you mean 'query_mix'?"),
        (["parts", "score:dott"], "Did you mean 'dot'?"),
        (["parts", "score", "--markdown"], "give it alone"),
        (["figure", "plat"], "No such command 'plat'."),
        (["figure", "mechanism"], "give either the NAME of a part or --all"),
        (["figure", "mechanism", "dot", "--all"], "give either the NAME of a part or --all"),
        (["figure", "mechanism", "query_mx"], "Did you mean 'query_mix'?"),
        (["figure", "mechanism", "softmax"], "write 'normalizer:softmax' or 'activation:softmax'."),
        (["figure", "plate", "--format", "pgn"], "Did you mean 'png'?"),
        (["figure", "plate", "--out", "fake.py/x"], "cannot write to fake.py/x"),
        (["datasets", "sst"], "Did you mean 'sst"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(attn_nlp, arguments, said):
    status, out, err = attn_nlp(*arguments)
    assert status == 2
    assert out == ""
    assert err.startswith("attn-nlp: ")
    assert err.count("\n") == 1
    assert said in err


def test_a_store_that_cannot_be_used_is_status_4(attn_nlp, tmp_path):
    path = tmp_path / "store"
    path.write_text("no database" * 100)
    for name in ("run", "plan", "status", "table"):
        status, out, err = attn_nlp(name, "fake.py", "--store", str(path))
        assert (status, out, err.count("\n")) == (4, "", 1)
        assert "no SQLite database" in err


def test_a_fault_keeps_its_traceback(attn_nlp, monkeypatch):
    monkeypatch.setattr("attn_nlp.parts.registry.parts", lambda slot: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        attn_nlp("parts")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--debug", "plan", "fake.py", "--seeds", "0"],
        ["plan", "fake.py", "--debug", "--seeds", "0"],
        ["plan", "fake.py", "--seeds", "0", "--debug"],
        ["plan", "fak.py", "--debug"],
        ["--debug", "status", "fake.py", "--store", "reviews.csv"],
        ["rnu", "--debug"],
    ],
)
def test_debug_shows_the_traceback_of_a_mistake(attn_nlp, arguments, monkeypatch):
    status, out, err = attn_nlp(*arguments)
    plainly = [each for each in arguments if each != "--debug"]
    plain = attn_nlp(*plainly)
    assert (status, out) == plain[:2]
    assert status in (2, 4)
    assert err.startswith("Traceback (most recent call last):\n")
    assert plain[2].startswith("attn-nlp: ")
    assert plain[2].count("\n") == 1
    monkeypatch.setenv("ATTN_NLP_DEBUG", "1")
    assert attn_nlp(*plainly)[2] == err
    monkeypatch.setenv("ATTN_NLP_DEBUG", "0")
    assert attn_nlp(*plainly) == plain


def test_debug_changes_nothing_else(attn_nlp):
    assert attn_nlp("status", "fake.py", "--debug") == attn_nlp("status", "fake.py")
    assert "--debug" in attn_nlp("--help")[1]


def test_a_plan_of_models_that_fit_by_themselves_imports_no_jax(finished):
    store = str(finished / "none.sqlite")
    file, data = str(finished / "fake.py"), f"dataset={finished}/reviews.csv"
    assert "jax" not in modules_of("plan", file, "--store", store, "--set", data)


BROKEN = '''"""Does it run?"""
from attn_nlp.cli import run_file
from attn_nlp.experiment import Cell, Experiment, Table, vary
from attn_nlp.parts.registry import pooling, score

@score("mine_broken")
def mine(q, k):
    return helper(q)

def helper(q):
    return 1.0 / 0

@pooling("mine_padded", sees_padding=True)
def padded(x):
    return x.mean(axis=1)

experiment = Experiment(
    base=Cell(dataset="reviews.csv", width=8, heads=2, steps=2, evaluate_every=2, pooling="PLACE"),
    axes=[vary("attention.score", "dot", "SCORE")],
    tables=[Table("T", rows="attention.score")],
)

if __name__ == "__main__":
    raise SystemExit(run_file(__file__))
'''


@pytest.mark.parametrize("name", ["plan", "run"])
def test_a_part_that_cannot_work_is_rejected_before_anything_is_trained(
    attn_nlp, finished, name, tmp_path
):
    text = BROKEN.replace("PLACE", "mean").replace("SCORE", "mine_broken")
    (finished / "broken.py").write_text(text)
    store = tmp_path / "store.sqlite"
    status, out, err = attn_nlp(name, "broken.py", "--store", str(store))
    line = 1 + text.splitlines().index("    return 1.0 / 0")
    assert (status, out) == (2, "")
    assert err == (
        f"attn-nlp: broken.py, line {line}, in helper: ZeroDivisionError: float division by zero "
        "(hook 'score' of score 'mine_broken')\n"
    )
    debugged = attn_nlp(name, "broken.py", "--store", str(store), "--debug")[2]
    assert "    return helper(q)\n" in debugged
    if store.exists():
        with Store.read(store) as read:
            assert (read.records(None, ["status"]), read.names()) == ({}, [])


def test_what_a_part_declares_is_warned_of(attn_nlp, finished, tmp_path):
    text = BROKEN.replace("PLACE", "mine_padded").replace("SCORE", "content")
    (finished / "padded.py").write_text(text)
    status, out, err = attn_nlp("plan", "padded.py", "--store", str(tmp_path / "store"))
    assert status == 0
    assert "to do" in out
    said = "attn-nlp: warning: pooling 'mine_padded' lets padding into the result: class logits "
    assert err.startswith(said)


def test_the_store_may_be_named_by_a_variable(attn_nlp, monkeypatch, tmp_path):
    monkeypatch.setenv("ATTN_NLP_STORE", str(tmp_path / "other"))
    status, out, _ = attn_nlp("status")
    assert (status, out) == (0, f"no experiment in store {tmp_path / 'other'} yet\n")
    assert not (tmp_path / "other").exists()


def test_plan_counts_and_predicts(attn_nlp, tmp_path):
    status, out, err = attn_nlp("plan", "fake.py", "--store", str(tmp_path / "none"))
    assert (status, err) == (0, "")
    assert out.splitlines()[0] == f"fake: {CELLS + BASELINES} to do, {BASELINES} of them baselines"
    assert "programs to compile: 3" in out
    assert "an estimate" in out
    assert "assumes 45 GFLOP/s" in out
    assert "neither better nor worse is attainable" in out
    assert not (tmp_path / "none").exists()


def test_plan_of_a_finished_experiment_is_short(attn_nlp):
    _, out, _ = attn_nlp("plan", "fake.py")
    assert out.splitlines()[0] == f"fake: {CELLS + BASELINES} done, {BASELINES} of them baselines"
    assert "estimate" not in out


def test_plan_as_json(attn_nlp):
    _, out, _ = attn_nlp("plan", "fake.py", "--seeds", "4", "--json")
    found = json.loads(out)
    assert found["counts"] == {"to do": 3, "done": CELLS + BASELINES}
    assert found["measured"] == 3
    assert found["attainable"][0]["comparisons"] == 2
    assert found["attainable"][0]["seeds"] == 4


def test_status_counts(attn_nlp):
    _, out, _ = attn_nlp("status", "fake.py", "--seeds", "4")
    header, row = (line.split() for line in out.splitlines())
    assert header == ["experiment", "cells", "done", "failed", "diverged", "running", "to", "do"]
    assert row == ["fake", "13", "10", "0", "0", "0", "3"]


def test_status_as_json_without_a_file(attn_nlp):
    _, out, _ = attn_nlp("status", "--json")
    (entry,) = json.loads(out)
    assert entry == {
        "experiment": "fake",
        "cells": CELLS + BASELINES,
        "done": CELLS + BASELINES,
        "failed": 0,
        "diverged": 0,
        "running": 0,
        "to do": 0,
        "reasons": [],
    }


def test_a_table_needs_no_file(attn_nlp, finished):
    by_file = attn_nlp("table", "fake.py")
    by_name = attn_nlp("table", "--name", "fake")
    assert by_file == by_name
    assert by_file[0] == 0
    assert "22.2" in by_file[1]  # (1 + 1 + 2) / 6 over three seeds


def test_a_table_without_a_store_says_so(attn_nlp, tmp_path):
    status, out, err = attn_nlp("table", "fake.py", "--store", str(tmp_path / "none"))
    assert status == 0
    assert "there is no store" in err
    assert "not run" in out
    assert not (tmp_path / "none").exists()


def test_a_table_is_written_whole_in_the_format_of_its_name(attn_nlp, tmp_path):
    for format in FORMATS:
        suffix = suffix_of(format)
        path = tmp_path / f"table{suffix}"
        assert attn_nlp("table", "fake.py", "--cost", "--out", str(path)) == (0, "", "")
        assert attn_nlp("table", "fake.py", "--out", str(path)) == (0, "", "")
        printed = attn_nlp("table", "fake.py", "--format", format)[1]
        assert path.read_text() == as_file(format, printed)
    assert sorted(each.suffix for each in tmp_path.iterdir()) == [
        *(".csv", ".html", ".json", ".md", ".tex", ".txt")
    ]


def test_a_spreadsheet_can_be_kept_from_running_a_label(attn_nlp, finished):
    """The other rows are those of the plain file."""
    text = (finished / "fake.py").read_text().replace('Row("two"', 'Row("=1+1"')
    (finished / "formula.py").write_text(text)
    _, plain, _ = attn_nlp("table", "formula.py", "--format", "csv")
    _, safe, _ = attn_nlp("table", "formula.py", "--format", "csv", "--safe-spreadsheet")
    assert ",=1+1," in plain
    assert safe == plain.replace(",=1+1,", ",'=1+1,")


def test_run_writes_to_a_file(attn_nlp, tmp_path):
    status, out, _ = attn_nlp("run", "fake.py", "--out", str(tmp_path / "t.csv"))
    assert (status, out) == (0, "")
    with (tmp_path / "t.csv").open(newline="") as file:
        assert next(csv.reader(file))[:2] == ["title", "row"]


def test_costs_are_a_table_of_their_own(attn_nlp):
    status, out, _ = attn_nlp("table", "fake.py", "--cost")
    assert status == 0
    assert "seconds" in out
    assert "0.5" in out


def test_parts_as_json_say_slot_name_label_and_citation(attn_nlp):
    _, out, _ = attn_nlp("parts", "--json")
    found = json.loads(out)
    assert {"slot", "name", "label", "citation"} <= found[0].keys()
    assert {(each["slot"], each["name"]) for each in found} == {
        (part.slot, part.name) for part in registry.parts()
    }
    _, out, _ = attn_nlp("parts", "score", "--json")
    assert {each["slot"] for each in json.loads(out)} == {"score"}


@pytest.mark.parametrize("slot", proofs.PROMISED)
def test_at_least_the_promised_parts_are_listed_with_their_sources(attn_nlp, slot):
    """A source is a paper with its year, ours, or `control` where there is none."""
    _, out, _ = attn_nlp("parts", slot, "--json")
    listed = json.loads(out)
    assert len({each["name"] for each in listed}) == len(listed) >= proofs.PROMISED[slot]
    for each in listed:
        cite = each["citation"]
        assert cite in ("control", "attn_nlp") or re.search(r"\b(19|20)\d\d\b", cite), each["name"]
        assert cite == "control" or not each["facts"].get("control"), each["name"]


def test_a_users_parts_are_listed_with_their_file(attn_nlp):
    assert "Fake" not in attn_nlp("parts", "model")[1]
    assert "Fake" in attn_nlp("parts", "model", "--import", "fake.py")[1]


def test_a_part_has_a_page(attn_nlp):
    status, out, err = attn_nlp("parts", "query_mix")
    assert (status, err) == (0, "")
    assert out.startswith("mixer:query_mix\n")
    assert "out[h, t] = lambda attention[h, t]" in out
    _, out, _ = attn_nlp("parts", "softmax")
    assert [line for line in out.splitlines() if line.endswith(":softmax")] == [
        "normalizer:softmax",
        "activation:softmax",
    ]
    assert attn_nlp("parts", "activation:softmax")[1].startswith("activation:softmax\n")


def test_parts_as_json_are_a_list_of_entries(attn_nlp):
    entries = json.loads(attn_nlp("parts", "--json")[1])
    assert len(entries) == len(registry.parts())
    for entry in entries:
        assert {"slot", "name", "label", "citation", "settings", "learned"} <= entry.keys()
        assert entry["citation"]
    (one,) = json.loads(attn_nlp("parts", "query_mix", "--json")[1])
    assert one == next(entry for entry in entries if entry["name"] == "query_mix")
    controls = [entry for entry in entries if entry["facts"].get("control")]
    assert {entry["citation"] for entry in controls} == {"control"}


def test_a_users_part_has_a_page_and_a_figure(attn_nlp, tmp_path):
    assert "Fake" in attn_nlp("parts", "model:fake", "--import", "fake.py")[1]
    status, out, _ = attn_nlp(
        "figure", "mechanism", "model:fake", "--import", "fake.py", "--out", str(tmp_path)
    )
    assert status == 0
    assert out.split() == [str(tmp_path / f"model-fake.{format}") for format in ("svg", "png")]


def test_the_page_of_all_parts_is_printed(attn_nlp):
    status, out, _ = attn_nlp("parts", "--markdown")
    assert status == 0
    assert out == catalogue_page()


def test_figures_are_written_where_one_says(attn_nlp, tmp_path):
    folder = tmp_path / "new" / "pictures"
    status, out, err = attn_nlp("figure", "plate", "--out", str(folder), "--format", "svg")
    assert (status, out, err) == (0, f"{folder / 'plate.svg'}\n", "")
    assert (folder / "plate.svg").read_text().startswith("<?xml")
    status, out, _ = attn_nlp("figure", "mechanism", "mixer:query_mix", "--out", str(folder))
    assert status == 0
    assert out.split() == [str(folder / f"mixer-query_mix.{format}") for format in ("svg", "png")]
    assert len(list(folder.iterdir())) == 3


def test_all_parts_are_drawn_without_a_name(attn_nlp, monkeypatch):
    drawn = []
    monkeypatch.setattr("attn_nlp.figures.save", lambda made, *_: drawn.append(made.name) or [])
    assert attn_nlp("figure", "mechanism", "--all")[0] == 0
    assert drawn == [f"{part.slot}-{part.name}" for part in registry.parts()]


def test_datasets_are_listed(attn_nlp):
    _, out, _ = attn_nlp("datasets")
    assert "planted_lookup" in out
    _, out, _ = attn_nlp("datasets", "--json")
    assert {"name", "label", "license"} <= json.loads(out)[0].keys()


def test_one_dataset_is_counted(attn_nlp):
    _, out, _ = attn_nlp("datasets", "reviews.csv")
    assert re.search(r"^split +rows +.*cut +dull +fine\ntrain +49 ", out, re.M)
    _, out, _ = attn_nlp("datasets", "reviews.csv", "--json")
    assert json.loads(out)["splits"]["train"]["rows"] == 49


def test_an_interrupt_outside_training_is_status_130(attn_nlp, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("attn_nlp.experiment.load.resolve_file", interrupt)
    status, _, err = attn_nlp("plan", "fake.py")
    assert status == 130
    assert err.splitlines()[-1] == "attn-nlp: interrupted."


def test_a_reader_that_leaves_early_is_no_fault(finished, cache):
    ended = subprocess.run(
        f"{sys.executable} -m attn_nlp parts --json | head -1",
        shell=True,
        cwd=finished,
        env=environment(cache),
        capture_output=True,
        text=True,
    )
    assert ended.stdout == "[\n"
    assert "Traceback" not in ended.stderr


def test_a_store_is_opened_by_the_same_path_everywhere(finished):
    with Store.read(finished / "runs/attn_nlp.sqlite") as store:
        assert [name for name, _ in store.names()] == ["fake"]


def test_a_slip_in_the_name_of_a_variable_is_said(attn_nlp, monkeypatch):
    monkeypatch.setenv("ATTN_NLP_STROE", "x")
    status, _, err = attn_nlp("parts")
    assert (status, err.count("\n")) == (0, 1)
    assert "ATTN_NLP_STROE is set, but no such variable is read" in err


def test_an_interval_that_is_none_is_said_before_anything_runs(attn_nlp, finished, monkeypatch):
    monkeypatch.setenv("ATTN_NLP_CHECKPOINT_SECONDS", "soon")
    status, out, err = attn_nlp("run", "fake.py")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "ATTN_NLP_CHECKPOINT_SECONDS is 'soon'" in err


@pytest.mark.parametrize(
    "error",
    [
        OSError(24, "Too many open files", "x"),
        BlockingIOError(11, "Too many open files"),
        RuntimeError("can't start new thread"),
        MemoryError(),
        ImportError("libscipy.so: failed to map segment from shared object"),
        ImportError("libscipy.so: cannot allocate memory in static TLS block"),
    ],
)
def test_where_the_system_gives_no_more_it_is_one_line(attn_nlp, monkeypatch, error):
    def reject(*_):
        raise KeyError("while another was handled") from error

    monkeypatch.setattr(Store, "read", reject)
    status, out, err = attn_nlp("status")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "raise the limits of this shell" in err


@pytest.mark.parametrize(
    "command",
    [["status"], ["table", "--name", "fake", "--out", "t.md"], ["doctor"], ["pack"], ["watch"]],
    ids=lambda command: command[0],
)
def test_every_command_says_that_the_working_directory_is_gone(
    tmp_path, monkeypatch, capsys, command
):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert cli.main(command) == 2
    said = capsys.readouterr().err
    assert said == (
        "attn-nlp: the working directory was deleted; change to one that exists and try again.\n"
    )


def test_a_working_directory_that_is_gone_is_one_line(finished, cache, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    code = "import os, sys; os.rmdir(os.getcwd()); os.execv(sys.argv[1], sys.argv[1:])"
    program = [sys.executable, str(finished / "fake.py"), "--store", str(tmp_path / "s.sqlite")]
    ended = subprocess.run(
        [sys.executable, "-c", code, *program, "--dataset", str(finished / "reviews.csv")],
        cwd=gone,
        env=environment(cache),
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("attn-nlp: the working directory was deleted; change to one")
    assert len(ended.stderr.splitlines()) == 1
