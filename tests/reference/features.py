"""References of the features: (x) -> (B, T, E)."""

from __future__ import annotations

import numpy as np


def features_feed_forward(x, kernel, bias):
    """f[t] = max(0, x[t] K + s)."""
    return each(x, lambda y: np.maximum(y @ kernel + bias, 0.0))


def features_two_layer(x, inward, inward_bias, outward, outward_bias):
    """f[t] = max(0, x[t] K + s) L + r."""

    def layers(y):
        hidden = [max(0.0, y @ inward[:, i] + inward_bias[i]) for i in range(inward.shape[1])]
        return sum(h * outward[i] for i, h in enumerate(hidden)) + outward_bias

    return each(x, layers)


def features_tanh_layer(x, kernel, bias):
    """f[t] = tanh(x[t] K + s)."""
    return each(x, lambda y: np.tanh(y @ kernel + bias))


def features_linear(x, kernel, bias):
    """f[t] = x[t] K + s."""
    return each(x, lambda y: y @ kernel + bias)


def features_identity(x):
    """f[t] = x[t]."""
    return each(x, lambda y: y)


def each(x, function):
    """The function of every position."""
    out = np.zeros_like(x)
    for b, t in np.ndindex(x.shape[:2]):
        out[b, t] = function(x[b, t])
    return out
