"""References of models that read a sentence: (x, tokens) -> (B, features)."""

from __future__ import annotations

import numpy as np
from scipy.special import expit


def model_bag_of_embeddings(x, tokens):
    """features[e] = sum_t x[t, e] / n; zeros for a sentence of padding."""
    found = np.zeros((len(x), x.shape[2]))
    for b, t in zip(*np.nonzero(tokens), strict=True):
        found[b] += x[b, t] / tokens[b].sum()
    return found


def model_cnn(x, tokens, kernel_3, kernel_4, kernel_5, bias):
    """features[h, m] = max(0, max_t sum_je x[t + j, e] K[h, j, e, m] + s[h, m])."""
    maps = kernel_3.shape[2]
    found = np.zeros((len(x), 3 * maps))
    for b in range(len(x)):
        sentence = list(x[b][tokens[b]])
        if not sentence:
            continue
        column = 0
        for kernel in (kernel_3, kernel_4, kernel_5):
            filled = sentence + [np.zeros(x.shape[2])] * (len(kernel) - len(sentence))
            for m in range(maps):
                answers = [
                    sum(filled[t + j] @ kernel[j, :, m] for j in range(len(kernel)))
                    for t in range(len(filled) - len(kernel) + 1)
                ]
                found[b, column] = max(0.0, *(answer + bias[column] for answer in answers))
                column += 1
    return found


def model_bilstm(x, tokens, units, kernel, recurrent, bias):
    """c[t] = f c[t-1] + i g, h[t] = o tanh(c[t]), with f = sigmoid(a_f + 1); [h forth, h back]."""
    found = np.zeros((len(x), 2 * units))
    for b, way in np.ndindex(len(x), 2):
        sentence = x[b][tokens[b]]
        h, c = np.zeros(units), np.zeros(units)
        for token in sentence[::-1] if way else sentence:
            kept = h.copy()
            for u in range(units):
                a = []
                for part in range(4):
                    place = part * units + u
                    column = way * 4 * units + place
                    a.append(token @ kernel[:, column] + kept @ recurrent[way, :, place])
                    a[-1] += bias[column]
                c[u] = expit(a[1] + 1) * c[u] + expit(a[0]) * np.tanh(a[2])
                h[u] = expit(a[3]) * np.tanh(c[u])
        found[b, way * units : (way + 1) * units] = h
    return found
