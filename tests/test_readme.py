"""The README's code is code that runs."""

from __future__ import annotations

import re
from pathlib import Path

from attn_nlp.experiment.load import resolve_file
from tests.runner.fakes import Here

README = Path(__file__).parents[1] / "README.md"


def test_its_experiment_and_its_part_are_planned(tmp_path, catalogue, monkeypatch, capsys):
    experiment, part = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    attn_nlp = Here(tmp_path, tmp_path / "cache", monkeypatch, capsys)
    Path("my_idea.py").write_text(experiment, "utf-8")
    assert len(resolve_file("my_idea.py").cells) == 3 * 3 * 10
    both = part + experiment.replace(
        "axes=[\n", 'axes=[\n        vary("attention.score", "diagonal"),\n'
    )
    Path("with_part.py").write_text(both, "utf-8")
    planned = attn_nlp("plan", "with_part.py")
    assert (planned.returncode, planned.stderr) == (0, "")
    assert planned.stdout.startswith("with_part: 92 to do, 2 of them baselines")
