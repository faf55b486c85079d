"""Scales: a factor that multiplies any score, at any head_dim.

A scale's `factor` broadcasts to (B, M, T, S), M being one map per query head or one for each of its
features; `adjust` replaces the logits. Scales that are one number are one function, `constant`,
with different defaults, so that they share one compiled program: the number is an argument of the
program, computed from head_dim before it is called. Those that normalize queries and keys are in
`qk_norms.py`.

Scales joined by " + " compose; each applies its full formula: "constant(2) + log_length"
multiplies by both, and "rsqrt_dim + qk_rmsnorm" divides by sqrt(D) twice. Norms of queries and keys
come first and caps last, wherever they are written, since only factors commute.
"""

from attn_nlp.parts.registry import Learned, Numeric, scale, variant


@scale(
    "constant",
    label="Constant",
    cite="control",
    settings={"c": Numeric(1.0)},
    flops="M*T*T",
)
def constant(c):
    """Multiply the score by a number of your choice.

        logits[t, s] = c score[t, s]

    Args:
      c: a number; 1 by default.

    Returns:
      () float32.
    """
    return c


variant(
    "scale",
    "none",
    of="constant",
    label="Unscaled",
    cite="Luong et al., 2015",
    defaults={"c": 1.0},
    doc="""Leave the score as it is.

        logits[t, s] = score[t, s]

    References:
      Luong, Pham & Manning, 2015, arXiv:1508.04025, section 3.1, use the bare dot product.
    """,
)

variant(
    "scale",
    "rsqrt_dim",
    of="constant",
    label="1/√D",
    cite="Vaswani et al., 2017",
    defaults={"c": "D**-0.5"},
    doc="""Divide the score by the square root of head_dim.

        logits[t, s] = score[t, s] / sqrt(D)

    A dot product of D pairs of unit variance has variance D; this brings it back to one.

    References:
      Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762, equation 1 and
      footnote 4.
    """,
)

variant(
    "scale",
    "inv_dim",
    of="constant",
    label="1/D",
    cite="Yang et al., 2022",
    defaults={"c": "D**-1"},
    doc="""Divide the score by head_dim.

        logits[t, s] = score[t, s] / D

    Once training has aligned q with k their dot product grows as D, not as sqrt(D).

    References:
      Yang et al., "Tensor Programs V: Tuning Large Neural Networks via Zero-Shot Hyperparameter
      Transfer", 2022, arXiv:2203.03466, definition 4.1.
    """,
)


@scale(
    "learned",
    label="Learned",
    cite="control",
    learned={"factors": Learned("M", fill="D**-0.5")},
    flops="M*T*T",
)
def learned(factors):
    """Multiply the score by a number that each attention map learns.

        logits[m, t, s] = g[m] score[m, t, s],  g[m] = 1/sqrt(D) at the start

    There is one map per query head, and one for each of its features under `feature_wise`.

    Args:
      factors: (M,) float32, g.

    Returns:
      (1, M, 1, 1) float32.
    """
    return factors[None, :, None, None]


@scale("log_length", label="log n/√D", cite="Chiang & Cholak, 2022", flops="M*T*T + 2*T")
def log_length(seen, sizes):
    """Divide the score by the square root of head_dim, and multiply it by the log of the length.

        logits[t, s] = score[t, s] log(n[t]) / sqrt(D)

    where n[t] counts the keys query t may see. Softmax over n keys needs differences of order log n
    to single one out, so weights stay as sharp in long sentences as in short ones. With one visible
    key the factor is zero, but its weight is still one. With none the factor is zero too.

    Args:
      seen: (B, 1, T, 1) float32, keys that query t may see, over all blocks.
      sizes: sizes by letter.

    Returns:
      (B, 1, T, 1) float32, at least 0.

    References:
      Chiang & Cholak, "Overcoming a Theoretical Limitation of Self-Attention", 2022,
      arXiv:2202.12172. The paper uses the sequence length for n; padding and masks make it vary by
      query here.
    """
    return _log(seen) * sizes["D"] ** -0.5


@scale(
    "scalable_softmax",
    label="s log n/√D",
    cite="Nakanishi, 2025",
    learned={"strength": Learned("M", fill=1.0)},
    flops="2*M*T*T + 2*T",
)
def scalable_softmax(seen, sizes, strength):
    """Multiply the score by the log of the length, as strongly as each attention map learns.

        logits[m, t, s] = s[m] log(n[t]) score[m, t, s] / sqrt(D),  s[m] = 1 at the start

    where n[t] counts the keys query t may see. It starts as `log_length`.

    Args:
      seen: (B, 1, T, 1) float32, keys that query t may see, over all blocks.
      sizes: sizes by letter.
      strength: (M,) float32, s; one per query head, or one for each of its features.

    Returns:
      (B, M, T, 1) float32.

    References:
      Nakanishi, "Scalable-Softmax Is Superior for Attention", 2025, arXiv:2501.19399. Its learned
      offset b, added to s log n, is left out: the paper advises against it for long texts.
    """
    return strength[:, None, None] * (_log(seen) * sizes["D"] ** -0.5)


def _log(seen):
    import jax.numpy as jnp

    return jnp.log(jnp.maximum(seen, 1.0))  # a query that sees nothing: log 1, not log 0


@scale(
    "softcap",
    label="Soft cap",
    cite="Gemma Team, 2024",
    settings={"c": Numeric(50.0, low=1e-3)},
    flops="3*M*T*T",
)
class Softcap:
    """Divide the score by the square root of head_dim, and keep it between two bounds.

        logits[t, s] = c tanh(score[t, s] / (c sqrt(D)))

    Small logits stay as they are, large ones approach -c and c. Joined with other scales by " + "
    it caps the product of all their factors, wherever it is written: "constant(2) + softcap" is c
    tanh(2 score / (c sqrt(D))), never more than c.

    Args:
      logits: (B, M, T, S) float32, scores.
      c: the bound; by default 50 as in the paper.

    Returns:
      (B, M, T, S) float32 in [-c, c].

    References:
      Gemma Team, "Gemma 2: Improving Open Language Models at a Practical Size", 2024,
      arXiv:2408.00118, section 2.
    """

    @staticmethod
    def adjust(logits, c, sizes):
        import jax.numpy as jnp

        return c * jnp.tanh(logits * (sizes["D"] ** -0.5 / c))
