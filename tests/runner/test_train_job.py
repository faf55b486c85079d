"""One cell's outcome, whatever its model does."""

from __future__ import annotations

import json
import math
import random

import jax.numpy as jnp
import numpy as np
import pytest

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.experiment.cell import flatten
from attn_nlp.experiment.identity import spec_of
from attn_nlp.parts.registry import Numeric, Static, model
from attn_nlp.runner import train_job
from attn_nlp.runner.job import Job, Stopped
from attn_nlp.user_code import frames

LABELS = [0, 1, 1, 1]
GOOD = {"status": "done", "validation": {"accuracy": 0.5}, "test": {"accuracy": 0.25}}
WHOLE = GOOD | {
    "reason": None,
    "parameters": 3,
    "best_step": 10,
    "peak_bytes": 2**40,
    "history": [{"step": 10, "train_loss": 0.5}],
    "confusion": [[1, 0], [3, 0]],
    "predictions": [0, 0, 0, 0],
    "confidences": [0.5, 0.75, 1.0, 1.0],
}


class Data(str):
    """Prepared data that says what it is."""

    class_names = ("no", "yes")
    positive = 1

    def apart(self):
        return self

    def labels_of(self, split):
        return np.array(LABELS)


@pytest.fixture
def outcome(catalogue, monkeypatch):
    """The outcome of a cell whose model is the function given."""
    monkeypatch.setattr(
        train_job, "_prepared", lambda path, sealed: Data(f"{'sealed ' * sealed}data in {path}")
    )

    def of(function, name="fake", report=lambda step: None, trial=False, **facts):
        model("fake", **facts)(function)
        cell = Cell(model=name, dataset="planted_lookup", seed=3, trial=trial)
        return train_job.outcome(Job(spec_of(cell), flatten(cell), "there", "p"), report)

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


def test_what_a_model_draws_from_shared_generators_follows_from_its_seed(outcome):
    """The same in a worker that has trained other cells; and the caller's generators go on."""
    drawn = []

    def fit(cell):
        drawn.append((random.random(), np.random.random()))  # noqa: NPY002
        return GOOD

    before = random.getstate()
    outcome(fit)
    outcome(fit)
    expected = random.Random(3).random(), np.random.RandomState(3).random()
    assert drawn == [expected, expected]
    assert random.getstate() == before


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
        "predictions": np.array([1, 0, 0, 1]),
        "test": {"accuracy": np.float32(0.25), "loss": jnp.float32(1.5), "f1": np.nan},
        "history": [{"train_loss": float("nan"), "step": np.int64(3)}],
        "peak_bytes": np.float32(2.0),
    }
    found = outcome(lambda_of(result))
    assert found["predictions"] == [1, 0, 0, 1]
    assert found["test"] == {"accuracy": 0.25, "loss": 1.5, "f1": None}
    assert found["history"] == [{"train_loss": None, "step": 3}]
    assert found["peak_bytes"] == 2.0


def test_a_diverged_cell_needs_no_scores(outcome):
    found = outcome(lambda_of({"status": "diverged", "reason": "at step 3"}))
    assert (found["status"], found["reason"]) == ("diverged", "at step 3")


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (
            None,
            "model 'fake' must return a dict with status 'done' or 'diverged'; it returned None",
        ),
        ({"status": "failed"}, "model 'fake' must return a dict"),
        ({"status": "done"}, "model 'fake' returned no finite validation.accuracy"),
        (GOOD | {"test": {"accuracy": float("nan")}}, "returned no finite test.accuracy"),
        (GOOD | {"history": object()}, "history is <object objec"),
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
        (Mute(), "Mute: (its message cannot be printed)"),
        (ValueError("\ud800"), "ValueError: \\ud800"),
    ],
)
def test_an_error_is_the_outcome_of_its_cell_with_its_line(outcome, error, reason):
    def fit(cell):
        raise error

    found = outcome(fit)
    place = f"{frames.shown(__file__)}, line {fit.__code__.co_firstlineno + 1}, in fit"
    assert (found["status"], found["reason"]) == ("failed", f"{place}: {reason}")
    assert "Traceback" in found["detail"]
    assert "in fit\n    raise error\n" in found["detail"]
    found["detail"].encode()  # can be stored


def test_a_user_error_is_reported_in_its_own_words(outcome):
    def fit(cell):
        raise UserError("say it better\nin one line.")

    found = outcome(fit)
    assert (found["status"], found["reason"]) == ("failed", "say it better in one line.")
    assert "in fit\n" in found["detail"]


def test_an_error_of_this_package_is_laid_at_nobodys_door(outcome, monkeypatch):
    monkeypatch.setattr(train_job, "_fit", lambda *_: json.loads("{"))
    monkeypatch.setattr(frames, "_is_own", lambda file: False)
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


def looped():
    found = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    ("field", "given", "says"),
    [
        ("test", {"accuracy": 95.0}, "test.accuracy is 95.0; allowed is a number from 0 to 1"),
        (
            "validation",
            {"accuracy": -0.1},
            "validation.accuracy is -0.1; allowed is a number from 0",
        ),
        ("validation", {"accuracy": "0.5"}, "validation.accuracy is '0.5'; allowed is a number"),
        ("validation", {"accuracy": True}, "validation.accuracy is True; allowed is a number"),
        ("validation", {"accuracy": np.ones(1)}, "validation.accuracy is [1.0]; allowed is a num"),
        (
            "validation",
            {"accuracy": 0.5, "loss": -1.0},
            "validation.loss is -1.0; allowed is a num",
        ),
        ("validation", {"accuracy": 0.5, "matthews": 2}, "allowed is a number from -1 to 1"),
        (
            "validation",
            {"accuracy": 0.5, "mine": "x"},
            "validation.mine is 'x'; allowed is a number",
        ),
        ("test", [0.25], "test is [0.25]; allowed is a mapping"),
        ("parameters", "1k", "parameters is '1k'; allowed is an integer from 0"),
        ("parameters", 2.5, "parameters is 2.5; allowed is an integer from 0"),
        ("best_step", -1, "best_step is -1; allowed is an integer from 0"),
        ("peak_bytes", 2**70, "peak_bytes is 1180591620717411303424; allowed is an integer"),
        ("peak_bytes", 10**5000, "peak_bytes is a value of type int; allowed is an integer"),
        ("wall_seconds", "fast", "wall_seconds is 'fast'; allowed is a number from 0, or None"),
        ("compile_seconds", -1.0, "compile_seconds is -1.0; allowed is a number from 0"),
        ("reason", "\ud800", r"reason is '\ud800'; allowed is text without lone surrogates"),
        ("reason", "a\0b", r"reason is 'a\x00b'; allowed is text without NUL"),
        ("reason", {"why": 1}, "reason is {'why': 1}; allowed is text"),
        ("reason", b"why", "reason is b'why'; allowed is text"),
        ("history", "x", "history is 'x'; allowed is a list"),
        ("history", [{"step": "x"}], "history[0].step is 'x'; allowed is a number"),
        ("history", [{"\ud800": 1}], "a name in history[0] is"),
        ("history", looped(), "allowed is at most 8 lists"),
        ("confusion", "x", "confusion is 'x'; allowed is a list"),
        ("confusion", [[1, 0, 0], [3, 0, 0]], "the length of confusion[0] is 3; allowed is 2"),
        ("confusion", [[1, 3]], "the length of confusion[0] is 2; allowed is 1"),
        ("confusion", [[1, 0], [4, -1]], "confusion[1][1] is -1; allowed is an integer from 0"),
        (
            "confusion",
            [[1, 3], [0, 0]],
            "each true class in confusion is [4, 0]; allowed is [1, 3]",
        ),
        ("confusion", [[1, 0], [2, 1]], "predictions by class is {0: 4}; allowed is [3, 1]"),
        ("predictions", ["pos"] * 4, "predictions[0] is 'pos'; allowed is an integer from 0"),
        (
            "predictions",
            [0, 0, 0, 99],
            "predictions[3] is 99; allowed is an integer from 0 to 1",
        ),
        ("predictions", [0, 0, 0], "the length of predictions is 3; allowed is 4"),
        ("confidences", [0.5, 0.5, 0.5, 2.0], "confidences[3] is 2.0; allowed is a number from 0"),
        ("confidences", [0.5], "the length of confidences is 1; allowed is 4"),
        ("test", {"accuracy": 0.5}, "test.accuracy is 0.5; allowed is 0.25, 1 of 4 by confusion"),
        (
            "test",
            {"accuracy": 0.25, "macro_f1": 0.9},
            "test.macro_f1 is 0.9; allowed is 0.2 by its own predictions",
        ),
        ("test", {"accuracy": 0.25, "matthews": 0.5}, "test.matthews is 0.5; allowed is 0 by"),
        ("test", {"accuracy": 0.25, "f1": 0.4}, "test.f1 is 0.4; allowed is 0 by its own pred"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "-",
)
def test_a_field_that_is_wrong_fails_its_cell_and_is_named(outcome, field, given, says):
    found = outcome(lambda_of(WHOLE | {field: given}))
    assert found["status"] == "failed"
    assert found["reason"].startswith("model 'fake' returned an invalid result: ")
    assert says in found["reason"]
    json.dumps(found, allow_nan=False).encode()


def test_a_whole_result_passes(outcome):
    found = outcome(lambda_of(WHOLE))
    assert {name: found[name] for name in WHOLE} == WHOLE


ALONE = {name: value for name, value in WHOLE.items() if name != "confusion"}


def test_accuracy_is_that_of_the_predictions(outcome):
    found = outcome(lambda_of(ALONE | {"predictions": [0, 0, 0, 1]}))
    assert "test.accuracy is 0.25; allowed is 0.5, 2 of 4 by predictions" in found["reason"]


def test_other_scores_are_those_of_the_predictions(outcome):
    result = ALONE | {"predictions": [0, 0, 1, 1]}  # F1 2/3 and 4/5
    right = {"accuracy": 0.75, "macro_f1": 11 / 15, "matthews": 1 / 3**0.5, "f1": 0.8}
    assert outcome(lambda_of(result | {"test": right}))["status"] == "done"
    for name in ("macro_f1", "matthews", "f1"):
        found = outcome(lambda_of(result | {"test": right | {name: right[name] - 0.01}}))
        assert (
            f"test.{name} is {right[name] - 0.01}; allowed is {right[name]:.6g} by"
            in found["reason"]
        )


def test_ece_and_loss_are_those_of_the_confidences(outcome):
    result = ALONE | {"predictions": [0, 0, 1, 1], "confidences": [0.55, 0.58, 0.9, 0.95]}
    # By hand: in one bin one of two right; in two others one, .1 and .05 above its confidence.
    ece = (0.13 + 0.1 + 0.05) / 4
    least = -(math.log(0.55) + math.log(0.42) + math.log(0.9) + math.log(0.95)) / 4
    right = {"accuracy": 0.75, "ece": ece, "loss": least}
    for given in (right, right | {"loss": least + 3}, right | {"ece": ece + 1e-4}):
        assert outcome(lambda_of(result | {"test": given}))["status"] == "done"
    for name, off, says in (
        ("ece", 0.0, f"test.ece is 0.0; allowed is {ece:.6g} by its own confidences"),
        ("ece", ece + 0.01, "by its own confidences"),
        ("loss", least - 0.01, "or more by its own confidences"),
    ):
        found = outcome(lambda_of(result | {"test": right | {name: off}}))
        assert says in found["reason"]


def test_an_accuracy_in_half_precision_is_near_enough(outcome):
    off = 0.25 + 5e-5
    assert outcome(lambda_of(ALONE | {"test": {"accuracy": off}}))["status"] == "done"


def test_unknown_fields_are_left_out(outcome):
    found = outcome(lambda_of(WHOLE | {"finished_at": "z", "key": "k", "notes": object()}))
    assert set(found) == {*WHOLE, "wall_seconds", "provenance"}


def test_words_without_end_are_cut(outcome):
    said = {"status": "diverged", "reason": "x" * 2000, "detail": "y" * 60_000}
    found = outcome(lambda_of(said))
    assert found["reason"] == "x" * (frames.LONGEST - 3) + "..."
    assert len(found["detail"]) == frames.LONGEST_DETAIL


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


@pytest.mark.parametrize(
    ("planned", "says"),
    [
        (0, "changed during the run; run it again with --retry-failed."),
        (2.0**62, "reads other files, folders or environment variables than when the run was "),
    ],
)
def test_a_part_that_changed_meanwhile_is_not_stored_under_the_old_name(
    outcome, catalogue, planned, says
):
    model("fake")(lambda_of(GOOD))
    cell = Cell(model="fake", dataset="planted_lookup")
    found = train_job.outcome(Job("0" * 64, flatten(cell), "", "p", planned=planned), print)
    assert found["status"] == "failed"
    assert says in found["reason"]


def test_a_trial_gets_sealed_data_and_needs_no_test_numbers(outcome):
    got = []

    def fit(prepared):
        got.append(prepared)
        return {"status": "done", "validation": {"accuracy": 0.5}}

    assert outcome(fit, trial=True)["status"] == "done"
    assert got == ["sealed data in there"]
    assert "no finite test.accuracy" in outcome(fit)["reason"]


def test_test_numbers_of_a_trial_are_rejected(outcome):
    found = outcome(lambda_of(GOOD), trial=True)
    assert found["status"] == "failed"
    assert "test scores for a trial" in found["reason"]


@pytest.mark.parametrize(("accuracy", "fits"), [(2 / 3, True), (0.5, False)])
def test_accuracy_is_a_whole_number_of_sentences(accuracy, fits):
    from attn_nlp.result.schema import disagreement

    found = disagreement({"status": "done", "test": {"accuracy": accuracy}}, [0, 1, 1])
    assert (found is None) is fits
