"""Random streams with names, so that drawing more of one leaves all others bit for bit the same.

A generator that counts its draws gives every later array other values as soon as one more array
is drawn. Here each array's stream is made of the cell's seed and the array's own path. Two variants
with the same seed therefore start from equal values wherever their arrays have equal paths and
shapes: common random numbers, which is what makes comparisons over seeds paired.

Initial values are drawn by NumPy on the host: that takes milliseconds, where a compiled drawing of
every array takes seconds to compile for every program. Dropout is drawn by JAX inside the program.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Stream:
    """The random stream at one path below a seed.

    Attributes:
      seed: a whole number, not negative.
      path: names divided by "/".
    """

    seed: int
    path: str = ""

    def __truediv__(self, name: str) -> Stream:
        """The stream of that name below this one."""
        return Stream(self.seed, f"{self.path}/{name}")

    def uniform(self) -> float:
        """One number in [0, 1), the first 53 bits of SHA-256 of the seed and the path."""
        return (int.from_bytes(_digest(f"{self.seed}/{self.path}")[:8], "big") >> 11) / 2**53

    def normal(self, shape: tuple[int, ...], deviation: float, fill: float = 0.0) -> np.ndarray:
        """fill + deviation * N(0, 1) as float32, of the shape given.

        The generator is Philox, keyed by the seed and the first 128 bits of SHA-256 of the path.
        """
        if deviation == 0:
            return np.full(shape, fill, np.float32)
        entropy = [self.seed, int.from_bytes(_digest(self.path)[:16], "little")]
        generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))
        return (fill + deviation * generator.standard_normal(shape)).astype(np.float32)


def fold(key, name: str):
    """The JAX key of that name below a key: fold_in(key, SHA-256 of the name)."""
    import jax

    return jax.random.fold_in(key, int.from_bytes(_digest(name)[:4], "little"))


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
