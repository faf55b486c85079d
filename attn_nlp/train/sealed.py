"""JAX's folder of compiled programs, each verified against the name it was written under.

JAX trusts whatever the folder holds: if two files were exchanged, the wrong program would run
without a warning. So next to NAME-cache there is NAME-seal with the SHA-256 of the name and the
program. An entry without a matching seal is removed, compiled again and written again. This detects
damage and accidents; anyone who can write to the folder can also write seals.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from contextlib import nullcontext, suppress
from typing import Any

SEAL = "-seal"


def install() -> None:
    """Make JAX, if it is loaded, read and write the folder with seals."""
    if "jax" not in sys.modules:
        return
    # JAX has no public way to replace its cache.
    jax_cache: Any = importlib.import_module("jax._src.compilation_cache")
    kind = _kind(jax_cache.LRUCache)
    if kind is not jax_cache.LRUCache:
        jax_cache.LRUCache = kind
        if jax_cache._cache is not None:
            jax_cache.reset_cache()


def _kind(of: type) -> type:
    if hasattr(of, "sealed"):
        return of

    class Sealed(of):
        """JAX's own cache, with seals."""

        sealed = True

        def get(self, key: str) -> bytes | None:
            """Return the program of that name as it was written, or None."""
            with self._alone():
                program = super().get(key)
                if program is not None and self._seal(key) != _seal(key, program):
                    for suffix in ("-cache", "-atime", SEAL):
                        with suppress(OSError):
                            (self.path / f"{key}{suffix}").unlink(missing_ok=True)
                    return None
                return program

        def put(self, key: str, value: bytes) -> None:
            """Write a program and its seal, unless another process was first."""
            with self._alone():
                if (self.path / f"{key}-cache").exists():
                    return
                super().put(key, value)
                if (self.path / f"{key}-cache").exists():  # it may be too large for the folder
                    (self.path / f"{key}{SEAL}").write_bytes(_seal(key, value))

        def _alone(self):
            return self.lock if self.eviction_enabled else nullcontext()

        def _seal(self, key: str) -> bytes:
            with suppress(OSError):
                return (self.path / f"{key}{SEAL}").read_bytes()
            return b""

    return Sealed


def _seal(key: str, program: bytes) -> bytes:
    digest = hashlib.sha256(f"{key}\n".encode())
    digest.update(program)
    return digest.hexdigest().encode()
