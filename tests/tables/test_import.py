"""Reading results starts no framework."""

import subprocess
import sys

CODE = """
import sys
from attn_nlp.tables import build, cost, csv, markdown, attainable, terminal
assert "scipy.stats" not in sys.modules and "scipy" not in sys.modules, "scipy at import"
sys.path.insert(0, "tests")
from tables.example import example
import dataclasses
table, experiment, records = example()
experiment = dataclasses.replace(experiment, baselines=())
grid = build(table, experiment, records)
terminal(grid), markdown(grid), csv(grid), cost(table, experiment, records), attainable(experiment)
for name in ("jax", "flax", "datasets", "matplotlib", "statsmodels", "scipy.stats"):
    assert name not in sys.modules, name
"""


def test_tables_import_no_framework(request):
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=request.config.rootpath, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
