"""A user's settings of matplotlib decide nothing here, and are the user's again afterward."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from attn_nlp.figures import plate, save
from attn_nlp.figures.drawing import _measured
from attn_nlp.figures.results import file_bytes, forest
from attn_nlp.store import Store
from attn_nlp.tables import build
from tests.tables.example import example

FOREIGN: Any = {
    "xtick.labelbottom": False,
    "path.sketch": (1, 100, 2),
    "lines.linewidth": 8.0,
    "lines.markeredgewidth": 5.0,
    "savefig.bbox": "tight",
    "savefig.transparent": True,
    "figure.autolayout": True,
    "axes.grid": True,
    "xtick.major.size": 9.0,
    "text.usetex": True,
}
COMMANDS = """
from attn_nlp.cli import main
assert main(["figure", "plate", "--format", "svg", "--out", "drawn"]) == 0
assert main(["report", "--name", "example", "--store", "s.sqlite", "--out", "r.html"]) == 0
"""


def drawn(folder):
    """A mechanism and a figure of results, in both formats."""
    _measured.cache_clear()
    made = [path.read_bytes() for path in save(plate(), folder)]
    figure = forest(build(*example()))
    return [*made, *(file_bytes(figure, format) for format in ("svg", "png"))]


def test_settings_of_a_program_change_no_figure_and_are_kept(tmp_path):
    import matplotlib

    plain = drawn(tmp_path / "plain")
    with matplotlib.rc_context(FOREIGN):
        before = dict(matplotlib.rcParams)
        assert drawn(tmp_path / "foreign") == plain
        assert dict(matplotlib.rcParams) == before


def test_settings_of_a_folder_and_of_variables_are_not_read(tmp_path):
    """Not even where reading them would fail, as a name of no backend and bytes of no text do."""
    with Store.open(tmp_path / "s.sqlite") as store:
        store.save_experiment(example()[1])
    text = "".join(f"{name}: {str(value).strip('()')}\n" for name, value in FOREIGN.items())
    (tmp_path / "matplotlibrc").write_bytes(text.encode() + b"backend: nonsense\n# \xff\n")
    chosen = {"MPLBACKEND": "nonsense", "MATPLOTLIBRC": str(tmp_path / "matplotlibrc")}
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS],
        cwd=tmp_path,
        env={**os.environ, **chosen, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    (path,) = save(plate(), tmp_path / "plain", ("svg",))
    assert (tmp_path / "drawn/plate.svg").read_bytes() == path.read_bytes()
    assert (tmp_path / "r.html").stat().st_size > 20_000
