"""The whole encoder, from its arrays."""

from __future__ import annotations

import numpy as np

from tests.reference.mixers import spend
from tests.reference.normalizers import normalizer_softmax
from tests.reference.pooling import pooling_mean
from tests.reference.positions import position_sinusoidal
from tests.reference.scores import score_dot


def encoder(params, ids, *, heads, norm, scale):
    """Class logits (B, C) of a pairwise dot-product encoder with softmax, sinusoids and the mean.

    Args:
      params: the encoder's arrays as nested dictionaries, float64.
      ids: (B, T) integers; 0 is padding.
      heads: attention heads.
      norm: "pre" or "post".
      scale: what the dot product is multiplied by.
    """
    tokens = ids != 0
    table = params["embed"]["embedding"]
    x = table[ids] * np.sqrt(table.shape[1])
    unused, mask = np.zeros((1, 1, 1, 1)), np.ones((1, 1, 1, 1), bool)
    x = position_sinusoidal(x, unused, unused, unused, mask)[0]
    encoder = params["body"]["encoder"]
    for layer in sorted(encoder["blocks"]):
        block = encoder["blocks"][layer]

        def attend(y, arrays=block["attention"]["project"]):
            q, k, v = (
                split(y, arrays[name]["kernel"], heads) for name in ("query", "key", "value")
            )
            mask = np.broadcast_to(tokens[:, None, None, :], (len(q), 1, q.shape[2], q.shape[2]))
            out = spend(normalizer_softmax(scale * score_dot(q, k), mask), v)
            return join(out, arrays["output"]["kernel"])

        def feed(y, block=block):
            return dense(np.maximum(dense(y, block["up"]), 0.0), block["down"])

        if norm == "pre":
            x = x + attend(normed(x, block["before"]))
            x = x + feed(normed(x, block["between"]))
        else:
            x = normed(x + attend(x), block["before"])
            x = normed(x + feed(x), block["between"])
    if norm == "pre":
        x = normed(x, encoder["last"])
    return dense(pooling_mean(x, tokens), params["head"])


def dense(x, arrays):
    """x W + b."""
    return x @ arrays["kernel"] + arrays["bias"]


def normed(x, arrays):
    """(x - mean) / sqrt(variance + 1e-6), times the scale, plus the bias."""
    out = np.zeros_like(x)
    for place in np.ndindex(x.shape[:-1]):
        row = x[place]
        out[place] = (row - row.mean()) / np.sqrt(row.var() + 1e-6)
    return out * arrays["scale"] + arrays["bias"]


def split(x, kernel, heads):
    """(B, heads, T, D) of x (B, T, E) W: head h has the columns from h D."""
    flat = x @ kernel
    width = flat.shape[2] // heads
    return np.stack([flat[:, :, h * width : (h + 1) * width] for h in range(heads)], axis=1)


def join(out, kernel):
    """(B, T, E) of the heads' results put side by side."""
    return np.concatenate([out[:, h] for h in range(out.shape[1])], axis=-1) @ kernel
