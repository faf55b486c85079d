"""Scores that compare a query with a key.

In come `q` (B, Q, T, D) and `k` (B, Q, S, D), float32; out go logits (B, M, T, S), float32, before
any scale: one map per query head, so that M = Q, except for `feature_wise`. A score knows neither
scale nor mask. Those that ignore the query or the key are in `scores_content_free.py`.
"""

from attn_nlp.parts.registry import Learned, Numeric, Static, alias, score

# All parts that do so declare it: `check_products` accepts one of them in a cell.
NORMALIZED_ONCE = "normalize queries and keys"


@score("dot", label="Dot product", cite="Luong et al., 2015", flops="2*Q*T*T*D")
def dot(q, k):
    """Compare a query with a key by their inner product.

        logits[t, s] = sum_d q[t, d] k[s, d]

    With entries of unit variance the logits have variance D, which is why scaled dot-product
    attention multiplies them by 1/sqrt(D); the scale is a slot of its own here.

    Args:
      q: (B, Q, T, D) float32.
      k: (B, Q, S, D) float32.

    Returns:
      (B, Q, T, S) float32.

    References:
      Luong, Pham & Manning, "Effective Approaches to Attention-based Neural Machine Translation",
      2015, arXiv:1508.04025, section 3.1 ("dot"). Vaswani et al., 2017, section 3.2.1, scale it.
    """
    from attn_nlp.nn.kernels import similarities

    return similarities(q, k)


@score(
    "bilinear",
    label="Bilinear",
    cite="Luong et al., 2015",
    learned={"form": Learned("Q D D", std="D**-0.5")},
    flops="2*Q*T*D*D + 2*Q*T*T*D",
)
def bilinear(q, k, form):
    """Compare a query with a key through a learned bilinear form, one for each head.

        logits[t, s] = sum_de q[t, d] W[d, e] k[s, e]

    After linear projections a full-rank W adds parameters, not functions of x: (x_t P) W (x_s R)^T
    is already a bilinear form of x_t and x_s. It changes where training starts and how it moves.

    Args:
      q: (B, Q, T, D) float32.
      k: (B, Q, S, D) float32.
      form: (Q, D, D) float32, W; starts at N(0, 1/D), so that the logits have variance D as those
        of the dot product have.

    Returns:
      (B, Q, T, S) float32.

    References:
      Luong, Pham & Manning, 2015, arXiv:1508.04025, section 3.1 ("general").
    """
    import jax.numpy as jnp

    from attn_nlp.nn.kernels import similarities

    return similarities(jnp.einsum("bhtd,hde->bhte", q, form), k)


@score(
    "bilinear_low_rank",
    label="Bilinear, low rank",
    cite="Luong et al., 2015",
    settings={"rank": Static("(D + 1) / 2")},
    learned={
        "left": Learned("Q D rank", std="(D * rank)**-0.25"),
        "right": Learned("Q D rank", std="(D * rank)**-0.25"),
    },
    flops="4*Q*T*D*rank + 2*Q*T*T*rank",
)
def bilinear_low_rank(q, k, left, right):
    """Compare a query with a key through a learned bilinear form of limited rank.

        logits[t, s] = sum_r (sum_d q[t, d] U[d, r]) (sum_e k[s, e] V[e, r])

    The form W = U V^T of `bilinear` with at most `rank` directions, by default half of head_dim,
    rounded up. A rank of head_dim or more limits nothing: every W has this form.

    Args:
      q: (B, Q, T, D) float32.
      k: (B, Q, S, D) float32.
      left: (Q, D, rank) float32, U; entries of U and V start at N(0, 1/sqrt(D rank)), so that
        those of W have variance 1/D and the logits have variance D, as with the dot product.
      right: (Q, D, rank) float32, V.

    Returns:
      (B, Q, T, S) float32.

    References:
      Luong, Pham & Manning, 2015, arXiv:1508.04025, section 3.1 ("general"). The paper has one
      full matrix; here each head has a product of two thin ones.
    """
    import jax.numpy as jnp

    from attn_nlp.nn.kernels import similarities

    q, k = jnp.einsum("bhtd,hdr->bhtr", q, left), jnp.einsum("bhsd,hdr->bhsr", k, right)
    return similarities(q, k)


@score(
    "additive",
    label="Additive",
    cite="Bahdanau et al., 2015",
    learned={"direction": Learned("Q D", std="D**-0.5")},
    flops="4*Q*T*T*D",
)
def additive(q, k, direction):
    """Compare a query with a key by a small network with one hidden layer.

        logits[t, s] = sum_d v[d] tanh(q[t, d] + k[s, d])

    The projections that give q and k are the paper's W and U. Since tanh is bounded and v starts at
    N(0, 1/D), the logits stay of order one however wide the head is: no scale is needed. Queries
    are taken one position at a time and their hidden layers are recomputed for the gradient, so
    that (B, Q, T, S, D) is never materialized; from 28 tokens on that is more than twice as fast.

    Args:
      q: (B, Q, T, D) float32.
      k: (B, Q, S, D) float32.
      direction: (Q, D) float32, v.

    Returns:
      (B, Q, T, S) float32.

    References:
      Bahdanau, Cho & Bengio, "Neural Machine Translation by Jointly Learning to Align and
      Translate", 2015, arXiv:1409.0473, appendix A.1.2. The paper has no heads; here each head has
      its own v.
    """
    import jax
    import jax.numpy as jnp

    @jax.checkpoint
    def row(query):  # (B, Q, D); as a sum, since the product with a vector takes twice as long
        return (jnp.tanh(query[:, :, None, :] + k) * direction[:, None, :]).sum(axis=-1)

    return jax.lax.map(row, q.transpose(2, 0, 1, 3)).transpose(1, 2, 0, 3)


alias("score", "concat", of="additive")  # so called by Luong et al., 2015


@score(
    "cosine",
    label="Cosine",
    cite="Graves et al., 2014",
    exclusive=NORMALIZED_ONCE,
    flops="2*Q*T*T*D + Q*T*(6*D + 4)",
)
def cosine(q, k):
    """Compare a query with a key by the angle between them, regardless of norm.

        logits[t, s] = sum_d q[t, d] k[s, d] / (|q[t]| |k[s]|)

    Logits stay in [-1, 1], so softmax over n keys gives none of them more than e^2 times another's
    weight: choose a scale above one, such as `constant(10)` or `learned`, if attention should be
    able to be sharp. A vector shorter than 1e-6 counts as that long, so that zero compares as zero.

    Args:
      q: (B, Q, T, D) float32.
      k: (B, Q, S, D) float32.

    Returns:
      (B, Q, T, S) float32 in [-1, 1].

    References:
      Graves, Wayne & Danihelka, "Neural Turing Machines", 2014, arXiv:1410.5401, section 3.3.1. The
      paper's key strength, which multiplies the cosine, belongs to the scale slot.
    """
    from attn_nlp.nn.kernels import similarities

    return similarities(unit(q), unit(k))


def unit(x):
    """Return x / |x| over the last axis, with |x| at least 1e-6: no NaN at zero."""
    import jax
    import jax.numpy as jnp

    square = jnp.sum(x * x, axis=-1, keepdims=True)
    return x * jax.lax.rsqrt(jnp.maximum(square, 1e-12))


@score("l2", label="L2 distance", cite="H. Kim et al., 2021", flops="Q*T*T*(2*D + 3) + 4*Q*T*D")
def l2(q, k):
    """Compare a query with a key by distance.

        logits[t, s] = -sum_d (q[t, d] - k[s, d])^2

    The paper divides by sqrt(D), which the scale `rsqrt_dim` does here. Its claim that such an
    attention is Lipschitz holds with tied query and key weights only (`attention.tie_qk`); untied
    weights, and everything else in a block, are outside of it. The square is expanded into 2 q.k -
    |q|^2 - |k|^2: one matrix product, no (B, Q, T, S, D) in memory, and no root whose derivative
    would be infinite where a query equals a key; rounding may leave such a pair slightly off zero.

    Args:
      q: (B, Q, T, D) float32.
      k: (B, Q, S, D) float32.

    Returns:
      (B, Q, T, S) float32, at most 0 up to rounding.

    References:
      H. Kim, Papamakarios & Mnih, "The Lipschitz Constant of Self-Attention", 2021,
      arXiv:2006.04710, section 3.2. The paper also passes the values through the queries' weights;
      here they keep to their own.
    """
    import jax.numpy as jnp

    from attn_nlp.nn.kernels import similarities

    queries = jnp.sum(q * q, axis=-1)[..., :, None]
    keys = jnp.sum(k * k, axis=-1)[..., None, :]
    return 2 * similarities(q, k) - queries - keys


@score(
    "feature_wise",
    label="Feature-wise",
    cite="Shen et al., 2018",
    settings={"c": Numeric(5.0, low=1e-3)},
    features="D",
    requires={"U": "D", "Q": "H"},
    alone=True,
    flops="4*Q*T*T*D",
)
def feature_wise(q, k, c):
    """Compare a query with a key once for every feature, so that each feature picks its own keys.

        logits[h D + d, t, s] = c tanh((q[h, t, d] + k[h, s, d]) / c)

    Map h D + d weighs feature d of the values of head h, so values need as many features as keys.
    The logits are bounded by c and ask for no scale: choose `none`. The tanh is needed: without it
    the query would add the same to all keys of a row, which softmax ignores. It keeps the maps
    themselves in memory, D times as much as one map per head.

    Args:
      q: (B, Q, T, D) float32.
      k: (B, Q, S, D) float32.
      c: the bound of the logits.

    Returns:
      (B, Q * D, T, S) float32 in [-c, c].

    References:
      Shen et al., "DiSAN: Directional Self-Attention Network for RNN/CNN-Free Language
      Understanding", 2018, arXiv:1709.04696, its token-to-token form with c = 5. The projections
      that give q and k are the paper's W1 and W2, with its bias (`attention.projection_bias`); its
      masks of direction belong to the mask slot, and values are projected here.
    """
    import jax.numpy as jnp

    queries, keys = jnp.swapaxes(q, 2, 3)[..., :, None], jnp.swapaxes(k, 2, 3)[..., None, :]
    maps = c * jnp.tanh((queries + keys) / c)  # (B, Q, D, T, S)
    return maps.reshape(maps.shape[0], -1, *maps.shape[3:])
