"""References of the normalizers: (logits, mask) -> weights."""

from __future__ import annotations

import numpy as np


def rows_of(logits, mask):
    """Every row that sees anything: its index, the keys that it sees and their logits."""
    for b, h, t in np.ndindex(logits.shape[:3]):
        seen = np.flatnonzero(mask[b, 0, t])
        if len(seen):
            yield (b, h, t), seen, logits[b, h, t, seen]


def normalizer_softmax(logits, mask):
    """weights[t, s] = exp(logits[t, s]) / sum_r exp(logits[t, r]), over the keys t may see."""
    weights = np.zeros_like(logits)
    for row, seen, z in rows_of(logits, mask):
        for s, own in zip(seen, z, strict=True):
            weights[row][s] = 1 / sum(np.exp(min(other - own, 700)) for other in z)
    return weights


def normalizer_softmax_one(logits, mask):
    """weights[t, s] = exp(logits[t, s]) / (1 + sum_r exp(logits[t, r])), over the keys seen."""
    weights = np.zeros_like(logits)
    for row, seen, z in rows_of(logits, mask):
        for s, own in zip(seen, z, strict=True):
            weights[row][s] = 1 / sum(np.exp(min(other - own, 700)) for other in [0.0, *z])
    return weights


def normalizer_gumbel(logits, mask, tau):
    """weights[t, s] = exp(logits[t, s] / tau) / sum_r exp(logits[t, r] / tau): without noise."""
    return normalizer_softmax(logits / tau, mask)


def normalizer_sigmoid(logits, mask):
    """weights[t, s] = 1 / (1 + exp(-(logits[t, s] - log n[t]))), over the keys t may see."""
    weights = np.zeros_like(logits)
    for row, seen, z in rows_of(logits, mask):
        for s, own in zip(seen, z, strict=True):
            weights[row][s] = 1 / (1 + np.exp(min(np.log(len(seen)) - own, 700)))
    return weights


def normalizer_relu_over_n(logits, mask):
    """weights[t, s] = max(0, logits[t, s]) / n[t], over the n[t] keys t may see."""
    weights = np.zeros_like(logits)
    for row, seen, z in rows_of(logits, mask):
        for s, own in zip(seen, z, strict=True):
            weights[row][s] = own / len(seen) if own > 0 else 0.0
    return weights


def normalizer_relu_squared(logits, mask, power):
    """weights[t, s] = max(0, logits[t, s])^2 / n[t]^power, over the n[t] keys t may see."""
    weights = np.zeros_like(logits)
    for row, seen, z in rows_of(logits, mask):
        for s, own in zip(seen, z, strict=True):
            weights[row][s] = own * own / np.exp(power * np.log(len(seen))) if own > 0 else 0.0
    return weights


def normalizer_none(logits, mask):
    """weights[t, s] = logits[t, s] / n[t], over the n[t] keys t may see."""
    weights = np.zeros_like(logits)
    for row, seen, z in rows_of(logits, mask):
        for s, own in zip(seen, z, strict=True):
            weights[row][s] = own / len(seen)
    return weights


def normalizer_sparsemax(logits, mask):
    """The point of the simplex nearest to the logits; tau found by trying every support."""
    weights = np.zeros_like(logits)
    for row, seen, z in rows_of(logits, mask):
        ordered, tau = sorted(z, reverse=True), np.nan
        for size in range(1, len(z) + 1):
            tau = (sum(ordered[:size]) - 1) / size
            below = ordered[size] if size < len(z) else -np.inf
            if ordered[size - 1] > tau >= below:  # the support is just those above tau
                break
        for s, own in zip(seen, z, strict=True):
            weights[row][s] = max(0.0, own - tau)
    return weights


def normalizer_entmax15(logits, mask):
    """weights[t, s] = max(0, z[s] - tau)^2, z = logits / 2; tau found by trying every support.

    On a support of r keys, sum (z - tau)^2 = 1 is r tau^2 - 2 tau sum z + sum z^2 - 1 = 0, whose
    smaller root lies below all of them.
    """
    weights = np.zeros_like(logits)
    for row, seen, z in rows_of(logits, mask):
        top = max(z)  # only differences count
        ordered, tau = sorted(((own - top) / 2 for own in z), reverse=True), np.nan
        for size in range(1, len(z) + 1):
            total, squares = sum(ordered[:size]), sum(own**2 for own in ordered[:size])
            root = total**2 - size * (squares - 1)
            if root < 0:
                continue
            tau = (total - np.sqrt(root)) / size
            below = ordered[size] if size < len(z) else -np.inf
            if ordered[size - 1] > tau >= below:
                break
        for s, own in zip(seen, z, strict=True):
            weights[row][s] = max(0.0, (own - top) / 2 - tau) ** 2
    return weights


def normalizer_entmax(logits, mask, alpha):
    """weights[t, s] = max(0, (alpha - 1) logits[t, s] - tau)^(1/(alpha - 1)); tau by halving."""
    weights = np.zeros_like(logits)
    for row, seen, z in rows_of(logits, mask):
        scaled = (alpha - 1) * (z - max(z))
        low, high = -1.0, 0.0  # at low the largest alone weighs one, at high none weighs anything

        def raised(tau, scaled=scaled):
            return np.maximum(0.0, scaled - tau) ** (1 / (alpha - 1))

        for _ in range(100):
            tau = (low + high) / 2
            low, high = (tau, high) if raised(tau).sum() >= 1 else (low, tau)
        weights[row][seen] = raised(low)
    return weights


def best_of(z, k):
    """The places of the k largest, of equal ones the earliest."""
    return sorted(range(len(z)), key=lambda place: (-z[place], place))[:k]


def normalizer_topk(logits, mask, keep):
    """The softmax of the `keep` largest logits of a row; of equal ones the earliest count."""
    kept = np.zeros(logits.shape, bool)
    for row, seen, z in rows_of(logits, mask):
        for place in best_of(z, keep):
            kept[row][seen[place]] = True
    weights = np.zeros_like(logits)
    for row in np.ndindex(logits.shape[:3]):
        one = kept[row][None, None, None]
        weights[row] = normalizer_softmax(logits[row][None, None, None], one)[0, 0, 0]
    return weights


def normalizer_hard(logits, mask):
    """weights[t, s] = 1 for the largest logit of a row, the earliest of equal ones; else 0."""
    weights = np.zeros_like(logits)
    for row, seen, z in rows_of(logits, mask):
        weights[row][seen[best_of(z, 1)[0]]] = 1.0
    return weights
