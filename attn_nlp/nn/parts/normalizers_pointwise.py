"""Normalizers that weight every key independently: a function of one logit and the number of keys.

n[t] counts the keys that query t may see. The papers divide by the length of the text, or shift by
its logarithm; with padding and masks, the keys that are seen count instead. No statistics of the
row are needed, so that rows can be put together from any blocks.
"""

from attn_nlp.parts.registry import Numeric, normalizer


@normalizer(
    "sigmoid",
    label="Sigmoid",
    cite="Ramapuram et al., 2024",
    sums_to_one=False,
    shift_invariant=False,
    flops="2*M*T*T + T",
)
def sigmoid(logits, mask, seen):
    """Gate every key on its own, so that a query's weights need not sum to one.

        weights[t, s] = 1 / (1 + exp(-(logits[t, s] - log n[t])))

    where n[t] counts the keys query t may see. The shift by log n[t] keeps the weights of a
    row summing to about one at initialization, when logits are near zero.

    Args:
      logits: (B, M, T, S) float32, scaled scores in nats.
      mask: (B, 1, T, S) bool, True where query t may see key s.
      seen: (B, 1, T, 1) float32, keys that query t may see, over all blocks.

    Returns:
      (B, M, T, S) weights in [0, 1], exactly 0 where the mask is False. A query that may see
      no key gets a row of zeros, never NaN.

    References:
      Ramapuram et al., "Theory, Analysis, and Best Practices for Sigmoid Self-Attention",
      2024, arXiv:2409.04431. The paper uses the sequence length for n; padding makes it vary
      by query here.
    """
    import jax
    import jax.numpy as jnp

    n = jnp.maximum(seen, 1.0)  # a row that sees nothing: log 1, not log 0
    return jnp.where(mask, jax.nn.sigmoid(logits - jnp.log(n)), 0.0)


@normalizer(
    "relu_over_n",
    label="ReLU / n",
    cite="Wortsman et al., 2023",
    sums_to_one=False,
    shift_invariant=False,
    kinked=True,
    flops="2*M*T*T",
)
def relu_over_n(logits, mask, seen):
    """Weight a key by its logit if that is above zero, and by zero otherwise.

        weights[t, s] = max(0, logits[t, s]) / n[t]

    where n[t] counts the keys query t may see. Weights have no upper bound, and a row whose logits
    are all negative is a row of zeros. The gradient at a logit of exactly zero is taken as zero.

    Args:
      logits: (B, M, T, S) float32, scaled scores.
      mask: (B, 1, T, S) bool, True where query t may see key s.
      seen: (B, 1, T, 1) float32, keys that query t may see, over all blocks.

    Returns:
      (B, M, T, S) weights of zero or more, exactly 0 where the mask is False; zeros for a query
      that may see no key.

    References:
      Wortsman, Lee, Gilmer & Kornblith, "Replacing softmax with ReLU in Vision Transformers", 2023,
      arXiv:2309.08586. Of the paper's L^-alpha h(logits) this is alpha = 1 and h = ReLU, with the
      keys seen for the length L.
    """
    import jax
    import jax.numpy as jnp

    return jnp.where(mask, jax.nn.relu(logits) / jnp.maximum(seen, 1.0), 0.0)


@normalizer(
    "relu_squared",
    label="Squared ReLU",
    cite="Hua et al., 2022",
    settings={"power": Numeric(0.0, low=0.0, high=2.0)},
    sums_to_one=False,
    shift_invariant=False,
    flops="3*M*T*T + T",
)
def relu_squared(logits, mask, seen, power):
    """Weight a key by the square of its logit if that is above zero.

        weights[t, s] = max(0, logits[t, s])^2 / n[t]^power

    where n[t] counts the keys query t may see. The paper's equation is A = relu^2(Q(Z) K(Z)^T + b),
    without n: a power of 0, the default. Its listing divides the score by n before it is squared,
    relu(q k / n + b)^2, as most programs do: a power of 2. A power of 1 is that of ReLU / n and
    keeps the row's sum from growing with n.

    Args:
      logits: (B, M, T, S) float32, scaled scores; 1e4 and its square stay finite.
      mask: (B, 1, T, S) bool, True where query t may see key s.
      seen: (B, 1, T, 1) float32, keys that query t may see, over all blocks.
      power: from 0 to 2.

    Returns:
      (B, M, T, S) weights of zero or more, exactly 0 where the mask is False; zeros for a query
      that may see no key.

    References:
      Hua, Dai, Liu & Le, "Transformer Quality in Linear Time", 2022, arXiv:2202.10447, on the
      gated attention unit. The scale is a part of its own here, the bias b is a position, and the
      paper's gate and shared projection are left out.
    """
    import jax
    import jax.numpy as jnp

    n = jnp.maximum(seen, 1.0)
    return jnp.where(mask, jax.nn.relu(logits) ** 2 / n**power, 0.0)


@normalizer(
    "none",
    label="None (linear)",
    cite="control",
    control=True,
    sums_to_one=False,
    shift_invariant=False,
    signed=True,
    flops="M*T*T",
)
def none(logits, mask, seen):
    """Weight a key by its logit itself, so that attention is linear in it.

        weights[t, s] = logits[t, s] / n[t]

    where n[t] counts the keys query t may see. Weights may be negative. The loss against a
    normalizer shows what the normalizer adds.

    Args:
      logits: (B, M, T, S) float32, scaled scores.
      mask: (B, 1, T, S) bool, True where query t may see key s.
      seen: (B, 1, T, 1) float32, keys that query t may see, over all blocks.

    Returns:
      (B, M, T, S) weights of any sign, exactly 0 where the mask is False; zeros for a query that
      may see no key.
    """
    import jax.numpy as jnp

    return jnp.where(mask, logits / jnp.maximum(seen, 1.0), 0.0)
