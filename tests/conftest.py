"""Fixtures of all tests: one thread, no accelerator, and a catalogue that forgets their parts."""

from __future__ import annotations

import gc
import os
from importlib.metadata import version

# Read by JAX when it starts. One thread, as in a worker, since the number of threads decides bits.
# Nearly all time of these tests goes into compiling small programs that run a few times, so the
# machine code is made in the quickest way: by XLA's older emitters where jaxlib still has them (an
# unknown flag ends the process), in one piece, not optimized. tests/train/test_flags.py holds it
# against the code that users get; flags from outside win. The flag of a worker is the last one,
# where a worker puts it: provenance tells other texts apart.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 "
    + "--xla_cpu_use_fusion_emitters=false " * version("jaxlib").startswith("0.10.")
    + "--xla_cpu_parallel_codegen_split_count=1 --xla_cpu_multi_thread_eigen=false",
)
os.environ.setdefault("NPROC", "1")

import shutil
import subprocess
from collections.abc import Iterator, Sequence

import pytest

from attn_nlp.parts import registry
from attn_nlp.user_code import loading, loads, watching
from tests import proofs

_shown: dict[tuple[str, str, str], bool] = {}


def pytest_collection_finish() -> None:
    """Spare the garbage collector what is loaded by now and stays: half a million objects."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """Note on the report what a test marked `proof` shows of which part."""
    report = yield
    marker = item.get_closest_marker("proof")
    if marker is not None and report.when == "call":
        given = item.callspec.params  # type: ignore[attr-defined]
        shown = [given["slot"], given["text"].partition("(")[0], marker.args[0]]
        report.user_properties.append(("proof", shown))
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Gather what was shown; one case that fails takes the proof of its part away."""
    for name, value in report.user_properties:
        if name == "proof":
            shown = tuple(value)
            _shown[shown] = report.passed and _shown.get(shown, True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the proofs down, once for all processes that ran tests."""
    if _shown and not hasattr(session.config, "workerinput"):
        proofs.write({shown for shown, passed in _shown.items() if passed})


@pytest.fixture
def catalogue() -> Iterator[dict]:
    """The catalogue of parts, put back after the test as it was before."""
    registry.load_builtin()
    before = dict(registry._parts)
    yield registry._parts
    registry._parts.clear()
    registry._parts.update(before)
    for kept in (
        watching._untold,
        watching._rejected,
        watching._left,
        loads._earlier,
    ):  # of parts that are gone
        kept.clear()
    loading._undo()


def required_program(name: str, needs: Sequence[str] = ()) -> None:
    """Skip where a program is not installed, or lacks a file of TeX that it needs.

    With the program named in $ATTN_NLP_REQUIRE, absence is a failure.
    """
    reason = None if shutil.which(name) else f"{name} is not installed"
    if reason is None and needs:
        found = subprocess.run(["kpsewhich", *needs], capture_output=True, text=True).stdout
        lacking = [each for each in needs if each not in found]
        reason = f"{name} lacks {', '.join(lacking)}" if lacking else None
    if reason is None:
        return
    if name in os.environ.get("ATTN_NLP_REQUIRE", ""):
        pytest.fail(reason)
    pytest.skip(reason)


def required(package: str):
    """The module of that name; skips where it is not installed.

    With the package named in $ATTN_NLP_REQUIRE, absence is a failure.
    """
    try:
        return __import__(package)
    except ImportError:
        reason = f"{package} is not installed; it only serves as a second opinion"
        if package in os.environ.get("ATTN_NLP_REQUIRE", ""):
            pytest.fail(reason)
        pytest.skip(reason)
