"""Run the test of a mutation in a copy of the project that has the mutation in it.

Nothing is changed in the project itself. A test counts as red only where pytest says that this one
test was run and failed: an error of collection, a time-out or no test at all prove nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutation import Mutation

ROOT = Path(__file__).parents[2]
COPIED = ("attn_nlp", "tests", "pyproject.toml")
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*")
SECONDS = 300  # for one test; most take five


@dataclass(frozen=True)
class Ran:
    """The outcome of one call of pytest.

    Attributes:
      status: its exit status; None where it took too long.
      passed, failed, others: how many tests passed, failed, and had errors or were skipped.
      error: the first word of what pytest says of the failure: "assert", "AssertionError", or
        another error, since a mutation may also crash.
      output: what was printed.
    """

    status: int | None
    passed: int = 0
    failed: int = 0
    others: int = 0
    error: str = ""
    output: str = ""

    @property
    def green(self) -> bool:
        """Tell whether tests were run and all of them passed."""
        return self.status == 0 and self.passed > 0 and self.failed == self.others == 0

    @property
    def red(self) -> bool:
        """Tell whether one test was run and failed."""
        return self.status == 1 and self.failed == 1 and self.passed == self.others == 0

    @property
    def verdict(self) -> str:
        """Return the verdict on a mutation."""
        if self.red:
            return f"red ({self.error})"
        if self.green:
            return "SURVIVES"
        return "TOOK TOO LONG" if self.status is None else f"NO VERDICT (status {self.status})"


def copy(root: Path, to: Path) -> None:
    """Copy what tests need of the project, compiled files and hidden ones left out."""
    for name in COPIED:
        if (root / name).is_dir():
            shutil.copytree(root / name, to / name, ignore=LEFT_OUT)
        elif (root / name).exists():
            shutil.copy2(root / name, to / name)


def pytest_in(root: Path, tests: Sequence[str], seconds: float | None = None) -> Ran:
    """Run the tests of these node ids with the code below `root`."""
    report = root / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider"]
    # No limit of pytest's own, which would count as a failure.
    command += ["--timeout=0", f"--junit-xml={report}", *tests]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    try:
        done = subprocess.run(
            command,
            cwd=root,
            env=inherited | {"PYTHONPATH": str(root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return Ran(None)
    if not report.exists():
        return Ran(done.returncode, output=done.stdout)
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    of = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    others = of["errors"] + of["skipped"]
    failure = suite.find("testcase/failure")
    words = [] if failure is None else failure.get("message", "").split()
    error = words[0].rstrip(":") if words else ""
    passed = of["tests"] - of["failures"] - others
    return Ran(done.returncode, passed, of["failures"], others, error, done.stdout)


def try_slip(mutation: Mutation, template: Path, seconds: float = SECONDS) -> Ran:
    """Make the mutation in a copy of `template` and run its test there.

    Raises:
      DoesNotApply: the mutation does not fit the code.
    """
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        root = Path(folder) / "copy"
        shutil.copytree(template, root)
        (root / "report.xml").unlink(missing_ok=True)
        mutation.make(root)
        return pytest_in(root, [mutation.test], seconds)


def try_all(
    mutations: Sequence[Mutation], template: Path, jobs: int
) -> Iterator[tuple[Mutation, Ran]]:
    """Every mutation with what came of it, as they end; `jobs` of them at a time."""
    with ThreadPoolExecutor(jobs) as pool:
        running: dict[Future[Ran], Mutation] = {
            pool.submit(try_slip, mutation, template): mutation for mutation in mutations
        }
        try:
            for ended in as_completed(running):
                yield running[ended], ended.result()
        finally:
            pool.shutdown(cancel_futures=True)
