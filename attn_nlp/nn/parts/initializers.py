"""Initializers of the query and key projections, which set the variance of the first logits."""

from attn_nlp.parts.registry import init


@init("unit_variance", label="N(0, 1/E)", cite="LeCun et al., 1998")
def unit_variance(fan_in):
    """Give queries and keys entries of unit variance, at every head_dim.

        W[e, d] ~ N(0, 1/E)

    On layer-normalized input, q and k then have unit variance, so that their dot product has
    variance D: the premise of the scaling argument. Xavier's rule shrinks the entries as the head
    widens and hides the effect.

    Args:
      fan_in: width E of the residual stream.

    Returns:
      The std, a number.

    References:
      LeCun, Bottou, Orr & Müller, "Efficient BackProp", 1998, equation 16.
    """
    return fan_in**-0.5


@init("xavier", label="Xavier", cite="Glorot & Bengio, 2010")
def xavier(fan_in, fan_out):
    """Balance the variance of values and gradients of the whole projection.

        W[e, d] ~ N(0, 2/(E + H D))

    Args:
      fan_in: width E of the residual stream.
      fan_out: H D, all heads together.

    Returns:
      The std, a number.

    References:
      Glorot & Bengio, "Understanding the Difficulty of Training Deep Feedforward Neural Networks",
      2010, equation 12. Its normal form is used here.
    """
    return (2 / (fan_in + fan_out)) ** 0.5
