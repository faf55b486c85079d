"""Models that learn by gradients; the baselines that need none are in `baselines.py`.

A model without hooks is the encoder of blocks. One that supplies `read` gets the embedded tokens
`x` (B, T, E) and `mask` (B, T) and returns one vector of `features` numbers per sentence, (B,
features), without positions, blocks or pooling; embedding, dropout, class head and training are
those of the encoder, so that rows of a table differ in nothing else. One that supplies `fit` does
everything itself. A sentence of padding alone is read as zeros.
"""

from functools import reduce

from attn_nlp.nn.parts import se
from attn_nlp.parts.registry import Learned, Static, model


@model("encoder", label="Self-attention encoder", cite="Vaswani et al., 2017", flops=0)
class SelfAttentionEncoder:
    """Read a sentence by blocks of attention and feed-forward layers.

        class_logits = head(pool(blocks(embed(ids))))

    The cost of blocks and pooling is counted with them.

    References:
      Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762.
    """


@model(
    "bag_of_embeddings",
    label="Bag of embeddings",
    cite="Joulin et al., 2017",
    features="E",
    flops="T*E + E",
)
class BagOfEmbeddings:
    """Average the embedded tokens.

        features = sum_t x[t] / n,  over the n tokens of the sentence

    The order of the tokens counts for nothing, and no token changes what another one adds.

    Args:
      x: (B, T, E) float32.
      mask: (B, T) bool, False at padding.

    Returns:
      (B, E) float32.

    References:
      Joulin, Grave, Bojanowski & Mikolov, "Bag of Tricks for Efficient Text Classification"
      (fastText), EACL 2017, arXiv:1607.01759, section 2. Single words only: none of their n-grams,
      no hashing, a full softmax in place of the hierarchical one, and dropout on the embeddings.
    """

    @staticmethod
    def read(x, mask):
        return se.squeeze(x, mask)


@model(
    "cnn",
    label="CNN",
    cite="Y. Kim, 2014",
    settings={"maps": Static(100)},
    learned={
        # He et al., 2015, for ReLU: 2 / fan_in.
        "kernel_3": Learned("3 E maps", std="(2/(3*E))**0.5"),
        "kernel_4": Learned("4 E maps", std="(2/(4*E))**0.5"),
        "kernel_5": Learned("5 E maps", std="(2/(5*E))**0.5"),
        "bias": Learned("3*maps"),
    },
    features="3*maps",
    kinked=True,
    flops="24*T*E*maps + 3*T*maps + 6*maps",
)
class Convolution:
    """Slide filters over three, four and five tokens and keep the largest response of each.

        z[h, t] = sum_j x[t + j] K[h, j],  j = 0 .. h - 1,  for h in 3, 4, 5
        features[h] = max(0, max_t z[h, t] + b[h]),  t = 0 .. max(n - h, 0)

    A window lies within the n tokens; one that is wider than the sentence starts at its first token
    and is filled up with zeros. So more padding adds no window. Since ReLU is monotone, it may be
    applied after the maximum, where it costs T times less.

    Args:
      x: (B, T, E) float32.
      mask: (B, T) bool, True at the first n positions.
      kernel_3, kernel_4, kernel_5: K of each width, (h, E, maps).
      bias: b of all widths in a row, (3*maps,).

    Returns:
      (B, 3*maps) float32: `maps` features of each width, the narrow ones first.

    References:
      Y. Kim, "Convolutional Neural Networks for Sentence Classification", EMNLP 2014,
      arXiv:1408.5882, equation 2 and section 3.1. Embeddings start at random and are trained
      (CNN-rand). AdamW in place of Adadelta, no bound on the norm of the class head, and the
      cell's rate of dropout, which also falls on the embeddings.
    """

    @staticmethod
    def read(x, mask, kernel_3, kernel_4, kernel_5, bias):
        import jax
        import jax.numpy as jnp

        kernels = (kernel_3, kernel_4, kernel_5)
        x = jnp.where(mask[:, :, None], x, 0.0)
        largest = [_largest_response(x, mask, kernel) for kernel in kernels]
        features = jax.nn.relu(jnp.concatenate(largest, axis=1) + bias)
        return jnp.where(mask[:, :1], features, 0.0)


def _largest_response(x, mask, kernel):
    """Return the largest response of each filter, (B, maps); x (B, T, E) is zero at padding."""
    import jax.numpy as jnp

    sentences, length, width = x.shape
    reach = len(kernel)
    long = jnp.pad(x, ((0, 0), (0, reach - 1), (0, 0)))
    # Matrix products, since XLA's convolution is fifteen to forty times slower on a CPU.
    shifted = (long[:, j : j + length].reshape(-1, width) @ kernel[j] for j in range(reach))
    responses = reduce(jnp.add, shifted).reshape(sentences, length, -1)
    last = jnp.maximum(mask.sum(axis=1) - reach, 0)[:, None]
    whole = (jnp.arange(length) <= last)[:, :, None]
    return jnp.where(whole, responses, -jnp.inf).max(axis=1)


@model(
    "bilstm",
    label="BiLSTM",
    cite="Graves & Schmidhuber, 2005",
    settings={"units": Static("E")},
    learned={
        "kernel": Learned("E 8*units", std="E**-0.5"),
        "recurrent": Learned("2 units 4*units", std="units**-0.5"),
        "bias": Learned("8*units"),
    },
    features="2*units",
    flops="16*T*units*(E + units) + 36*T*units",
)
class BidirectionalLstm:
    """Read the sentence once in each direction and join the states at both ends.

        a[t] = x[t] W + h[t-1] R + b,  in four parts a_i, a_f, a_g, a_o
        c[t] = sigmoid(a_f + 1) c[t-1] + sigmoid(a_i) tanh(a_g),    c[-1] = h[-1] = 0
        h[t] = sigmoid(a_o) tanh(c[t])
        features = h[n-1] reading forward, then h reading backward from x[n-1] to x[0]

    Each direction has its own W, R and b. At padding both states stay as they are, so that the
    backward one begins at the last token. The 1 keeps memory at the start of training, like a bias
    of the forget gate that starts at 1.

    Args:
      x: (B, T, E) float32.
      mask: (B, T) bool, False at padding.
      units: size of the state of one direction; E by default.
      kernel: W of both directions side by side, (E, 8*units).
      recurrent: R, (2, units, 4*units).
      bias: b of both directions, (8*units,).

    Returns:
      (B, 2*units) float32.

    References:
      Hochreiter & Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997.
      Graves & Schmidhuber, "Framewise phoneme classification with bidirectional LSTM and other
      neural network architectures", Neural Networks 18(5-6), 2005: there one label a frame is read
      from both states at the frame; here one vector a sentence, and no peepholes. The forget gate
      is of Gers, Schmidhuber & Cummins, "Learning to Forget", 2000, its 1 of Jozefowicz et al.,
      "An Empirical Exploration of Recurrent Network Architectures", ICML 2015.
    """

    @staticmethod
    def read(x, mask, units, kernel, recurrent, bias):
        import jax
        import jax.numpy as jnp

        sentences, length, width = x.shape
        # The product that needs no state is computed before the loop.
        inward = (x.reshape(-1, width) @ kernel + bias).reshape(sentences, length, 2, 4 * units)
        inward = _both_ways(jnp.moveaxis(inward, 0, 2))  # (T, 2, B, 4*units)
        shown = _both_ways(jnp.broadcast_to(mask.T[:, None, :, None], (length, 2, sentences, 1)))

        def step(state, position):
            now, token = position
            moved = _remember(now + jnp.einsum("gbu,guv->gbv", state[0], recurrent), state[1])
            return jax.tree.map(lambda new, old: jnp.where(token, new, old), moved, state), None

        zeros = jnp.zeros((2, sentences, units), x.dtype)
        # Unrolled by 2 the loop is no faster on a CPU, by 8 it takes twice as long.
        (h, _), _ = jax.lax.scan(step, (zeros, zeros), (inward, shown))
        return jnp.concatenate([h[0], h[1]], axis=1)


def _both_ways(rows):
    """Return (T, 2, ...) with the second of the two reversed, so that one loop reads both."""
    import jax.numpy as jnp

    return jnp.stack([rows[:, 0], rows[::-1, 1]], axis=1)


def _remember(a, c):
    """Return the next h and c (2, B, units) from the four parts of `a` (2, B, 4*units)."""
    import jax
    import jax.numpy as jnp

    enter, keep, new, leave = jnp.split(a, 4, axis=-1)
    c = jax.nn.sigmoid(keep + 1.0) * c + jax.nn.sigmoid(enter) * jnp.tanh(new)
    return jax.nn.sigmoid(leave) * jnp.tanh(c), c
