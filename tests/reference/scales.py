"""References of the scales: (q, k, seen) -> scaled q . k."""

from __future__ import annotations

import numpy as np

from tests.reference.scores import score_dot


def scale_constant(q, k, c):
    """logits[t, s] = c q[t] . k[s]."""
    return c * score_dot(q, k)


def scale_none(q, k):
    """logits[t, s] = q[t] . k[s]."""
    return score_dot(q, k)


def scale_rsqrt_dim(q, k):
    """logits[t, s] = q[t] . k[s] / sqrt(D)."""
    return score_dot(q, k) / np.sqrt(q.shape[3])


def scale_inv_dim(q, k):
    """logits[t, s] = q[t] . k[s] / D."""
    return score_dot(q, k) / q.shape[3]


def scale_learned(q, k, factors):
    """logits[h, t, s] = g[h] q[h, t] . k[h, s]."""
    logits = score_dot(q, k)
    for h in range(q.shape[1]):
        logits[:, h] *= factors[h]
    return logits


def scale_log_length(q, k, seen):
    """logits[t, s] = log(n[t]) q[t] . k[s] / sqrt(D), n[t] the keys that t sees; 0 where none."""
    logits = score_dot(q, k)
    sentences, queries = len(logits), np.size(logits, 2)
    for b, t in np.ndindex(sentences, queries):
        n = seen[b, 0, t, 0]
        logits[b, :, t] *= np.log(n) / np.sqrt(q.shape[3]) if n > 0 else 0.0
    return logits


def scale_scalable_softmax(q, k, seen, strength):
    """logits[h, t, s] = s[h] log(n[t]) q[h, t] . k[h, s] / sqrt(D)."""
    logits = scale_log_length(q, k, seen)
    for h in range(q.shape[1]):
        logits[:, h] *= strength[h]
    return logits


def scale_softcap(q, k, c):
    """logits[t, s] = c tanh(q[t] . k[s] / (c sqrt(D)))."""
    return c * np.tanh(score_dot(q, k) / (c * np.sqrt(q.shape[3])))


def scale_qk_norm(q, k, strength):
    """logits[t, s] = g q[t] . k[s] / (|q[t]| |k[s]|)."""
    logits = score_dot(q, k)
    for b, h, t, s in np.ndindex(logits.shape):
        lengths = np.linalg.norm(q[b, h, t]) * np.linalg.norm(k[b, h, s])
        logits[b, h, t, s] *= strength / lengths
    return logits


def scale_qk_layernorm(q, k, query_scale, key_scale):
    """logits = norm(q) . norm(k) / sqrt(D), norm(x) = g (x - mean x) / sqrt(var x + 1e-6)."""

    def norm(x, scale):
        out = np.zeros_like(x)
        for place in np.ndindex(x.shape[:-1]):
            out[place] = scale * (x[place] - x[place].mean()) / np.sqrt(x[place].var() + 1e-6)
        return out

    return score_dot(norm(q, query_scale), norm(k, key_scale)) / np.sqrt(q.shape[3])


def scale_qk_rmsnorm(q, k, query_scale, key_scale):
    """logits = norm(q) . norm(k) / sqrt(D), norm(x) = g x / sqrt(mean x^2 + 1e-6)."""

    def norm(x, scale):
        out = np.zeros_like(x)
        for place in np.ndindex(x.shape[:-1]):
            out[place] = scale * x[place] / np.sqrt(sum(x[place] ** 2) / x.shape[-1] + 1e-6)
        return out

    return score_dot(norm(q, query_scale), norm(k, key_scale)) / np.sqrt(q.shape[3])
