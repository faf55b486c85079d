"""One fault at a time: a run is made to die or fail at a named point, and the next one goes on.

Every run is a forked child of a process that has imported everything but started nothing, so that
a trial takes a fraction of a second. The child trains a stand-in that only pretends (see
`tests.runner.fakes`), or really trains where the experiment says so.
"""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from attn_nlp.store import Store
from attn_nlp.store.doctor import examine
from attn_nlp.store.schema import COLUMNS
from tests.runner.fakes import environment, trained

FILE, STORE, TABLE = "experiment.py", "runs/attn_nlp.sqlite", "table.csv"
RUN = ("run", FILE, "--in-process", "--out", TABLE)
# What may differ between two runs of one cell.
MEASURED = ("finished_at", "wall_seconds", "compile_seconds", "peak_bytes")


@dataclass
class Ended:
    """How a child ended: its status (negative: the signal) and what it printed."""

    status: int
    out: str
    err: str


@dataclass
class Verdict:
    """The verdict of a trial.

    Attributes:
      plan: the fault.
      lost: finished cells that were gone or changed after the next run.
      twice: cells that were trained again although they were finished.
      bytes_differ: outputs that differ from those of an undisturbed run.
      wrong: anything else that should not be, in words.
    """

    plan: str
    lost: int = 0
    twice: int = 0
    bytes_differ: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.lost or self.twice or self.bytes_differ or self.wrong)


class Bench:
    """A template of a folder with an experiment, and what an undisturbed run makes of it."""

    def __init__(self, template: Path, arguments: tuple[str, ...] = RUN, **env: str) -> None:
        self.template, self.arguments, self.env = template, arguments, env
        with self.folder() as folder:
            log = folder / "points"
            ended = self.run(folder, ATTN_NLP_FAULT_LOG=str(log))
            assert ended.status == 0, ended.err
            self.points = [line.split()[0] for line in log.read_text().splitlines()]
            self.reference = self.outputs(folder)
            assert self.reference["table"], "a run that prints nothing proves nothing"

    def folder(self):
        """A fresh copy of the template in a temporary folder."""
        return _Copy(self.template)

    def run(self, folder: Path, **env: str) -> Ended:
        """The command in a child, in that folder."""
        cache = folder / "cache"
        return child(folder, self.arguments, {**environment(cache), **self.env, **env})

    def outputs(self, folder: Path) -> dict[str, object]:
        """Everything that must not depend on what happened on the way."""
        with Store.read(folder / STORE) as store:
            found = store.records(None, list(COLUMNS))
        cells = {
            spec: {k: v for k, v in each.items() if k not in MEASURED}
            for spec, each in sorted(found.items())
        }
        table = folder / TABLE
        return {"table": table.read_bytes() if table.exists() else b"", "cells": cells}

    def kill(self, plan: str) -> Verdict:
        """Die at a point, then run again."""
        verdict = Verdict(f"{plan}:kill")
        with self.folder() as folder:
            ended = self.run(folder, ATTN_NLP_FAULT=verdict.plan)
            if ended.status != -signal.SIGKILL:
                verdict.wrong.append(f"it was not killed but ended with {ended.status}")
            self._go_on(folder, verdict)
        return verdict

    def fail(self, plan: str, mode: str, statuses: tuple[int, ...]) -> Verdict:
        """Meet a disk that is full or broken: one line, a documented status; then run again."""
        verdict = Verdict(f"{plan}:{mode}")
        with self.folder() as folder:
            ended = self.run(folder, ATTN_NLP_FAULT=verdict.plan)
            said = [line for line in ended.err.splitlines() if " cells" not in line]
            if ended.status not in statuses:
                verdict.wrong.append(f"status {ended.status}, expected one of {statuses}")
            if ended.status and (len(said) != 1 or "Traceback" in ended.err):
                verdict.wrong.append(f"not one clear line: {ended.err!r}")
            self._go_on(folder, verdict)
        return verdict

    def _go_on(self, folder: Path, verdict: Verdict) -> None:
        before = self._finished(folder, verdict)
        begun = len(trained(folder))
        ended = self.run(folder)
        if ended.status != 0:
            verdict.wrong.append(f"the next run ended with {ended.status}: {ended.err}")
            return
        after = self._finished(folder, verdict)
        verdict.lost = sum(after.get(spec) != when for spec, when in before.items())
        again = len(trained(folder)) - begun
        missing = sum(spec not in before for spec in self._pretended(folder))
        verdict.twice = max(0, again - missing)
        found = self.outputs(folder)
        verdict.bytes_differ = sum(found[name] != self.reference[name] for name in found)
        left = [p.name for p in folder.rglob("*") if p.name.startswith(".writing-")]
        left += [p.name for p in (folder / "runs").iterdir() if "checkpoints" in p.name]
        if len(left) > 1:  # what a killed process was writing may stay, under a name that says so
            verdict.wrong.append(f"left behind: {left}")

    def _pretended(self, folder: Path) -> list[str]:
        """The cells that leave a line in the log when they are trained."""
        with Store.read(folder / STORE) as store:
            found = store.records(None, ["settings"])
        return [spec for spec, each in found.items() if each["settings"]["model"] == "fake"]

    def _finished(self, folder: Path, verdict: Verdict) -> dict[str, str]:
        path = folder / STORE
        verdict.wrong += [each.message for each in examine(path) if each.severe]
        with Store.read(path) as store:
            return {spec: each["finished_at"] for spec, each in store.records().items()}


class _Copy:
    def __init__(self, template: Path) -> None:
        self.template = template

    def __enter__(self) -> Path:
        self.path = Path(tempfile.mkdtemp(prefix="attn_nlp-fault-"))
        shutil.copytree(self.template, self.path, dirs_exist_ok=True)
        return self.path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def child(folder: Path, arguments: tuple[str, ...], env: Mapping[str, str]) -> Ended:
    """`attn-nlp ARGUMENTS` in a forked child."""
    out, err = folder / ".out", folder / ".err"
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(env)
            for number, path in ((1, out), (2, err)):
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.dup2(handle, number)
            sys.stdout = os.fdopen(1, "w", closefd=False)
            sys.stderr = os.fdopen(2, "w", closefd=False)
            status = _command(arguments)
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    _, code = os.waitpid(pid, 0)
    return Ended(os.waitstatus_to_exitcode(code), out.read_text(), err.read_text())


def _command(arguments: tuple[str, ...]) -> int:
    from attn_nlp import fault_injection
    from attn_nlp.cli import main

    fault_injection._passed.clear()
    return main(list(arguments))


def imported() -> None:
    """Import what every child needs, starting nothing: no thread may live when a child is made."""
    for name in ("datasets", "tokenizers", "rich.live", "attn_nlp.cli", "attn_nlp.runner.run"):
        importlib.import_module(name)
