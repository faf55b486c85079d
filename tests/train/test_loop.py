"""Training a cell: the same bits whatever else is run, the best step tested, faults told apart."""

from __future__ import annotations

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attn_nlp.errors import UserError
from attn_nlp.metrics import calibration_error
from attn_nlp.nn.context import ForwardContext
from attn_nlp.train import loop
from attn_nlp.train.loop import train
from attn_nlp.train.program import program_of
from tests.train.tiny import CELL, TRAIN, VALIDATION, ignored, measured, prepared

DATA = prepared()


def run(data=DATA, report=ignored, **settings) -> dict:
    return train(CELL.replace(settings), data, report)


def test_a_result_is_plain_and_complete():
    result = run()
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["status"] == "done"
    assert result["reason"] is None
    assert [look["step"] for look in result["history"]] == [20, 40, 60]
    metrics = {"accuracy", "macro_f1", "matthews", "loss", "ece"}
    assert set(result["test"]) == set(result["validation"]) == metrics
    assert len(result["predictions"]) == len(result["confidences"]) == 2100
    assert np.sum(result["confusion"]) == 2100
    right = np.array(result["predictions"]) == DATA.labels[TRAIN + VALIDATION :]
    assert result["test"]["accuracy"] == right.mean() == np.trace(result["confusion"]) / 2100
    assert result["test"]["ece"] == calibration_error(np.array(result["confidences"]), right)
    assert result["parameters"] == 8 * 11 + 4 * 64 + 2 * 8 * 32 + 32 + 8 + 3 * 16 + 2 * 8 + 2
    assert result["peak_bytes"] > 4 * 3 * result["parameters"]


def test_a_cell_gives_the_same_bits_alone_and_after_others():
    alone = measured(run())
    for other in ({"seed": 3}, {"learning_rate": 0.05}, {"learning_rate": 1e30}, {"clip": 0.01}):
        assert measured(run(**other)) != alone
        assert measured(run()) == alone


@pytest.mark.parametrize("seconds", [1e-9, 1e9], ids=["step by step", "in one piece"])
def test_a_cell_gives_the_same_bits_however_its_steps_and_looks_are_handed_out(
    seconds, monkeypatch
):
    usual = measured(run())
    monkeypatch.setattr(loop, "CHUNK_SECONDS", seconds)
    assert measured(run()) == usual


def test_longer_looks_apart_change_no_step():
    often, seldom = run(evaluate_every=1), run(evaluate_every=60)
    assert often["history"][-1]["validation_loss"] == seldom["history"][-1]["validation_loss"]
    losses = [look["train_loss"] for look in often["history"]]
    np.testing.assert_allclose(np.mean(losses), seldom["history"][0]["train_loss"], rtol=1e-6)


def test_training_learns_a_plain_task():
    result = run(steps=120, evaluate_every=40)
    losses = [look["train_loss"] for look in result["history"]]
    assert losses[0] > losses[1] > losses[2]
    assert result["test"]["accuracy"] > 0.9


def test_every_numeric_setting_reaches_training():
    """None of them is compiled in, none is forgotten."""
    program, _ = program_of(CELL, DATA)
    usual = run()["history"]
    others = {
        "seed": 1,
        "learning_rate": 0.01,
        "weight_decay": 1.0,
        "clip": 0.01,
        "dropout": 0.5,
        "attention.dropout": 0.5,
        "attention.scale": "constant(2.0)",
        "attention.mixer": "query_mix('fixed(0.1)')",
    }
    for path, value in others.items():
        assert program_of(CELL.replace({path: value}), DATA) == (program, False), path
        assert run(**{path: value})["history"] != usual, path


def test_every_step_and_seed_drops_its_own():
    """With weights that stay and one batch for all steps, only what is dropped moves the loss."""
    program, _ = program_of(CELL, DATA)
    training = loop.Run(program, CELL, DATA, ignored)
    still = training.numeric | {"learning_rate": jnp.float32(0.0)}
    rows = jnp.broadcast_to(training.rows[:1], training.rows.shape)
    buckets = jnp.full_like(training.buckets, len(program.edges) - 1)

    def loss(step, seed):
        data = (training.ids, training.labels, rows, buckets, jnp.int32(step), jnp.int32(1))
        start = program.start(CELL.seed)
        return float(program.train(start, still, jnp.uint32(seed), *data, jnp.float32(0.0))[1])

    losses = [loss(step, seed) for step in range(3) for seed in range(2)]
    assert len(set(losses)) == len(losses)
    assert loss(0, 0) == losses[0]


@pytest.mark.parametrize("rate", [1e30, 1e38])
def test_a_loss_that_is_not_finite_is_a_divergence_with_its_step(rate):
    result = run(learning_rate=rate, clip=1e9)
    assert result["status"] == "diverged"
    assert "the loss was not finite at step" in result["reason"]
    assert "test" not in result
    assert "predictions" not in result
    json.dumps(result, allow_nan=False)


def test_a_step_that_breaks_the_weights_before_a_look_is_a_divergence():
    """Its own loss is finite; that of the validation split afterward is not."""
    result = run(learning_rate=1e38, clip=1e9, evaluate_every=1)
    assert result["status"] == "diverged"
    assert result["reason"] == "the validation loss was not finite after step 1"
    assert result["history"] == []
    json.dumps(result, allow_nan=False)


def test_the_best_validation_step_is_tested_and_the_test_split_read_once(monkeypatch):
    looked = []
    look = loop.Run.evaluate

    def watched(training, split, params=None):
        found = look(training, split, params)
        used = training.state["params"] if params is None else params
        looked.append(
            (split, training.step, jax.tree.map(np.asarray, used), found.scores["accuracy"])
        )
        return found

    monkeypatch.setattr(loop.Run, "evaluate", watched)
    result = run(evaluate_every=3, learning_rate=0.05)
    splits = [split for split, *_ in looked]
    assert splits == ["validation"] * 20 + ["test"]
    accuracies = [accuracy for *_, accuracy in looked[:-1]]
    best = looked[int(np.argmax(accuracies))]  # the first of equals
    assert result["best_step"] == best[1] < 60
    assert result["validation"]["accuracy"] == best[3]
    jax.tree.map(np.testing.assert_array_equal, looked[-1][2], best[2])


def test_a_trial_never_reads_the_test_split(monkeypatch):
    """Its record is the same whatever stands there, and says nothing of it."""
    looked = []
    look = loop.Run.evaluate
    monkeypatch.setattr(
        loop.Run,
        "evaluate",
        lambda training, split, params=None: looked.append(split) or look(training, split, params),
    )
    trial, usual = run(trial=True), run()
    assert "test" not in looked[: len(looked) // 2]
    assert not {"test", "confusion", "predictions", "confidences"} & set(trial)
    kept = ("validation", "best_step", "history", "parameters")
    assert {name: trial[name] for name in kept} == {name: usual[name] for name in kept}
    assert measured(run(DATA.sealed(), trial=True)) == measured(trial)
    assert program_of(CELL.replace({"trial": True}), DATA.sealed()) == (
        program_of(CELL, DATA)[0],
        False,
    )


def test_report_counts_the_steps_and_may_end_the_training(monkeypatch):
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 1e-9)
    seen = []
    run(report=seen.append)
    steps = [progress["step"] for progress in seen]
    assert steps == sorted(steps)
    assert steps[0] == 0
    assert steps[-1] == 60
    assert len(set(steps)) > 30  # a chunk of its own for every step that has been timed

    def enough(progress):
        if progress["step"] > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(report=enough)


class Clock:
    """In place of `time`: every evaluation batch of bucket b takes (b + 1) / 8 seconds."""

    def __init__(self, program):
        self.now, self.counts, self._evaluate = 0.0, [], program.evaluate

    def perf_counter(self):
        return self.now

    def evaluate(self, params, numeric, seed, ids, rows, buckets, count):
        assert len(set(buckets[:count])) == 1
        self.now += float(count) * (1 + int(buckets[0])) / 8
        self.counts.append((int(buckets[0]), int(count)))
        return self._evaluate(params, numeric, seed, ids, rows, buckets, count)


def test_a_look_is_cut_into_calls_of_half_a_second(monkeypatch):
    """One batch of each length is timed; then as many a call as take no longer than a chunk."""
    data = dataclasses.replace(DATA, edges=(4, 5, 6))  # evaluated in buckets of 4 and 6
    program, _ = program_of(CELL, data)
    clock, told = Clock(program), []
    whole = loop.Run(program, CELL, data, ignored).evaluate("test")
    monkeypatch.setattr(loop, "time", clock)
    monkeypatch.setattr(program, "evaluate", clock.evaluate)
    training = loop.Run(program, CELL, data, lambda progress: told.append(clock.now))
    cut = training.evaluate("test")
    short, long = ([count for bucket, count in clock.counts if bucket == b] for b in (0, 1))
    assert sum(short) + sum(long) == 66
    for counts, most in (short, 4), (long, 2):
        assert counts[0] == 1
        assert counts[-1] <= most
        assert set(counts[1:-1]) == {most}
    assert max(np.diff([0.0, *told, clock.now])) == loop.CHUNK_SECONDS
    assert len(told) == len(clock.counts) - 1
    np.testing.assert_array_equal(cut.predictions, whole.predictions)
    np.testing.assert_array_equal(cut.confidences, whole.confidences)
    assert cut.scores == whole.scores
    training.evaluate("test")
    assert clock.counts[len(short) + len(long) :][0] == (0, 4), "what was timed stays known"


def test_evaluation_looks_at_every_row_once_whatever_the_batches():
    program, _ = program_of(CELL, DATA)
    training = loop.Run(program, CELL, DATA, ignored)
    found = training.evaluate("test")
    rows = slice(TRAIN + VALIDATION, None)
    wanted = program._forward(
        training.state["params"], jnp.asarray(DATA.ids[rows]), ForwardContext(training.numeric)
    )
    logits = np.asarray(wanted, np.float64)
    # Buckets pad less than all six places: sums in groups of another size, and ties may turn.
    near = np.abs(logits[:, 0] - logits[:, 1]) < 1e-5
    assert ((found.predictions == logits.argmax(axis=1)) | near).all()
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(2100), DATA.labels[rows]]
    np.testing.assert_allclose(found.scores["loss"], losses.mean(), rtol=1e-5)


@pytest.mark.parametrize("seed", [2**31, 2**32 - 1])
def test_large_seeds(seed):
    assert run(seed=seed)["status"] == "done"


def test_seeds_beyond_32_bits_are_rejected_where_they_are_written():
    with pytest.raises(UserError, match=r"seed is 4294967296; allowed: integers from 0 to 4294"):
        CELL.replace({"seed": 2**32})
