"""References of the kinds that pass information between positions."""

from __future__ import annotations

import numpy as np

from tests.reference.mixers import spend
from tests.reference.normalizers import normalizer_softmax
from tests.reference.pooling import pooling_se_token
from tests.reference.scales import scale_rsqrt_dim
from tests.reference.scores import fold_in, normal


def kind_pairwise(q, k, v, tokens):
    """out[t] = sum_s softmax(q[t] . k[s] / sqrt(D))[s] v[s]."""
    mask = np.broadcast_to(tokens[:, None, None, :], (len(q), 1, q.shape[2], k.shape[2]))
    return spend(normalizer_softmax(scale_rsqrt_dim(q, k), mask), v)


def kind_se_token(x, tokens, activation, features, gate, gate_bias, output):
    """y[t] = O sum_r weight[r] f[r]."""
    context = pooling_se_token(x, tokens, activation, features, gate, gate_bias)
    y = np.zeros_like(x)
    for b, t in np.ndindex(x.shape[:2]):
        y[b, t] = context[b] @ output
    return y


def kind_se_channel(x, tokens, inward, outward):
    """s = mean_t x[t]; gate = sigmoid(max(0, s W) V); y[t] = gate * x[t]."""
    y = np.zeros_like(x)
    for b in range(len(x)):
        shown = [x[b, t] for t in range(x.shape[1]) if tokens[b, t]]
        squeezed = sum(shown) / len(shown) if shown else np.zeros(x.shape[2])
        excited = np.maximum(squeezed @ inward, 0.0) @ outward
        for t, e in np.ndindex(x.shape[1:]):
            y[b, t, e] = x[b, t, e] / (1 + np.exp(-excited[e]))
    return y


def kind_identity(x):
    """y[t] = 0."""
    return np.zeros_like(x)


def kind_linear(q, k, v, tokens):
    """weights[t, s] ~ phi(q[t]) . phi(k[s]), phi(x) = elu(x) + 1."""

    def log_phi(x):
        return np.array([y if y < 0 else np.log(1 + y) for y in x])

    return by_kernel(log_phi, q, k, v, tokens)


def kind_performer(q, k, v, tokens, features, seed, layer):
    """weights[t, s] ~ phi(q[t]) . phi(k[s]), phi_i(x) = exp(w_i . y - |y|^2 / 2), y = x D^-1/4."""
    size = q.shape[3]
    rows = performer_rows(features, size, seed, layer)

    def log_phi(x):
        x = x / size**0.25
        return np.array([row @ x - x @ x / 2 for row in rows])

    return by_kernel(log_phi, q, k, v, tokens)


def performer_rows(features, size, seed, layer):
    """Normal rows: in groups of `size`, directions made orthogonal one after another."""
    key = fold_in(fold_in((0, seed), 0xFA40), layer)
    directions, lengths = fold_in(key, 0), fold_in(key, 1)
    rows = []
    for m in range(features):
        group, place = divmod(m, size)
        first = (group * size) * size  # numbers of a group stand row by row; columns are used
        row = np.array([normal(directions, first + d * size + place) for d in range(size)])
        for other in rows[group * size :]:
            row -= (row @ other) / (other @ other) * other
        length = np.sqrt(sum(normal(lengths, m * size + d) ** 2 for d in range(size)))
        rows.append(row / np.sqrt(row @ row) * length)
    return rows


def kind_linformer(q, k, v, tokens, keys, values):
    """out[t] = sum_r softmax(q[t] . k'[r] / sqrt(D))[r] v'[r], k' = P^T k, v' = R^T v."""
    heads, rank = k.shape[1], keys.shape[1]
    few_k = np.zeros((len(k), heads, rank, k.shape[3]))
    few_v = np.zeros((len(k), heads, rank, v.shape[3]))
    for b, h, s, r in np.ndindex(len(k), heads, k.shape[2], rank):
        if tokens[b, s]:
            few_k[b, h, r] += keys[s, r] * k[b, h, s]
            few_v[b, h, r] += values[s, r] * v[b, h, s]
    return kind_pairwise(q, few_k, few_v, np.ones((len(k), rank), bool))


def kind_aft_simple(q, k, v, tokens):
    """out[t, d] = sigmoid(q[t, d]) sum_s exp(k[s, d]) v[s, d] / sum_s exp(k[s, d])."""
    out = np.zeros_like(q)
    for b, h, t, d in np.ndindex(q.shape):
        seen = [s for s in range(k.shape[2]) if tokens[b, s]]
        top = max((k[b, h, s, d] for s in seen), default=0.0)
        raised = [np.exp(k[b, h, s, d] - top) for s in seen]
        if seen:
            mixed = sum(w * v[b, h, s, d] for w, s in zip(raised, seen, strict=True)) / sum(raised)
            out[b, h, t, d] = mixed / (1 + np.exp(min(-q[b, h, t, d], 700)))
    return out


def kind_fnet(x, tokens):
    """y[t, e] = Re sum_s sum_d x[s, d] exp(-2 pi i (t s / n + e d / E))."""
    y, width = np.zeros_like(x), x.shape[2]
    for b in range(len(x)):
        shown = np.flatnonzero(tokens[b])
        n = len(shown)
        for t, e in np.ndindex(n, width):
            total = 0.0
            for s, d in np.ndindex(n, width):
                total += x[b, shown[s], d] * np.cos(2 * np.pi * (t * s / n + e * d / width))
            y[b, shown[t], e] = total
    return y


def by_kernel(log_phi, q, k, v, tokens):
    """out[t] = sum_s weights[t, s] v[s], weights ~ sum_m exp(log_phi(q[t]) + log_phi(k[s]))."""
    out = np.zeros((*q.shape[:3], v.shape[3]))
    for b, h, t in np.ndindex(q.shape[:3]):
        seen = [s for s in range(k.shape[2]) if tokens[b, s]]
        if not seen:
            continue
        logs = np.array([log_phi(q[b, h, t]) + log_phi(k[b, h, s]) for s in seen])
        weights = [np.exp(row - logs.max()).sum() for row in logs]
        for weight, s in zip(weights, seen, strict=True):
            out[b, h, t] += weight / sum(weights) * v[b, h, s]
    return out
