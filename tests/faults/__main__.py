"""Every point at which a crash would hurt, every kind of fault, every bad input: `make faults`.

    python -m tests.faults [--jobs N] [--short]

Ends with 0 where nothing was lost, done twice or different.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from rich.progress import Progress

from tests.faults import scenarios, stopped
from tests.faults.bad_inputs import BAD
from tests.faults.classes import FAULTS
from tests.faults.trials import Bench, Verdict, imported

DISK = {"data": (2, 4)}  # else 4: the disk is full or broken, and what was stored is intact
WORKER_POINTS = ("worker.job:before:1", "worker.result:before:2", "worker.result:after:1")

STOPPED = "real training in workers, stopped"

_benches: dict[str, Bench] = {}


def trials(short: bool) -> list[tuple[str, Callable[[], Verdict]]]:
    """All trials by section, as functions without arguments."""
    fake, real = _benches["stand-in"], _benches["real training"]
    # A heart beats by the clock: a run that is quicker than the last one does not come there.
    for bench in (fake, real):
        bench.points = [each for each in bench.points if not each.startswith("store.heartbeat")]
    kills = list(dict.fromkeys(fake.points))
    disks = scenarios.first_of_each(fake.points)
    learned = scenarios.first_of_each(real.points)
    later = [each for each in dict.fromkeys(real.points) if each.startswith("checkpoint")]
    learned = list(dict.fromkeys([*learned, *later]))
    if short:
        kills, disks, learned = kills[::20], disks[::4], learned[::6]
    found: list[tuple[str, Callable[[], Verdict]]] = []
    found += [("killed, stand-in", partial(_kill, "stand-in", each)) for each in kills]
    found += [("killed, real training", partial(_kill, "real training", each)) for each in learned]
    for mode in ("full", "error"):
        found += [(f"disk {mode}", partial(_fail, each, mode)) for each in disks]
    found += [("worker killed", partial(_worker, each)) for each in WORKER_POINTS]
    return found


def _kill(bench: str, plan: str) -> Verdict:
    return _benches[bench].kill(plan)


def _fail(plan: str, mode: str) -> Verdict:
    return _benches["stand-in"].fail(plan, mode, DISK.get(plan.split(".")[0], (4,)))


def _worker(plan: str) -> Verdict:
    return scenarios.worker_killed(_benches["stand-in"], plan)


def main() -> int:
    """Try everything, print a summary."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="trials side by side")
    parser.add_argument("--short", action="store_true", help="a sample of the points")
    given = parser.parse_args()
    imported()
    began = time.monotonic()
    verdicts: list[tuple[str, Verdict]] = []
    with tempfile.TemporaryDirectory(prefix="attn_nlp-faults-") as folder:
        for name, make in (("stand-in", scenarios.stand_in), ("real training", scenarios.real)):
            place = Path(folder) / name.replace(" ", "_")
            place.mkdir()
            _benches[name] = make(place)
        todo = trials(given.short)
        # Forked, so that the children of a trial begin with everything imported.
        with ProcessPoolExecutor(given.jobs, mp_context=get_context("fork")) as pool:
            futures = [(section, pool.submit(trial)) for section, trial in todo]
            with Progress() as progress:
                task = progress.add_task("trials", total=len(futures))
                for section, future in futures:
                    verdicts.append((section, future.result()))
                    progress.advance(task)
        crowded = Path(folder) / "crowd"
        crowded.mkdir()
        verdicts.append(("runs side by side", scenarios.crowd(crowded)))
        verdicts += [(STOPPED, each) for each in stopped.trials(Path(folder) / "stopped")]
    bad = _say(verdicts, time.monotonic() - began)
    print(f"{len(FAULTS)} kinds of faults and {len(BAD)} bad inputs, by their tests:", flush=True)
    tests = {each for fault in FAULTS for each in fault.tests} | {"tests/faults/test_bad_inputs.py"}
    shown = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", str(given.jobs), *sorted(tests)], check=False
    )
    print(f"{time.monotonic() - began:.0f} s in all")
    return bad or shown.returncode


def _say(verdicts: list[tuple[str, Verdict]], seconds: float) -> int:
    for section in dict.fromkeys(section for section, _ in verdicts):
        some = [verdict for name, verdict in verdicts if name == section]
        print(f"{section}: {len(some)} tried, {sum(each.good for each in some)} held")
    for name, verdict in verdicts:
        if name == STOPPED:
            print(f"  {verdict.plan}")
    bad = [(section, each) for section, each in verdicts if not each.good]
    for section, each in bad:
        print(f"BAD {section}: {each}")
    points = {each.plan.rpartition(":")[0] for _, each in verdicts if each.plan.endswith(":kill")}
    print(
        f"faults tried {len(verdicts)}, kill points {len(points)}: a kill point is a (named point, "
        "phase), and the phase is its side, before or after, and the n-th time that it is passed\n"
        f"cells lost {sum(each.lost for _, each in verdicts)}, "
        f"cells done twice {sum(each.twice for _, each in verdicts)}, "
        f"bytes differing in {sum(each.bytes_differ for _, each in verdicts)} outputs, "
        f"{seconds:.0f} s"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
