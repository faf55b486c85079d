"""Positions: how a model learns the order of the tokens.

Some add vectors to the embeddings: a position's `embed` gets the embedded tokens `x` (B, T, E) and
returns the same shape. The others act inside attention, on queries, keys, logits and values. All of
these use the distance s - t between a key and its query, each in its own way, and leave the
embedded tokens unchanged. Positions are absolute and come from `here`, so that a block of rows and
columns gets what it would get as part of the whole matrix.
"""

from math import log

from attn_nlp.parts.registry import Learned, Numeric, Static, position


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

    def waves(position):
        angle = position / slow
        return jnp.where(jnp.arange(width) % 2 == 0, jnp.sin(angle), jnp.cos(angle))

    # One position after another: without the loop XLA repeats them for each of B sentences.
    return x + jax.lax.map(waves, here.rows)


@position(
    "learned",
    label="Learned",
    cite="Gehring et al., 2017",
    learned={"table": Learned("T E", std="E**-0.5")},
    flops="T*E",
)
def learned(x, here, table):
    """Add a vector that is learned for every position.

        x[t] = e[t] + p[t]

    Args:
      x: (B, T, E) float32, embedded tokens.
      here: absolute positions of the rows.
      table: (T, E) float32, p, for as many positions as a sentence can have.

    Returns:
      (B, T, E) float32.

    References:
      Gehring et al., "Convolutional Sequence to Sequence Learning", 2017, arXiv:1705.03122,
      section 3.1.
    """
    return x + table[here.rows]


@position(
    "rope",
    label="Rotary",
    cite="Su et al., 2021",
    settings={"base": Numeric(10000.0, low=1.0)},
    divides={"D": 2},
    flops="6*Q*T*D + 3*T*D",
)
class Rotary:
    """Rotate queries and keys by angles that grow with position, so that logits see distances.

        q'[t, 2i]     = q[t, 2i] cos(t w[i]) - q[t, 2i + 1] sin(t w[i])
        q'[t, 2i + 1] = q[t, 2i] sin(t w[i]) + q[t, 2i + 1] cos(t w[i]),  w[i] = base^(-2i/D)

    and the same for keys at s. Then q'[t] . k'[s] depends on q[t], k[s] and s - t alone, and norms
    stay as they are. Neighboring features form a pair, as in the paper; many programs pair feature
    i with i + D/2 instead, which is the same up to the order of the projections' columns. A score
    other than an inner product sees the rotated vectors, but not distances alone. The values stay
    as they are.

    Args:
      q: (B, Q, T, D) float32; D must be even.
      k: (B, Q, S, D) float32.
      here: positions of rows and columns.
      base: the longest wavelength is nearly 2 pi base tokens.

    Returns:
      q and k, rotated.

    References:
      Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021,
      arXiv:2104.09864, equations 14, 15 and 34.
    """

    @staticmethod
    def prepare(q, k, here, base):
        import jax.numpy as jnp

        def rotate(x, positions):
            pairs = x.shape[-1] // 2
            angle = positions[:, None] * base ** (-jnp.arange(pairs) / pairs)[None, :]
            sin, cos = (f(angle)[None, None].astype(x.dtype) for f in (jnp.sin, jnp.cos))
            even, odd = x[..., 0::2], x[..., 1::2]
            rotated = jnp.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1)
            return rotated.reshape(x.shape)

        return rotate(q, here.rows), rotate(k, here.columns)


@position(
    "shaw",
    label="Relative",
    cite="Shaw et al., 2018",
    settings={"reach": Static(16, low=0)},
    learned={
        "keys": Learned("2*reach+1 D", std="D**-0.5"),
        "values": Learned("2*reach+1 U", std="U**-0.5"),
    },
    requires={"M": "Q"},
    flops="2*Q*T*T*D + 2*H*T*T*U",
)
class Relative:
    """Learn a key and a value for every distance and add them to those of the token.

        score'[t, s] = score[t, s] + q[t] . a[clip(s - t)]
        out[t]       = sum_s weights[t, s] (v[s] + b[clip(s - t)])

    where clip holds s - t between -reach and reach. With the dot product the score becomes
    q[t] . (k[s] + a[s - t]); any scale acts on the sum. A value must have one weight, not one
    for each of its features: feature-wise scores are rejected.

    Args:
      q: (B, Q, T, D) float32.
      weights: (B, H, T, S) float32.
      here: positions of rows and columns.
      reach: the distance from which all are treated alike; 0 does not distinguish distances.
      keys: (2 reach + 1, D) float32, a, from distance -reach to reach, the same for all heads;
        starts at N(0, 1/D), so that q . a has unit variance.
      values: (2 reach + 1, U) float32, b, the same.

    Returns:
      (B, Q, T, S) to add to the score, and (B, H, T, U) to add to the weighted values, zeros for a
      query that sees nothing.

    References:
      Shaw, Uszkoreit & Vaswani, "Self-Attention with Relative Position Representations", 2018,
      arXiv:1803.02155, equations 3 and 4. There, too, heads share a and b.
    """

    @staticmethod
    def relate(q, here, reach, keys):
        import jax.numpy as jnp

        return jnp.einsum("bhtd,tsd->bhts", q, keys[_clipped(here, reach)])

    @staticmethod
    def aggregate(weights, here, reach, values):
        import jax.numpy as jnp

        return jnp.einsum("bhts,tsu->bhtu", weights, values[_clipped(here, reach)])


@position("alibi", label="Linear biases", cite="Press et al., 2022", flops="2*M*T*T + T*T")
class LinearBiases:
    """Lower each logit by the distance, with a slope of its own for every head.

        logits[h, t, s] = scaled score[h, t, s] - m[h] |s - t|,  m[h] = 2^(-8 h/H),  h = 1, ..., H

    The slopes are fixed. Since both directions count alike, tokens before and after a query are not
    distinguished. If a head has several maps, or one for each feature, they share its slope.

    Args:
      logits: (B, M, T, S) float32, scaled scores.
      here: positions of rows and columns.

    Returns:
      (B, M, T, S) float32.

    References:
      Press, Smith & Lewis, "Train Short, Test Long: Attention with Linear Biases Enables Input
      Length Extrapolation", 2022, arXiv:2108.12409, section 3. The paper's attention looks back
      only; the distance is taken both ways here. Its program interleaves two sequences of slopes if
      H is not a power of two; the sequence of the text is used here for every H.
    """

    @staticmethod
    def adjust(logits, here, sizes):
        import jax.numpy as jnp

        heads, maps = sizes["H"], logits.shape[1]
        slopes = jnp.repeat(2.0 ** (-8.0 * jnp.arange(1, heads + 1) / heads), maps // heads)
        distance = abs(here.distances)
        return logits - (slopes[:, None, None] * distance[None]).astype(logits.dtype)[None]


@position(
    "t5",
    label="Bucketed biases",
    cite="Raffel et al., 2020",
    settings={"buckets": Static(32, low=4), "farthest": Static(128)},
    learned={"bias": Learned("buckets H", std="E**-0.5")},
    divides={"buckets": 2},
    flops="M*T*T",
)
class BucketedBiases:
    """Add to each logit a number learned for every head and every bucket of distances.

        logits[h, t, s] = scaled score[h, t, s] + bias[bucket(s - t), h]
        bucket(n) = near(|n|) + (G if n > 0 else 0),  G = buckets / 2,  e = floor(G / 2)
        near(n)   = n if n < e, else min(G - 1, e + floor((G - e) log(n/e) / log(farthest/e)))

    Half of the buckets are for keys behind the query and for the query's own position, half for
    keys ahead of it (whose first stays unused, since the distance ahead is at least one). Near
    distances have a bucket each, farther ones share buckets of growing width, and all from
    `farthest` on share one; so does anything beyond a `farthest` that is less than e. If a head has
    several maps, or one for each feature, they share its numbers.

    Args:
      logits: (B, M, T, S) float32, scaled scores.
      here: positions of rows and columns.
      buckets: the number of buckets, even.
      farthest: the distance from which all share a bucket, the paper's 128.
      bias: (buckets, H) float32; starts at N(0, 1/E).

    Returns:
      (B, M, T, S) float32.

    References:
      Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text
      Transformer", 2020, arXiv:1910.10683, section 2.1, and its program for the buckets. There all
      blocks share one table and the score is not scaled; here each block has its own table, and
      the scale is a part of its own.
    """

    @staticmethod
    def adjust(logits, here, sizes, buckets, farthest, bias):
        import jax.numpy as jnp

        ahead = here.distances
        near = jnp.asarray(_nearness(buckets // 2, farthest), jnp.int32)
        bucket = near[jnp.minimum(abs(ahead), farthest)] + jnp.where(ahead > 0, buckets // 2, 0)
        by_head = jnp.moveaxis(bias[bucket], -1, 0)  # (H, T, S)
        by_map = jnp.repeat(by_head, logits.shape[1] // sizes["H"], axis=0)
        return logits + by_map[None].astype(logits.dtype)


def _clipped(here, reach: int):
    """Return (T, S) int32 from 0 to 2 reach: indices into a table of distances."""
    import jax.numpy as jnp

    return jnp.clip(here.distances, -reach, reach) + reach


def _nearness(buckets: int, farthest: int) -> list[int]:
    """Return the bucket of every distance from 0 to `farthest`, of `buckets` on one side.

    If the quotient of logarithms is an integer, rounding must not push it below: a distance
    that begins a bucket is recognized by powers of integers, which are exact.
    """
    exact = buckets // 2
    wider = buckets - exact

    def near(n: int) -> int:
        if n < exact:
            return n
        if n >= farthest:
            return buckets - 1
        step = int(wider * log(n / exact) / log(farthest / exact) + 0.5)
        # n begins bucket `step` or a later one: (n / e)^wider >= (farthest / e)^step
        begun = n**wider * exact**step >= farthest**step * exact**wider
        return exact + min(step if begun else step - 1, wider - 1)

    return [near(n) for n in range(farthest + 1)]
