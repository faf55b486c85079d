"""References of the scores: (q, k) -> logits."""

from __future__ import annotations

import numpy as np
from scipy.special import erfinv


def score_dot(q, k):
    """logits[t, s] = sum_d q[t, d] k[s, d]."""
    logits = np.zeros((*q.shape[:3], k.shape[2]))
    for b, h, t, s in np.ndindex(logits.shape):
        logits[b, h, t, s] = sum(q[b, h, t, d] * k[b, h, s, d] for d in range(q.shape[3]))
    return logits


def score_bilinear(q, k, form):
    """logits[t, s] = sum_de q[t, d] W[d, e] k[s, e]."""
    logits = np.zeros((*q.shape[:3], k.shape[2]))
    for b, h, t, s in np.ndindex(logits.shape):
        for d, e in np.ndindex(form.shape[1:]):
            logits[b, h, t, s] += q[b, h, t, d] * form[h, d, e] * k[b, h, s, e]
    return logits


def score_bilinear_low_rank(q, k, left, right):
    """logits[t, s] = sum_de q[t, d] W[d, e] k[s, e], W[d, e] = sum_r U[d, r] V[e, r]."""
    form = np.zeros((q.shape[1], q.shape[3], q.shape[3]))
    for h, d, e in np.ndindex(form.shape):
        form[h, d, e] = sum(left[h, d, r] * right[h, e, r] for r in range(left.shape[2]))
    return score_bilinear(q, k, form)


def score_additive(q, k, direction):
    """logits[t, s] = sum_d v[d] tanh(q[t, d] + k[s, d])."""
    logits = np.zeros((*q.shape[:3], k.shape[2]))
    for b, h, t, s in np.ndindex(logits.shape):
        for d in range(q.shape[3]):
            logits[b, h, t, s] += direction[h, d] * np.tanh(q[b, h, t, d] + k[b, h, s, d])
    return logits


def score_cosine(q, k):
    """logits[t, s] = q[t] . k[s] / (|q[t]| |k[s]|)."""
    logits = score_dot(q, k)
    for b, h, t, s in np.ndindex(logits.shape):
        logits[b, h, t, s] /= np.linalg.norm(q[b, h, t]) * np.linalg.norm(k[b, h, s])
    return logits


def score_l2(q, k):
    """logits[t, s] = -sum_d (q[t, d] - k[s, d])^2."""
    logits = np.zeros((*q.shape[:3], k.shape[2]))
    for b, h, t, s in np.ndindex(logits.shape):
        logits[b, h, t, s] = -sum((q[b, h, t] - k[b, h, s]) ** 2)
    return logits


def score_feature_wise(q, k, c):
    """logits[h D + d, t, s] = c tanh((q[h, t, d] + k[h, s, d]) / c)."""
    batch, heads, rows, dim = q.shape
    logits = np.zeros((batch, heads * dim, rows, k.shape[2]))
    for b, h, d, t, s in np.ndindex(batch, heads, dim, rows, k.shape[2]):
        logits[b, h * dim + d, t, s] = c * np.tanh((q[b, h, t, d] + k[b, h, s, d]) / c)
    return logits


def score_content(q, k, direction):
    """logits[t, s] = sum_d v[d] k[s, d]."""
    logits = np.zeros((*q.shape[:3], k.shape[2]))
    for b, h, t, s in np.ndindex(logits.shape):
        logits[b, h, t, s] = direction[h] @ k[b, h, s]
    return logits


def score_location(q, k, columns, table):
    """logits[t, s] = sum_d q[t, d] W[d, s]; beyond the table its last entry."""
    logits = np.zeros((*q.shape[:3], k.shape[2]))
    for b, h, t, s in np.ndindex(logits.shape):
        place = min(columns[s], table.shape[2] - 1)
        logits[b, h, t, s] = q[b, h, t] @ table[h, :, place]
    return logits


def score_synthesizer_dense(q, k, columns, hidden_bias, table, table_bias):
    """logits[t, s] = sum_d max(0, q[t, d] + a[d]) W[d, s] + b[s]; beyond the table its last."""
    logits = np.zeros((*q.shape[:3], k.shape[2]))
    for b, h, t, s in np.ndindex(logits.shape):
        place = min(columns[s], table.shape[2] - 1)
        hidden = [max(0.0, q[b, h, t, d] + hidden_bias[h, d]) for d in range(q.shape[3])]
        logits[b, h, t, s] = hidden @ table[h, :, place] + table_bias[h, place]
    return logits


def score_synthesizer_random(q, k, rows, columns, table):
    """logits[t, s] = R[t, s]; beyond the table its last entries."""
    logits = np.zeros((*q.shape[:3], k.shape[2]))
    for b, h, t, s in np.ndindex(logits.shape):
        last = table.shape[1] - 1
        logits[b, h, t, s] = table[h, min(rows[t], last), min(columns[s], last)]
    return logits


def score_uniform(q, k):
    """logits[t, s] = 0."""
    return np.zeros((*q.shape[:3], k.shape[2]))


def score_hard_random(q, k, rows, columns, seed, layer):
    """logits[h, t, s] = z[h, t, s], one N(0, 1) for every seed, layer, head and pair of places."""
    logits = np.zeros((*q.shape[:3], k.shape[2]))
    key = fold_in(fold_in((0, seed), 0x5EED), layer)
    for t, s in np.ndindex(logits.shape[2:]):
        place = fold_in(fold_in(key, int(rows[t])), int(columns[s]))
        for h in range(q.shape[1]):
            logits[:, h, t, s] = normal(place, h)
    return logits


def threefry(key, count):
    """Two words of the Threefry-2x32 cipher with 20 rounds (Salmon et al., 2011, section 5.3)."""
    word = 0xFFFFFFFF
    keys = (*key, key[0] ^ key[1] ^ 0x1BD11BDA)
    left, right = (count[0] + keys[0]) & word, (count[1] + keys[1]) & word
    for group in range(5):
        for turn in (13, 15, 26, 6) if group % 2 == 0 else (17, 29, 16, 24):
            left = (left + right) & word
            right = ((right << turn | right >> (32 - turn)) & word) ^ left
        left = (left + keys[(group + 1) % 3]) & word
        right = (right + keys[(group + 2) % 3] + group + 1) & word
    return left, right


def fold_in(key, number):
    """The key below a key: the cipher of the number."""
    return threefry(key, (0, number))


def normal(key, place):
    """The number at that place of a row of N(0, 1): sqrt(2) erfinv(uniform in (-1, 1))."""
    left, right = threefry(key, (0, place))
    mantissa = (left ^ right) >> 9  # 23 bits
    low = np.nextafter(np.float32(-1), np.float32(0))
    uniform = max(low, np.float32(mantissa * 2.0**-23 * (1.0 - float(low)) + float(low)))
    return np.sqrt(2) * erfinv(float(uniform))
