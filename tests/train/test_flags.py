"""The quick machine code of the tests against the code that users get."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from attn_nlp.train.loop import train
from tests.train.tiny import CELL, ignored, prepared

OURS = "--xla_cpu_multi_thread_eigen=false"  # what a worker sets, and nothing else


def trained() -> dict[str, float]:
    """Return the result of a few steps with every kind of numeric setting in use."""
    cell = CELL.replace({"steps": 20, "evaluate_every": 20})
    return train(cell, prepared(rows=200, edges=(6,)), ignored)["test"]


def test_a_cell_trains_as_it_does_for_users():
    """All that the flags of tests/conftest.py may change is how results are rounded."""
    script = f"import json; from {__name__} import trained; print('found:', json.dumps(trained()))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "XLA_FLAGS": OURS, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    theirs, mine = json.loads(done.stdout.partition("found:")[2]), trained()
    assert set(theirs) == set(mine)
    for name, value in mine.items():
        # Twenty updates let a rounding of 6e-8 grow to some 1e-5.
        np.testing.assert_allclose(theirs[name], value, rtol=1e-4, err_msg=name)
