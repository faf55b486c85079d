"""The tuned protocol: equal draws for every row, a choice by validation alone, plain data."""

from __future__ import annotations

import json
from math import log10

import pytest

from attn_nlp.errors import UserError
from attn_nlp.experiment import (
    Cell,
    Experiment,
    Resolved,
    Row,
    Table,
    Tuning,
    log_uniform,
    together,
    uniform,
    vary,
)
from attn_nlp.experiment.identity import spec_of
from attn_nlp.experiment.load import Overrides, apply
from attn_nlp.experiment.tuning import SPACE, best, evaluations, settle

ROWS = [Row("one", {"heads": 1}, reference=True), Row("two", {"heads": 2})]
TUNING = Tuning(budget=3, space={"learning_rate": log_uniform(1e-4, 1e-1)}, seeds=(50, 51))


def experiment(tuning=TUNING, axes=(), **changes) -> Experiment:
    plain = {
        "base": Cell(dataset="planted_lookup"),
        "axes": [vary("heads", 1, 2), vary("seed", 0, 1), *axes],
        "tables": [Table("Heads", ROWS)],
    }
    return Experiment(**plain | changes, tuning=tuning)


def resolved(**changes) -> Resolved:
    return experiment(**changes).resolve("name", "Why?")


def ended(found: Resolved, accuracy) -> dict[str, dict]:
    """Records of all trials; `accuracy` of heads, trial and seed, None for a divergence."""
    records = {}
    for cell in found.tuning["cells"]:
        settings = cell["settings"]
        value = accuracy(settings["heads"], cell["trial"], settings["seed"])
        done = {"status": "done", "reason": None, "validation": {"accuracy": value}}
        lost = {"status": "diverged", "reason": "no number", "validation": None}
        records[cell["spec"]] = lost if value is None else done
    return records


def test_draws_stay_what_they_were():
    """Stored trials are found by their values."""
    draws = Tuning().draws("scaling")
    assert len(draws) == 16
    assert draws[:2] == [
        {"learning_rate": 0.0044, "weight_decay": 0.000849, "dropout": 0.196},
        {"learning_rate": 0.00106, "weight_decay": 0.000372, "dropout": 0.428},
    ]


def test_a_larger_budget_adds_trials_and_another_experiment_has_others():
    assert Tuning(budget=16).draws("a")[:4] == Tuning(budget=4).draws("a")
    assert Tuning(budget=4).draws("a") != Tuning(budget=4).draws("b")


def test_draws_fill_their_space_evenly():
    draws = Tuning(budget=2000).draws("even")
    for path, low, high, of in (
        ("learning_rate", -4, -2, log10),
        ("weight_decay", -4, -1, log10),
        ("dropout", 0, 0.5, float),
    ):
        found = sorted((of(draw[path]) - low) / (high - low) for draw in draws)
        assert 0 <= found[0] < found[-1] <= 1
        # Kolmogorov's distance; 1.95 / sqrt(2000) is passed by 999 of 1000 even samples.
        assert max(abs(share - place / 2000) for place, share in enumerate(found)) < 0.0436
    assert len({draw["learning_rate"] for draw in draws}) > 1000


def test_a_value_prints_as_it_is():
    assert log_uniform(1e-4, 1e-2).at(0.123456) == 0.000177
    assert (uniform(0, 0.5).at(0), log_uniform(1e-4, 1e-2).at(0.99999999)) == (0.0, 1e-2)


def test_every_row_gets_the_same_trials():
    found = resolved()
    draws = TUNING.draws("name")
    for heads in (1, 2):
        own = [c for c in found.tuning["cells"] if c["settings"]["heads"] == heads]
        assert [(c["trial"], c["settings"]["seed"]) for c in own] == [
            (trial, seed) for seed in (50, 51) for trial in range(3)
        ]
        for cell in own:
            assert cell["settings"]["trial"] is True
            assert cell["settings"]["learning_rate"] == draws[cell["trial"]]["learning_rate"]
            assert cell["spec"] == spec_of(Cell().replace(cell["settings"]))
    assert len({cell["spec"] for cell in found.tuning["cells"]}) == 12


def test_a_trial_is_another_cell_than_a_run_of_the_same_values():
    assert spec_of(Cell(trial=True)) != spec_of(Cell())


def test_before_the_trials_the_cells_are_open():
    found = resolved()
    assert [cell["spec"] for cell in found.cells] == [None] * 4
    assert found.open == found.cells
    assert [each["settings"]["model"] for each in found.runnable[:2]] != ["encoder"] * 2
    assert len(found.runnable) == len(found.baselines) + 12
    assert Resolved.from_json(json.loads(json.dumps(found.as_json()))) == found
    assert settle(found, {}) == found


def test_an_axis_of_what_is_tuned_is_left_to_the_trials():
    table = Table("Heads", ROWS, columns=("learning_rate",), each="weight_decay")
    axes = [vary("learning_rate", 1e-3, 1e-2), vary("weight_decay", 0.0, 0.1)]
    found = resolved(axes=axes, tables=[table], tuning=Tuning(budget=2))
    assert len(found.cells) == 4
    (plain,) = found.tables
    assert plain["columns"] == []
    assert plain["tuning"]["budget"] == 2


def test_the_best_mean_on_validation_is_chosen_and_the_first_of_equals():
    found = resolved()
    scores = {1: [(0.5, 0.7), (0.65, 0.65), (0.1, 0.9)], 2: [(0.4, 0.4), (0.5, 0.6), (0.55, 0.55)]}
    records = ended(found, lambda heads, trial, seed: scores[heads][trial][seed - 50])
    settled = settle(found, records)
    assert not settled.open
    draws = TUNING.draws("name")
    for cell in settled.cells:
        assert cell["trial"] == 1  # .65 of one head is best; .55 twice, the first taken
        assert cell["lost"] == 0
        assert cell["settings"]["learning_rate"] == draws[1]["learning_rate"]
        assert cell["settings"]["trial"] is False
        assert cell["settings"]["seed"] in (0, 1)
        assert cell["spec"] == spec_of(Cell().replace(cell["settings"]))
    again = Resolved.from_json(json.loads(json.dumps(settled.as_json())))
    assert again == settled == settle(again, {}), "a settled cell stays without the trials"


def test_a_setting_waits_for_all_its_trials():
    found = resolved()
    records = ended(found, lambda heads, trial, seed: trial / 10)
    last = next(c for c in reversed(found.tuning["cells"]) if c["settings"]["heads"] == 2)
    del records[last["spec"]]
    settled = settle(found, records)
    assert [bool(cell["spec"]) for cell in settled.cells] == [True, False, True, False]
    assert {cell["settings"]["heads"] for cell in settled.open} == {2}


def test_a_trial_that_diverged_on_one_seed_loses():
    found = resolved()
    records = ended(found, lambda h, trial, seed: None if (trial, seed) == (2, 51) else trial / 10)
    settled = settle(found, records)
    assert {(cell["trial"], cell["lost"]) for cell in settled.cells} == {(1, 1)}
    trials = next(iter(evaluations(found.tuning, records).values()))
    assert [each.validation for each in trials] == [0.0, 0.1, None]
    assert trials[2].reason == "diverged: no number"


def test_a_row_whose_every_trial_is_lost_says_so():
    found = resolved()
    settled = settle(found, ended(found, lambda heads, trial, seed: None if heads == 1 else 0.5))
    assert {cell["settings"]["heads"] for cell in settled.cells} == {2}
    assert {(each["settings"]["heads"], each["reason"]) for each in settled.skipped} == {
        (1, "all 3 trials were lost; the first diverged: no number")
    }
    assert not settled.open
    lost = evaluations(found.tuning, ended(found, lambda *_: None))
    assert [best(trials) for trials in lost.values()] == [None, None]


def test_test_numbers_cannot_choose():
    """Whatever a record of a trial held of the test split, the choice is the same."""
    found = resolved()
    records = ended(found, lambda heads, trial, seed: 0.9 - trial / 10)
    lured = {
        cell["spec"]: records[cell["spec"]] | {"test": {"accuracy": cell["trial"] / 10}}
        for cell in found.tuning["cells"]
    }
    assert settle(found, lured) == settle(found, records)
    assert {cell["trial"] for cell in settle(found, lured).cells} == {0}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Tuning(budget=0), "budget is 0; allowed: integers from 1"),
        (lambda: Tuning(space={}), "needs a space and seeds"),
        (lambda: Tuning(space={"width": uniform(8, 16)}), "'width' shapes the program"),
        (lambda: Tuning(space={"warmup": uniform(0, 1)}), "'warmup' shapes the program"),
        (lambda: Tuning(space={"drop": uniform(0, 1)}), r"Did you mean 'dropout'\?"),
        (lambda: Tuning(space={"dropout": uniform(0, 2)}), "dropout is 2.0; allowed: from 0 to"),
        (
            lambda: Tuning(space={"clip": uniform(2, 1)}),
            r"uniform\(2, 1\) is not an interval; give the lower end first",
        ),
        (
            lambda: Tuning(space={"learning_rate": log_uniform(0, 1)}),
            r"log_uniform\(0, 1\) has no logarithm at its low end; give one above 0",
        ),
        (lambda: Tuning(seeds=(-1,)), "seed is -1"),
        (lambda: resolved(tuning=Tuning(seeds=(1, 99))), "seed 1 is a seed of the experiment and"),
        (
            lambda: resolved(
                axes=[
                    together(
                        {"learning_rate": 1e-3, "steps": 9}, {"learning_rate": 1e-2, "steps": 5}
                    )
                ]
            ),
            "'learning_rate' is tuned and varies together with other settings",
        ),
        (
            lambda: resolved(tables=[Table("Rates", ROWS, where={"learning_rate": 1e-3})]),
            "table 'Rates' is about 'learning_rate', which the trials choose",
        ),
        (
            lambda: apply(experiment(), Overrides(settings=["learning_rate=0.1"])),
            "learning_rate is chosen by the trials",
        ),
        (
            lambda: apply(experiment(None), Overrides(budget=2, settings=["dropout=0.1"])),
            "dropout is chosen by the trials",
        ),
    ],
)
def test_what_cannot_be_tuned_is_rejected(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_a_budget_from_the_command_line_tunes_any_experiment():
    assert apply(experiment(None), Overrides(budget=5)).tuning == Tuning(budget=5, space=SPACE)
    changed = apply(experiment(), Overrides(budget=5)).tuning
    assert (changed.budget, changed.space, changed.seeds) == (5, TUNING.space, (50, 51))
    assert apply(experiment(None), Overrides()).tuning is None
