"""Pooling: one vector for each sentence.

In come `x` (B, T, E) float32 and `mask` (B, T) bool, False at padding; out goes (B, E). A sentence
of padding alone gives zeros.
"""

from attn_nlp.nn.parts import se
from attn_nlp.nn.parts.normalizers import softmax_of
from attn_nlp.parts.registry import Learned, Static, pooling


@pooling("mean", label="Mean", cite="control", flops="T*E")
def mean(x, mask):
    """Average the tokens.

        c = sum_t x[t] / n,  over the n tokens of the sentence

    Args:
      x: (B, T, E) float32.
      mask: (B, T) bool.

    Returns:
      (B, E) float32.
    """
    return se.squeeze(x, mask)


@pooling("max", label="Max", cite="Collobert et al., 2011", kinked=True, flops="T*E")
def maximum(x, mask):
    """Take the largest value of every feature.

        c[e] = max_t x[t, e]

    Args:
      x: (B, T, E) float32.
      mask: (B, T) bool.

    Returns:
      (B, E) float32.

    References:
      Collobert et al., "Natural Language Processing (Almost) from Scratch", 2011, section 3.3.2.
    """
    import jax.numpy as jnp

    top = jnp.where(mask[:, :, None], x, -jnp.inf).max(axis=1)
    return jnp.where(mask.any(axis=1)[:, None], top, 0.0)


@pooling("first", label="First token", cite="Devlin et al., 2019", position_bound=True, flops=0)
def first(x, mask):
    """Read the answer at the first token.

        c = x[0]

    Args:
      x: (B, T, E) float32.
      mask: (B, T) bool.

    Returns:
      (B, E) float32.

    References:
      Devlin et al., "BERT", 2019, arXiv:1810.04805, use a token put before the sentence; here the
      sentence's own first token is used.
    """
    import jax.numpy as jnp

    return jnp.where(mask[:, :1], x[:, 0], 0.0)


@pooling(
    "se_token",
    label="SE attention (token gate)",
    cite="attn_nlp; after Hu et al., 2018",
    settings=se.SETTINGS,
    learned=se.LEARNED,
    revision=2,
    flops=se.FLOPS,
)
def se_token(x, mask, activation, features, gate, gate_bias):
    """Give every position one weight and sum the features it weighs.

        f[t] = features(x[t])
        weight[t] = activation(w . f[t] + b)
        c = sum_t weight[t] f[t]

    Args:
      x: (B, T, E) float32.
      mask: (B, T) bool.
      activation: a named part, such as sigmoid or softmax.
      features: a named part, such as feed_forward or two_layer.
      gate, gate_bias: w (E,) and b ().

    Returns:
      (B, E) float32.
    """
    return se.context(x, mask, activation, features, gate, gate_bias)


@pooling(
    "multi_hop",
    label="Multi-hop self-attentive",
    cite="Lin et al., 2017",
    settings={"hops": Static(4), "inner": Static("E")},
    learned={
        "inward": Learned("E inner", std="E**-0.5"),
        "questions": Learned("inner hops", std="inner**-0.5"),
        "outward": Learned("hops E E", std="(hops*E)**-0.5"),
    },
    flops="2*T*E*inner + T*inner + 2*T*inner*hops + 5*T*hops + 2*T*E*hops + 2*E*E*hops",
)
def multi_hop(x, mask, inward, questions, outward):
    """Ask several learned questions of the sentence, and join the answers.

        weights[h, t] = exp(z[h, t]) / sum_r exp(z[h, r]),  z[h, t] = u_h . tanh(x[t] W)
        c = sum_h (sum_t weights[h, t] x[t]) P_h

    Args:
      x: (B, T, E) float32.
      mask: (B, T) bool.
      inward: (E, inner) float32, W.
      questions: (inner, hops) float32, the columns are u_h.
      outward: (hops, E, E) float32, P_h.

    Returns:
      (B, E) float32.

    References:
      Lin et al., "A Structured Self-attentive Sentence Embedding", 2017, arXiv:1703.03130, section
      2.1. The paper concatenates the hops' vectors, hops * E wide; a pooled vector is E wide here,
      so they go through a linear map, which the P_h form together. The paper's penalty on similar
      hops is left out: only chance keeps them apart.
    """
    import jax.numpy as jnp

    batch, length, width = x.shape
    logits = jnp.tanh(x.reshape(batch * length, width) @ inward) @ questions
    by_hop = logits.reshape(batch, length, -1).transpose(0, 2, 1)
    weights = softmax_of(by_hop, mask[:, None, :])
    return jnp.einsum("bht,bte,hed->bd", weights, x, outward, optimize=[(0, 1), (0, 1)])
