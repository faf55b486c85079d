"""Positions: whether the order of the tokens is known."""

from __future__ import annotations

import numpy as np
import pytest

from attn_nlp.parts import registry
from tests.nn.running import cases, inputs, ready
from tests.nn.test_encoder import bags_agree

CASES = [text for _, text in cases("position")]


@pytest.mark.parametrize("text", CASES)
def test_the_order_of_the_tokens_shows_unless_claimed_otherwise(text):
    claimed = bool(registry.find("position", text.partition("(")[0]).facts.get("equivariant"))
    assert bags_agree(text) == claimed


def test_sinusoids_of_small_positions():
    given = inputs()
    given["x"][:] = 0.0
    placed = np.asarray(ready("position", "sinusoidal").run(given)[0])[0]
    np.testing.assert_allclose(placed[0], [0, 1, 0, 1, 0, 1, 0, 1])
    np.testing.assert_allclose(placed[3, :2], [np.sin(3), np.cos(3)], rtol=1e-6)
    np.testing.assert_allclose(placed[3, 2:4], [np.sin(0.3), np.cos(0.3)], rtol=1e-6)
