"""Optimizers: from clipped gradients to steps of the parameters, each an Optax transformation.

Every hook is given the schedule (`learning_rate`, a function of the step counted from 0), the
cell's `weight_decay` and `matrices`, from a tree of parameters to a tree of True where an array has
two axes or more: only those decay. Decay is decoupled and multiplied by the learning rate in all of
them, so that `weight_decay` means the same in every row of a table. In the formulas g is the
gradient after clipping by the global norm, t counts steps from 1, and r[t] is the learning rate.
The settings are constants of the compiled program: a sweep over one compiles once for each value.
"""

from __future__ import annotations

from typing import Any

from attn_nlp.parts.registry import Numeric, Static, optimizer

_SHARE = {"low": 0.0, "high": 0.999999}  # of the old value in a running average


def matrices(params: Any) -> Any:
    """Return a tree of bool, True for arrays of two axes or more."""
    import jax

    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)


@optimizer(
    "adamw",
    label="AdamW",
    cite="Loshchilov & Hutter, 2019",
    settings={
        "b1": Numeric(0.9, **_SHARE),
        "b2": Numeric(0.999, **_SHARE),
        "eps": Numeric(1e-8, low=0.0),
    },
)
def adamw(learning_rate, weight_decay, matrices, b1, b2, eps):
    """Divide a running mean of gradients by the root of a running mean of their squares.

        m = b1 m + (1 - b1) g,  s = b2 s + (1 - b2) g^2
        p = p - r[t] (m' / (sqrt(s') + eps) + decay p)
        with m' = m / (1 - b1^t),  s' = s / (1 - b2^t)

    Training runs the same mathematics as one formula per array, which makes fewer passes over
    memory.

    References:
      Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2019, arXiv:1711.05101.
    """
    import optax

    return optax.adamw(learning_rate, b1, b2, eps, weight_decay=weight_decay, mask=matrices)


@optimizer(
    "sgd",
    label="SGD",
    cite="Robbins & Monro, 1951; Polyak, 1964",
    settings={"momentum": Numeric(0.0, **_SHARE), "nesterov": Static(0, low=0, high=1)},
)
def sgd(learning_rate, weight_decay, matrices, momentum, nesterov):
    """Step against the gradient, or with momentum against a decaying sum of gradients.

        m = momentum m + g
        p = p - r[t] (m + decay p),  with nesterov=1  p = p - r[t] (g + momentum m + decay p)

    It needs a larger learning rate than the others, 0.1 or so.

    References:
      Robbins & Monro, "A Stochastic Approximation Method", 1951; Polyak, "Some Methods of Speeding
      up the Convergence of Iteration Methods", 1964; Nesterov's form as in Sutskever et al., "On
      the Importance of Initialization and Momentum in Deep Learning", 2013. The decoupled decay is
      due to Loshchilov & Hutter, 2019, arXiv:1711.05101.
    """
    import optax

    return optax.chain(
        optax.trace(momentum, nesterov=bool(nesterov)) if momentum else optax.identity(),
        optax.add_decayed_weights(weight_decay, matrices),
        optax.scale_by_learning_rate(learning_rate),
    )


@optimizer(
    "adafactor",
    label="Adafactor",
    cite="Shazeer & Stern, 2018",
    settings={
        "decay_rate": Numeric(0.8, low=0.0, high=1.0),
        "threshold": Numeric(1.0, low=1e-9),
        "factor_from": Static(32),
    },
)
def adafactor(learning_rate, weight_decay, matrices, decay_rate, threshold, factor_from):
    """Keep only row and column means of a matrix's squared gradients.

        s = b[t] s + (1 - b[t]) (g^2 + 1e-30),  b[t] = 1 - t^-decay_rate
        for a matrix only s_row and s_col are kept:  s = s_row s_col / mean(s_row)
        u = g / sqrt(s),  u = u / max(1, rms(u) / threshold)
        p = p - r[t] (max(rms(p), 0.001) u + decay p)

    The learning rate is relative to the size of the parameters. Matrices whose shorter side is
    below `factor_from` keep all squares.

    References:
      Shazeer & Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", 2018,
      arXiv:1804.04235, algorithms 4 and 5 without momentum, under the schedule of the cell.
    """
    import optax

    return optax.adafactor(
        learning_rate,
        min_dim_size_to_factor=factor_from,
        decay_rate=decay_rate,
        clipping_threshold=threshold,
        weight_decay_rate=lambda step: learning_rate(step) * weight_decay,
        weight_decay_mask=matrices,
    )


@optimizer(
    "lion",
    label="Lion",
    cite="Chen et al., 2023",
    settings={"b1": Numeric(0.9, **_SHARE), "b2": Numeric(0.99, **_SHARE)},
)
def lion(learning_rate, weight_decay, matrices, b1, b2):
    """Move every parameter by the same length, in the direction of a running mean.

        p = p - r[t] (sign(b1 m + (1 - b1) g) + decay p)
        m = b2 m + (1 - b2) g

    Its authors use a learning rate three to ten times smaller than AdamW's, and a decay as much
    larger.

    References:
      Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023, arXiv:2302.06675.
    """
    import optax

    return optax.lion(learning_rate, b1, b2, weight_decay=weight_decay, mask=matrices)


@optimizer(
    "muon",
    label="Muon",
    cite="Jordan et al., 2024; Liu et al., 2025",
    settings={
        "beta": Numeric(0.95, **_SHARE),
        "rms": Numeric(0.2, low=0.0),
        "iterations": Static(5),
    },
)
def muon(learning_rate, weight_decay, matrices, beta, rms, iterations):
    """Give the step of every hidden matrix singular values near one.

        m = beta m + (1 - beta) g,  o = orthogonal(m' with Nesterov's look-ahead)
        p = p - r[t] (rms sqrt(max(rows, columns)) o + decay p)
        orthogonal(x): x / |x|, then `iterations` of  x = a x + (b A + c A^2) x,  A = x x^T
        with a = 3.4445, b = -4.7750, c = 2.0315

    Hidden matrices are those of two axes within the blocks; embeddings, the class head, vectors and
    arrays of more axes follow AdamW. A step has entries of root mean square `rms`, about that of
    AdamW, so that both share a learning rate.

    References:
      Jordan et al., "Muon: An Optimizer for Hidden Layers in Neural Networks", 2024; the size of a
      step and its decay are due to Liu et al., "Muon is Scalable for LLM Training", 2025,
      arXiv:2502.16982.
    """
    import jax
    import optax

    def labels(params):
        def label(path, leaf):
            in_blocks = any(getattr(step, "key", None) == "blocks" for step in path)
            return "muon" if in_blocks and leaf.ndim == 2 else "adamw"

        return jax.tree.map_with_path(label, params)

    return optax.partition(
        {
            "muon": optax.contrib.muon(
                learning_rate,
                ns_steps=iterations,
                beta=beta,
                weight_decay=weight_decay,
                consistent_rms=rms,
            ),
            "adamw": optax.adamw(learning_rate, weight_decay=weight_decay, mask=matrices),
        },
        labels,
    )
