"""The way in from Python: what a script, a notebook and an installed package find."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import attn_nlp
from attn_nlp.cli import main
from tests.runner.fakes import environment, until, write_experiment

SCRIPT = """
from attn_nlp import run

results = run("fake.py", store="x.sqlite", in_process=True)
frame = results.to_pandas().query("model == 'fake'")  # the others' seconds are real
print(frame[["model", "heads", "seed", "status", "test.accuracy", "seconds"]].to_string())
"""
PRINTED = """
      model  heads  seed status  test.accuracy   seconds
1      fake      1     0   done       0.166667      0.5
9      fake      4     2   done       0.833333      0.5
"""
NOTEBOOK = [
    "from attn_nlp import Attention, Cell, Experiment, Store, Table, run, score, vary\n"
    'results = run("fake.py", store="x.sqlite")\n'
    'results.table("Heads")',
    "results.to_pandas()",
    'base = Cell(model="majority", dataset="reviews.csv")\n'
    'tables = [Table("Here", "batch_size")]\n'
    'experiment = Experiment(base, [vary("batch_size", 8, 16)], tables)\n'
    'run(experiment, store="here.sqlite", name="here", workers=1).counts',
    '@score("mine")\n'
    "def mine(q, k):\n"
    '    """Nothing."""\n'
    "    return q @ k\n"
    "\n"
    'base = Cell(attention=Attention(score="mine"), dataset="reviews.csv")\n'
    'run(Experiment(base, [], [Table("Mine", "heads")]), store="here.sqlite")',
]
EXECUTE = """
import json, sys
import nbformat
from nbclient import NotebookClient
cells = [nbformat.v4.new_code_cell(each) for each in json.load(sys.stdin)]
book = nbformat.v4.new_notebook(cells=cells)
NotebookClient(book, allow_errors=True, kernel_name="python3", timeout=120).execute()
print(json.dumps([each.outputs for each in book.cells]))
"""
PLUGIN = '''
from attn_nlp import Source, register_dataset, score

register_dataset(Source("brought", "Brought", "en", hub_id="owner/brought"))


@score("brought_in", label="Brought in", cite="control")
def brought_in(q, k):
    """Compare by the dot product.

    logits[t, s] = q[t] . k[s]
    """
    return q @ k.swapaxes(-1, -2)
'''


def python(folder: Path, code: str, env: dict[str, str], stdin: str = ""):
    """Run code in a fresh interpreter of its own folder."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=env,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Prepared data for all folders: reading the file anew takes longer than all else."""
    return tmp_path_factory.mktemp("cache")


def ran(script, folder, cache):
    """Run a script in its folder."""
    return subprocess.run(
        [sys.executable, script],
        cwd=folder,
        env=environment(cache),
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def scratch(tmp_path_factory, cache):
    """A folder in which the script has run, and what it printed."""
    folder = tmp_path_factory.mktemp("scratch")
    write_experiment(folder)
    (folder / "script.py").write_text(SCRIPT)
    done = ran("script.py", folder, cache)
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.fixture
def here(tmp_path, cache, monkeypatch, catalogue):
    """A folder with the experiment, in which this process works."""
    write_experiment(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATTN_NLP_CACHE", str(cache))
    return tmp_path


def test_importing_the_package_imports_nothing_heavy(tmp_path, cache):
    done = python(tmp_path, "import attn_nlp, sys; print(*sys.modules)", environment(cache))
    heavy = {"jax", "numpy", "pandas", "sqlite3", "click"}
    assert not heavy & set(done.stdout.split())


def test_every_public_name_is_there_and_shown():
    for name in attn_nlp.__all__:
        assert getattr(attn_nlp, name) is not None
    assert set(attn_nlp.__all__) == set(attn_nlp._HOMES) <= set(dir(attn_nlp))
    assert (Path(attn_nlp.__file__).parent / "py.typed").is_file()
    with pytest.raises(AttributeError, match="no attribute 'Sell'"):
        _ = attn_nlp.Sell


def test_a_script_prints_a_data_frame_and_no_progress(scratch):
    _, done = scratch
    lines = done.stdout.splitlines()
    assert [lines[0].split(), lines[1].split(), lines[9].split()] == [
        line.split() for line in PRINTED.strip().splitlines()
    ]
    assert len(lines) == 10
    assert done.stderr == ""


@pytest.mark.parametrize("format", ["html", "markdown", "latex", "csv", "json", "terminal"])
def test_a_table_is_what_the_command_line_prints(scratch, capsys, format):
    store = str(scratch[0] / "x.sqlite")
    table = attn_nlp.Store(store).results("fake").table()
    assert main(["table", "--name", "fake", "--store", store, "--format", format]) == 0
    text = str(table) if format == "terminal" else getattr(table, format)()
    assert capsys.readouterr().out == text


def test_a_store_lists_its_experiments(scratch):
    store = attn_nlp.Store(scratch[0] / "x.sqlite")
    assert store.experiments == ["fake"]
    assert store.results("fake").counts == {"done": 10}
    assert store.results("fake").table("Heads").to_pandas()["n"].tolist() == [3, 3, 3, 1]
    with pytest.raises(attn_nlp.UserError, match=r"unknown table 'Haeds'.*Did you mean 'Heads'"):
        store.results("fake").table("Haeds")
    with pytest.raises(attn_nlp.UserError, match="no store"):
        attn_nlp.Store(scratch[0] / "y.sqlite")


def test_a_notebook_shows_tables_and_rejects_a_part_of_its_own(scratch, cache):
    folder, _ = scratch
    paths = {name: str(folder) for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "HOME")}
    done = python(folder, EXECUTE, environment(cache) | paths, json.dumps(NOTEBOOK))
    assert done.returncode == 0, done.stderr
    table, frame, counts, rejected = json.loads(done.stdout)
    found = attn_nlp.Store(folder / "x.sqlite").results("fake")
    assert table[-1]["data"]["text/html"] == found.table("Heads")._repr_html_()
    assert "0.833333" in frame[-1]["data"]["text/html"]
    assert counts[-1]["data"]["text/plain"] == "{'done': 1}"
    assert "<progress max=" in counts[0]["data"]["text/html"]
    assert rejected[-1]["ename"] == "UserError"
    assert "uses your score 'mine'" in rejected[-1]["evalue"]
    assert 'give its path: run("my_idea.py")' in rejected[-1]["evalue"]


def test_a_script_with_a_part_of_its_own_runs_as_its_file(scratch, cache):
    """The code below `if __name__` is no part of identity: all is stored, and nothing trained."""
    folder, _ = scratch
    guarded = "    from attn_nlp import run\n    print(run(experiment, store='x.sqlite').counts)\n"
    head, _, _ = (folder / "fake.py").read_text().partition("    from attn_nlp.cli import run_file")
    began = (folder / "log.txt").read_text()
    file = folder / "own.py"
    for text, status, said in (
        (head + guarded, 0, "{'done': 10}"),
        (head.replace('if __name__ == "__main__":', "if True:") + guarded, 1, "move it below"),
    ):
        file.write_text(text)
        done = ran("own.py", folder, cache)
        assert (done.returncode, said in done.stdout + done.stderr) == (status, True), done.stderr
    assert (folder / "log.txt").read_text() == began


def test_cells_without_a_result_are_shown_as_such(here, monkeypatch):
    monkeypatch.setenv("FAKE_RAISE", "2,1")
    some = attn_nlp.run("fake.py", store="x.sqlite", in_process=True, only={"heads": [1, 2]})
    assert some.counts == {"done": 6, "failed": 1}
    frame = some.to_pandas()
    bad = frame.set_index("status").loc[["failed"]]
    assert bad[["heads", "seed"]].to_numpy().tolist() == [[2, 1]]
    assert "RuntimeError: first line" in bad["reason"].item()
    assert bad[["test.accuracy"]].isna().to_numpy().all()
    assert "2 of 3 (1 failed)" in str(some.table())
    monkeypatch.delenv("FAKE_RAISE")
    again = attn_nlp.run("fake.py", store="x.sqlite", in_process=True, retry_failed=True)
    assert again.counts == {"done": 10}


def test_values_to_keep_may_come_in_any_container(here):
    import numpy as np

    for seeds in ({0}, np.array([0]), (seed for seed in [0]), 0):
        only = {"seed": seeds, "heads": [1]}
        some = attn_nlp.run("fake.py", store="x.sqlite", in_process=True, only=only)
        assert some.counts == {"done": 2}


def test_python_without_assertions_trains_only_in_workers(here, cache):
    for how, status in ("--in-process", 2), ("--workers=1", 0):
        done = subprocess.run(
            [sys.executable, "-O", "-m", "attn_nlp", "run", "fake.py", how, "--seeds", "1"],
            cwd=here, env=environment(cache), capture_output=True, text=True,
        )  # fmt: skip
        assert (done.returncode, "Python runs with -O" in done.stderr) == (status, status == 2)


def test_a_baseline_has_no_settings_of_an_encoder(scratch):
    frame = attn_nlp.Store(scratch[0] / "x.sqlite").results("fake").to_pandas()
    baseline = frame.set_index("model").loc[["majority"]]
    assert baseline[["dataset", "split_seed"]].to_numpy().tolist() == [["reviews.csv", 0]]
    absent = baseline[["heads", "seed", "learning_rate", "attention.score"]]
    assert absent.isna().to_numpy().all()
    assert frame["heads"].dtype == "Int64"
    assert frame["heads"].dropna().tolist() == [1, 2, 4] * 3


def test_formats_without_a_caption_warn_of_changed_data(here, capsys):
    results = attn_nlp.run("fake.py", store="x.sqlite", in_process=True)
    changed = "'reviews.csv' has changed since"
    for times in range(2):
        capsys.readouterr()
        table = results.table()
        assert (changed in table.markdown(), capsys.readouterr().err) == (times == 1, "")
        for read in (results.to_pandas, table.to_pandas, table.csv):
            read()
            assert capsys.readouterr().err.count(changed) == times
        with open("reviews.csv", "a") as file:
            file.write("one more,pos\n")


def test_cells_to_do_are_rows(scratch):
    folder, _ = scratch
    from attn_nlp.api.results import Results
    from attn_nlp.store import results as stored_file

    stored = attn_nlp.Store(folder / "x.sqlite").results("fake")
    empty = folder / "empty.sqlite"
    stored_file.Store.open(empty).close()
    nothing = Results(stored._resolved, empty)
    assert nothing.counts == {"to do": 10}
    assert nothing.to_pandas()["status"].tolist() == ["to do"] * 10


def test_results_stay_those_of_their_store(here, monkeypatch):
    results = attn_nlp.run("fake.py", store="x.sqlite", in_process=True)
    store = attn_nlp.Store("x.sqlite")
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    assert results.counts == store.results("fake").counts == {"done": 10}
    assert store.experiments == ["fake"]
    (here / "x.sqlite").rename(here / "y.sqlite")
    for read in (
        *(results.table, results.to_pandas, lambda: results.counts, lambda: str(results)),
        *(lambda: store.experiments, lambda: store.results("fake")),
    ):
        with pytest.raises(attn_nlp.UserError, match=r"there is no store .*x\.sqlite"):
            read()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"experiment": 3}, "run was given int; give an Experiment"),
        ({"workers": 0}, "workers is 0; give an integer, at least 1"),
        ({"workers": "2"}, "workers is '2'; give an integer, at least 1"),
        ({"store": 5}, "store is 5; give the path of a file"),
        ({"only": 5}, "only is 5; give"),
        ({"experiment": attn_nlp.Experiment(attn_nlp.Cell(), [], []), "name": "\udcff"}, "no text"),
        ({"workers": 2, "in_process": True}, "leave out --workers"),
        ({"progress": "bar"}, "progress is 'bar'; give 'auto', True or False"),
        ({"name": "other"}, "leave it out"),
        ({"only": {"haeds": 1}}, "Did you mean 'heads'"),
        ({"experiment": "faek.py"}, "Did you mean 'fake.py'"),
    ],
)
def test_user_errors_are_reported_and_leave_no_store(here, given, said):
    with pytest.raises(attn_nlp.UserError, match=said):
        attn_nlp.run(**{"experiment": "fake.py", "store": "x.sqlite", **given})
    assert not (here / "x.sqlite").exists()


def test_an_interrupt_is_raised_and_leaves_the_store_sound(here, cache):
    code = (
        "import attn_nlp\n"
        "try:\n"
        "    attn_nlp.run('fake.py', store='x.sqlite', in_process=True)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', attn_nlp.Store('x.sqlite').results('fake').counts['done'])\n"
    )
    env = environment(cache, stall="1,1", stall_seconds=0.3)
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=here, env=env, stdout=subprocess.PIPE, text=True
    )
    until((here / "stalled").exists)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "interrupted 4\n")
    assert main(["doctor", "--store", str(here / "x.sqlite")]) == 0
    done = attn_nlp.run("fake.py", store="x.sqlite", in_process=True)
    assert done.counts == {"done": 10}


def install(folder: Path, code: str, version: str = "1.0") -> dict[str, str]:
    """A package in a folder as an installer would lay it there; the environment that finds it."""
    info = folder / "brought.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: brought\nVersion: {version}\n")
    (info / "entry_points.txt").write_text("[attn_nlp.parts]\nall = brought_parts\n")
    (folder / "brought_parts.py").write_text(code)
    env = environment(folder / "cache")
    return env | {"PYTHONPATH": os.pathsep.join([str(folder), env["PYTHONPATH"]])}


def test_an_installed_package_brings_parts_and_datasets(tmp_path):
    ask = (
        "from attn_nlp.cli import main; main(['parts', 'score']); main(['datasets'])\n"
        "from attn_nlp.parts.registry import find; print(find('score', 'brought_in').code_hash)"
    )

    def told(code: str, version: str = "1.0") -> list[str]:
        done = python(tmp_path, ask, install(tmp_path, code, version))
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    lines = told(PLUGIN)
    assert any(line.split()[:2] == ["score", "brought_in"] for line in lines)
    assert any(line.split()[:2] == ["brought", "Brought"] for line in lines)
    hashes = {lines[-1], told(PLUGIN, "1.1")[-1], told(PLUGIN.replace("q @", "2 * q @"))[-1]}
    assert len(hashes) == 3, "name, version and code of the package are its identity"
    assert told("# A comment.\n" + PLUGIN)[-1] == lines[-1]


def test_a_package_that_cannot_register_is_one_error_that_names_it(tmp_path):
    env = install(tmp_path, "import nothing_of_that_name")
    done = subprocess.run(
        [sys.executable, "-m", "attn_nlp", "parts"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "attn-nlp: package brought 1.0 cannot register its parts: importing brought_parts raised "
        "ModuleNotFoundError: No module named 'nothing_of_that_name'. Repair or uninstall it.\n"
    )
