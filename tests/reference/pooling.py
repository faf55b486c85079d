"""References of the poolings: (x, tokens) -> (B, E)."""

from __future__ import annotations

import numpy as np


def pooling_mean(x, tokens):
    """c = sum_t x[t] / n."""
    return by_sentence(x, tokens, lambda shown: sum(shown) / len(shown))


def pooling_max(x, tokens):
    """c[e] = max_t x[t, e]."""
    return by_sentence(x, tokens, lambda shown: [max(column) for column in shown.T])


def pooling_first(x, tokens):
    """c = x[0]; zeros where the first place is padding."""
    return np.array([x[b, 0] if tokens[b, 0] else np.zeros(x.shape[2]) for b in range(len(x))])


def pooling_se_token(x, tokens, activation, features, gate, gate_bias):
    """c = sum_t activation(w . f[t] + b) f[t], f = features(x)."""
    found, logits = features(x=x), np.zeros(x.shape[:2])
    for b, t in np.ndindex(logits.shape):
        logits[b, t] = found[b, t] @ gate + gate_bias
    weights = activation(logits=logits, tokens=tokens)
    pooled = np.zeros((len(x), x.shape[2]))
    for b, t in np.ndindex(logits.shape):
        pooled[b] += weights[b, t] * found[b, t]
    return pooled


def pooling_multi_hop(x, tokens, inward, questions, outward):
    """c = sum_h (sum_t softmax(u_h . tanh(x W))[t] x[t]) P_h."""

    def joined(shown):
        answer = np.zeros(x.shape[2])
        for h in range(questions.shape[1]):
            logits = np.array([np.tanh(y @ inward) @ questions[:, h] for y in shown])
            raised = np.exp(logits - logits.max())
            answer += (
                sum(w * y for w, y in zip(raised / raised.sum(), shown, strict=True)) @ outward[h]
            )
        return answer

    return by_sentence(x, tokens, joined)


def by_sentence(x, tokens, function):
    """The function of every sentence's tokens; zeros for a sentence of padding."""
    pooled = np.zeros((len(x), x.shape[2]))
    for b in range(len(x)):
        if tokens[b].any():
            pooled[b] = function(x[b][tokens[b]])
    return pooled
