"""The runs that faults are tried on: a stand-in that pretends, real training, workers, a crowd."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from attn_nlp.store import Store
from tests.faults.trials import FILE, RUN, STORE, Bench, Verdict
from tests.runner.fakes import environment, start, trained, until, write_experiment

STAND_IN = (*RUN, "--seeds", "5")
REAL = '''"""Does a cell that was cut off go on to the same bits?"""

from attn_nlp.parts import registry
from attn_nlp.experiment import Cell, Experiment, Table, vary

registry.load_builtin()
registry._parts.pop(("model", "tfidf_logreg"), None)  # importing scikit-learn takes a second

experiment = Experiment(
    base=Cell(
        dataset="reviews.csv", width=8, heads=1, length=8, steps=30, batch_size=8, evaluate_every=15
    ),
    axes=[vary("seed", 0, 1)],
    tables=[Table("Heads", "heads")],
)
'''


def stand_in(folder: Path) -> Bench:
    """Sixteen cells that pretend to be trained."""
    write_experiment(folder).rename(folder / FILE)
    return Bench(folder, STAND_IN)


def real(folder: Path) -> Bench:
    """Two cells that are trained, with a checkpoint at every chunk of steps."""
    write_experiment(folder).unlink()
    (folder / FILE).write_text(REAL)
    return Bench(folder, RUN, ATTN_NLP_CHECKPOINT_SECONDS="0", JAX_PLATFORMS="cpu")


def first_of_each(points: list[str]) -> list[str]:
    """Every side of every point, the first time that it is passed."""
    firsts = {}
    for each in points:
        firsts.setdefault(each.rpartition(":")[0], each)
    return list(firsts.values())


def worker_killed(bench: Bench, plan: str) -> Verdict:
    """One worker process dies at a point of its own; the run goes on by itself."""
    verdict = Verdict(f"{plan}:kill")
    with bench.folder() as folder:
        env = environment(folder / "cache") | {
            "ATTN_NLP_FAULT": verdict.plan,
            "ATTN_NLP_FAULT_ONCE": str(folder / "once"),
        }
        arguments = [each for each in bench.arguments if each != "--in-process"]
        done = subprocess.run(
            [sys.executable, "-m", "attn_nlp", *arguments, "--workers", "2"],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=600,
        )
        if done.returncode != 0:
            verdict.wrong.append(f"status {done.returncode}: {done.stderr}")
            return verdict
        if not (folder / "once").exists():
            verdict.wrong.append("no worker came to that point")
        found = bench.outputs(folder)
        verdict.bytes_differ = sum(found[name] != bench.reference[name] for name in found)
        again = sum(count - 1 for count in Counter(trained(folder)).values())
        verdict.twice = max(0, again - 1)  # the cell that died with the worker is trained anew
    return verdict


def crowd(folder: Path, cells: int = 200, runs: int = 4, killed: int = 2, seed: int = 1) -> Verdict:
    """Several runs share a store, some of them are killed at random moments."""
    file = write_experiment(folder)
    text = file.read_text().replace('vary("seed", 0, 1, 2)', f'vary("seed", *range({cells // 3}))')
    file.rename(folder / FILE).write_text(text)
    env = environment(folder / "cache", seconds=0.02)
    rng = random.Random(seed)
    verdict = Verdict(f"{runs} runs, {cells // 3 * 3} cells, {killed} runs killed")
    drivers = [start(folder, env, "run", FILE, "--workers", "1") for _ in range(runs)]
    victims = rng.sample(drivers, killed)
    total = cells // 3 * 3 + 1
    for victim, share in zip(victims, sorted(rng.uniform(0.1, 0.8) for _ in victims), strict=True):
        until(lambda share=share: stored(folder) >= share * total, 600)
        victim.send_signal(signal.SIGKILL)
    finally_said = [driver.communicate(timeout=600) for driver in drivers]
    for driver, (_, err) in zip(drivers, finally_said, strict=True):
        expected = -signal.SIGKILL if driver in victims else 0
        if driver.returncode != expected:
            verdict.wrong.append(f"a run ended with {driver.returncode}: {err}")
        if "locked" in err:
            verdict.wrong.append(f"a user was shown: {err}")
    verdict.lost = total - stored(folder)
    counts = Counter(trained(folder))
    again = sum(count - 1 for count in counts.values())
    # A killed run takes the cell in its worker's hands with it, which another run then trains.
    verdict.twice = max(0, again - killed)
    return verdict


def stored(folder: Path) -> int:
    """Cells in the store by now."""
    with Store.read(folder / STORE) as store:
        return len(store.records(None, ["status"]))
