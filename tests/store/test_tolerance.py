"""Two results of one cell: the same to the bit at home, to a stated tolerance elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from attn_nlp.store import Store, StoreError
from attn_nlp.store.tolerance import SCORES, TOLERANCE, contradiction, contradictions, differing

from .records import SPEC, record

ELSEWHERE = {"provenance": {"jax": "2"}}
LESS, MORE = 0.99 * TOLERANCE, 1.01 * TOLERANCE

# Wide enough that XLA splits its matrix products among threads.
_CHILD = """
import json
from attn_nlp.train.loop import train
from tests.train.tiny import CELL, ignored, measured, prepared
cell = CELL.replace({"width": 64, "batch_size": 32, "attention.score": "dot"})
print(json.dumps(measured(train(cell, prepared(), ignored))))
"""


def scores(accuracy=0.5, loss=1.0):
    return {"accuracy": accuracy, "loss": loss, "macro_f1": 0.5}


def trained_on(threads: int) -> dict:
    """A small cell, trained in a process of its own on so many of XLA's threads."""
    flags = "--xla_cpu_multi_thread_eigen=" + ("false" if threads == 1 else "true")
    done = subprocess.run(
        [sys.executable, "-c", _CHILD],
        env={**os.environ, "NPROC": str(threads), "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout) | {"provenance": {"threads": threads}}


def test_threads_move_a_cell_by_no_more_than_the_tolerance():
    """Rounding shows in the loss long before it changes a prediction: hence the tolerance."""
    one, two = trained_on(1), trained_on(2)
    assert contradictions(one, two) == []
    assert contradiction(one, two) == ""
    looks = list(zip(one["history"], two["history"], strict=True))
    assert len(looks) == 3
    for before, after in looks:
        assert before["validation_loss"] == pytest.approx(after["validation_loss"], abs=TOLERANCE)
    # A cell that learned nothing would agree with any other.
    assert one["test"]["accuracy"] > 0.5 + 2 * TOLERANCE


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize("name", SCORES)
def test_another_environment_may_differ_by_the_tolerance_and_no_more(split, name):
    one = record(validation=scores(), test=scores())
    within = record(**{**ELSEWHERE, "validation": scores(), "test": scores()})
    beyond = json.loads(json.dumps(within))
    within[split][name] = one[split][name] + LESS
    beyond[split][name] = one[split][name] + MORE * (1 + (name == "loss") * MORE)
    for record_ in (one, within, beyond):
        record_.setdefault("confidences", None)
    assert contradiction(one, within) == contradiction(within, one) == ""
    for pair in ((one, beyond), (beyond, one)):
        assert f"two environments, with {split} {name} 0.05" in contradiction(*pair)


def test_a_large_loss_may_differ_by_its_share():
    one = record(test=scores(loss=10.0))
    assert contradictions(one, record(**ELSEWHERE, test=scores(loss=10.0 + 9 * LESS))) == []
    assert contradictions(one, record(**ELSEWHERE, test=scores(loss=10.0 + 11 * MORE)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": "diverged", "test": None}, "status done and diverged"),
        ({"parameters": 8}, "parameters 7 and 8"),
        ({"test": None}, "test accuracy in one only; test loss in one only"),
    ],
)
def test_what_no_rounding_explains(changes, said):
    assert contradictions(record(), record(**ELSEWHERE, **changes)) == [*said.split("; ")]


def test_single_sentences_may_move_elsewhere_and_not_at_home(path):
    moved = {"predictions": [1, 1], "best_step": 20, "confusion": [[0, 1], [0, 1]]}
    with Store.open(path) as store:
        store.finish(SPEC, record())
        assert not store.finish(SPEC, record(**ELSEWHERE, **moved))
        with pytest.raises(StoreError, match="one environment with different best_step, confusion"):
            store.finish(SPEC, record(**moved))
        assert store.records([SPEC])[SPEC]["best_step"] == 30


def test_the_last_bit_is_a_difference_at_home():
    one = record(confidences=None)
    other = record(confidences=None, validation={**one["validation"], "accuracy": 0.3})
    assert differing(one, other) == ("validation",)
    assert "one environment with different validation" in contradiction(one, other)


@pytest.mark.parametrize("moved", [LESS, MORE])
def test_an_accelerator_gives_no_bits_again_and_is_held_to_the_tolerance(moved):
    there = {"provenance": {"jax": "1", "device": "NVIDIA H200"}, "confidences": None}
    one = record(**there, test=scores())
    other = record(**there, test=scores(0.5 + moved))
    said = contradiction(one, other)
    if moved < TOLERANCE:
        assert said == ""
    else:
        assert said.startswith("in one environment, with test accuracy 0.05")
    here = {"provenance": {"jax": "1", "device": "cpu"}, "confidences": None}
    assert "different test" in contradiction(record(**here), record(**here, test=scores(0.51)))


def test_a_trial_is_compared_on_validation(path):
    """It has nothing of the test split."""
    trial = record(test=None, confusion=None, predictions=None, validation=scores())
    with Store.open(path) as store:
        store.finish(SPEC, trial)
        assert not store.finish(SPEC, {**trial, **ELSEWHERE})
        with pytest.raises(StoreError, match=r"validation accuracy 0\.300 apart"):
            store.finish(SPEC, {**trial, **ELSEWHERE, "validation": scores(0.8)})
