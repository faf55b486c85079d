"""One cell's outcome, whatever its model does."""

from __future__ import annotations

import json

import numpy as np
import pytest

from attn_nlp import own_frames
from attn_nlp.engines import work
from attn_nlp.engines.job import Job, Stopped
from attn_nlp.experiment import Cell
from attn_nlp.experiment.cell import flatten
from attn_nlp.experiment.identity import spec_of
from attn_nlp.mistakes import Mistake
from attn_nlp.registry import Numeric, Static, model

GOOD = {"status": "done", "validation": {"accuracy": 0.5}, "test": {"accuracy": 0.25}}


@pytest.fixture
def outcome(catalogue, monkeypatch):
    """The outcome of a cell whose model is the function given."""
    monkeypatch.setattr(
        work, "_prepared", lambda path, sealed: f"{'sealed ' * sealed}data in {path}"
    )

    def of(function, name="fake", report=lambda step: None, trial=False, **facts):
        model("fake", **facts)(function)
        cell = Cell(model=name, dataset="planted_lookup", seed=3, trial=trial)
        return work.outcome(Job(spec_of(cell), flatten(cell), "there", "p"), report)

    return of


def test_a_good_result_passes_with_its_provenance(outcome):
    found = outcome(lambda_of(GOOD))
    assert found["status"] == "done"
    assert found["test"] == {"accuracy": 0.25}
    assert found["wall_seconds"] >= 0
    assert found["provenance"]["threads"] == 1
    assert found["provenance"]["numpy"] == np.__version__
    json.dumps(found, allow_nan=False)


def lambda_of(result):
    def fit(cell):
        return result

    return fit


def test_a_model_gets_what_it_names(outcome):
    got = {}

    def fit(prepared, seed, rate, depth):
        got.update(prepared=prepared, seed=seed, rate=rate, depth=depth)
        return GOOD

    settings = {"rate": Numeric(0.5), "depth": Static(2)}
    assert outcome(fit, "fake(rate=0.25)", settings=settings)["status"] == "done"
    assert got == {"prepared": "data in there", "seed": 3, "rate": 0.25, "depth": 2}


def test_arrays_become_lists_and_nan_becomes_none(outcome):
    result = GOOD | {
        "predictions": np.array([1, 0]),
        "history": [{"train_loss": float("nan"), "step": np.int64(3)}],
        "peak_bytes": np.float32(2.0),
    }
    found = outcome(lambda_of(result))
    assert found["predictions"] == [1, 0]
    assert found["history"] == [{"train_loss": None, "step": 3}]
    assert found["peak_bytes"] == 2.0


def test_a_diverged_cell_needs_no_scores(outcome):
    found = outcome(lambda_of({"status": "diverged", "reason": "at step 3"}))
    assert (found["status"], found["reason"]) == ("diverged", "at step 3")


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (None, "TypeError: model 'fake' must return a dict with status 'done' or 'diverged'"),
        ({"status": "failed"}, "TypeError: model 'fake' must return a dict"),
        ({"status": "done"}, "TypeError: model 'fake' returned no finite validation.accuracy"),
        (GOOD | {"test": {"accuracy": float("nan")}}, "returned no finite test.accuracy"),
        (GOOD | {"history": object()}, "TypeError: Object of type object is not JSON"),
    ],
)
def test_a_result_that_is_none_is_a_failure(outcome, result, reason):
    found = outcome(lambda_of(result))
    assert found["status"] == "failed"
    assert reason in found["reason"]


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("never")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("first\nsecond"), "ValueError: first"),
        (SystemExit(), "SystemExit"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (RecursionError("deep"), "RecursionError: deep"),
        (Mute(), "Mute: (what it says cannot be printed)"),
        (ValueError("\ud800"), "ValueError: \\ud800"),
    ],
)
def test_an_error_is_the_outcome_of_its_cell_with_its_line(outcome, error, reason):
    def fit(cell):
        raise error

    found = outcome(fit)
    place = f"{own_frames.shown(__file__)}, line {fit.__code__.co_firstlineno + 1}, in fit"
    assert (found["status"], found["reason"]) == ("failed", f"{place}: {reason}")
    assert "Traceback" in found["detail"]
    assert "in fit\n    raise error\n" in found["detail"]
    found["detail"].encode()  # can be stored


def test_a_mistake_is_told_in_its_own_words(outcome):
    def fit(cell):
        raise Mistake("say it better\nin one line.")

    found = outcome(fit)
    assert (found["status"], found["reason"]) == ("failed", "say it better in one line.")
    assert "in fit\n" in found["detail"]


def test_an_error_of_this_package_is_laid_at_nobodys_door(outcome, monkeypatch):
    monkeypatch.setattr(work, "_fit", lambda *_: json.loads("{"))
    monkeypatch.setattr(own_frames, "_is_own", lambda file: False)
    assert outcome(lambda_of(GOOD))["reason"].startswith("JSONDecodeError: Expecting property name")


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")]
)
def test_out_of_memory_names_the_shape(outcome, error):
    def fit(cell):
        raise error

    found = outcome(fit)
    assert found["status"] == "failed"
    assert found["reason"].startswith("out of memory with batch_size=32, length=")
    assert found["reason"].endswith(str(error) or "MemoryError")


def test_stopping_passes_through_a_models_handlers(outcome):
    def fit(report):
        try:
            report({"step": 1, "steps": 2})
        except Exception:
            return GOOD

    def stop(step):
        raise Stopped

    with pytest.raises(Stopped):
        outcome(fit, report=stop)


def test_a_part_that_changed_meanwhile_is_not_stored_under_the_old_name(outcome, catalogue):
    model("fake")(lambda_of(GOOD))
    cell = Cell(model="fake", dataset="planted_lookup")
    found = work.outcome(Job("0" * 64, flatten(cell), "", "p"), lambda step: None)
    assert found["status"] == "failed"
    assert "changed while the run went on" in found["reason"]


def test_a_trial_gets_sealed_data_and_needs_no_test_numbers(outcome):
    got = []

    def fit(prepared):
        got.append(prepared)
        return {"status": "done", "validation": {"accuracy": 0.5}}

    assert outcome(fit, trial=True)["status"] == "done"
    assert got == ["sealed data in there"]
    assert "no finite test.accuracy" in outcome(fit)["reason"]


def test_test_numbers_of_a_trial_are_refused(outcome):
    found = outcome(lambda_of(GOOD), trial=True)
    assert found["status"] == "failed"
    assert "test numbers of a trial" in found["reason"]
