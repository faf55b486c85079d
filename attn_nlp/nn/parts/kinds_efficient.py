"""Kinds that pass information between positions without a matrix of compared positions.

Most take q, k and v (B, H, T, D) and (B, H, T, U) float32 and the sentence's mask (B, T) bool, and
return (B, H, T, U). The cost grows with T instead of T squared, except that of FNet, which learns
nothing. Scores, scales, masks, normalizers and mixers do not act here.

Attention by a product of features, sum_d phi_d(q) phi_d(k), is computed from logarithms of the
features. Dividing phi_d of all keys by its largest value and multiplying the query's by the same
changes nothing, and neither does a factor common to the query's features; afterward no exp
overflows and a query's weights never all underflow, for inputs of any size.
"""

from attn_nlp.parts.registry import Learned, Static, kind


@kind(
    "linear",
    label="Linear attention",
    cite="Katharopoulos et al., 2020",
    requires={"Q": "H"},
    flops="H*T*(13*D + 4*D*U + U)",
    state="K*D*(U + 1)",
)
class Linear:
    """Weight keys by a product of features of q and of k, so that sums over the keys are shared.

        weights[t, s] = phi(q[t]) . phi(k[s]) / sum_r phi(q[t]) . phi(k[r])
        out[t] = sum_s weights[t, s] v[s],  phi(x) = elu(x) + 1

    The sums over s of phi(k[s]) v[s] and of phi(k[s]) are the same for every query, so that no
    weight is ever computed by itself.

    Args:
      q, k: (B, H, T, D) float32.
      v: (B, H, T, U) float32.
      mask: (B, T) bool, False at padding.

    Returns:
      (B, H, T, U) float32; zeros for a sentence of padding alone.

    References:
      Katharopoulos et al., "Transformers are RNNs: Fast Autoregressive Transformers with Linear
      Attention", 2020, arXiv:2006.16236, equations 5 and 7. Nothing is added to the denominator;
      logarithms of the features keep it away from zero.
    """

    @staticmethod
    def attend(q, k, v, mask):
        import jax.numpy as jnp

        def logarithm(x):  # of elu(x) + 1, which is exp(x) below zero and 1 + x above
            return jnp.where(x < 0, x, jnp.log1p(jnp.maximum(x, 0.0)))

        return by_features(logarithm(q), logarithm(k), v, mask)


@kind(
    "performer",
    label="Performer (FAVOR+)",
    cite="Choromanski et al., 2021",
    settings={"features": Static("4*D")},
    requires={"Q": "H"},
    flops="H*T*(4*D*features + 4*U*features + 9*features + 4*D + U)",
    state="K*features*(U + 1)",
)
class Performer:
    """Estimate softmax attention by positive random features, at a cost that grows with T.

        weights[t, s] = phi(q[t]) . phi(k[s]) / sum_r phi(q[t]) . phi(k[r])
        phi_i(x) = exp(w_i . x / D^(1/4) - |x|^2 / (2 sqrt(D))) / sqrt(m),  w_i ~ N(0, I)

    The mean of phi(q) . phi(k) over w is exp(q . k / sqrt(D)), and its error falls with the root of
    the number m of features. The w come in groups of D that are orthogonal, which leaves each one
    normal and lowers the error. They are drawn from the cell's seed and the layer, are the same for
    all heads, and stay the same through training. Drawing them is not counted in the operations.

    With independent rows a weight has the relative variance (exp(|q + k|^2 / sqrt(D)) - 1) / m
    before it is normalized. For q and k of unit variance that is about exp(2 sqrt(D)) / m: wide
    heads, and queries and keys that training makes long, need many more features than D.

    Args:
      q, k: (B, H, T, D) float32.
      v: (B, H, T, U) float32.
      mask: (B, T) bool, False at padding.
      features: m.
      seed: the cell's seed.
      layer: the index of the block in the encoder.

    Returns:
      (B, H, T, U) float32; zeros for a sentence of padding alone.

    References:
      Choromanski et al., "Rethinking Attention with Performers", 2021, arXiv:2009.14794, section 2.
      The paper redraws the projection from time to time; here it is drawn once. |q|^2 and 1/sqrt(m)
      cancel and are left out, and nothing is added to the features to keep them from zero, since
      logarithms do.
    """

    @staticmethod
    def attend(q, k, v, mask, features, seed, layer):
        import jax.numpy as jnp

        size = q.shape[3]
        rows = projection(seed, layer, features, size).astype(q.dtype)
        q, k = (x * size**-0.25 for x in (q, k))
        half = 0.5 * jnp.square(k).sum(axis=3, keepdims=True)
        of_q, of_k = (jnp.einsum("bhtd,md->bhtm", x, rows) for x in (q, k))
        return by_features(of_q, of_k - half, v, mask)


@kind(
    "linformer",
    label="Linformer",
    cite="Wang et al., 2020",
    settings={"rank": Static(16)},
    learned={
        "keys": Learned("T rank", std="T**-0.5"),
        "values": Learned("T rank", std="T**-0.5"),
    },
    requires={"Q": "H"},
    position_bound=True,
    flops="H*T*rank*(4*D + 4*U + 6)",
    state="K*rank*(D + U)",
)
class Linformer:
    """Compare queries with a few mixtures of the keys, mixed by position.

        k'[r] = sum_s P[s, r] k[s],  v'[r] = sum_s R[s, r] v[s]
        out[t] = sum_r softmax(q[t] . k'[r] / sqrt(D))[r] v'[r]

    P and R belong to positions: the kind is bound to the cell's length T, a position that training
    sentences seldom reach is seldom trained, and moving a token changes what is mixed with it.
    Padding counts as zeros in the mixtures. Mixtures are not tokens, so a query sees all of them
    however short its sentence is.

    Args:
      q, k: (B, H, S, D) float32, S at most T.
      v: (B, H, S, U) float32.
      mask: (B, S) bool, False at padding.
      keys, values: P and R, both (T, rank), shared by all heads.

    Returns:
      (B, H, S, U) float32; zeros for a sentence of padding alone.

    References:
      Wang et al., "Linformer: Self-Attention with Linear Complexity", 2020, arXiv:2006.04768,
      equation 7, with the projections of a layer shared by its heads. They start at N(0, 1/T), so
      that mixtures of a full sentence have the variance of one key.
    """

    @staticmethod
    def attend(q, k, v, mask, keys, values):
        import jax
        import jax.numpy as jnp

        shown = mask[:, None, :, None]
        few = (
            jnp.einsum("bhsd,sr->bhrd", jnp.where(shown, x, 0.0), mix[: x.shape[2]])
            for x, mix in ((k, keys), (v, values))
        )
        mixed_k, mixed_v = few
        logits = jnp.einsum("bhtd,bhrd->bhtr", q, mixed_k) * q.shape[3] ** -0.5
        return jnp.einsum("bhtr,bhru->bhtu", jax.nn.softmax(logits, axis=-1), mixed_v)


@kind(
    "aft_simple",
    label="AFT-simple",
    cite="Zhai et al., 2021",
    requires={"U": "D", "Q": "H"},
    flops="8*H*T*D",
    state="2*K*D",
)
class AftSimple:
    """Weight keys feature by feature, independently of the query, which gates the result.

        out[t] = sigmoid(q[t]) * sum_s exp(k[s]) * v[s] / sum_s exp(k[s]),  feature by feature

    No two positions are compared: the sum is the same for every query. Since everything happens
    feature by feature, it makes no difference how the width is divided into heads.

    Args:
      q, k, v: (B, H, T, D) float32.
      mask: (B, T) bool, False at padding.

    Returns:
      (B, H, T, D) float32; zeros for a sentence of padding alone.

    References:
      Zhai et al., "An Attention Free Transformer", 2021, arXiv:2105.14103, AFT-simple, which is
      AFT-full without its position biases.
    """

    @staticmethod
    def attend(q, k, v, mask):
        import jax
        import jax.numpy as jnp

        raised, _ = _raised(k, mask)
        total = raised.sum(axis=2, keepdims=True)
        mixed = (raised * v).sum(axis=2, keepdims=True) / jnp.where(total > 0, total, 1.0)
        return jax.nn.sigmoid(q) * mixed


@kind(
    "fnet",
    label="FNet",
    cite="Lee-Thorp et al., 2022",
    position_bound=True,
    flops="4*T*E*E + 4*T*T*E + 4*T*T",
    state="T*E",
)
def fnet(x, mask):
    """Mix positions by a Fourier transform, which learns nothing.

        y[t, e] = Re sum_s sum_d x[s, d] exp(-2 pi i (t s / n + e d / E))

    n is the true length of the sentence, so that neither its batch nor its padding changes it; the
    positions 0 to n - 1 are counted over its tokens. The transform over positions is a product with
    a matrix of cosines and sines of each sentence's own n, at a cost of T^2 E. As in the paper the
    sum is not divided by anything: y is about sqrt(n E) times as large as x.

    Args:
      x: (B, T, E) float32.
      mask: (B, T) bool, False at padding.

    Returns:
      (B, T, E) float32; zeros at padding.

    References:
      Lee-Thorp et al., "FNet: Mixing Tokens with Fourier Transforms", 2022, arXiv:2105.03824,
      equation 3. The paper transforms padded sequences of one length.
    """
    import jax.numpy as jnp

    positions = jnp.cumsum(mask, axis=1) - 1
    n = jnp.maximum(mask.sum(axis=1), 1)[:, None, None]
    # Integers modulo n: angles stay small, and float32 exact enough, for any length.
    turns = (positions[:, :, None] * positions[:, None, :]) % n
    shown = mask[:, :, None] & mask[:, None, :]
    angle = (2 * jnp.pi / n).astype(x.dtype) * turns
    width = x.shape[2]
    across = jnp.arange(width)
    wide = (2 * jnp.pi / width) * ((across[:, None] * across[None, :]) % width).astype(x.dtype)
    real = jnp.einsum("bts,bse->bte", jnp.where(shown, jnp.cos(angle), 0.0), x @ jnp.cos(wide))
    return real - jnp.einsum(
        "bts,bse->bte", jnp.where(shown, jnp.sin(angle), 0.0), x @ jnp.sin(wide)
    )


def by_features(log_q, log_k, v, mask):
    """Attend with weights that are a normalized product of features, given their logarithms.

        weights[t, s] = sum_m exp(log_q[t, m] + log_k[s, m]) / the same summed over s

    Args:
      log_q: (B, H, T, M).
      log_k: (B, H, S, M).
      v: (B, H, S, U).
      mask: (B, S) bool.

    Returns:
      (B, H, T, U).
    """
    import jax
    import jax.numpy as jnp

    of_k, top = _raised(log_k, mask)
    log_q = log_q + top
    of_q = jnp.exp(log_q - jax.lax.stop_gradient(log_q.max(axis=3, keepdims=True)))
    total = jnp.einsum("bhtm,bhm->bht", of_q, of_k.sum(axis=2))[..., None]
    mixed = jnp.einsum("bhsm,bhsu->bhmu", of_k, v)
    return jnp.einsum("bhtm,bhmu->bhtu", of_q, mixed) / jnp.where(total > 0, total, 1.0)


def _raised(logs, mask):
    """Return exp(logs) over each feature's largest, 0 at padding, and the log of the largest."""
    import jax
    import jax.numpy as jnp

    hidden = jnp.where(mask[:, None, :, None], logs, -jnp.inf)
    top = jax.lax.stop_gradient(hidden.max(axis=2, keepdims=True))
    top = jnp.where(jnp.isfinite(top), top, 0.0)  # a sentence of padding alone
    return jnp.exp(hidden - top), top


def projection(seed, layer, features: int, size: int):
    """Draw random rows, each N(0, I), orthogonal within groups of `size`.

    Each group is a random rotation whose rows are as long as independent normal ones.

    Args:
      seed: the cell's seed.
      layer: the index of the block in the encoder.
      features: the number of rows.
      size: D.

    Returns:
      (features, D) float32.
    """
    import jax
    import jax.numpy as jnp

    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 0xFA40), layer)
    groups = -(-features // size)
    drawn = jax.random.normal(jax.random.fold_in(key, 0), (groups, size, size), jnp.float32)
    other = jax.random.normal(jax.random.fold_in(key, 1), (groups * size, size), jnp.float32)
    rotation, upper = jnp.linalg.qr(drawn)
    # Signs that make the factorization unique also make the rotation uniform.
    signs = jnp.sign(jnp.diagonal(upper, axis1=1, axis2=2))
    rows = (rotation * signs[:, None, :]).transpose(0, 2, 1).reshape(groups * size, size)
    return (rows * jnp.linalg.norm(other, axis=1, keepdims=True))[:features]
