"""The schedule and the optimizer."""

from __future__ import annotations

import numpy as np


def learning_rate(step, *, peak, steps, warmup):
    """The rate of update number `step`, from 0: a line up to the peak, then half a cosine down."""
    rise = max(1, round(steps * warmup))
    if step + 1 <= rise:
        return peak * (step + 1) / rise
    rest = (step + 1 - rise) / (max(steps, rise) + 1 - rise)
    return peak * (1 + np.cos(np.pi * rest)) / 2


def adamw(params, grads, means, squares, step, *, rate, clip, decay):
    """One update of AdamW (Loshchilov & Hutter, 2019, algorithm 2) after clipping by global norm.

    Args:
      params, grads, means, squares: arrays by name; the last two are the running averages.
      step: updates made so far.
      rate: learning rate of this update.
      clip: largest global norm.
      decay: times the rate, of matrices only.

    Returns:
      params, means, squares after the update.
    """
    norm = np.sqrt(sum((grad**2).sum() for grad in grads.values()))
    shrink = min(1.0, clip / norm)
    for name, grad in grads.items():
        grad = grad * shrink
        means[name] = 0.9 * means[name] + 0.1 * grad
        squares[name] = 0.999 * squares[name] + 0.001 * grad**2
        mean = means[name] / (1 - 0.9 ** (step + 1))
        square = squares[name] / (1 - 0.999 ** (step + 1))
        shrunk = decay * params[name] if params[name].ndim > 1 else 0.0
        params[name] = params[name] - rate * (mean / (np.sqrt(square) + 1e-8) + shrunk)
    return params, means, squares
