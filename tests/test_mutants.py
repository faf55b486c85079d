"""The mutations of `tests/mutants`: they fit the code, and their runner tells red from the rest."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.mutants import SLIPS, runner
from tests.mutants.__main__ import main
from tests.mutants.mutation import DoesNotApply, Mutation
from tests.mutants.runner import ROOT

LEAST = 40


@pytest.mark.parametrize("mutation", SLIPS, ids=lambda mutation: mutation.name)
def test_a_slip_stands_once_in_its_file_and_changes_one_line(mutation):
    before = (ROOT / mutation.file).read_text("utf-8")
    after = mutation.apply(before)
    lines = before.splitlines(), after.splitlines()
    assert sum(one != other for one, other in zip(*lines, strict=True)) == 1
    assert ast.dump(ast.parse(before)) != ast.dump(ast.parse(after))  # code, not a comment


def test_slips_are_many_and_each_is_another():
    assert len(SLIPS) >= LEAST
    assert len({mutation.name for mutation in SLIPS}) == len(SLIPS)
    assert len({(mutation.file, mutation.old, mutation.new) for mutation in SLIPS}) == len(SLIPS)


def test_the_test_of_every_slip_is_there():
    tests = sorted({mutation.test for mutation in SLIPS})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:xdist", *tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    assert sorted(line for line in done.stdout.splitlines() if "::" in line) == tests


def mutation(old="a + b", new="a - b", test="test_sum", file="sums.py") -> Mutation:
    return Mutation("wrong", file, old, new, f"test_sums.py::{test}", "A wrong sign.")


@pytest.fixture
def project(tmp_path):
    (tmp_path / "sums.py").write_text("def add(a, b):\n    return a + b\n")
    (tmp_path / "test_sums.py").write_text(
        "import time\nfrom sums import add\n\n"
        "def test_sum():\n    assert add(2, 3) == 5\n\n"
        "def test_nothing():\n    assert add(2, 0) == 2\n\n"
        "def test_waiting():\n    time.sleep(add(30, -30))\n"
    )
    return tmp_path


def test_a_slip_that_is_noticed_is_red_and_leaves_no_trace(project):
    before = {path: path.read_bytes() for path in project.iterdir()}
    found = runner.try_slip(mutation(), project)
    assert found.red
    assert found.verdict == "red (assert)"
    assert {path: path.read_bytes() for path in project.iterdir()} == before


def test_a_slip_that_is_not_noticed_survives(project):
    found = runner.try_slip(mutation(test="test_nothing"), project)
    assert not found.red
    assert found.verdict == "SURVIVES"


def test_a_test_that_could_not_be_run_proves_nothing(project):
    found = runner.try_slip(mutation(old="def add", new="def odd"), project)
    assert not found.red
    assert found.verdict.startswith("NO VERDICT")
    found = runner.try_slip(mutation(test="test_of_nobody"), project)
    assert found.verdict == "NO VERDICT (status 4)"


def test_a_test_that_takes_too_long_proves_nothing(project):
    found = runner.try_slip(mutation(test="test_waiting"), project, seconds=3.0)
    assert not found.red
    assert found.verdict == "TOOK TOO LONG"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (mutation(old="a * b"), r"wrong: 'a \* b' stands 0 times in sums.py, not once"),
        (mutation(old="a"), "stands 3 times"),
        (mutation(file="lost.py"), "there is no file lost.py"),
    ],
    ids=["never", "often", "no file"],
)
def test_a_slip_that_does_not_fit_is_rejected(project, wrong, said):
    with pytest.raises(DoesNotApply, match=said):
        wrong.make(project)


def test_an_unknown_name_is_rejected_with_the_nearest(capsys):
    assert main(["l2_adds_key"]) == 2
    assert "Did you mean 'l2_adds_keys'?" in capsys.readouterr().err
    assert main(["--jobs", "0"]) == 2
    assert "--jobs is 0; allowed: integers >= 1." in capsys.readouterr().err


def test_slips_are_listed(capsys):
    assert main(["--list", "l2_adds_keys", "window_off_by_one"]) == 0
    listed = capsys.readouterr().out
    assert "nn/parts/scores.py" in listed
    assert "The window is one token narrower" in listed
