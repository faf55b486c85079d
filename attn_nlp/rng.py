"""Named random streams, so that drawing more from one leaves all others unchanged, bit for bit.

With one sequential generator, drawing one more array changes all later ones. Here, the stream of
each array depends only on the cell's seed and the array's path. Two variants with the same seed
therefore start from equal values wherever their arrays have equal paths and shapes: common random
numbers, which make comparisons over seeds paired.

Initial values are drawn by NumPy on the host, which takes milliseconds; compiling the drawing of
every array would take seconds for every program. Dropout is drawn by JAX inside the program.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Stream:
    """The random stream at one path below a seed.

    Attributes:
      seed: an integer, not negative.
      path: names separated by "/".
    """

    seed: int
    path: str = ""

    def __truediv__(self, name: str) -> Stream:
        """Return the stream with that name below this one."""
        return Stream(self.seed, f"{self.path}/{name}")

    def uniform(self) -> float:
        """Return a number in [0, 1): the first 53 bits of SHA-256 of the seed and the path."""
        return (int.from_bytes(_digest(f"{self.seed}/{self.path}")[:8], "big") >> 11) / 2**53

    def normal(self, shape: tuple[int, ...], std: float, fill: float = 0.0) -> np.ndarray:
        """Return fill + std * N(0, 1) as float32, of the given shape.

        The generator is Philox, keyed by the seed and the first 128 bits of SHA-256 of the path.
        """
        import numpy as np

        if std == 0:
            return np.full(shape, fill, np.float32)
        entropy = [self.seed, int.from_bytes(_digest(self.path)[:16], "little")]
        generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))
        return (fill + std * generator.standard_normal(shape)).astype(np.float32)


@dataclass(frozen=True)
class KeyStream:
    """A random stream at one path below a JAX key, for models outside an experiment.

    JAX draws the numbers, so a model can also be built during tracing, as under `nnx.eval_shape`.

    Attributes:
      key: a JAX key, possibly traced.
      path: names separated by "/".
    """

    key: Any
    path: str = ""

    def __truediv__(self, name: str) -> KeyStream:
        """Return the stream with that name below this one."""
        return KeyStream(self.key, f"{self.path}/{name}")

    def normal(self, shape: tuple[int, ...], std: float, fill: float = 0.0):
        """Return fill + std * N(0, 1) as a float32 JAX array of the given shape."""
        import jax
        import jax.numpy as jnp

        if std == 0:
            return jnp.full(shape, fill, jnp.float32)
        drawn = jax.random.normal(fold(self.key, self.path), shape, jnp.float32)
        return fill + std * drawn


def fold(key, name: str):
    """Return the JAX key with that name below a key: fold_in(key, SHA-256 of the name)."""
    import jax

    return jax.random.fold_in(key, int.from_bytes(_digest(name)[:4], "little"))


def hashed(key, name: str, *indices):
    """Return random uint32 numbers, each a function of the key, the name and its own indices.

        h = a;  h = mix(h ^ index), for each kind of index in turn;  number = mix(h + b)

    where (a, b) are the words of the key, combined with those of SHA-256 of the name, and mix is
    C. Wellons's "lowbias32": shifts and multiplications after which a change of any bit changes
    every other one about half of the time. This is good enough for dropout, and cheap enough to be
    computed wherever it is needed, but it is not a generator for simulations.

    Args:
      key: a JAX key.
      name: the name of the stream.
      indices: uint32 arrays that broadcast.

    Returns:
      uint32, of the shape to which the indices broadcast.
    """
    import jax
    import numpy as np

    digest = _digest(name)
    words = jax.random.key_data(key)
    first, second = np.frombuffer(digest[:8], "<u4")
    word = words[-2] ^ first
    for index in indices:
        word = _mixed(word ^ index)
    return _mixed(word + (words[-1] ^ second))


def _mixed(word):
    """Permute 32-bit words, as in C. Wellons, "Prospecting for Hash Functions", 2018."""
    import numpy as np

    word = (word ^ (word >> 16)) * np.uint32(0x7FEB352D)
    word = (word ^ (word >> 15)) * np.uint32(0x846CA68B)
    return word ^ (word >> 16)


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
