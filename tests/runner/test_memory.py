"""Memory that really runs out: the system refuses it, and the cell that asked fails alone."""

from __future__ import annotations

import subprocess
import sys

from attn_nlp.store import Store
from tests.runner.fakes import environment, write_experiment

KIBIBYTES = 6_000_000  # of addresses; the libraries need a third of them
EXPERIMENT = '''"""Does a cell that asks for too much leave the others alone?"""

from attn_nlp.parts import registry
from attn_nlp.experiment import Cell, Experiment, Table, vary

registry.load_builtin()
registry._parts.pop(("model", "tfidf_logreg"), None)  # importing scikit-learn takes a second

experiment = Experiment(
    base=Cell(dataset="reviews.csv", heads=1, length=8, steps=2, batch_size=8, evaluate_every=2),
    axes=[vary("width", 40_000, 8), vary("seed", 0)],
    tables=[Table("Widths", "width")],
)
'''


def test_a_cell_too_large_fails_with_its_shape_and_the_others_are_done(tmp_path):
    write_experiment(tmp_path)
    (tmp_path / "wide.py").write_text(EXPERIMENT)
    command = [sys.executable, "-m", "attn_nlp", "run", "wide.py", "--workers", "1"]
    found = subprocess.run(
        ["sh", "-c", f'ulimit -v {KIBIBYTES}; exec "$@"', "sh", *command],
        cwd=tmp_path,
        env=environment(tmp_path / "cache") | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert found.returncode == 3, found.stderr
    assert "1 x out of memory with batch_size=8, length=8, layers=1, width=40000" in found.stderr
    assert "Traceback" not in found.stderr
    with Store.read(tmp_path / "runs/attn_nlp.sqlite") as store:
        records = store.records(None, ["status", "settings"]).values()
    cells = [each for each in records if each["settings"]["model"] == "encoder"]
    assert {each["settings"]["width"]: each["status"] for each in cells} == {
        40_000: "failed",
        8: "done",
    }
