"""Slips of one line, each of which must turn a named test red: are the tests worth their time?

    python -m tests.mutants [NAME...] [--list] [--jobs N]

A mutation that no test notices is a hole in the tests. A mutation is data (`mutation.py`); they
stand in files by the way of the data: `logits`, `weights`, `encoders`, `training`, `stores`. The
runner copies the project, makes one mutation in the copy and runs the one test named, which must
fail there, and which must pass where nothing was changed. `tests/test_mutants.py` keeps mutations
and tests together.
"""

from tests.mutants import encoders, logits, stores, training, weights

SLIPS = (*logits.SLIPS, *weights.SLIPS, *encoders.SLIPS, *training.SLIPS, *stores.SLIPS)
