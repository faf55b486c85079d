"""The laws of activations: padding has no weight, and weights sum to one if declared."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import required
from tests.nn.running import SIZES, cases, inputs, ready
from tests.nn.test_parts import extreme

CASES = [text for _, text in cases("activation")]


@pytest.mark.parametrize("change", [lambda given: given, extreme], ids=["usual", "extreme"])
@pytest.mark.parametrize("text", CASES)
def test_padding_weighs_exactly_nothing(text, change):
    given = change(inputs())
    (weights,) = ready("activation", text).run(given)
    assert np.isfinite(weights).all()
    assert (np.asarray(weights)[~given["tokens"]] == 0).all()


@pytest.mark.parametrize("text", CASES)
def test_sentences_sum_to_one_where_claimed_and_only_there(text):
    part, given = ready("activation", text), inputs()
    (weights,) = part.run(given)
    same = np.allclose(np.asarray(weights).sum(axis=1)[:2], 1.0, atol=1e-6)
    assert same == part.choice.part.facts["sums_to_one"]


@pytest.mark.parametrize("text", CASES)
def test_permuting_positions_permutes_weights(text):
    part, given = ready("activation", text), inputs()
    order = np.array([4, 2, 0, 1, 3])
    moved = {name: given[name][:, order] for name in ("marks", "tokens")}
    before, after = (np.asarray(part.run(each)[0]) for each in (given, given | moved))
    np.testing.assert_allclose(after, before[:, order], atol=1e-7)


@pytest.mark.parametrize("text", CASES)
def test_activations_oracle(text):
    """A sentence at a time, its tokens alone, in PyTorch."""
    torch = required("torch")
    functions = {
        "sigmoid": torch.sigmoid,
        "softmax": lambda z: torch.softmax(z, dim=0),
        "tanh": torch.tanh,
        "relu": torch.relu,
    }
    given = inputs()
    weights = np.asarray(ready("activation", text).run(given)[0])
    for b in range(2):
        shown = given["tokens"][b]
        wanted = functions[text](torch.tensor(given["marks"][b][shown]))
        np.testing.assert_allclose(weights[b][shown], wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("text", CASES)
def test_activations_state_their_operations(text):
    assert ready("activation", text).choice.fact("flops", SIZES, -1) > 0
