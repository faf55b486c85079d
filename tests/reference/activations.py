"""References of activations: (logits, tokens) -> weights."""

from __future__ import annotations

import numpy as np

from tests.reference.normalizers import normalizer_softmax


def activation_sigmoid(logits, tokens):
    """weights[t] = 1 / (1 + exp(-logits[t]))."""
    return by_place(logits, tokens, lambda z: 1 / (1 + np.exp(min(-z, 700))))


def activation_softmax(logits, tokens):
    """weights[t] = exp(logits[t]) / sum_r exp(logits[r])."""
    return normalizer_softmax(logits[:, None, None, :], tokens[:, None, None, :])[:, 0, 0]


def activation_tanh(logits, tokens):
    """weights[t] = tanh(logits[t])."""
    return by_place(logits, tokens, np.tanh)


def activation_relu(logits, tokens):
    """weights[t] = max(0, logits[t])."""
    return by_place(logits, tokens, lambda z: max(0.0, z))


def by_place(logits, tokens, function):
    """The function of every token's number, and 0 at padding."""
    weights = np.zeros_like(logits)
    for b, t in np.ndindex(logits.shape):
        if tokens[b, t]:
            weights[b, t] = function(logits[b, t])
    return weights
