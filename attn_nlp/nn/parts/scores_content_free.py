"""Scores that do not compare: they ignore the query, the key or both.

In come `q` (B, Q, T, D) and `k` (B, Q, S, D), float32; out go logits (B, Q, T, S), float32, before
any scale. An effect that remains under one of these does not come from comparing. Those that have a
number for each key position are bound to the cell's `length`: their tables have that many
positions. A sentence has no token beyond them, and padding there takes the last entry.
"""

from attn_nlp.parts.registry import Learned, score


@score(
    "content",
    label="Content only",
    cite="Yang et al., 2016",
    learned={"direction": Learned("Q D", std="D**-0.5")},
    ignores_query=True,
    flops="2*Q*T*D",
)
def content(q, k, direction):
    """Weight keys by their content alone, the same for every query.

        logits[t, s] = sum_d v[d] k[s, d]

    One learned query per head serves all positions, so every position of a sentence gets the same
    result from attention. Logits of order one: v starts at N(0, 1/D).

    Args:
      q: (B, Q, T, D) float32; only its shape is used.
      k: (B, Q, S, D) float32.
      direction: (Q, D) float32, v.

    Returns:
      (B, Q, T, S) float32.

    References:
      Yang et al., "Hierarchical Attention Networks for Document Classification", 2016, NAACL,
      section 2.2. The paper puts a tanh around the key and uses the result to pool a sentence.
    """
    import jax.numpy as jnp

    logits = jnp.einsum("bhsd,hd->bhs", k, direction)[:, :, None, :]
    return jnp.broadcast_to(logits, (*q.shape[:3], k.shape[2]))


@score(
    "location",
    label="Location",
    cite="Luong et al., 2015",
    learned={"table": Learned("Q D T", std="D**-0.5")},
    ignores_keys=True,
    position_bound=True,
    flops="2*Q*T*T*D",
)
def location(q, k, here, table):
    """Let the query choose positions to attend to, whatever tokens are there.

        logits[t, s] = sum_d q[t, d] W[d, s]

    Logits of order one: W starts at N(0, 1/D).

    Args:
      q: (B, Q, T, D) float32.
      k: (B, Q, S, D) float32; only its shape is used.
      here: positions of the block's rows and columns.
      table: (Q, D, length) float32, W.

    Returns:
      (B, Q, T, S) float32.

    References:
      Luong, Pham & Manning, "Effective Approaches to Attention-based Neural Machine Translation",
      2015, arXiv:1508.04025, equation 8 ("location"). In the paper the decoder asks; here every
      position of the sentence does, with a W for each head.
    """
    import jax.numpy as jnp

    return jnp.einsum("bhtd,hds->bhts", q, _at(table, here.columns))


@score(
    "synthesizer_dense",
    label="Dense Synthesizer",
    cite="Tay et al., 2020",
    learned={
        "hidden_bias": Learned("Q D"),
        "table": Learned("Q D T", std="D**-0.5"),
        "table_bias": Learned("Q T"),
    },
    ignores_keys=True,
    position_bound=True,
    flops="2*Q*T*D + Q*T*T*(2*D + 1)",
)
def synthesizer_dense(q, k, here, hidden_bias, table, table_bias):
    """Compute each position's logits by a small network from that position alone.

        logits[t, s] = sum_d max(0, q[t, d] + a[d]) W[d, s] + b[s]

    The projection that gives q is the network's first layer, so its hidden layer is as wide as a
    head. Where q + a is exactly zero the gradient of max is taken from both sides evenly.

    Args:
      q: (B, Q, T, D) float32.
      k: (B, Q, S, D) float32; only its shape is used.
      here: positions of the block's rows and columns.
      hidden_bias: (Q, D) float32, a.
      table: (Q, D, length) float32, W; starts at N(0, 1/D).
      table_bias: (Q, length) float32, b.

    Returns:
      (B, Q, T, S) float32.

    References:
      Tay et al., "Synthesizer: Rethinking Self-Attention for Transformer Models", 2020,
      arXiv:2005.00743, the Dense Synthesizer. It has no scale: choose `none`.
    """
    import jax.numpy as jnp

    hidden = jnp.maximum(q + hidden_bias[:, None, :], 0.0)
    logits = jnp.einsum("bhtd,hds->bhts", hidden, _at(table, here.columns))
    return logits + _at(table_bias, here.columns)[:, None, :]


@score(
    "synthesizer_random",
    label="Random Synthesizer",
    cite="Tay et al., 2020",
    learned={"table": Learned("Q T T", std=1.0)},
    ignores_query=True,
    ignores_keys=True,
    position_bound=True,
    flops=0,
)
def synthesizer_random(q, k, here, table):
    """Learn one logit for each pair of positions, the same for all sentences.

        logits[t, s] = R[t, s]

    It starts as `hard_random` does, at N(0, 1), and is trained.

    Args:
      q: (B, Q, T, D) float32; only its shape is used.
      k: (B, Q, S, D) float32; only its shape is used.
      here: positions of the block's rows and columns.
      table: (Q, length, length) float32, R.

    Returns:
      (B, Q, T, S) float32.

    References:
      Tay et al., "Synthesizer: Rethinking Self-Attention for Transformer Models", 2020,
      arXiv:2005.00743, the Random Synthesizer, trained. It has no scale: choose `none`.
    """
    import jax.numpy as jnp

    logits = _at(jnp.swapaxes(_at(table, here.columns), 1, 2), here.rows)
    return jnp.broadcast_to(jnp.swapaxes(logits, 1, 2), (*q.shape[:3], k.shape[2]))


def _at(table, positions):
    """Return entries of the last axis at these positions, the last one for positions beyond it."""
    import jax.numpy as jnp

    return jnp.take(table, positions, axis=-1, mode="clip")


@score(
    "uniform",
    label="Uniform",
    cite="control",
    control=True,
    ignores_query=True,
    ignores_keys=True,
    flops=0,
)
def uniform(q, k):
    """Compare nothing: every key gets the same logit.

        logits[t, s] = 0

    Attention with this score averages.

    Args:
      q: (B, Q, T, D) float32; only its shape is used.
      k: (B, Q, S, D) float32; only its shape is used.

    Returns:
      (B, Q, T, S) float32 zeros.
    """
    import jax.numpy as jnp

    return jnp.zeros((*q.shape[:3], k.shape[2]), q.dtype)


@score(
    "hard_random",
    label="Fixed random",
    cite="control",
    control=True,
    ignores_query=True,
    ignores_keys=True,
    position_bound=True,
    flops="Q*T*T",
)
def hard_random(q, k, here, seed, layer):
    """Compare nothing: every pair of positions keeps one random logit through all training.

        logits[h, t, s] = z[h, t, s],  z ~ N(0, 1), drawn once from the cell's seed

    A mixing pattern that is neither learned nor even. The numbers depend on the seed, the layer,
    the head and the two positions only, so that padding and batches change nothing.

    Args:
      q: (B, Q, T, D) float32; only its shape is used.
      k: (B, Q, S, D) float32; only its shape is used.
      here: positions of the block's rows and columns.
      seed: the cell's seed.
      layer: the index of the block in the encoder.

    Returns:
      (B, Q, T, S) float32.

    References:
      The Random Synthesizer of Tay et al., "Synthesizer: Rethinking Self-Attention for Transformer
      Models", 2020, arXiv:2005.00743, serves as a control in the same way if it is left fixed.
    """
    import jax
    import jax.numpy as jnp

    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 0x5EED), layer)

    def pair(t, s):
        own_key = jax.random.fold_in(jax.random.fold_in(key, t), s)
        return jax.random.normal(own_key, (q.shape[1],), jnp.float32)

    drawn = jax.vmap(jax.vmap(pair, (None, 0)), (0, None))(here.rows, here.columns)
    return jnp.broadcast_to(drawn.transpose(2, 0, 1), (*q.shape[:3], k.shape[2]))
