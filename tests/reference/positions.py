"""References of positions and initializers."""

from __future__ import annotations

import numpy as np

from tests.reference.mixers import spend
from tests.reference.normalizers import normalizer_softmax
from tests.reference.scores import score_dot


def init_unit_variance(fan_in):
    """The variance is 1/E."""
    return np.sqrt(1 / fan_in)


def init_xavier(fan_in, fan_out):
    """The variance is 2/(E + H D)."""
    return np.sqrt(2 / (fan_in + fan_out))


def position_none(x, q, k, v, mask):
    """x[t] = e[t]."""
    return x, spend(normalizer_softmax(score_dot(q, k), mask), v)


def position_sinusoidal(x, q, k, v, mask):
    """x[t, 2i] = e[t, 2i] + sin(t / 10000^(2i/E)); the odd ones with the cosine."""
    placed = x.copy()
    for t, e in np.ndindex(x.shape[1:]):
        angle = t / 10000 ** (2 * (e // 2) / x.shape[2])
        placed[:, t, e] += np.sin(angle) if e % 2 == 0 else np.cos(angle)
    return placed, position_none(x, q, k, v, mask)[1]


def position_learned(x, q, k, v, mask, table):
    """x[t] = e[t] + p[t]."""
    placed = np.array([[x[b, t] + table[t] for t in range(x.shape[1])] for b in range(len(x))])
    return placed, position_none(x, q, k, v, mask)[1]


def position_rope(x, q, k, v, mask, base):
    """Features 2i and 2i + 1 of q[t] are one complex number, times exp(i t base^(-2i/D))."""

    def turned(each):
        out = np.zeros_like(each)
        for t, i in np.ndindex(each.shape[2], each.shape[3] // 2):
            number = each[:, :, t, 2 * i] + 1j * each[:, :, t, 2 * i + 1]
            number = number * np.exp(1j * t * base ** (-2 * i / each.shape[3]))
            out[:, :, t, 2 * i], out[:, :, t, 2 * i + 1] = number.real, number.imag
        return out

    return x, spend(normalizer_softmax(score_dot(turned(q), turned(k)), mask), v)


def position_shaw(x, q, k, v, mask, reach, keys, values):
    """logits q[t] . (k[s] + a[near]), and sum_s weights (v[s] + b[near]), near = clip(s - t)."""
    logits = np.zeros((*q.shape[:3], k.shape[2]))
    for b, h, t, s in np.ndindex(logits.shape):
        near = max(-reach, min(reach, s - t)) + reach
        logits[b, h, t, s] = q[b, h, t] @ (k[b, h, s] + keys[near])
    weights = normalizer_softmax(logits, mask)
    out = np.zeros((*weights.shape[:3], v.shape[3]))
    for b, h, t, s in np.ndindex(weights.shape):
        near = max(-reach, min(reach, s - t)) + reach
        out[b, h, t] += weights[b, h, t, s] * (v[b, h, s] + values[near])
    return x, out


def position_alibi(x, q, k, v, mask):
    """logits q . k - 2^(-8 h/H) |s - t|, h from 1."""
    logits = score_dot(q, k)
    for h, t, s in np.ndindex(logits.shape[1:]):
        logits[:, h, t, s] -= 2 ** (-8 * (h + 1) / q.shape[1]) * abs(s - t)
    return x, spend(normalizer_softmax(logits, mask), v)


def t5_bucket(ahead, buckets, farthest):
    """Exact near the query, logarithmic farther on; the second half is for keys ahead of it."""
    side, distance = buckets // 2, abs(ahead)
    exact = side // 2
    if distance >= farthest >= exact:
        near = side - 1
    elif min(distance, farthest) < exact:
        near = min(distance, farthest)
    else:
        share = np.log(distance / exact) / np.log(farthest / exact)
        # An integer must not fall below itself by rounding.
        near = min(side - 1, exact + int(np.floor(share * (side - exact) + 1e-9)))
    return near + (side if ahead > 0 else 0)


def position_t5(x, q, k, v, mask, buckets, farthest, bias):
    """logits q . k + bias[bucket(s - t), h]."""
    logits = score_dot(q, k)
    for h, t, s in np.ndindex(logits.shape[1:]):
        logits[:, h, t, s] += bias[t5_bucket(s - t, buckets, farthest), h]
    return x, spend(normalizer_softmax(logits, mask), v)
