"""new: an experiment file to start from, which runs as it is."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from attn_nlp import wording

TEXT = '''"""Does my score find a keyword as well as the dot product?"""

from attn_nlp import Cell, Experiment, Row, Table, run_file, score, vary


@score("my_score", label="My score", cite="this paper")
def my_score(q, k):
    """Compare queries (B, H, T, D) and keys (B, H, S, D) by their distance."""
    difference = q[:, :, :, None] - k[:, :, None]
    return -(difference**2).sum(-1)  # (B, H, T, S), then times attention.scale, 1/√D by default


ROWS = [
    Row("Dot product", {"attention.score": "dot"}, reference=True),
    Row("My score", {"attention.score": "my_score"}),
]
# A sentence is read at its first token, so that attention must fetch the keyword.
base = Cell(dataset="planted_keyword", heads=1, length=40, position="none", pooling="first")
experiment = Experiment(
    base=base.replace({"steps": 300, "learning_rate": 3e-3}),
    axes=[vary("attention.score", "dot", "my_score"), vary("seed", *range(6))],
    tables=[Table("My score against the dot product", ROWS)],
)
if __name__ == "__main__":
    raise SystemExit(run_file(__file__))
'''


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
def new(file) -> None:
    """Write an experiment file to start from, which compares your own score with the dot product.

    The file runs as it is, in under a minute: 12 cells on a generated task, which the dot product
    learns. An existing file is never replaced.

    \b
    Examples:
      attn-nlp new my_idea.py
    """
    from attn_nlp.errors import UserError
    from attn_nlp.files.outputs import replace

    if file.suffix != ".py":
        raise UserError(
            f"{str(file)!r} is not the name of an experiment file; use a name that ends in .py."
        )
    if os.path.lexists(file):
        raise UserError(f"{file} already exists; choose another name.")
    replace(file, TEXT)
    wording.say(f"wrote {file}; next:")
    for command in ("plan", "run", "report"):
        wording.say(f"  {shlex.join(['attn-nlp', command, str(file)])}")
