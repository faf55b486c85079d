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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

    def normal(self, shape: tuple[int, ...], std: float, fill: float = 0.0) -> np.ndarray:
        """fill + std * N(0, 1) as float32, of the shape given.

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
    """The same paths below a JAX key, for models outside an experiment.

    JAX draws, so that a model can also be built while JAX traces, as under `nnx.eval_shape`.

    Attributes:
      key: a JAX key, perhaps traced.
      path: names divided by "/".
    """

    key: Any
    path: str = ""

    def __truediv__(self, name: str) -> KeyStream:
        """The stream of that name below this one."""
        return KeyStream(self.key, f"{self.path}/{name}")

    def normal(self, shape: tuple[int, ...], std: float, fill: float = 0.0):
        """fill + std * N(0, 1) as a float32 array of JAX, of the shape given."""
        import jax
        import jax.numpy as jnp

        if std == 0:
            return jnp.full(shape, fill, jnp.float32)
        drawn = jax.random.normal(fold(self.key, self.path), shape, jnp.float32)
        return fill + std * drawn


def fold(key, name: str):
    """The JAX key of that name below a key: fold_in(key, SHA-256 of the name)."""
    import jax

    return jax.random.fold_in(key, int.from_bytes(_digest(name)[:4], "little"))


def hashed(key, name: str, *places):
    """Random uint32 numbers for places, each from the key, the name and its own place alone.

        h = a;  h = mix(h ^ place), for each kind of place in turn;  number = mix(h + b)

    where (a, b) are the words of the key, turned by those of SHA-256 of the name, and mix is
    C. Wellons's "lowbias32": shifts and multiplications after which a change of any bit changes
    every other one about half of the time. Good enough to say what is dropped, and cheap enough to
    be worked out wherever it is asked for; not a generator for simulation.

    Args:
      key: a JAX key.
      name: names the stream.
      places: uint32 arrays that broadcast.

    Returns:
      uint32, of the shape that the places broadcast to.
    """
    import jax
    import numpy as np

    digest = _digest(name)
    words = jax.random.key_data(key)
    first, second = np.frombuffer(digest[:8], "<u4")
    found = words[-2] ^ first
    for place in places:
        found = _mixed(found ^ place)
    return _mixed(found + (words[-1] ^ second))


def _mixed(word):
    """A permutation of the 32-bit words, by C. Wellons, "Prospecting for Hash Functions", 2018."""
    import numpy as np

    word = (word ^ (word >> 16)) * np.uint32(0x7FEB352D)
    word = (word ^ (word >> 15)) * np.uint32(0x846CA68B)
    return word ^ (word >> 16)


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
