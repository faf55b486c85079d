"""References of the mixers and their weightings."""

from __future__ import annotations

import numpy as np

from tests.reference.normalizers import normalizer_softmax


def spend(weights, v):
    """out[t] = sum_s weights[t, s] v[s]."""
    out = np.zeros((*weights.shape[:3], v.shape[3]))
    for b, h, t, u in np.ndindex(out.shape):
        out[b, h, t, u] = sum(weights[b, h, t, s] * v[b, h, s, u] for s in range(v.shape[2]))
    return out


def mixer_heads(logits, mask, v):
    """out[h, t] = sum_s weights[h, t, s] v[h, s]."""
    return spend(normalizer_softmax(logits, mask), v)


def mixer_query_mix(logits, mask, v, q_raw, tokens, weighting):
    """out[h, t] = lambda attention[h, t] + (1 - lambda) q[h, t]; zeros at padding."""
    attended = mixer_heads(logits, mask, v)
    share = weighting(out=attended, q_raw=q_raw)
    out = np.zeros_like(attended)
    for b, h, t, u in np.ndindex(out.shape):
        if tokens[b, t]:
            part = share[b, h, t, u]
            out[b, h, t, u] = part * attended[b, h, t, u] + (1 - part) * q_raw[b, h, t, u]
    return out


def weighting_fixed(out, share):
    """lambda = share."""
    return np.full(out.shape, share)


def weighting_learned(out, logit):
    """lambda[h] = 1 / (1 + exp(-a[h]))."""
    share = np.zeros(out.shape)
    for h in range(out.shape[1]):
        share[:, h] = 1 / (1 + np.exp(-logit[h]))
    return share


def _sigmoid(number):
    """1 / (1 + exp(-number)), of a number of any size."""
    small = np.exp(-abs(number))
    return 1 / (1 + small) if number >= 0 else small / (1 + small)


def _talk(maps, departure):
    """maps'[g] = maps[g] + sum_h maps[h] departure[h, g]."""
    heads = range(maps.shape[1])
    mixed = [maps[:, g] + sum(maps[:, h] * departure[h, g] for h in heads) for g in heads]
    return np.stack(mixed, axis=1)


def mixer_talking_heads(logits, mask, v, before, after):
    """weights = softmax(logits mixed over heads) mixed over heads; out = weights v."""
    return spend(_talk(normalizer_softmax(_talk(logits, before), mask), after), v)


def mixer_differential(
    logits, mask, v, query_one, key_one, query_two, key_two, feature_scale, layer, maps
):
    """out = (1 - c) g rms(softmax(l1) v - lambda softmax(l2) v); here l1 = logits, l2 = logits/2.

    lambda = exp(a1 . b1) - exp(a2 . b2) + c,  c = 0.8 - 0.6 exp(-0.3 layer)
    """
    assert maps == 2
    start = 0.8 - 0.6 * np.exp(-0.3 * layer)
    share = np.exp(query_one @ key_one) - np.exp(query_two @ key_two) + start
    first, second = (spend(normalizer_softmax(logits / n, mask), v) for n in (1, 2))
    out = np.zeros_like(first)
    for b, h, t in np.ndindex(out.shape[:3]):
        kept = first[b, h, t] - share * second[b, h, t]
        root = np.sqrt(sum(each**2 for each in kept) / len(kept) + 1e-5)
        out[b, h, t] = (1 - start) * feature_scale * kept / root
    return out


def mixer_output_gate(logits, mask, v, x, tokens, kernel):
    """out[h, t, u] = attention[h, t, u] sigmoid(sum_e x[t, e] W[e, h, u]); zeros at padding."""
    out = mixer_heads(logits, mask, v)
    for b, h, t, u in np.ndindex(out.shape):
        out[b, h, t, u] *= _sigmoid(x[b, t] @ kernel[:, h, u]) if tokens[b, t] else 0.0
    return out


def mixer_multi_query(logits, mask, v):
    """out[h, t] = sum_s weights[h, t, s] v[0, s]."""
    return mixer_heads(logits, mask, np.stack([v[:, 0]] * v.shape[1], axis=1))


def mixer_grouped_query(logits, mask, v, groups):
    """out[h, t] = sum_s weights[h, t, s] v[floor(h G/H), s]."""
    heads = v.shape[1]
    shared = np.stack([v[:, h * groups // heads] for h in range(heads)], axis=1)
    return mixer_heads(logits, mask, shared)


def weighting_per_feature(out, logit):
    """lambda[h, d] = 1 / (1 + exp(-a[h, d]))."""
    share = np.zeros(out.shape)
    for h, d in np.ndindex(logit.shape):
        share[:, h, :, d] = _sigmoid(logit[h, d])
    return share


def weighting_gated(out, q_raw, of_attention, of_query, bias):
    """lambda[h, t] = 1 / (1 + exp(-(w[h] . [attention[h, t]; q[h, t]] + b[h])))."""
    share = np.zeros(out.shape)
    for b, h, t in np.ndindex(out.shape[:3]):
        both = np.concatenate([out[b, h, t], q_raw[b, h, t]])
        w = np.concatenate([of_attention[h], of_query[h]])
        share[b, h, t] = _sigmoid(w @ both + bias[h])
    return share
