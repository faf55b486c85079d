"""Kinds: how a block passes information between positions.

`pairwise` is the composition of slots in `nn/pairwise.py`. Any other kind supplies `attend` (given
q, k and v) or `block` (given the input alone), and the score, scale, normalizer and mixer do not
act. Kinds that compare positions or gate them are here; those that replace the T x S matrix are in
`kinds_efficient.py`.
"""

from attn_nlp.nn.parts import se
from attn_nlp.parts.registry import Learned, Static, kind


@kind(
    "pairwise",
    label="Pairwise",
    cite="Vaswani et al., 2017",
    flops="2*H*T*T*U",
    state="T*K*(D+U)",
)
class Pairwise:
    """Compare every query with every key, and apply the weights to the values.

        out[t] = sum_s normalizer(scale score(q[t], k[s]))[s] v[s]

    Linear maps give q, k and v; score, scale, mask, normalizer and mixer are slots of their own,
    and so are their operations: the kind itself applies the weights.

    References:
      Vaswani et al., 2017, arXiv:1706.03762, section 3.2.
    """


@kind(
    "se_token",
    label="SE attention (token gate)",
    cite="attn_nlp; after Hu et al., 2018",
    settings=se.SETTINGS,
    learned=se.LEARNED | {"output": Learned("E E", std="E**-0.5")},
    revision=2,
    flops=f"{se.FLOPS} + 2*E*E",
    state="E",
)
def se_token(x, mask, activation, features, gate, gate_bias, output):
    """Give every position one weight, and every position the same context vector.

        f[t] = features(x[t])
        weight[t] = activation(w . f[t] + b)
        y[t] = O sum_r weight[r] f[r]

    No position is compared with another: a token's weight depends on the token, not on the query.
    As a block it adds the same vector at every position; the residual connection keeps them apart.

    Args:
      x: (B, T, E) float32.
      mask: (B, T) bool, False at padding.
      activation: a named part, such as sigmoid or softmax.
      features: a named part, such as feed_forward or two_layer.
      gate, gate_bias, output: w (E,), b (), O (E, E).

    Returns:
      (B, T, E) float32, equal at every position of a sentence.

    References:
      Hu, Shen & Sun, "Squeeze-and-Excitation Networks", 2018, arXiv:1709.01507, gate channels by
      what the whole image holds; here positions are gated by their own features.
    """
    import jax.numpy as jnp

    vector = se.context(x, mask, activation, features, gate, gate_bias) @ output
    return jnp.broadcast_to(vector[:, None, :], x.shape)


@kind(
    "se_channel",
    label="Squeeze-and-excitation (feature gate)",
    cite="Hu et al., 2018",
    settings={"reduction": Static(4)},
    learned={
        "inward": Learned("E E/reduction", std="(2/E)**0.5"),
        "outward": Learned("E/reduction E", std="(E/reduction)**-0.5"),
    },
    divides={"E": "reduction"},
    flops="2*T*E + (4*E + 1)*E/reduction + 2*E",
    state="E",
)
def se_channel(x, mask, inward, outward):
    """Scale every feature by a gate computed from the sentence mean.

        s = sum_t x[t] / n,  over the n tokens of the sentence     squeeze
        gate = sigmoid(max(0, s W) V)                              excitation
        y[t] = gate * x[t]

    Only s passes between positions: every position is gated alike.

    Args:
      x: (B, T, E) float32.
      mask: (B, T) bool, False at padding.
      inward, outward: W (E, E/reduction) and V (E/reduction, E).

    Returns:
      (B, T, E) float32.

    References:
      Hu, Shen & Sun, "Squeeze-and-Excitation Networks", 2018, arXiv:1709.01507, equations 2 to 4.
      There the average is over an image and over a convolution's outputs; here it is over the
      tokens that are not padding, and the block's input is gated as it comes. The ratio is 4 for
      the narrow layers of text classifiers, 16 there. As in the equations there are no biases.
    """
    import jax
    import jax.numpy as jnp

    gate = jax.nn.sigmoid(jnp.maximum(se.squeeze(x, mask) @ inward, 0.0) @ outward)
    return gate[:, None, :] * x


@kind("identity", label="No mixing", cite="control", control=True, flops=0, state=0)
def identity(x):
    """Pass nothing between positions.

        y[t] = 0

    The residual connection around the block then leaves every position as it was. An effect that
    remains under it comes from embeddings, feed-forward layers and pooling.

    Args:
      x: (B, T, E) float32; only its shape is used.

    Returns:
      (B, T, E) float32 zeros.
    """
    import jax.numpy as jnp

    return jnp.zeros_like(x)
