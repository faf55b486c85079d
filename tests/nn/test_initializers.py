"""Initializers: the variance that queries, keys and logits start with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from attn_nlp.experiment import Cell
from attn_nlp.nn.attention import build_attention
from attn_nlp.rng import Stream


def start(**settings) -> Any:
    cell = Cell(width=64, heads=1).replace(settings)
    return build_attention(cell, cell.sizes, Stream(0), 0)


@pytest.mark.parametrize("head_dim", [16, 64, 256])
def test_queries_have_unit_variance_at_every_head_dim(head_dim):
    x = np.random.default_rng(0).normal(size=(50, 64))
    for kernel in ("query", "key"):
        q = x @ np.asarray(getattr(start(head_dim=head_dim).project, kernel).kernel[...])
        assert 0.85 < q.var() < 1.15  # a thousand drawn weights: 3 standard errors


def test_results_start_with_the_variance_of_the_heads():
    """The map back to the stream is divided by its fan-in, heads * value_dim, not by the width."""
    for value_dim in (16, 256):
        kernel = np.asarray(start(value_dim=value_dim).project.output.kernel[...])
        np.testing.assert_allclose(kernel.std(), value_dim**-0.5, rtol=0.1)


def test_xavier_shrinks_with_head_dim():
    for head_dim in (16, 256):
        kernel = np.asarray(
            start(**{"head_dim": head_dim, "attention.init": "xavier"}).project.query.kernel[...]
        )
        np.testing.assert_allclose(kernel.std(), (2 / (64 + head_dim)) ** 0.5, rtol=0.1)


def test_another_initializer_draws_the_same_numbers_at_another_size():
    one, other = start(), start(**{"attention.init": "xavier"})
    ratio = np.asarray(one.project.key.kernel[...]) / np.asarray(other.project.key.kernel[...])
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-5)
    np.testing.assert_array_equal(one.project.value.kernel[...], other.project.value.kernel[...])
    np.testing.assert_array_equal(one.project.output.kernel[...], other.project.output.kernel[...])
