"""Positions: how the encoder learns where a token stands, by vectors added to the embeddings.

A position's `embed` gets the embedded tokens `x` (B, T, E) and returns the same shape. Positions
that act inside attention stand in `attention/places.py`.
"""

from attn_nlp.registry import Learned, position


@position("none", label="None", cite="control", equivariant=True, flops=0)
class Nowhere:
    """Leave the order of the tokens unknown.

        x[t] = e[t]

    The encoder then sees a bag of tokens.
    """


@position("sinusoidal", label="Sinusoidal", cite="Vaswani et al., 2017", flops="3*T*E")
def sinusoidal(x, here):
    """Add sines and cosines of the position at wavelengths from 2 pi to 10,000 * 2 pi.

        x[t, 2i]     = e[t, 2i]     + sin(t / 10000^(2i/E))
        x[t, 2i + 1] = e[t, 2i + 1] + cos(t / 10000^(2i/E))

    Args:
      x: (B, T, E) float32, embedded tokens.
      here: absolute positions of the rows.

    Returns:
      (B, T, E) float32.

    References:
      Vaswani et al., 2017, arXiv:1706.03762, section 3.5.
    """
    import jax
    import jax.numpy as jnp

    width = x.shape[-1]
    pair = jnp.arange(width) // 2
    slow = 10000.0 ** (2 * pair / width)

    def waves(place):
        angle = place / slow
        return jnp.where(jnp.arange(width) % 2 == 0, jnp.sin(angle), jnp.cos(angle))

    # One place after another: without the loop XLA works them out anew for each of B sentences.
    return x + jax.lax.map(waves, here.rows)


@position(
    "learned",
    label="Learned",
    cite="Gehring et al., 2017",
    learned={"table": Learned("T E", deviation="E**-0.5")},
    flops="T*E",
)
def learned(x, here, table):
    """Add a vector that is learned for every position.

        x[t] = e[t] + p[t]

    Args:
      x: (B, T, E) float32, embedded tokens.
      here: absolute positions of the rows.
      table: (T, E) float32, p, for as many positions as a sentence may have.

    Returns:
      (B, T, E) float32.

    References:
      Gehring et al., "Convolutional Sequence to Sequence Learning", 2017, arXiv:1705.03122,
      section 3.1.
    """
    return x + table[here.rows]
