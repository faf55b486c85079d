"""Normalizers of the softmax family: a row of logits becomes a row of weights through exp.

In come `logits` (B, M, T, S) float32 and `mask` (B, 1, T, S) bool, True where query t may see key
s; out go weights of the same shape, exactly 0 where the mask is False. A query that may see no key
gets a row of zeros, never NaN, and finite gradients. The same holds for the normalizers in
`normalizers_pointwise.py` and `normalizers_sparse.py`.

A normalizer whose rows can be put together from blocks of keys either needs only the number of keys
that a query sees, or supplies three hooks. `reduce` computes statistics of the keys of a block;
`merge` joins those of two blocks, with a gradient by each that does not depend on the other's sums;
`rescale(a, b)`, (B, M, T, 1), turns weights under statistics a into those under b, which may count
more keys or differ a little from a. One that must see the whole row declares `whole_rows`.
"""

from attn_nlp.parts.registry import Numeric, normalizer


@normalizer(
    "softmax",
    label="Softmax",
    cite="Bahdanau et al., 2015",
    sums_to_one=True,
    shift_invariant=True,
    flops="5*M*T*T",
)
class Softmax:
    """Turn logits into a probability over the keys that a query may see.

        weights[t, s] = exp(logits[t, s]) / sum_r exp(logits[t, r])

    The row's maximum is subtracted first, which changes nothing but keeps exp finite. It takes no
    part in the gradient, since the weights do not depend on it.

    Args:
      logits: (B, M, T, S) float32, scaled scores in nats.
      mask: (B, 1, T, S) bool, True where query t may see key s.
      stats: the rows' maximum and sum, each (B, M, T, 1) float32, from `reduce`.

    Returns:
      (B, M, T, S) weights in [0, 1] that sum to one over the keys a query may see; zeros for a
      query that may see none.

    References:
      Bahdanau, Cho & Bengio, 2015, arXiv:1409.0473, equation 6.
    """

    @staticmethod
    def reduce(logits, mask):
        import jax
        import jax.numpy as jnp

        hidden = jnp.where(mask, logits, -jnp.inf)
        # A block that sees nothing: finite, yet above no logit that it may be merged with.
        least = jnp.finfo(logits.dtype).min
        top = jax.lax.stop_gradient(jnp.max(hidden, axis=-1, keepdims=True, initial=least))
        return top, jnp.exp(hidden - top).sum(axis=-1, keepdims=True)

    @staticmethod
    def merge(a, b):
        import jax.numpy as jnp

        top = jnp.maximum(a[0], b[0])
        return top, a[1] * jnp.exp(a[0] - top) + b[1] * jnp.exp(b[0] - top)

    @staticmethod
    def rescale(a, b):
        import jax.numpy as jnp

        return a[1] * jnp.exp(a[0] - b[0]) / jnp.where(b[1] > 0, b[1], 1.0)

    @staticmethod
    def weights(logits, mask, stats):
        import jax.numpy as jnp

        top, total = stats
        hidden = jnp.where(mask, logits, -jnp.inf)
        # `where` inside exp, not around it: a hidden logit of +1e4 would give an infinite exp and
        # then 0 * inf = NaN in the gradient.
        return jnp.exp(hidden - top) / jnp.where(total > 0, total, 1.0)


def softmax_of(logits, mask):
    """Return softmax over the last axis where the mask is True, and 0 elsewhere."""
    return Softmax.weights(logits, mask, Softmax.reduce(logits, mask))


@normalizer(
    "softmax_one",
    label="Softmax plus one",
    cite="Miller, 2023",
    sums_to_one=False,
    shift_invariant=False,
    flops="5*M*T*T + 2*M*T",
)
class SoftmaxOne:
    """Let a query attend to nothing: softmax with one more logit of zero that belongs to no key.

        weights[t, s] = exp(logits[t, s]) / (1 + sum_r exp(logits[t, r]))

    The weights of a row sum to less than one, and to almost nothing if all logits are far below
    zero. The larger of zero and the row's maximum is subtracted from all logits, including the one
    of zero, so that a logit of 1e4 overflows nowhere.

    Args:
      logits: (B, M, T, S) float32, scaled scores in nats.
      mask: (B, 1, T, S) bool, True where query t may see key s.
      stats: the rows' maximum, zero included, and the sum over the keys, zero left out; each (B, M,
        T, 1) float32, from `reduce`.

    Returns:
      (B, M, T, S) weights in [0, 1]; zeros for a query that may see no key.

    References:
      Miller, "Attention Is Off By One", 2023, evanmiller.org/attention-is-off-by-one.html.
    """

    @staticmethod
    def reduce(logits, mask):
        import jax
        import jax.numpy as jnp

        hidden = jnp.where(mask, logits, -jnp.inf)
        top = jax.lax.stop_gradient(jnp.max(hidden, axis=-1, keepdims=True, initial=0.0))
        return top, jnp.exp(hidden - top).sum(axis=-1, keepdims=True)

    merge = Softmax.merge

    @staticmethod
    def rescale(a, b):
        import jax.numpy as jnp

        before, after = (jnp.exp(-top) + total for top, total in (a, b))
        return jnp.exp(a[0] - b[0]) * before / after

    @staticmethod
    def weights(logits, mask, stats):
        import jax.numpy as jnp

        top, total = stats
        hidden = jnp.where(mask, logits, -jnp.inf)
        return jnp.exp(hidden - top) / (jnp.exp(-top) + total)


@normalizer(
    "gumbel",
    label="Gumbel softmax",
    cite="Jang et al., 2017",
    settings={"tau": Numeric(0.5, low=0.01)},
    sums_to_one=True,
    shift_invariant=True,
    flops="10*M*T*T",
    revision=2,  # the stream of its noise is named after the slot, which is spelled otherwise now
)
class Gumbel:
    """Draw a relaxed one-hot choice of a key while training, and leave the noise out afterward.

        weights[t, s] = exp(y[t, s] / tau) / sum_r exp(y[t, r] / tau),  y = logits + g
        g[t, s]       = -log(-log u[t, s]),  u uniform on (0, 1);  g = 0 outside training

    The largest noisy logit is a draw from the softmax of the logits; a small tau brings the weights
    near that draw, a large one near equal weights. For the noise drawn, gradients are exact. Noise
    follows from absolute positions, so that it is the same however the matrix is divided into
    blocks.

    Args:
      logits: (B, M, T, S) float32, scaled scores in nats: log-probabilities up to a shift.
      mask: (B, 1, T, S) bool, True where query t may see key s.
      stats: the rows' maximum and sum, each (B, M, T, 1) float32, from `reduce`.
      tau: the temperature, above zero.
      draw: from a shape to uniform numbers, or None outside training.

    Returns:
      (B, M, T, S) weights in [0, 1] that sum to one over the keys a query may see; zeros for a
      query that may see none.

    References:
      Jang, Gu & Poole, "Categorical Reparameterization with Gumbel-Softmax", 2017,
      arXiv:1611.01144, equation 2. The paper anneals tau in some experiments; here it stays. After
      training the same temperature acts on logits without noise, where the paper would draw.
    """

    @staticmethod
    def reduce(logits, mask, tau, draw):
        return Softmax.reduce(_noisy(logits, tau, draw), mask)

    merge = Softmax.merge
    rescale = Softmax.rescale

    @staticmethod
    def weights(logits, mask, stats, tau, draw):
        return Softmax.weights(_noisy(logits, tau, draw), mask, stats)


def _noisy(logits, tau, draw):
    import jax.numpy as jnp

    if draw is not None:
        logits = logits - jnp.log(-jnp.log(draw(logits.shape))).astype(logits.dtype)
    # Twice the least logit there is would be infinite, and so is the noise of a number that float32
    # rounds up to one.
    ends = jnp.finfo(logits.dtype)
    return jnp.clip(logits / tau, ends.min, ends.max)
