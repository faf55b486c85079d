"""Features: what a gate sees of a position.

In comes `x` (B, T, E) float32; out go features of the same shape, each position's computed from
that position alone.
"""

from attn_nlp.parts.registry import Learned, Static, features

DENSE = {"kernel": Learned("E E", std="E**-0.5"), "bias": Learned("E")}


@features(
    "feed_forward",
    label="Feed-forward",
    cite="attn_nlp",
    learned=DENSE,
    kinked=True,
    flops="2*T*E*E + 2*T*E",
)
def feed_forward(x, kernel, bias):
    """Map each position by a linear layer and ReLU.

        f[t] = max(0, x[t] K + b)

    Args:
      x: (B, T, E) float32.
      kernel, bias: (E, E) and (E,), K and b.

    Returns:
      (B, T, E) float32, not negative.
    """
    import jax.numpy as jnp

    return jnp.maximum(_dense(x, kernel, bias), 0.0)


@features(
    "two_layer",
    label="Feed-forward, two layers",
    cite="Vaswani et al., 2017",
    settings={"hidden": Static("F")},
    learned={
        "inward": Learned("E hidden", std="(2/E)**0.5"),
        "inward_bias": Learned("hidden"),
        "outward": Learned("hidden E", std="hidden**-0.5"),
        "outward_bias": Learned("E"),
    },
    kinked=True,
    flops="4*T*E*hidden + 2*T*hidden + T*E",
)
def two_layer(x, inward, inward_bias, outward, outward_bias):
    """Map each position by the two layers that a Transformer's feed-forward network has.

        f[t] = max(0, x[t] K + a) L + b

    Unlike one rectified layer it gives features of either sign, so that a token can count against
    a class as well as for it.

    Args:
      x: (B, T, E) float32.
      inward, inward_bias: (E, hidden) and (hidden,), K and a; K starts at N(0, 2/E) (He et al.,
        2015), since ReLU halves what passes.
      outward, outward_bias: (hidden, E) and (E,), L and b.

    Returns:
      (B, T, E) float32.

    References:
      Vaswani et al., 2017, arXiv:1706.03762, equation 2.
    """
    import jax.numpy as jnp

    return _dense(jnp.maximum(_dense(x, inward, inward_bias), 0.0), outward, outward_bias)


@features(
    "tanh_layer",
    label="Tanh layer",
    cite="Yang et al., 2016",
    learned=DENSE,
    flops="2*T*E*E + 2*T*E",
)
def tanh_layer(x, kernel, bias):
    """Map each position by a linear layer and tanh.

        f[t] = tanh(x[t] K + b)

    Args:
      x: (B, T, E) float32.
      kernel, bias: (E, E) and (E,), K and b.

    Returns:
      (B, T, E) float32 in [-1, 1].

    References:
      Yang et al., "Hierarchical Attention Networks for Document Classification", 2016, NAACL,
      equation 5. The paper compares these features with a learned vector, as here, but sums the
      states from which they are computed; a token gate sums the features themselves.
    """
    import jax.numpy as jnp

    return jnp.tanh(_dense(x, kernel, bias))


@features("linear", label="Linear layer", cite="control", learned=DENSE, flops="2*T*E*E + T*E")
def linear(x, kernel, bias):
    """Map each position by a linear layer and nothing else.

        f[t] = x[t] K + b

    Args:
      x: (B, T, E) float32.
      kernel, bias: (E, E) and (E,), K and b.

    Returns:
      (B, T, E) float32.
    """
    return _dense(x, kernel, bias)


@features("identity", label="Input itself", cite="control", control=True, flops=0)
def identity(x):
    """Take the token representation unchanged, so that the gate weights the input itself.

        f[t] = x[t]

    Args:
      x: (B, T, E) float32.

    Returns:
      (B, T, E) float32, the same.
    """
    return x


def _dense(x, kernel, bias):
    """Return x K + b; the import is late, so that listing parts does not start JAX."""
    from attn_nlp.nn.kernels import dense

    return dense(x, kernel, bias)
