"""A whole attention block with random weights, and its arrays for NumPy."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from attn_nlp.experiment import Cell
from attn_nlp.nn.attention import build_attention
from attn_nlp.nn.context import ForwardContext
from attn_nlp.rng import Stream
from tests import reference
from tests.nn.running import rng_of

WIDTH, HEADS, LENGTH = 8, 2, 5
TOKENS = np.arange(LENGTH)[None, :] < np.array([[LENGTH], [3], [0]])  # the last is all padding
X = rng_of("x of a block").normal(size=(3, LENGTH, WIDTH))


class Block:
    """One attention block of a cell, with every learned array random."""

    def __init__(self, **settings):
        base = Cell(width=WIDTH, heads=HEADS, length=LENGTH, dropout=0.0)
        self.cell = base.replace({path.replace("__", "."): v for path, v in settings.items()})
        self.letters = self.cell.sizes
        self.module: Any = build_attention(self.cell, self.letters, Stream(0), 0)
        self.arrays = {}
        for path, array in nnx.to_flat_state(nnx.state(self.module, nnx.Param)):
            name = "/".join(map(str, path))
            self.arrays[name] = rng_of(name).normal(size=array[...].shape) * 0.5
            array[...] = jnp.asarray(self.arrays[name], jnp.float32)
            self.arrays[name] = np.asarray(array[...], np.float64)
        nnx.update(self.module, nnx.state(self.module, nnx.Param))

    def own(self, name: str) -> np.ndarray:
        """The learned array of that name of the only part that has one."""
        (found,) = [a for path, a in self.arrays.items() if path.endswith(f"arrays/{name}")]
        return found

    def look(self, x=X, tokens=TOKENS) -> tuple[np.ndarray, Any]:
        """Return the output and the weights of the block, or None for a block without weights."""
        call = ForwardContext(self.cell.numeric())
        out, weights = self.module.attend_with_weights(
            jnp.asarray(x, jnp.float32), jnp.asarray(tokens), call
        )
        return np.asarray(out), None if weights is None else np.asarray(weights)

    def split(self, x=X):
        """q, k and v in float64; the query heads are as many as the cell says."""
        across, heads = self.letters["Q"], self.letters["H"]
        of = {name: self.arrays[f"project/{name}/kernel"] for name in ("query", "key", "value")}
        q = reference.split(x, of["query"], across)
        k = reference.split(x, of["key"], across)
        return q, k, reference.split(x, of["value"], heads)

    def join(self, out: np.ndarray) -> np.ndarray:
        """(B, T, E) of the heads' results."""
        return reference.join(out, self.arrays["project/output/kernel"])


def tokens_mask(tokens=TOKENS) -> np.ndarray:
    """(B, 1, T, S): every query sees every token."""
    return np.broadcast_to(tokens[:, None, None, :], (len(tokens), 1, LENGTH, LENGTH))


def agree(block: Block, out: np.ndarray, weights: np.ndarray | None = None) -> None:
    """The block's output, of heads' results in float64, and its weights.

    Some fifty float32 roundings of numbers up to about ten stand between the two.
    """
    found, looked = block.look()
    wanted = block.join(out)
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=1e-5 * max(1, np.abs(wanted).max()))
    if weights is not None:
        np.testing.assert_allclose(looked, weights, rtol=2e-5, atol=1e-5)
