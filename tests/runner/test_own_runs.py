"""Whole runs of an experiment with code and data of one's own beside it."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from attn_nlp.store import Store
from tests.runner.fakes import EXPERIMENT, command, environment, trained

STORE = "runs/attn_nlp.sqlite"
GUARDED = EXPERIMENT[EXPERIMENT.index("if __name__") :]
UNGUARDED = "from attn_nlp.cli import run_file\n\nrun_file(__file__)\n"


def accuracies(folder) -> dict[tuple[int, int], Any]:
    with Store.read(folder / STORE) as store:
        return {
            (each["settings"]["heads"], each["settings"]["seed"]): each["test"]["accuracy"]
            for each in store.records(None, ["settings", "test"]).values()
            if each["settings"]["model"] == "fake"
        }


def test_workers_import_neighbors_of_the_file_and_agree_on_them(folder, attn_nlp, cache):
    """Row, column and seeds are of one formula, wherever the command is given and by whom."""
    own = folder / "own"
    own.mkdir()
    text = EXPERIMENT.replace("import hashlib\n", "import hashlib\nimport helper\n").replace(
        "right = cell.heads + cell.seed // 2", "right = helper.right(cell.heads)"
    )
    (own / "fake.py").write_text(text)
    data = (
        "from pathlib import Path\n"
        "MORE = int(Path(__file__).with_name('more.txt').read_text())\n\n"
        "def right(heads):\n    import late\n    return MORE + late.C * heads\n"
    )
    (own / "helper.py").write_text(data)
    (own / "late.py").write_text("C = 1\n")
    (own / "more.txt").write_text("1")
    for name in ("json", "queue", "datasets"):  # which nobody of ours asks for
        (own / f"{name}.py").write_text("raise SystemExit('of another project')")
    run = ("run", "own/fake.py", "--workers", "2")
    first = attn_nlp(*run, "--seeds", "2")
    assert first.returncode == 0, first.stderr
    assert accuracies(folder)[4, 1] == pytest.approx(5 / 6)
    (own / "late.py").write_text("C = 0\n")
    (own / "more.txt").write_text("2")
    second = attn_nlp(*run)
    assert second.returncode == 0, second.stderr
    assert accuracies(folder)[4, 1] == pytest.approx(2 / 6)
    assert len(trained(folder)) == 6 + 9
    (own / "queue.py").unlink()  # Python itself takes it, before any line of ours
    script = subprocess.run(
        [sys.executable, "own/fake.py", "--in-process"],
        cwd=folder, env=environment(cache), capture_output=True, text=True,
    )  # fmt: skip
    assert script.returncode == 0, script.stderr
    assert len(trained(folder)) == 6 + 9
    assert script.stdout == second.stdout


def test_a_file_that_a_library_reads_natively_decides(folder, attn_nlp):
    """The name is computed, one number of many is changed, and the cells write a file there too."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    text = EXPERIMENT.replace(
        "import hashlib\n",
        "import hashlib\nfrom pathlib import Path\nimport pyarrow.parquet as pq\n"
        "T = pq.read_table(Path(__file__).with_suffix('.parquet'))\n",
    ).replace(
        "    right = cell.heads + cell.seed // 2",
        "    pq.write_table(T, f'of_{cell.heads}_{cell.seed}.parquet')\n"
        "    right = T['n'][777].as_py() + cell.heads",
    )
    (folder / "fake.py").write_text(text)
    for number, runs in ((1, 9), (1, 9), (0, 18)):
        table = pyarrow.table({"n": [2] * 777 + [number] + [2] * 999})
        parquet.write_table(table, folder / "fake.parquet")
        run = attn_nlp("run", "fake.py", "--workers", "1")
        assert run.returncode == 0, run.stderr
        found = accuracies(folder)
        assert found == pytest.approx({at: (number + at[0]) / 6 for at in found})
        assert len(trained(folder)) == runs


@pytest.mark.parametrize("how", [("--workers", "1"), ("--in-process",)], ids=["worker", "here"])
def test_a_model_keeps_nothing_from_one_cell_to_the_next(folder, attn_nlp, how):
    text = EXPERIMENT.replace("def asked(", "SEEN = []\n\n\ndef asked(").replace(
        "right = cell.heads", "SEEN.append(1)\n    right = len(SEEN) + cell.heads"
    )
    (folder / "fake.py").write_text(text)
    run = attn_nlp("run", "fake.py", *how)
    assert run.returncode == 0, run.stderr
    found = accuracies(folder)
    assert found == pytest.approx({at: (1 + at[0] + at[1] // 2) / 6 for at in found})
    assert len(found) == 9


@pytest.mark.parametrize("how", [("--workers", "1"), ("--in-process",)], ids=["worker", "here"])
def test_what_a_library_keeps_of_files_is_read_for_every_cell(folder, attn_nlp, monkeypatch, how):
    monkeypatch.setattr(sys, "kept", None, raising=False)
    lines = (
        "from pathlib import Path\nimport linecache, sys\nsys.kept = getattr(sys, 'kept', None) or "
    )
    lines += "Path(__file__).with_name('kept.txt').read_text()\n"
    lines += "MORE = int(linecache.getline(__file__[:-7] + 'more.txt', 1)) + int(sys.kept)\n"
    text = EXPERIMENT.replace("import hashlib\n", f"import hashlib\n{lines}", 1)
    (folder / "fake.py").write_text(text.replace("right = cell.heads", "right = MORE + cell.heads"))
    (folder / "kept.txt").write_text("1")
    for more in (1, 2):
        (folder / "more.txt").write_text(str(more))
        run = attn_nlp("run", "fake.py", *how, "--seeds", "2")
        assert run.returncode == 0, run.stderr
        with Store.read(folder / STORE) as store:
            cells = store.records(None, ["settings", "test"]).values()
        found = [each["test"]["accuracy"] for each in cells if each["settings"]["heads"] == 1]
        assert (2 + more) / 6 in found


def test_a_thread_that_a_fit_leaves_is_reported_when_the_command_ends(
    folder, attn_nlp, monkeypatch
):
    monkeypatch.setattr(sys, "stop", threading.Event(), raising=False)
    lines = "import sys, threading\n"
    lines += "    from concurrent.futures import ThreadPoolExecutor\n"
    lines += "    ThreadPoolExecutor(1).submit(int).result()\n"
    lines += "    threading.Thread(target=sys.stop.wait, name='logger').start()\n"
    (folder / "fake.py").write_text(
        EXPERIMENT.replace("    if asked(", f"    {lines}    if asked(", 1)
    )
    run = attn_nlp("run", "fake.py", "--in-process", "--seeds", "1", "--only", "heads=1")
    sys.stop.set()  # type: ignore[attr-defined]
    assert run.returncode == 0, run.stderr
    said = "attn-nlp: waiting for 1 thread that your parts started: logger."
    assert run.stderr.count(said) == 1, run.stderr


@pytest.mark.parametrize("by", ["attn-nlp", "python"])
def test_a_file_without_a_guard_is_asked_for_one(folder, attn_nlp, cache, by):
    (folder / "fake.py").write_text(EXPERIMENT.replace(GUARDED, UNGUARDED))
    line = EXPERIMENT.replace(GUARDED, UNGUARDED).split("\n").index("run_file(__file__)") + 1
    if by == "attn-nlp":
        found = attn_nlp("run", "fake.py")
    else:
        found = subprocess.run(
            [sys.executable, "fake.py"],
            cwd=folder, env=environment(cache), capture_output=True, text=True,
        )  # fmt: skip
    assert found.returncode == 2
    assert found.stderr == (
        f"attn-nlp: fake.py, line {line}: run_file is called outside of "
        '`if __name__ == "__main__":`; move it below that line, since a run reads the file '
        "again to find its experiment.\n"
    )
    assert not (folder / "runs").exists()


READ = 'LR = os.environ.get("LR")\n\n\ndef asked('


@pytest.mark.parametrize("how", [("--workers", "1"), ("--in-process",)], ids=["worker", "here"])
def test_a_variable_decides_by_the_hash_or_not_at_all(folder, attn_nlp, monkeypatch, how):
    text = EXPERIMENT.replace("right = cell.heads", 'right = int(os.environ["LR"]) + cell.heads')
    run = ("run", "fake.py", *how, "--seeds", "1", "--only", "heads=1")
    monkeypatch.setenv("LR", "1")
    (folder / "fake.py").write_text(text)
    line = text[: text.index('int(os.environ["LR"])')].count("\n") + 1
    rejected = attn_nlp(*run)
    assert rejected.returncode == 3, rejected.stderr
    message = f"fake.py, line {line}, reads the environment variable LR only when a cell is trained"
    assert message in rejected.stderr
    (folder / "fake.py").write_text(text.replace("def asked(", READ))
    for value in (1, 2):
        monkeypatch.setenv("LR", str(value))
        done = attn_nlp(*run)
        assert done.returncode == 0, done.stderr
        assert f"{100 * (1 + value) / 6:.1f}" in done.stdout


SETS = {
    'if "LR" not in os.environ: os.environ["LR"] = "2"': 2,
    'os.environ.setdefault("LR", "2")': 2,
    'os.environ["LR"] = os.environ.get("LR", "") + "2"': 2,
    'os.environ["LR"] = str(1 + int(os.environ.pop("MORE")))': 2,
    'os.environ.setdefault("TOKENIZERS_PARALLELISM", "true"); '
    'os.environ["OMP_NUM_THREADS"] = os.environ["LR"] = "2"': 2,
}


@pytest.mark.parametrize("how", [("--workers", "1"), ("--in-process",)], ids=["worker", "here"])
@pytest.mark.parametrize("line", SETS)
def test_a_file_may_set_variables_at_its_top(folder, attn_nlp, monkeypatch, line, how):
    """Where workers run the file once more, it finds what it found before."""
    monkeypatch.delenv("LR", raising=False)
    monkeypatch.setenv("MORE", "1")
    text = EXPERIMENT.replace("right = cell.heads", 'right = int(os.environ["LR"]) + cell.heads')
    (folder / "fake.py").write_text(text.replace("def asked(", f"{line}\n\n\ndef asked("))
    run = ("run", "fake.py", *how, "--seeds", "1", "--only", "heads=1")
    done = attn_nlp(*run)
    assert done.returncode == 0, done.stderr
    assert f"{100 * (1 + SETS[line]) / 6:.1f}" in done.stdout
    assert len(trained(folder)) == 1
    assert attn_nlp(*run).returncode == 0
    assert len(trained(folder)) == 1


@pytest.mark.parametrize(
    "run",
    [("fake.py",), (str(Path(sys.executable).with_name("attn-nlp")), "run", "fake.py")],
    ids=["script", "command"],
)
@pytest.mark.parametrize("how", [("--workers", "1"), ("--in-process",)], ids=["worker", "here"])
def test_a_fit_may_fork_children(folder, cache, run, how):
    """They close standard input, where a worker must not be reading meanwhile.

    The pool ends them by SIGTERM, which is not meant for the run.
    """
    text = EXPERIMENT.replace("import hashlib\n", "import hashlib\nimport multiprocessing\n")
    text = text.replace(
        "right = cell.heads + cell.seed // 2",
        'with multiprocessing.get_context("fork").Pool(1) as pool:\n'
        "        right = pool.map(abs, [-cell.heads])[0]",
    )
    (folder / "fake.py").write_text(text)
    found = subprocess.run(
        [sys.executable, *run, *how, "--seeds", "1"],
        cwd=folder, env=environment(cache), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert accuracies(folder) == {(heads, 0): pytest.approx(heads / 6) for heads in (1, 2, 4)}


@pytest.mark.parametrize("how", [("--workers", "1"), ("--in-process",)], ids=["worker", "here"])
def test_a_forked_child_does_not_continue_the_run(folder, cache, how):
    text = EXPERIMENT.replace("import hashlib\n", "import hashlib\nimport os\n").replace(
        "right = cell.heads + cell.seed // 2",
        "if child := os.fork():\n"
        "        os.waitpid(child, 0)\n"
        "    right = cell.heads if child else 0",
    )
    (folder / "fake.py").write_text(text)
    found = command(folder, environment(cache), "run", "fake.py", *how, "--seeds", "1")
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("Heads") == 1
    assert accuracies(folder) == {(heads, 0): pytest.approx(heads / 6) for heads in (1, 2, 4)}


def test_what_python_prints_as_it_starts_is_passed_on(folder, cache):
    """A sitecustomize or a .pth file may print, in every worker too."""
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text("print('hello')\n")
    found = subprocess.run(
        [sys.executable, "-m", "attn_nlp", "run", "fake.py", "--workers", "1", "--seeds", "1"],
        cwd=folder, env=environment(cache) | {"PYTHONPATH": str(folder / "site")},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("hello\n")
    assert "a worker printed 'hello' as it started" in found.stderr
    assert len(accuracies(folder)) == 3


@pytest.mark.parametrize("where", ["here", "worker"])
def test_a_fit_may_start_children_that_import_its_file(folder, cache, where):
    """Processes that are not forked know the search path, and find file and neighbors on it."""
    (folder / "helper.py").write_text("def more(heads): return heads + 1\n")
    text = EXPERIMENT.replace("import hashlib\n", "import hashlib\nimport multiprocessing\n")
    text = text.replace(
        '@model("fake"', 'def same(heads): return helper.more(heads) - 1\n@model("fake"'
    )
    text = text.replace("import hashlib\n", "import hashlib\nimport helper\n").replace(
        "right = cell.heads + cell.seed // 2",
        "with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        right = pool.map(same, pool.map(helper.more, [cell.heads]))[0]",
    )
    (folder / "fake.py").write_text(text)
    how = ["--in-process"] if where == "here" else ["--workers", "1"]
    found = command(folder, environment(cache), "run", "fake.py", *how, "--seeds", "1")
    assert found.returncode == 0, found.stderr
    assert accuracies(folder) == {(heads, 0): pytest.approx((heads + 1) / 6) for heads in (1, 2, 4)}


@pytest.mark.parametrize(
    ("line", "how", "seed", "warned"),
    [
        ("[*{'a', 'b'}]", "--in-process", "random", True),
        ("hash('a')", "--in-process", "7", True),
        ("hash('a')", "--in-process", "0", False),
        ("cell.model in {'a', 'b'}", "--in-process", "random", False),
        ("set('ab')", "--workers=1", "random", False),
    ],
)
def test_code_that_depends_on_hashes_of_texts_is_reported_once(
    folder, cache, line, how, seed, warned
):
    text = EXPERIMENT.replace("    right =", f"    {line}\n    right =")
    (folder / "fake.py").write_text(text)
    found = subprocess.run(
        [sys.executable, "-m", "attn_nlp", "run", "fake.py", how, "--seeds", "1"],
        cwd=folder, env={**environment(cache), "PYTHONHASHSEED": seed},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    said = (
        "attn-nlp: warning: fake.py uses sets or hash(), and Python hashes strings differently in "
        "every process, so results may differ from those of a worker; set PYTHONHASHSEED=0 "
        "before Python starts."
    )
    assert found.stderr.splitlines().count(said) == warned, found.stderr
