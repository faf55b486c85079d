"""Real training in worker processes that is stopped amid a cell, and then goes on.

Every cell leaves a checkpoint at every chunk of steps. A fault point in the worker tells when one
is written, so that a run is hit amid a cell, with something to go on from.
"""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path

from attn_nlp.cli import main
from attn_nlp.store import Store
from attn_nlp.store.schema import COLUMNS
from tests.faults.trials import FILE, MEASURED, STORE, Ended, Verdict
from tests.runner.fakes import command, environment, gone, start, until

RUN = ("run", FILE, "--workers", "1")
CHECKPOINTS = Path(f"{STORE}.checkpoints")
SAVED = "checkpoint.rename:after"
HIT = 8  # the checkpoint, of twenty of each cell, after which a run is stopped
MOST_SECONDS = 10.0  # from the first signal to the end
EXPERIMENT = '''"""Does a cell that was stopped go on to the same bits?"""

from attn_nlp.parts import registry
from attn_nlp.experiment import Cell, Experiment, Row, Table, vary

registry.load_builtin()
registry._parts.pop(("model", "tfidf_logreg"), None)  # importing scikit-learn takes a second

experiment = Experiment(
    base=Cell(
        dataset="films.csv", width=8, heads=2, length=8, dropout=0.1, steps=300, batch_size=8,
        evaluate_every=15,
    ),
    axes=[vary("learning_rate", 0.002, 1e30), vary("seed", 0, 1)],
    tables=[
        Table(
            "Rates",
            [Row("0.002", {"learning_rate": 0.002}), Row("1e30", {"learning_rate": 1e30})],
        )
    ],
)
'''
LONG = '''"""Is a long look cut?"""

from attn_nlp.experiment import Cell, Experiment, Table, vary

experiment = Experiment(
    base=Cell(
        dataset="long", layers=4, width=128, heads=2, length=128, steps=4, batch_size=8,
        evaluate_every=4,
    ),
    axes=[vary("seed", 0)],
    tables=[Table("Long", "heads")],
)
'''


class Stopping:
    """An experiment that is really trained, and what an undisturbed run makes of it.

    Attributes:
      folder: where all runs stand, each in a folder of its own.
      printed: the undisturbed run, as it ended.
      reference: everything that must be the same afterward.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        place = self._place("undisturbed")
        self.printed = self._run(place, RUN)
        assert self.printed.status == 3, self.printed.err  # the cells at 1e30 diverge
        self.reference = _outputs(place, self.printed)
        self._saved = _saved(place)

    def signaled(self, number: int) -> Verdict:
        """The driver gets a signal amid a cell; then the same command again."""
        name = signal.Signals(number).name
        place = self._place(name)
        driver = start(place, self._env(place), *RUN)
        until(lambda: _saved(place) >= HIT)
        began = time.monotonic()
        driver.send_signal(number)
        _, err = driver.communicate(timeout=60)
        seconds = time.monotonic() - began
        verdict = Verdict(f"{name} amid training, ended after {seconds:.1f} s")
        killed = number == signal.SIGKILL
        status = -number if killed else 128 + number
        if driver.returncode != status or seconds > MOST_SECONDS:
            verdict.wrong.append(f"status {driver.returncode} after {seconds:.1f} s: {err}")
        if not killed and " ".join(["attn-nlp", *RUN]) not in err:
            verdict.wrong.append(f"it does not say how to go on: {err}")
        self._go_on(place, verdict)
        return verdict

    def worker_killed(self) -> Verdict:
        """The worker dies amid a cell; the same run goes on with another one."""
        place = self._place("worker")
        plan = f"{SAVED}:{HIT}:kill"
        verdict = Verdict(f"worker killed at {SAVED}:{HIT}")
        env = {"ATTN_NLP_FAULT": plan, "ATTN_NLP_FAULT_ONCE": str(place / "once")}
        ended = self._run(place, RUN, **env)
        if not (place / "once").exists():
            verdict.wrong.append("no worker came to that point")
        self._judge(place, verdict, ended, 0)
        return verdict

    def damaged(self) -> Verdict:
        """The driver dies amid a cell, and the newest checkpoint is spoilt before it goes on."""
        place = self._place("damaged")
        driver = start(place, self._env(place), *RUN)
        until(lambda: _saved(place) >= HIT)
        driver.kill()
        driver.communicate(timeout=60)
        until(lambda: _left(place))  # a worker may finish what it writes before it hears
        verdict = Verdict("SIGKILL amid training, newest checkpoint damaged")
        newest = _newest(place)
        facts = newest / "facts.json"
        facts.write_bytes(facts.read_bytes()[:-1])
        ended = self._go_on(place, verdict)
        lines = [line for line in ended.err.splitlines() if "is damaged" in line]
        told = f"checkpoint {newest.resolve()} is damaged (its hash does not match its files)"
        aside = f"set aside as damaged-{newest.name}"
        if len(lines) != 1 or told not in lines[0] or not lines[0].endswith(aside):
            verdict.wrong.append(f"the damage is not named once, by its path: {ended.err}")
        return verdict

    def looking(self) -> Verdict:
        """Ctrl-C amid a look at a long split."""
        place = self._place("looking")
        _write_long(place)
        driver = start(place, self._env(place), *RUN)
        until(lambda: _saved(place) >= 1)  # at the last step before the look
        time.sleep(1.0)  # a look passes no point; this one takes many times as long
        began = time.monotonic()
        driver.send_signal(signal.SIGINT)
        _, err = driver.communicate(timeout=120)
        seconds = time.monotonic() - began
        verdict = Verdict(f"SIGINT amid a look, ended after {seconds:.1f} s")
        if driver.returncode != 130 or seconds > MOST_SECONDS:
            verdict.wrong.append(f"status {driver.returncode} after {seconds:.1f} s: {err}")
        if _newest(place) is None:
            verdict.wrong.append(f"it was not amid the look: {err}")
        return verdict

    def compare(self, found: dict[str, object]) -> int:
        """How many of the outputs differ from those of the undisturbed run."""
        return sum(found[name] != self.reference[name] for name in self.reference)

    def _place(self, name: str) -> Path:
        place = self.folder / name
        place.mkdir()
        (place / FILE).write_text(EXPERIMENT)
        _write_films(place / "films.csv")
        return place

    def _env(self, place: Path, **more: str) -> dict[str, str]:
        return {
            **environment(self.folder / "cache"),
            "ATTN_NLP_CHECKPOINT_SECONDS": "0",
            "ATTN_NLP_FAULT_LOG": str(place / "points"),
            "JAX_PLATFORMS": "cpu",
            **more,
        }

    def _run(self, place: Path, arguments: tuple[str, ...], **more: str) -> Ended:
        done = command(place, self._env(place, **more), *arguments)
        return Ended(done.returncode, done.stdout, done.stderr)

    def _go_on(self, place: Path, verdict: Verdict) -> Ended:
        """The same command again, and what came of it."""
        if _newest(place) is None:
            verdict.wrong.append("it was not amid a cell")
        before = _saved(place)
        with Store.read(place / STORE) as store:
            finished = store.records(None, ["finished_at"])
        ended = self._run(place, RUN)
        with Store.read(place / STORE) as store:
            after = store.records(None, ["finished_at"])
        verdict.lost = sum(after.get(spec) != each for spec, each in finished.items())
        self._judge(place, verdict, ended, before)
        return ended

    def _judge(self, place: Path, verdict: Verdict, ended: Ended, before: int) -> None:
        if ended.status != self.printed.status:
            verdict.wrong.append(f"it ended with {ended.status}: {ended.err}")
            return
        verdict.bytes_differ = self.compare(_outputs(place, ended))
        # Whoever goes on takes small steps first, so a few more checkpoints are no repetition.
        if _saved(place) > self._saved + HIT - 3:
            verdict.twice = 1
        if (place / CHECKPOINTS).exists():
            verdict.wrong.append("checkpoints of finished cells are left")


def _outputs(place: Path, ended: Ended) -> dict[str, object]:
    """Table, CSV, and of each cell what does not tell the time, as text, to the last bit."""
    with Store.read(place / STORE) as store:
        found = store.records(None, list(COLUMNS))
    cells = {
        spec: json.dumps({k: v for k, v in each.items() if k not in MEASURED}, sort_keys=True)
        for spec, each in sorted(found.items())
    }
    of_examples = {
        spec: json.dumps([each["predictions"], each["confidences"]])
        for spec, each in sorted(found.items())
    }
    csv = place / "table.csv"
    # By name, so that this process need not load the file and forget a part.
    named = ("--name", "experiment", "--store", str(place / STORE))
    assert not main(["table", *named, "--format", "csv", "--out", str(csv)])
    found = {"table": ended.out, "csv": csv.read_bytes(), "cells": cells, "examples": of_examples}
    assert all(found.values()), "outputs of nothing prove nothing"
    return found


def _saved(place: Path) -> int:
    """Checkpoints that were written there by now."""
    log = place / "points"
    return log.read_text().count(f"{SAVED}:") if log.exists() else 0


def _left(place: Path) -> bool:
    """Tell whether every process that wrote checkpoints or results there has ended."""
    lines = (place / "points").read_text().splitlines()
    return all(gone(int(line.split()[1])) for line in lines)


def _newest(place: Path) -> Path | None:
    """The newest checkpoint of the one cell that is not finished."""
    found = [p for p in (place / CHECKPOINTS).glob("*/*") if p.name.isdecimal()]
    return max(found, key=lambda p: p.name, default=None)


def _write_films(path: Path) -> None:
    """Sentences whose words tell the label most of the time, so that no score is perfect."""
    rng = random.Random(0)
    rows = []
    for place in range(300):
        words = rng.choices(("good", "fine", "warm", "dull", "slow", "the", "film"), k=6)
        told = sum(word in ("good", "fine", "warm") for word in words) > 2
        label = "up" if told != (rng.random() < 0.1) else "down"
        rows.append(f"{' '.join(words)} {place},{label}")
    path.write_text("text,label\n" + "\n".join(rows) + "\n")


def _write_long(place: Path) -> None:
    """A dataset whose validation split takes many seconds to look at."""
    rng = random.Random(0)
    folder = place / "long"
    folder.mkdir()
    for split, count in (("train", 40), ("validation", 6_000), ("test", 40)):
        rows = [
            " ".join(rng.choices("abcdefghij", k=128)) + f" {split},{'xy'[n % 2]}"
            for n in range(count)
        ]
        (folder / f"{split}.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    (place / FILE).write_text(LONG)


def trials(folder: Path) -> list[Verdict]:
    """All of them, one after another."""
    bench = Stopping(folder)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
    verdicts = [bench.signaled(number) for number in numbers]
    return [*verdicts, bench.worker_killed(), bench.damaged(), bench.looking()]
