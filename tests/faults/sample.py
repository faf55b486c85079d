"""A few trials, told as JSON: `python -m tests.faults.sample`.

A process of its own, since trials are forked children, and JAX may run in the process of a test.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.faults import scenarios
from tests.faults.trials import imported

KILLED = ("data.rename:after:1", "store.write:after:3", "store.commit:before:8")
NEVER = "store.begin:before:900"
FULL = "store.commit:before:5"


def main() -> None:
    """Try the sample and print what was found."""
    imported()
    with tempfile.TemporaryDirectory() as folder:
        bench = scenarios.stand_in(Path(folder))
        found = {
            "points": bench.points,
            "killed": [asdict(bench.kill(plan)) for plan in KILLED],
            "full": asdict(bench.fail(FULL, "full", (4,))),
        }
        # A reference that is off and a point that never comes: a trial must be able to fail.
        bench.reference["table"] = b"another table"
        found["wrong"] = asdict(bench.kill(NEVER))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
