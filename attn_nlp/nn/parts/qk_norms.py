"""Scales that normalize queries and keys, so that their lengths no longer set the logits.

In come `q` (B, Q, T, D) and `k` (B, Q, S, D), float32; out go the same, normalized, and a factor
for whatever score compares them. They come before rotary positions. Normalizing twice is rejected,
whether by two of them or by one with the score `cosine`.
"""

from attn_nlp.nn.parts.scores import NORMALIZED_ONCE, unit
from attn_nlp.parts.registry import Learned, Static, scale

# A number for each feature, shared by the heads.
_SCALES = {"query_scale": Learned("D", fill=1.0), "key_scale": Learned("D", fill=1.0)}


@scale(
    "qk_norm",
    label="QK norm",
    cite="Henry et al., 2020",
    settings={"length": Static("T")},
    # The last term is 2 * 0**0 = 2 for a length of one, to avoid log2(0), and 0 otherwise.
    learned={"strength": Learned("", fill="log2(length**2 - length + 2 * 0**(length - 1))")},
    exclusive=NORMALIZED_ONCE,
    flops="Q*T*(6*D + 4) + M*T*T",
)
class QKNorm:
    """Compare directions only, and multiply by one learned number.

        logits[t, s] = g q[t] . k[s] / (|q[t]| |k[s]|),  g = log2(L^2 - L) at the start

    The formula is that of the dot product; any score gets unit vectors. They keep it in [-1, 1],
    and g decides how sharp weights can be; it replaces 1/sqrt(D). A vector shorter than 1e-6 counts
    as that long, so that zero compares as zero. For L = 1, where the logarithm would be of zero, g
    starts at one as for L = 2.

    Args:
      q: (B, Q, T, D) float32.
      k: (B, Q, S, D) float32.
      length: L, a whole number of tokens; sets the first value of g and nothing else.
      strength: () float32, g; one for each layer.

    Returns:
      Unit vectors (B, Q, T, D) and (B, Q, S, D), and the factor g.

    References:
      Henry et al., "Query-Key Normalization for Transformers", 2020, arXiv:2010.04245. The paper's
      L is the 97.5th percentile of the lengths of the training sentences. A cell is resolved before
      any data is read, so L is the cell's `length` here by default.
    """

    @staticmethod
    def prepare(q, k):
        return unit(q), unit(k)

    @staticmethod
    def factor(strength):
        return strength


@scale(
    "qk_layernorm",
    label="QK LayerNorm",
    cite="Dehghani et al., 2023",
    learned=_SCALES,
    exclusive=NORMALIZED_ONCE,
    flops="Q*T*(12*D + 8) + M*T*T",
)
class QKLayerNorm:
    """Give every query and key zero mean and unit variance over its features, then divide by √D.

        logits[t, s] = norm(q[t]; g) . norm(k[s]; h) / sqrt(D)
        norm(x; g)[d] = g[d] (x[d] - mean(x)) / sqrt(var(x) + 1e-6)

    The formula is that of the dot product; any score gets the normalized vectors. Without g and h,
    which are learned and start at one, the logits would stay within sqrt(D) of zero. With head_dim
    1 there is nothing left to compare.

    Args:
      q: (B, Q, T, D) float32.
      k: (B, Q, S, D) float32.
      query_scale: (D,) float32, g; shared by the heads.
      key_scale: (D,) float32, h.
      sizes: sizes by letter.

    Returns:
      Vectors (B, Q, T, D) and (B, Q, S, D), and the factor 1/sqrt(D).

    References:
      Dehghani et al., "Scaling Vision Transformers to 22 Billion Parameters", 2023,
      arXiv:2302.05442, section 2. It has no biases, as here. Its layer norms do not subtract the
      mean either, which is `qk_rmsnorm`; this is the form that Flax offers as `normalize_qk`.
    """

    @staticmethod
    def prepare(q, k, query_scale, key_scale):
        def norm(x, scale):
            return _root_mean_square(x - x.mean(axis=-1, keepdims=True), scale)

        return norm(q, query_scale), norm(k, key_scale)

    @staticmethod
    def factor(sizes):
        return sizes["D"] ** -0.5


@scale(
    "qk_rmsnorm",
    label="QK RMSNorm",
    cite="Zhang & Sennrich, 2019",
    learned=_SCALES,
    exclusive=NORMALIZED_ONCE,
    flops="Q*T*(8*D + 6) + M*T*T",
)
class QKRMSNorm:
    """Give the features of every query and key a mean square of one, then divide by √D.

        logits[t, s] = norm(q[t]; g) . norm(k[s]; h) / sqrt(D)
        norm(x; g)[d] = g[d] x[d] / sqrt(mean(x^2) + 1e-6)

    The formula is that of the dot product; any score gets the normalized vectors. With g = h = 1,
    where training starts, the logits are sqrt(D) times the cosine.

    Args:
      q: (B, Q, T, D) float32.
      k: (B, Q, S, D) float32.
      query_scale: (D,) float32, g; shared by the heads.
      key_scale: (D,) float32, h.
      sizes: sizes by letter.

    Returns:
      Vectors (B, Q, T, D) and (B, Q, S, D), and the factor 1/sqrt(D).

    References:
      Zhang & Sennrich, "Root Mean Square Layer Normalization", 2019, arXiv:1910.07467, equation 4,
      on whole layers; on queries and keys, Dehghani et al., 2023, arXiv:2302.05442, section 2.
    """

    @staticmethod
    def prepare(q, k, query_scale, key_scale):
        return _root_mean_square(q, query_scale), _root_mean_square(k, key_scale)

    @staticmethod
    def factor(sizes):
        return sizes["D"] ** -0.5


def _root_mean_square(x, scale):
    """Return g x / sqrt(mean(x^2) + 1e-6) over the last axis; of mean zero that is the variance."""
    import jax
    import jax.numpy as jnp

    return scale * x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6)
