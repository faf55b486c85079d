"""Whole tuned runs: trials first, then what they chose; killed and resumed to the same bytes."""

from __future__ import annotations

import json
import os
import signal

import pytest

from attn_nlp.experiment.load import resolve_file
from attn_nlp.store import Store
from attn_nlp.tables.views.tuning import trials
from tests.runner.fakes import (
    BASELINES,
    EXPERIMENT,
    environment,
    start,
    trained,
    until,
    write_experiment,
)

STORE = "runs/attn_nlp.sqlite"
SPACE = '{"learning_rate": log_uniform(1e-3, 1e-2)}'
TUNED = EXPERIMENT.replace(
    "    axes=[vary",
    f"    tuning=Tuning(budget=3, seeds=(1000, 1001), space={SPACE}),\n    axes=[vary",
).replace("Table, vary", "Table, Tuning, log_uniform, vary")
TRIALS, CELLS = 3 * 3 * 2, 3 * 3


@pytest.fixture
def folder(tmp_path):
    write_experiment(tmp_path).write_text(TUNED)
    return tmp_path


def stored(folder, *columns):
    with Store.read(folder / STORE) as store:
        return store.records(None, ["settings", *columns]).values()


def test_trials_come_first_and_what_they_chose_is_run_on_fresh_seeds(folder, attn_nlp):
    planned = attn_nlp("plan", "fake.py").stdout
    assert f"{TRIALS + CELLS + BASELINES} to do" in planned
    assert f"{TRIALS} trials on validation; of the cells to do, {CELLS} take the values" in planned
    done = attn_nlp("run", "fake.py", "--in-process")
    assert done.returncode == 0, done.stderr
    seeds = [int(each.split(",")[1]) for each in trained(folder)]
    assert sorted(seeds[:TRIALS]) == [1000] * 9 + [1001] * 9
    assert sorted(seeds[TRIALS:]) == [0] * 3 + [1] * 3 + [2] * 3
    draws = resolve_file(folder / "fake.py").tuning["draws"]
    best = max(draw["learning_rate"] for draw in draws)  # validation grows with it
    columns = ("test", "confusion", "predictions", "gold")
    for record in stored(folder, *columns):
        settings = record["settings"]
        if settings["trial"]:
            assert [record[name] for name in columns] == [None] * 4
        elif settings["model"] == "fake":
            assert settings["learning_rate"] == best
            assert len(record["gold"]) == len(record["predictions"]) == 6
    assert "Tuned: the same 3 trials for every row and column" in done.stdout
    full = attn_nlp("table", "--name", "fake", "--caption", "full").stdout
    assert f"learning_rate {best:g}" in full
    again = attn_nlp("run", "fake.py", "--in-process")
    assert (again.stdout, len(trained(folder))) == (done.stdout, TRIALS + CELLS)
    assert attn_nlp("table", "--name", "fake").stdout == done.stdout
    tuned = attn_nlp("table", "--name", "fake", "--tuning", "--format", "csv").stdout
    assert f"{best:g}" in tuned
    counts = json.loads(attn_nlp("status", "fake.py", "--json").stdout)[0]
    assert (counts["cells"], counts["to do"]) == (TRIALS + CELLS + BASELINES, 0)


@pytest.mark.parametrize("after", [4, TRIALS + 2], ids=["amid the trials", "amid the rest"])
def test_a_killed_tuned_run_resumes_to_the_same_bytes(folder, cache, attn_nlp, after, tmp_path):
    driver = start(folder, environment(cache, seconds=0.1), "run", "fake.py", "--in-process")
    until(lambda: len(trained(folder)) >= after or driver.poll() is not None)
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate()
    counts = json.loads(attn_nlp("status", "fake.py", "--json").stdout)[0]
    assert 0 < counts["to do"] < TRIALS + CELLS + BASELINES
    assert "not run yet" in attn_nlp("table", "--name", "fake").stdout
    resumed = attn_nlp("run", "fake.py", "--in-process")
    assert resumed.returncode == 0, resumed.stderr
    (folder / "other").mkdir()
    undisturbed = attn_nlp("run", "fake.py", "--in-process", "--store", "other/s.sqlite")
    assert resumed.stdout == undisturbed.stdout


def test_a_budget_is_raised_without_repeating_a_trial(folder, attn_nlp):
    attn_nlp("run", "fake.py", "--in-process", "--budget", "2")
    before = len(trained(folder))
    done = attn_nlp("run", "fake.py", "--in-process", "--budget", "3")
    new = trained(folder)[before:]
    assert sum(int(each.split(",")[1]) >= 1000 for each in new) == 3 * 2
    assert "the same 3 trials" in done.stdout


def test_a_row_whose_trials_are_all_lost_is_skipped_with_its_reason(folder, attn_nlp):
    done = attn_nlp("run", "fake.py", "--in-process", diverge="2,1000")
    assert done.returncode == 3
    assert "all 3 trials were lost; the first diverged: loss is NaN at step 1" in done.stdout
    assert "2,0" not in trained(folder)
    with Store.read(folder / STORE) as store:
        resolved = store.settled(resolve_file(folder / "fake.py"))
        records = store.records()
    found = trials(resolved.tables[0], resolved, records)
    assert [each["validation"] for each in found["two", ()]] == [None] * 3
    draws = resolved.tuning["draws"]
    assert [(each["trial"], each["settings"]) for each in found["one", ()]] == list(
        enumerate(draws)
    )
    assert [each["validation"] for each in found["one", ()]] == [
        pytest.approx(50 * draw["learning_rate"]) for draw in draws
    ]


def test_all_trials_of_a_dataset_may_be_lost(folder, attn_nlp):
    lost = " ".join(f"{heads},1000" for heads in (1, 2, 4))
    for _ in range(2):
        done = attn_nlp("run", "fake.py", "--in-process", diverge=lost)
        assert (done.returncode, done.stderr.count("Traceback")) == (3, 0)
        assert done.stdout.count("skipped [a]") == 3
        assert "all 3 trials were lost; the first diverged: loss is NaN at step 1" in done.stdout


def test_failed_trials_tried_again_may_change_the_choice(folder, attn_nlp):
    draws = resolve_file(folder / "fake.py").tuning["draws"]
    first = attn_nlp("run", "fake.py", "--in-process", **{"raise": "1,1000"})
    assert first.returncode == 3
    assert "1,0" not in trained(folder)
    again = attn_nlp("run", "fake.py", "--in-process", "--retry-failed")
    assert again.returncode == 0, again.stderr
    assert "1,0" in trained(folder)
    best = max(draw["learning_rate"] for draw in draws)
    rates = {r["settings"]["learning_rate"] for r in stored(folder) if not r["settings"]["trial"]}
    assert best in rates
    assert again.stdout == attn_nlp("table", "fake.py").stdout


def test_a_table_of_trials_needs_a_tuned_experiment(folder, attn_nlp):
    (folder / "fake.py").write_text(EXPERIMENT)
    found = attn_nlp("table", "fake.py", "--tuning")
    assert found.returncode == 2
    assert "is not tuned; give it tuning=Tuning(...) or --budget N" in found.stderr
    both = attn_nlp("table", "fake.py", "--tuning", "--cost")
    assert both.returncode == 2
    assert "cannot be combined; choose one" in both.stderr


def test_folds_run_and_are_tabled_from_any_file_without_a_test_split(folder, attn_nlp):
    """With tuning every fold is tuned by itself: no sentence of its test split chose anything."""
    folded = TUNED.replace(
        'vary("heads", 1, 2, 4), ', 'vary("heads", 1, 2, 4), vary("fold", 0, 1), '
    )
    folded = folded.replace('"Heads",', '"Heads", over=("fold", "seed"), rows=', 1)
    (folder / "fake.py").write_text(folded)
    done = attn_nlp("run", "fake.py", "--in-process", "--caption", "full")
    assert done.returncode == 0, done.stderr
    assert "is its mean over 2 folds" in done.stdout
    assert "over 3 seeds" in done.stdout
    records = stored(folder, "fingerprint", "gold")
    by_fold = {}
    for record in records:
        settings = record["settings"]
        by_fold.setdefault(settings["fold"], set()).add(record["fingerprint"])
    assert {fold: len(prints) for fold, prints in by_fold.items()} == {0: 1, 1: 1}
    assert by_fold[0] != by_fold[1]
    assert sum(record["settings"]["trial"] for record in records) == 2 * TRIALS
