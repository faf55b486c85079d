"""SE attention, the token gate: features, one weight per position, their weighted sum.

The same three steps serve as a pooling and as a block. The features, and the function that turns a
number into a weight, are slots of their own.
"""

from __future__ import annotations

from attn_nlp.parts.registry import Learned, Named

SETTINGS = {
    "activation": Named("activation", "sigmoid"),
    "features": Named("features", "feed_forward"),
}
LEARNED = {"gate": Learned("E", std="E**-0.5"), "gate_bias": Learned("")}
FLOPS = "4*T*E + T"  # the gate and the sum; features and activation declare their own


def context(x, mask, activation, features, gate, gate_bias):
    """Return the context vector of every sentence.

        f[t] = features(x[t])
        weight[t] = activation(w . f[t] + b)  one number per position
        c = sum_t weight[t] f[t]

    The weights are applied to the features, not to the input.

    Args:
      x: (B, T, E) float32.
      mask: (B, T) bool, False at padding.
      activation: gives (B, T) weights of (B, T) logits.
      features: gives (B, T, E) features of x.
      gate, gate_bias: (E,) and (), w and b.

    Returns:
      (B, E) float32; zeros for a sentence of padding alone.
    """
    import jax.numpy as jnp

    gated = features(x=x)
    logits = (gated.reshape(-1, x.shape[2]) @ gate + gate_bias).reshape(mask.shape)
    weights = activation(logits=logits, mask=mask)
    return jnp.einsum("bt,bte->be", weights, gated)


def squeeze(x, mask):
    """Return the mean over the tokens of every sentence, (B, E), zeros if there are none."""
    import jax.numpy as jnp

    shown = jnp.where(mask[:, :, None], x, 0.0)
    return shown.sum(axis=1) / jnp.maximum(mask.sum(axis=1), 1)[:, None]
