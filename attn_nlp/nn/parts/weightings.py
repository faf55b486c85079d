"""Weightings: the share of an attention result in its mix with the query.

A weighting's `weigh` returns lambda, broadcastable to (B, H, T, D): 1 is all attention, 0 all
query.
"""

from attn_nlp.parts.registry import Learned, Numeric, weighting


@weighting(
    "fixed",
    label="Fixed",
    cite="attn_nlp",
    settings={"share": Numeric(0.5, low=0.0, high=1.0)},
    flops=0,
)
def fixed(share):
    """Weight by a fixed number.

        lambda = share

    Args:
      share: from 0 (all query) to 1 (all attention).

    Returns:
      () float32.
    """
    return share


@weighting(
    "learned",
    label="Learned",
    cite="attn_nlp",
    learned={"logit": Learned("H")},
    flops="H",
)
def learned(logit):
    """Weight by a number that each head learns.

        lambda[h] = 1 / (1 + exp(-a[h])),  a[h] = 0 at the start, so that lambda = 1/2

    Args:
      logit: (H,) float32, a.

    Returns:
      (1, H, 1, 1) float32 in (0, 1).
    """
    import jax

    return jax.nn.sigmoid(logit)[None, :, None, None]


@weighting(
    "per_feature",
    label="Per feature",
    cite="attn_nlp",
    learned={"logit": Learned("H D")},
    flops="H*D",
)
def per_feature(logit):
    """Weight by a number that each head learns for each of its features.

        lambda[h, d] = 1 / (1 + exp(-a[h, d])),  a = 0 at the start, so that lambda = 1/2

    Args:
      logit: (H, D) float32, a.

    Returns:
      (1, H, 1, D) float32 in (0, 1).
    """
    import jax

    return jax.nn.sigmoid(logit)[None, :, None, :]


@weighting(
    "gated",
    label="Gated",
    cite="attn_nlp",
    learned={
        "of_attention": Learned("H U"),
        "of_query": Learned("H D"),
        "bias": Learned("H"),
    },
    flops="H*T*(2*U + 2*D + 2)",
)
def gated(out, q_raw, of_attention, of_query, bias):
    """Weight by a number that each head computes from the two arrays at every position.

        lambda[h, t] = 1 / (1 + exp(-(w[h] . [attention[h, t]; q[h, t]] + b[h])))

    w and b are zero at the start, so that lambda = 1/2 and training begins as with the learned
    number.

    Args:
      out: (B, H, T, U) float32, weighted values.
      q_raw: (B, H, T, D) float32, projected queries.
      of_attention, of_query: (H, U) and (H, D) float32, the two halves of w.
      bias: (H,) float32, b.

    Returns:
      (B, H, T, 1) float32 in [0, 1].
    """
    import jax
    import jax.numpy as jnp

    logit = jnp.einsum("bhtu,hu->bht", out, of_attention)
    logit = logit + jnp.einsum("bhtd,hd->bht", q_raw, of_query) + bias[None, :, None]
    return jax.nn.sigmoid(logit)[..., None]
