"""Activations: how one number for each position becomes that position's weight.

In come `logits` (B, T) float32 and `mask` (B, T) bool; out go weights (B, T), exactly 0 where the
mask is False. A sentence of padding alone gets zeros.
"""

from attn_nlp.nn.parts.normalizers import softmax_of
from attn_nlp.parts.registry import activation


@activation("sigmoid", label="Sigmoid", cite="Hu et al., 2018", sums_to_one=False, flops="T")
def sigmoid(logits, mask):
    """Gate every position on its own.

        weights[t] = 1 / (1 + exp(-logits[t]))

    Args:
      logits: (B, T) float32.
      mask: (B, T) bool.

    Returns:
      (B, T) float32 in [0, 1].

    References:
      Hu, Shen & Sun, "Squeeze-and-Excitation Networks", 2018, arXiv:1709.01507, equation 3, gate
      channels in this way; here positions are gated.
    """
    import jax
    import jax.numpy as jnp

    return jnp.where(mask, jax.nn.sigmoid(logits), 0.0)


@activation("softmax", label="Softmax", cite="Yang et al., 2016", sums_to_one=True, flops="5*T")
def softmax(logits, mask):
    """Let the positions of a sentence compete for a weight of one.

        weights[t] = exp(logits[t]) / sum_r exp(logits[r])

    Args:
      logits: (B, T) float32.
      mask: (B, T) bool.

    Returns:
      (B, T) float32 in [0, 1]; sums to one over a sentence's tokens.

    References:
      Yang et al., "Hierarchical Attention Networks for Document Classification", 2016, equation 6.
    """
    return softmax_of(logits, mask)


@activation("tanh", label="Tanh", cite="control", sums_to_one=False, flops="T")
def tanh(logits, mask):
    """Let a position count for or against.

        weights[t] = tanh(logits[t])

    Args:
      logits: (B, T) float32.
      mask: (B, T) bool.

    Returns:
      (B, T) float32 in [-1, 1].
    """
    import jax.numpy as jnp

    return jnp.where(mask, jnp.tanh(logits), 0.0)


@activation("relu", label="ReLU", cite="control", sums_to_one=False, kinked=True, flops="T")
def relu(logits, mask):
    """Let a position count as much as it likes, or not at all.

        weights[t] = max(0, logits[t])

    Args:
      logits: (B, T) float32.
      mask: (B, T) bool.

    Returns:
      (B, T) float32, not negative.
    """
    import jax.numpy as jnp

    return jnp.where(mask, jnp.maximum(logits, 0.0), 0.0)
