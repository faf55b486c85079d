"""Ordinary research code: it runs, and a second run trains nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.runner.fakes import EXPERIMENT, Here, environment, trained, write_experiment

# By what is in it: lines at the top, in the function that fits, and at the end below __main__.
FILES = {
    "multiprocessing": ("import multiprocessing", "multiprocessing.cpu_count()", "pass"),
    "scikit-learn": (
        "from sklearn.linear_model import LogisticRegression\n"
        "from sklearn.model_selection import GridSearchCV",
        "GridSearchCV(LogisticRegression(), {'C': [1, 2]}, cv=2).fit([[0], [1]] * 4, [0, 1] * 4)",
        "pass",
    ),
    "pandas": (
        "import pandas as pd\nOUT = 'predictions.csv'\nRESULTS = 'results.csv'",
        "pd.DataFrame({'heads': [cell.heads], 'at': [time.time()]}).to_csv(OUT)",
        "pd.DataFrame({'at': [time.time()]}).to_csv(RESULTS)",
    ),
    "logging": (
        "import logging, click\nLOG = 'train.log'\nlogger = logging.getLogger('mine')",
        "logger.addHandler(logging.FileHandler(LOG)); logger.warning('%s', cell); "
        "logger.handlers.pop().close()",
        "pass",
    ),
    "tqdm": (
        "import json, tqdm\nRESULTS = 'results.json'",
        "[each for each in tqdm.tqdm(range(2))]\n"
        "    with open(RESULTS, 'w') as file: json.dump({'at': time.time()}, file)",
        "json.dump({'at': time.time()}, open('all.json', 'w'))",
    ),
    "matplotlib": (
        "import matplotlib\nmatplotlib.use('Agg')\nimport matplotlib.pyplot as plt\nF = 'f.png'",
        "pass",
        "plt.plot([1, 2]); plt.savefig(F)",
    ),
}
BEGINNING = '    with open("log.txt"'
LAST = "    raise SystemExit(run_file(__file__))\n"


@pytest.fixture
def folder(tmp_path):
    write_experiment(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("name", FILES)
def test_a_second_run_trains_nothing(folder, cache, catalogue, monkeypatch, capsys, name):
    """The first by `python FILE`, in processes of its own; the second by `attn-nlp run FILE`."""
    top, inside, last = FILES[name]
    text = EXPERIMENT.replace("import hashlib\n", f"import hashlib\n{top}\n", 1)
    text = text.replace(BEGINNING, f"    {inside}\n{BEGINNING}", 1)
    text = text.replace('vary("heads", 1, 2, 4), vary("seed", 0, 1, 2)', 'vary("heads", 1, 2, 4)')
    text = text.replace(LAST, f"    status = run_file(__file__)\n    {last}\n{LAST}")
    text = text.replace("SystemExit(run_file(__file__))", "SystemExit(status)")
    (folder / "fake.py").write_text(text)
    (folder / "matplotlibrc").write_text("lines.linewidth: 2\n")
    ran = subprocess.run(
        [sys.executable, "fake.py"],
        cwd=folder,
        env=environment(cache),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert len(trained(folder)) == 3
    ran = Here(folder, cache, monkeypatch, capsys)("run", "fake.py")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert len(trained(folder)) == 3
