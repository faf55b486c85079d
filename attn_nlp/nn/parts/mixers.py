"""Mixers: how the weights are applied to the values, and what happens to the result.

A mixer's `reweight` gets the weights (B, M, T, S) before they are applied; its `finish` gets `out`
(B, H, T, U), the weighted values of every head, and returns the same shape. Several mixers act in
the order in which they are named.
"""

from math import exp

from attn_nlp.parts.registry import Learned, Named, Static, mixer

_SHARES = "share keys and values among heads"


@mixer(
    "heads",
    label="Concatenated heads",
    cite="Vaswani et al., 2017",
    special_case_of="grouped_query",
    flops=0,
)
class Heads:
    """Concatenate the heads and leave the mixing to the output projection.

        out[h, t] = sum_s weights[h, t, s] v[h, s]

    References:
      Vaswani et al., 2017, arXiv:1706.03762, section 3.2.2.
    """


@mixer(
    "query_mix",
    label="Query mix",
    cite="attn_nlp",
    settings={"weighting": Named("weighting", "learned")},
    requires={"U": "D", "Q": "H"},
    exclusive="mix the query into the result",
    flops="4*H*T*U",
)
def query_mix(out, q_raw, weighting, here):
    """Mix each head's result with its query.

        out[h, t] = lambda attention[h, t] + (1 - lambda) q[h, t]

    q is the projected query of the head, before scale, rotation and norms. The mix keeps the
    question next to the answer; unlike the residual connection it comes before the output
    projection, within each head. Lambda comes from a part of its own, the weighting. A head must
    have one query, as wide as its values.

    Args:
      out: (B, H, T, U) float32, weighted values; U must equal D.
      q_raw: (B, H, T, D) float32.
      weighting: gives lambda, broadcastable to (B, H, T, D).
      here: marks padding, where the query would leak into the result.

    Returns:
      (B, H, T, D) float32; zeros at padding. A query that sees nothing keeps its own share.
    """
    import jax.numpy as jnp

    share = weighting(out=out, q_raw=q_raw)
    mixed = share * out + (1 - share) * q_raw
    return jnp.where(here.queries[:, None, :, None], mixed, 0.0)


@mixer(
    "talking_heads",
    label="Talking heads",
    cite="Shazeer et al., 2020",
    learned={"before": Learned("H H"), "after": Learned("H H")},
    requires={"M": "Q", "Q": "H"},
    exclusive="mix heads",
    flops="4*H*H*T*T + 2*H*T*T",
)
class TalkingHeads:
    """Mix the heads' logits before the normalizer and their weights after it.

        logits'[g, t, s]  = logits[g, t, s]  + sum_h logits[h, t, s]  L[h, g]
        weights'[g, t, s] = weights[g, t, s] + sum_h weights[h, t, s] W[h, g]

    The paper's matrices are I + L and I + W. What is learned is the departure from the identity,
    zero at the start, so that training begins with heads that do not talk, and weight decay pulls
    toward that rather than toward no attention at all. Weights may be negative, and a row need not
    sum to one. Scale and position come before the first mix; hidden keys still get zero weight.

    Args:
      logits: (B, H, T, S) float32.
      weights: (B, H, T, S) float32.
      before, after: (H, H) float32 each, L and W.

    Returns:
      (B, H, T, S) float32 each.

    References:
      Shazeer, Lan, Cheng, Ding & Hou, "Talking-Heads Attention", 2020, arXiv:2003.02436. The paper
      allows other numbers of heads for keys, for the normalizer and for values; all are H here.
    """

    @staticmethod
    def adjust(logits, before):
        import jax.numpy as jnp

        return logits + jnp.einsum("bhts,hg->bgts", logits, before)

    @staticmethod
    def reweight(weights, after):
        import jax.numpy as jnp

        return weights + jnp.einsum("bhts,hg->bgts", weights, after)


@mixer(
    "differential",
    label="Differential",
    cite="Ye et al., 2024",
    maps=2,
    learned={
        "query_one": Learned("D", std=0.1),
        "key_one": Learned("D", std=0.1),
        "query_two": Learned("D", std=0.1),
        "key_two": Learned("D", std=0.1),
        "feature_scale": Learned("U", fill=1.0),
    },
    exclusive="subtract attention maps",
    flops="M*T*T + H*T*(4*U + 3) + 4*D + U + 5",
)
class Differential:
    """Subtract a second attention map from the first, so that what both attend to cancels.

        weights[h] = weights1[h] - lambda weights2[h],  out[h, t] = (1 - c) g rms(weights[h] v)[t]
        lambda     = exp(a1 . b1) - exp(a2 . b2) + c,   c = 0.8 - 0.6 exp(-0.3 layer)
        rms(y)     = y / sqrt(mean_u y[u]^2 + 1e-5)

    Each head has two queries and two keys, and one value; layers count from 0. The norm is for each
    head and position by itself, and 1 - c keeps its result as large as that of usual attention.
    Weights may be negative; rows sum to 1 - lambda under softmax. A query that sees nothing stays
    at zero, also in its gradient, since a constant is added under the root.

    Twice as many queries and keys of the same head_dim are twice the parameters. The paper keeps
    their number with half as many heads: head_dim = width/(2 heads), value_dim = 2 head_dim.

    Args:
      weights: (B, 2 H ..., T, S) float32, the two maps of a head in turn.
      out: (B, H, T, U) float32.
      query_one, key_one, query_two, key_two: (D,) float32 each, a1, b1, a2 and b2, the same for all
        heads of a layer; start at N(0, 0.01).
      feature_scale: (U,) float32, g, the same for all heads; starts at one.
      layer: the index of the block in the encoder.

    Returns:
      (B, H ..., T, S) and (B, H, T, U) float32.

    References:
      Ye, Dong, Xia, Sun, Zhu, Huang & Wei, "Differential Transformer", 2024, arXiv:2410.05258,
      equations 1 to 3. The paper counts layers from 1. The scale of the norm and the constant under
      its root are those of the authors' program.
    """

    @staticmethod
    def reweight(weights, sizes, layer, query_one, key_one, query_two, key_two):
        import jax.numpy as jnp

        first, second = jnp.exp((query_one * key_one).sum()), jnp.exp((query_two * key_two).sum())
        share = first - second + _differential_start(layer)
        shape = (weights.shape[0], sizes["H"], 2, -1, *weights.shape[2:])
        pairs = weights.reshape(shape)  # maps of one feature each come after the two
        kept = pairs[:, :, 0] - share * pairs[:, :, 1]
        return kept.reshape(weights.shape[0], -1, *weights.shape[2:])

    @staticmethod
    def finish(out, layer, feature_scale):
        import jax
        import jax.numpy as jnp

        square = jnp.square(out).mean(axis=-1, keepdims=True)
        scale = feature_scale * (1 - _differential_start(layer))
        return out * jax.lax.rsqrt(square + 1e-5) * scale


def _differential_start(layer: int) -> float:
    """Return c, near where lambda starts: 0.2 in the first layer, toward 0.8 in deep ones."""
    return 0.8 - 0.6 * exp(-0.3 * layer)


@mixer(
    "output_gate",
    label="Output gate",
    cite="Qiu et al., 2025",
    learned={"kernel": Learned("E H U", std="E**-0.5")},
    exclusive="gate the result by the input",
    flops="2*T*E*H*U + 2*H*T*U",
)
def output_gate(out, x, kernel, here):
    """Multiply each feature of each head's result by a gate that the block's input opens.

        out'[h, t, u] = out[h, t, u] / (1 + exp(-sum_e x[t, e] W[e, h, u]))

    Values and output projection are two linear maps in a row; the gate puts a nonlinearity between
    them, and lets a position take nothing if nothing is worth attending to.

    Args:
      out: (B, H, T, U) float32.
      x: (B, T, E) float32, the block's input, normalized in a pre-norm encoder.
      kernel: (E, H, U) float32, W; starts at N(0, 1/E).
      here: marks padding, where the gate would let the padded input through.

    Returns:
      (B, H, T, U) float32; zeros at padding.

    References:
      Qiu et al., "Gated Attention for Large Language Models: Non-linearity, Sparsity, and
      Attention-Sink-Free", 2025, arXiv:2505.06708: the gate after attention, per head and element
      by element.
    """
    import jax
    import jax.numpy as jnp

    batch, length, width = x.shape
    heads, features = kernel.shape[1:]
    opened = x.reshape(-1, width) @ kernel.reshape(width, -1)  # on flattened positions, for speed
    gate = jax.nn.sigmoid(opened).reshape(batch, length, heads, features).transpose(0, 2, 1, 3)
    return jnp.where(here.queries[:, None, :, None], out * gate, 0.0)


@mixer(
    "multi_query",
    label="Multi-query",
    cite="Shazeer, 2019",
    key_heads=1,
    exclusive=_SHARES,
    special_case_of="grouped_query",
    flops=0,
)
class MultiQuery:
    """Give every head a query of its own, and all heads the same keys and values.

        out[h, t] = sum_s weights[h, t, s] v[s],  weights[h] of q[h] . k

    Answering one more query then needs 1/H of the stored numbers. If a head has two maps, the keys
    of each are shared.

    References:
      Shazeer, "Fast Transformer Decoding: One Write-Head is All You Need", 2019, arXiv:1911.02150,
      section 3.
    """


@mixer(
    "grouped_query",
    label="Grouped-query",
    cite="Ainslie et al., 2023",
    settings={"groups": Static(2)},
    key_heads="groups",
    divides={"H": "groups"},
    exclusive=_SHARES,
    flops=0,
)
class GroupedQuery:
    """Give every head a query of its own, and each group of heads the same keys and values.

        out[h, t] = sum_s weights[h, t, s] v[g, s],  weights[h] of q[h] . k[g],  g = floor(h G/H)

    with heads counted from 0. One group is multi-query attention, H groups are the usual heads.

    Args:
      groups: G; the number of heads must be a multiple of it.

    References:
      Ainslie et al., "GQA: Training Generalized Multi-Query Transformer Models from Multi-Head
      Checkpoints", 2023, arXiv:2305.13245, section 2.2. Nothing is converted from trained heads
      here; groups start at random.
    """
