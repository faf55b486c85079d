"""Masks: the keys that a query may see. No query ever sees padding.

A mask's `allowed` returns bool that broadcasts to (B, 1, T, S), computed from the absolute
positions of the block's rows and columns alone. Masks joined by " + " hide what any of them hides.
A query that is left with nothing to see gets a row of zeros.
"""

from attn_nlp.parts.registry import Static, mask


@mask("padding", label="Padding only", cite="Vaswani et al., 2017", symmetric=True, flops=0)
class Padding:
    """Let every query see every token of its sentence, and nothing else.

        mask[t, s] = s < length of the sentence

    Padding is hidden under every mask, so this one adds nothing of its own.
    """


@mask("causal", label="Causal", cite="Vaswani et al., 2017", symmetric=False, flops=0)
def causal(here):
    """Let a token see itself and what came before it.

        mask[t, s] = s <= t

    Args:
      here: positions of rows and columns.

    Returns:
      (T, S) bool.

    References:
      Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762, section 3.2.3.
    """
    return here.distances <= 0


@mask(
    "window",
    label="Window",
    cite="Beltagy et al., 2020",
    settings={"reach": Static(3, low=0)},
    symmetric=True,
    flops=0,
)
def window(here, reach):
    """Let a token see its neighbors on both sides, and itself.

        mask[t, s] = |s - t| <= reach

    Args:
      here: positions of rows and columns.
      reach: the number of neighbors on each side; half of the paper's window size w.

    Returns:
      (T, S) bool.

    References:
      Beltagy, Peters & Cohan, "Longformer: The Long-Document Transformer", 2020, arXiv:2004.05150,
      section 3.1 (sliding window).
    """
    return abs(here.distances) <= reach


@mask(
    "strided",
    label="Strided",
    cite="Child et al., 2019",
    settings={"stride": Static("T**0.5")},
    symmetric=True,
    flops=0,
)
def strided(here, stride):
    """Let a token see its neighbors, and every stride-th token counted from itself.

        mask[t, s] = |s - t| <= stride  or  (s - t) mod stride = 0

    With a stride near the square root of the length, two blocks carry anything anywhere while a
    token sees of the order of sqrt(T) others.

    Args:
      here: positions of rows and columns.
      stride: by default the square root of the length, rounded down; 1 hides nothing.

    Returns:
      (T, S) bool.

    References:
      Child, Gray, Radford & Sutskever, "Generating Long Sequences with Sparse Transformers", 2019,
      arXiv:1904.10509: of its two patterns the strided one, not the fixed one. There its halves
      belong to separate heads or blocks and look back only; here every head sees the union of the
      two, which the paper calls a merged head, and on both sides. "causal + strided" looks back
      only.
    """
    distance = here.distances
    return (abs(distance) <= stride) | (distance % stride == 0)


@mask(
    "global_local",
    label="Global and local",
    cite="Beltagy et al., 2020",
    settings={"reach": Static(2, low=0), "globals": Static(1, low=0)},
    symmetric=True,
    flops=0,
)
def global_local(here, reach, globals):
    """Let the first tokens see all and be seen by all, and the others see their neighbors.

        mask[t, s] = |s - t| <= reach  or  s < globals  or  t < globals

    Args:
      here: positions of rows and columns.
      reach: the number of neighbors on each side.
      globals: the number of global tokens at the beginning; 0 leaves the window.

    Returns:
      (T, S) bool.

    References:
      Beltagy, Peters & Cohan, "Longformer: The Long-Document Transformer", 2020, arXiv:2004.05150,
      section 3.1 (global attention). There global tokens are chosen by the task and have
      projections of their own; here they are the first ones and share the projections, as in the
      internal construction of Zaheer et al., "Big Bird", 2020, arXiv:2007.14062, whose random keys
      are left out.
    """
    rows, columns = here.rows[:, None], here.columns[None, :]
    return (abs(here.distances) <= reach) | (columns < globals) | (rows < globals)
