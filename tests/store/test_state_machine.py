"""Two stores under everything that may happen to them, beside a model made of dictionaries.

Runs on three machines claim cells, let their hearts beat, deliver results, deliver them late, twice
or wrongly, meet a full disk, and vanish; stores are closed, opened, merged, repaired. After every
step the stores hold what the model holds. The model knows nothing of SQL, transactions and tokens.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from attn_nlp import fault_injection
from attn_nlp.experiment.identity import key_of
from attn_nlp.store import FINAL, Store, StoreError
from attn_nlp.store.claims import Heartbeat
from attn_nlp.store.doctor import examine, repair
from attn_nlp.store.processes import GRACE_SECONDS, Watch
from attn_nlp.store.schema import COLUMNS
from attn_nlp.store.tolerance import RESULT, TOLERANCE
from attn_nlp.store.transfer import export, merge
from tests.store.records import record
from tests.store.system import Process, System

SPECS = [letter * 64 for letter in "ab"]
FILES = ("one", "other")
MACHINES = ("here", "there")


SENTENCES = 40


def answers(right, first=0):
    """A result on sentences of class 0, so many of them answered right; `first` comes first."""
    wrong = SENTENCES - right
    predictions = sorted([0] * right + [1] * wrong, reverse=bool(first))
    accuracy = right / SENTENCES
    return {
        "test": {"accuracy": accuracy, "loss": 1.0, "macro_f1": right / (SENTENCES + right)},
        "confusion": [[right, wrong], [0, 0]],
        "predictions": predictions,
    }


# What may come of training a cell. The same cell has the same result, but for faults.
RESULTS = {
    "done": answers(20),
    "failed": {"status": "failed", "reason": "why", "test": None, "predictions": None},
    "wrong": answers(20, first=1),
    "elsewhere": {"provenance": {"jax": "2"}, **answers(21)},  # half the tolerance off
    "far off": {"provenance": {"jax": "2"}, **answers(24)},  # twice the tolerance
}
POINTS = [
    f"store.{step}:{side}:1"
    for step in ("begin", "write", "commit")
    for side in ("before", "after")
]


def result(spec, name):
    key = key_of(spec, "rows", "tokens")
    return dict.fromkeys(COLUMNS) | record(spec=spec, key=key, **RESULTS[name])


@dataclass(eq=False, repr=False)
class Run:
    """A process with a store open; `claimed` are the cells that it ever claimed."""

    file: str
    process: Process
    store: Store
    claimed: set[str] = field(default_factory=set)


@dataclass(eq=False)
class Claim:
    """Who trains a cell, by what the store was told."""

    run: Run
    process: Process
    beat: int = 0


@dataclass
class File:
    """The content that a store must have: rows and claims by spec."""

    path: Path
    rows: dict[str, dict] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    finals: Counter[str] = field(default_factory=Counter)  # final results written since forgotten

    def check(self) -> None:
        """The file holds what it must, it is sound, and no cell was done twice."""
        with Store.read(self.path) as store:
            assert store.records(None, list(COLUMNS)) == self.rows
        with closing(sqlite3.connect(self.path)) as db:
            found = db.execute("SELECT spec, owner, beat, token FROM claims").fetchall()
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        claims = {spec: (each.run.store._owner, each.beat) for spec, each in self.claims.items()}
        assert {spec: (owner, beat) for spec, owner, beat, _ in found} == claims
        assert len({token for *_, token in found}) == len(found)
        assert not [each.message for each in examine(self.path) if each.severe]
        assert all(count <= 1 for count in self.finals.values())


def a_run():
    return st.runner().flatmap(lambda machine: st.sampled_from(machine.runs))


def a_job():
    """A run and a cell that it once claimed: the one it delivers, in time or late."""
    return st.runner().flatmap(lambda machine: st.sampled_from(machine.jobs()))


cells, files, points = st.sampled_from(SPECS), st.sampled_from(FILES), st.sampled_from(POINTS)
mostly_one = st.sampled_from((FILES[0], FILES[0], FILES[1]))


def plan(where: str):
    """The disk is full at a point, or nowhere."""
    return patch.dict(os.environ, {"ATTN_NLP_FAULT": f"{where}:full"} if where else {})


def delivered(given: dict) -> dict:
    """A record as an engine hands it over: when it was finished, the store says."""
    return {name: value for name, value in given.items() if name != "finished_at"}


class Stores(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.open = ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="attn_nlp-stores-"))
        self.open.callback(shutil.rmtree, self.folder)
        self.system = System()
        self.open.enter_context(self.system.installed())
        self.files = {name: File(self.folder / f"{name}.sqlite") for name in FILES}
        self.runs: list[Run] = []
        self.seen: dict[tuple[Run, Claim], tuple[int, float]] = {}
        for file in self.files.values():
            Store.open(file.path).close()

    # The model

    def lives(self, run: Run, claim: Claim) -> bool:
        """Tell whether a run must assume that the owner of a claim is alive."""
        if claim.process.place == run.process.place:
            return claim.process in self.system.living
        beat, since = self.seen.get((run, claim), (-1, 0.0))
        if beat != claim.beat:
            self.seen[run, claim] = (claim.beat, self.system.now)
            return True
        return self.system.now - since < GRACE_SECONDS

    def may_claim(self, run: Run, spec: str, retry: bool) -> bool:
        file = self.files[run.file]
        row, claim = file.rows.get(spec), file.claims.get(spec)
        if row is not None and (row["status"] in FINAL or not retry):
            return False
        return claim is None or claim.run is run or not self.lives(run, claim)

    def holds(self, file: File, run: Run | None, spec: str) -> bool:
        """A result counts under the claim in force; unasked, where nobody ever claimed the cell."""
        claim = file.claims.get(spec)
        if claim is None:
            return run is None or spec not in run.claimed
        return claim.run is run

    @staticmethod
    def alarms(file: File, spec: str, given: dict) -> bool:
        """Tell whether two final results contradict each other."""
        row = file.rows.get(spec)
        if row is None or not {row["status"], given["status"]} <= set(FINAL):
            return False
        if row["provenance"] == given["provenance"]:
            return any(row[name] != given[name] for name in RESULT)
        return abs(row["test"]["accuracy"] - given["test"]["accuracy"]) > TOLERANCE

    def deliver(self, file: File, run: Run | None, spec: str, given: dict) -> bool:
        """Write a result if it counts, end its claim, and tell whether it was written."""
        final = file.rows.get(spec, {}).get("status") in FINAL
        holds = self.holds(file, run, spec)
        if holds:
            file.claims.pop(spec, None)
        if final or not holds:
            return False
        file.rows[spec] = dict(given)
        file.finals[spec] += given["status"] in FINAL
        return True

    # Runs

    @initialize()
    def two_machines(self):
        for machine in MACHINES:
            self.begin(FILES[0], machine)

    @precondition(lambda self: len(self.runs) < 3)
    @rule(file=mostly_one, machine=st.sampled_from(MACHINES))
    def begin(self, file, machine):
        self.added(file, self.system.start(machine))

    def added(self, file: str, process: Process) -> Run:
        with self.system.acting(process):
            run = Run(file, process, Store.open(self.files[file].path, wait=1.0))
        run.store._claims._watch = Watch(self.system.clock)
        self.runs.append(run)
        return run

    @precondition(lambda self: self.runs)
    @rule(run=a_run(), tidy=st.booleans())
    def reopen(self, run, tidy):
        """The same process, in order or not, lets go of its store and opens it anew."""
        self.left(run, tidy)
        self.added(run.file, run.process)

    @precondition(lambda self: self.runs)
    @rule(run=a_run(), how=st.sampled_from(["in order", "killed", "killed amid a write"]))
    def end(self, run, how):
        if how == "in order":
            self.left(run, tidy=True)
            self.system.end(run.process)
        else:
            self.kill(run, mid_write=how == "killed amid a write")

    def left(self, run: Run, tidy: bool):
        with self.system.acting(run.process):
            if tidy:
                run.store.release()
                claims = self.files[run.file].claims
                for spec in [spec for spec, claim in claims.items() if claim.run is run]:
                    del claims[spec]
            run.store.close()
        self.runs.remove(run)

    def kill(self, run, mid_write):
        if mid_write:
            run.store._db.execute("BEGIN IMMEDIATE")
            run.store._db.execute("UPDATE cells SET status = 'half'")
        run.store._db.close()
        self.runs.remove(run)
        self.system.end(run.process)

    @precondition(lambda self: self.runs)
    @rule()
    def power_cut(self):
        for run in self.runs:
            run.store._db.close()
        self.runs.clear()
        self.system.restart()

    @precondition(lambda self: self.runs)
    @rule(run=a_run())
    def beat(self, run):
        with self.system.acting(run.process):
            Heartbeat(self.files[run.file].path, run.store._owner).beat(run.store._db)
        for claim in self.files[run.file].claims.values():
            claim.beat += claim.run is run

    @rule(seconds=st.sampled_from([GRACE_SECONDS - 1.0, GRACE_SECONDS]))
    def silence(self, seconds):
        """Everyone looks round, and then nobody is heard of for nearly, or for all of the grace."""
        for run in self.runs:
            self.look(run)
        self.system.now += seconds

    # Cells

    @precondition(lambda self: self.runs)
    @rule(run=a_run(), spec=cells, retry=st.booleans())
    def claim(self, run, spec, retry):
        self.files[run.file].asked.add(spec)
        self.claimed(run, spec, retry)

    @precondition(lambda self: self.runs)
    @rule(run=a_run(), spec=cells)
    def claim_again(self, run, spec):
        self.claim(run, spec, retry=True)

    def claimed(self, run: Run, spec: str, retry: bool) -> bool:
        file = self.files[run.file]
        expected = self.may_claim(run, spec, retry)
        failed_at = file.rows.get(spec, {}).get("finished_at") if retry else None
        with self.system.acting(run.process):
            assert run.store.claim(spec, replaces=failed_at) == expected
        if expected:
            mine = file.claims.get(spec)
            if mine is None or mine.run is not run:
                file.claims[spec] = Claim(run, run.process)
            run.claimed.add(spec)
        return expected

    def jobs(self) -> list[tuple[Run, str]]:
        return [(run, spec) for run in self.runs for spec in sorted(run.claimed)]

    @precondition(lambda self: self.jobs())
    @rule(job=a_job(), name=st.sampled_from(["failed", *RESULTS]))
    def finish(self, job, name):
        """In time or late, for the first or the second time."""
        run, spec = job
        self.finished(run, spec, result(spec, name))

    @precondition(lambda self: self.jobs())
    @rule(job=a_job())
    def fail(self, job):
        run, spec = job
        self.finished(run, spec, result(spec, "failed"))

    @precondition(lambda self: self.runs)
    @rule(run=a_run(), spec=cells)
    def fail_unasked(self, run, spec):
        """A result for a cell that the run need not have claimed."""
        self.finished(run, spec, result(spec, "failed"))

    @precondition(lambda self: self.jobs())
    @rule(job=a_job(), name=st.sampled_from(["done", "failed"]), where=points)
    def finish_on_a_full_disk(self, job, name, where):
        """Nothing has happened, unless it was committed before."""
        run, spec = job
        self.finished(run, spec, result(spec, name), where)

    def finished(self, run: Run, spec: str, given: dict, where: str = ""):
        file = self.files[run.file]
        alarm = self.alarms(file, spec, given)
        said, written = "", None
        fault_injection._passed.clear()
        with self.system.acting(run.process), plan(where):
            try:
                written = run.store.finish(spec, delivered(given))
            except StoreError as error:
                said = str(error)
        if "computed twice" in said:
            assert alarm
            return
        if said:
            assert os.strerror(errno.ENOSPC) in said
            if not where.startswith("store.commit:after"):
                return
        assert not alarm, "a contradiction was taken in silence"
        expected = self.deliver(file, run, spec, given)
        assert written in (None, expected)  # None: the disk was full when all had been done
        self.dated(file, spec)

    def dated(self, file: File, spec: str):
        """Note when the store says that a new row was finished; from then on it must stay."""
        if spec in file.rows and file.rows[spec]["finished_at"] is None:
            with Store.read(file.path) as store:
                file.rows[spec]["finished_at"] = store.records([spec])[spec]["finished_at"]

    @precondition(lambda self: self.runs)
    @rule(run=a_run())
    def look(self, run):
        """Looking, too, is watching hearts."""
        claims = self.files[run.file].claims
        expected = {spec for spec, claim in claims.items() if self.lives(run, claim)}
        with self.system.acting(run.process):
            assert run.store.running() == expected

    def forget(self, file, spec):
        with Store.open(self.files[file].path) as store:
            store.delete(spec)
        self.files[file].rows.pop(spec, None)
        del self.files[file].finals[spec]

    # Stores

    @rule(
        what=st.sampled_from(["merge", "export", "repair", "forget"]),
        file=files,
        spec=cells,
        machine=st.sampled_from(MACHINES),
    )
    def look_after(self, what, file, spec, machine):
        more = {"forget": {"spec": spec}, "repair": {"machine": machine}}.get(what, {})
        getattr(self, what)(file, **more)

    def merge(self, file):
        target = self.files[FILES[file == FILES[0]]]
        rows = self.files[file].rows
        counts = {"cells": len(rows), "added": 0, "known": 0, "kept_back": 0, "unlike": ()}
        with Store.read(self.files[file].path) as one, Store.open(target.path) as other:
            order = list(one.records())
            contradictions = [spec for spec in order if self.alarms(target, spec, rows[spec])]
            found, said = None, ""
            try:
                found = vars(merge(one, other))
            except StoreError as error:
                said = str(error)
        assert said == "" or contradictions[0][:12] in said
        for spec in order[: order.index(contradictions[0])] if contradictions else order:
            known = target.rows.get(spec, {}).get("status") in FINAL
            added = self.deliver(target, None, spec, rows[spec])
            counts["added" if added else "known" if known else "kept_back"] += 1
        assert found == (None if contradictions else counts)

    def export(self, file):
        path = self.folder / "copy.sqlite"
        with Store.read(self.files[file].path) as store:
            assert export(store, path) == len(self.files[file].rows)
        with Store.read(path) as copy:
            assert copy.records(None, list(COLUMNS)) == self.files[file].rows
        path.unlink()

    def repair(self, file, machine):
        """Claims of processes that have ended on the same machine are given up, and no others."""
        doctor = self.system.start(machine)
        claims = self.files[file].claims
        gone = {
            spec
            for spec, claim in claims.items()
            if claim.process.place == doctor.place and claim.process not in self.system.living
        }
        with self.system.acting(doctor):
            done = repair(self.files[file].path)
        assert sorted(done) == sorted(f"gave up the claim on cell {spec[:12]}" for spec in gone)
        for spec in gone:
            del claims[spec]
        self.system.end(doctor)

    # What must hold

    @invariant()
    def stores_are_as_the_model(self):
        for file in self.files.values():
            file.check()

    def teardown(self):
        """Whatever has happened, a run from afar can do all that was asked for, each cell once."""
        try:
            for name, file in self.files.items():
                run = self.added(name, self.system.start("afar"))
                for _ in range(2):  # seen, and not heard of for the whole grace
                    for spec in sorted(file.asked):
                        if self.claimed(run, spec, retry=True):
                            self.finished(run, spec, result(spec, "done"))
                    self.system.now += GRACE_SECONDS
                assert all(file.rows[spec]["status"] in FINAL for spec in file.asked)
                self.left(run, tidy=True)
                file.check()
        finally:
            for run in self.runs:
                run.store._db.close()
            self.open.close()


TestStores = Stores.TestCase
TestStores.settings = settings(
    derandomize=True,
    phases=[Phase.generate],  # a shorter example of a failure takes minutes to find
    database=None,
    deadline=None,
    max_examples=50,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
