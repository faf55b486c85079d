"""Normalizers that give most keys a weight of exactly zero, and therefore must see the whole row.

Sparsemax and the entmax family are one function of a row's logits, max(0, ...)^(1/(alpha - 1)),
lowered by a threshold until the row sums to one. The threshold comes from bisection rather than
from sorting as in the papers: the result is the same, and on a CPU it takes a fraction of the time.
The gradient follows from the sum alone, however the threshold was found.
"""

from attn_nlp.nn.parts.normalizers import softmax_of
from attn_nlp.parts.registry import Numeric, Static, normalizer


@normalizer(
    "sparsemax",
    label="Sparsemax",
    cite="Martins & Astudillo, 2016",
    sums_to_one=True,
    shift_invariant=True,
    whole_rows=True,
    kinked=True,
    flops="100*M*T*T",
)
def sparsemax(logits, mask, seen):
    """Project the logits onto the simplex, so that weak keys get a weight of exactly zero.

        weights[t, s] = max(0, logits[t, s] - tau[t]),  tau[t] such that the row sums to one

    Of all rows of weights that are not negative and sum to one this is the nearest to the logits.
    The gradient of a row is that of the keys in its support less their mean; there is a kink where
    a key is about to enter the support.

    Args:
      logits: (B, M, T, S) float32, scaled scores.
      mask: (B, 1, T, S) bool, True where query t may see key s.
      seen: (B, 1, T, 1) float32, keys that query t may see.

    Returns:
      (B, M, T, S) weights in [0, 1] that sum to one over the keys a query may see; zeros for a
      query that may see none.

    References:
      Martins & Astudillo, "From Softmax to Sparsemax: A Sparse Model of Attention and Multi-Label
      Classification", 2016, arXiv:1602.02068, equation 2 and proposition 1. Its algorithm 1
      sorts.
    """
    import jax
    import jax.numpy as jnp

    z, n = _below_top(logits, mask, 1.0), jnp.maximum(seen, 1.0)
    return _at_threshold(lambda tau, z: jnp.where(mask, jax.nn.relu(z - tau), 0.0), z, -1.0, -1 / n)


@normalizer(
    "entmax15",
    label="1.5-entmax",
    cite="Peters et al., 2019",
    special_case_of="entmax",
    sums_to_one=True,
    shift_invariant=True,
    whole_rows=True,
    flops="130*M*T*T",
)
def entmax15(logits, mask, seen):
    """Go halfway between softmax and sparsemax: sparse weights, yet a smooth function.

        weights[t, s] = max(0, logits[t, s] / 2 - tau[t])^2,  tau[t] such that the row sums to one

    The same as entmax(1.5) with a square in place of a power, and smooth: a key enters the support
    with a derivative of zero.

    Args:
      logits: (B, M, T, S) float32, scaled scores.
      mask: (B, 1, T, S) bool, True where query t may see key s.
      seen: (B, 1, T, 1) float32, keys that query t may see.

    Returns:
      (B, M, T, S) weights in [0, 1] that sum to one over the keys a query may see; zeros for a
      query that may see none.

    References:
      Peters, Niculae & Martins, "Sparse Sequence-to-Sequence Models", 2019, arXiv:1905.05702. Its
      algorithm 2 sorts.
    """
    import jax
    import jax.numpy as jnp

    z, n = _below_top(logits, mask, 2.0) / 2, jnp.maximum(seen, 1.0)
    return _at_threshold(
        lambda tau, z: jnp.where(mask, jax.nn.relu(z - tau) ** 2, 0.0), z, -1.0, -(n**-0.5)
    )


@normalizer(
    "entmax",
    label="alpha-entmax",
    cite="Peters et al., 2019",
    settings={"alpha": Numeric(1.5, low=1.001, high=4.0)},
    sums_to_one=True,
    shift_invariant=True,
    whole_rows=True,
    kinked=True,
    flops="220*M*T*T",
)
def entmax(logits, mask, seen, alpha):
    """Control sparsity with alpha: softmax as it falls to 1, sparsemax at 2, sparser beyond.

        weights[t, s] = max(0, 1 + (alpha - 1) (logits[t, s] - tau[t]))^(1 / (alpha - 1))

    with tau[t] such that the row sums to one. This is the paper's form with tau shifted and scaled,
    so that it turns into exp(logits - tau) as alpha falls to 1. From alpha = 2 on the function has
    kinks; above 2 its derivative has no bound where a key enters the support, and float32 keeps
    only three digits if some thousand keys are nearly equal.

    Args:
      logits: (B, M, T, S) float32, scaled scores.
      mask: (B, 1, T, S) bool, True where query t may see key s.
      seen: (B, 1, T, 1) float32, keys that query t may see.
      alpha: from 1.001 to 4.

    Returns:
      (B, M, T, S) weights in [0, 1] that sum to one over the keys a query may see; zeros for a
      query that may see none.

    References:
      Peters, Niculae & Martins, "Sparse Sequence-to-Sequence Models", 2019, arXiv:1905.05702,
      algorithm 1.
    """
    import jax.numpy as jnp

    z, n = _below_top(logits, mask, 1 / (alpha - 1)), jnp.maximum(seen, 1.0)
    high = -jnp.expm1((1 - alpha) * jnp.log(n)) / (alpha - 1)  # (1 - n^(1 - alpha)) / (alpha - 1)

    def weights_at(tau, z):
        base = (alpha - 1) * (z - tau)
        inside = mask & (base > -1)
        # log1p is exact near alpha = 1; the inner `where` keeps gradients finite.
        power = jnp.log1p(jnp.where(inside, base, 0.0)) / (alpha - 1)
        return jnp.where(inside, jnp.exp(power), 0.0)

    return _at_threshold(weights_at, z, 0.0, high)


@normalizer(
    "topk",
    label="Top-k softmax",
    cite="Zhao et al., 2019",
    settings={"keep": Static(4)},
    sums_to_one=True,
    shift_invariant=True,
    whole_rows=True,
    kinked=True,
    flops="M*T*T*(log2(T) + 10)",
)
def topk(logits, mask, keep):
    """Take the softmax of a query's few best keys and give the others nothing.

        weights[t, s] = exp(logits[t, s]) / sum_(r in best) exp(logits[t, r])  for s in best[t]

    where best[t] holds the `keep` largest logits that query t may see, or all if it sees fewer. Of
    equal logits those of earlier keys come first. The choice of keys takes no part in the gradient,
    and weights jump when the order of two keys changes.

    Args:
      logits: (B, M, T, S) float32, scaled scores in nats.
      mask: (B, 1, T, S) bool, True where query t may see key s.
      keep: the number of keys that a query keeps, the k of the name.

    Returns:
      (B, M, T, S) weights in [0, 1], at most `keep` in a row above 0, that sum to one; zeros for a
      query that may see no key.

    References:
      Zhao et al., "Explicit Sparse Transformer: Concentrated Attention Through Explicit Selection",
      2019, arXiv:1912.11637. There all logits that equal the k-th are kept.
    """
    import jax
    import jax.numpy as jnp

    hidden = jax.lax.stop_gradient(jnp.where(mask, logits, -jnp.inf))
    least = jax.lax.top_k(hidden, min(keep, logits.shape[-1]))[0][..., -1:]
    above, level = hidden > least, mask & (hidden == least)
    room = keep - above.sum(axis=-1, keepdims=True)
    best = above | (level & (jnp.cumsum(level, axis=-1) <= room))
    return softmax_of(logits, best)


@normalizer(
    "hard",
    label="Hard (straight-through)",
    cite="Bengio et al., 2013",
    sums_to_one=True,
    shift_invariant=True,
    whole_rows=True,
    surrogate=True,
    flops="8*M*T*T",
)
def hard(logits, mask):
    """Give the best key all the weight, and learn as if it had been softmax.

        weights[t, s] = 1 if s = argmax_r logits[t, r] else 0,  d weights := d softmax(logits)

    Of equal logits the earliest key is the best. The gradient is a surrogate: the weights are
    constant almost everywhere, so the one of softmax is used instead.

    Args:
      logits: (B, M, T, S) float32, scaled scores in nats.
      mask: (B, 1, T, S) bool, True where query t may see key s.

    Returns:
      (B, M, T, S) weights, a single 1 in every row; zeros for a query that may see no key.

    References:
      Bengio, Léonard & Courville, "Estimating or Propagating Gradients Through Stochastic Neurons
      for Conditional Computation", 2013, arXiv:1308.3432, for the straight-through estimator; there
      the choice is drawn and the gradient passes unchanged, here the choice is the largest logit
      and the gradient passes through the softmax.
    """
    import jax
    import jax.numpy as jnp

    best = jnp.argmax(jnp.where(mask, logits, -jnp.inf), axis=-1, keepdims=True)
    chosen = mask & (jnp.arange(logits.shape[-1]) == best)
    soft = softmax_of(logits, mask)
    # The difference is taken first: it is exactly zero, so that the weights are exactly one-hot.
    return chosen.astype(soft.dtype) + (soft - jax.lax.stop_gradient(soft))


def _below_top(logits, mask, reach):
    """Return logits with the row's largest at zero, raised to -reach if lower, hidden ones too.

    A logit that far below the largest has no weight, and sums of small numbers are exact.
    """
    import jax
    import jax.numpy as jnp

    hidden = jax.lax.stop_gradient(jnp.where(mask, logits, -jnp.inf))
    least = jnp.finfo(logits.dtype).min  # a row that sees nothing: finite
    top = jnp.max(hidden, axis=-1, keepdims=True, initial=least)
    return jnp.maximum(jnp.where(mask, logits - top, -reach), -reach)


def _at_threshold(weights_at, z, low, high):
    """Return weights at the threshold where rows sum to one, with the gradient of that condition.

    The interval is halved until its ends no longer differ: 26 times in float32, 55 in float64. A
    Newton step then corrects the last digits. As the sum stays one whatever the logits do,

        d weights[s] = a[s] (d z[s] - sum_r a[r] d z[r] / sum_r a[r])

    with a[s] = d weights[s] / d z[s] at a fixed threshold, which is proportional to weights[s]^(2 -
    alpha) on the support.

    Args:
      weights_at: from thresholds (B, M, T, 1) and logits to weights (B, M, T, S).
      z: (B, M, T, S), logits with the largest of each row at zero.
      low: the threshold at which the largest alone weighs one.
      high: the threshold at which it weighs 1/n, and no key weighs more.

    Returns:
      (B, M, T, S); a row of zeros stays a row of zeros.
    """
    import jax
    import jax.numpy as jnp

    still = jax.lax.stop_gradient

    def sums(tau, z=z):
        return weights_at(tau, z).sum(axis=-1, keepdims=True)

    def halve(_, ends):
        low, high = ends
        middle = (low + high) / 2
        over = sums(middle, still(z)) >= 1
        return jnp.where(over, middle, low), jnp.where(over, high, middle)

    ends = tuple(jnp.zeros_like(z[..., :1]) + still(end) for end in (low, high))
    low, high = jax.lax.fori_loop(0, jnp.finfo(z.dtype).nmant + 3, halve, ends)
    total, fall = jax.jvp(sums, (low,), (jnp.ones_like(low),))
    fall = still(jnp.where(fall < 0, fall, -1.0))  # a row that sees nothing: no division by zero
    tau = still(jnp.clip(low - (total - 1) / fall, low, high))
    tau = tau - (total - still(total)) / fall  # changes the gradient, not the number
    weights = weights_at(tau, z)
    total = still(weights.sum(axis=-1, keepdims=True))
    return weights / jnp.where(total > 0, total, 1.0)
