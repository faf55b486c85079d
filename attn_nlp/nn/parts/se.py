"""SE attention, the token gate: features, one weight a position, their weighted sum.

The same three steps serve as a pooling and as a block; they stand here once. What the features are
and what turns a number into a weight are slots of their own.
"""

from __future__ import annotations

from attn_nlp.parts.registry import Learned, Named

SETTINGS = {
    "activation": Named("activation", "sigmoid"),
    "features": Named("features", "feed_forward"),
}
LEARNED = {"gate": Learned("E", std="E**-0.5"), "gate_shift": Learned("")}
FLOPS = "4*T*E + T"  # the gate and the sum; features and activation state their own


def context(x, mask, activation, features, gate, gate_shift):
    """The context vector of every sentence.

        f[t] = features(x[t])
        weight[t] = activation(w . f[t] + b)  one number a position
        c = sum_t weight[t] f[t]

    The weights are applied to the features, not to the input.

    Args:
      x: (B, T, E) float32.
      mask: (B, T) bool, False at padding.
      activation: gives (B, T) weights of (B, T) logits.
      features: gives (B, T, E) features of x.
      gate, gate_shift: (E,) and (), w and b.

    Returns:
      (B, E) float32; zeros for a sentence of padding alone.
    """
    import jax.numpy as jnp

    found = features(x=x)
    logits = (found.reshape(-1, x.shape[2]) @ gate + gate_shift).reshape(mask.shape)
    weights = activation(logits=logits, mask=mask)
    return jnp.einsum("bt,bte->be", weights, found)


def squeeze(x, mask):
    """The mean over the tokens of every sentence: (B, E), zeros where there are none."""
    import jax.numpy as jnp

    shown = jnp.where(mask[:, :, None], x, 0.0)
    return shown.sum(axis=1) / jnp.maximum(mask.sum(axis=1), 1)[:, None]
