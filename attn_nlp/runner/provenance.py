"""The provenance of a result: versions, code, machine and threads, none of which identify a cell.

Two results of one cell are expected to agree bit for bit only if all of this agrees, and only on a
CPU: an accelerator adds in the order in which its threads happen to finish.
"""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from attn_nlp.library_code import FACT, VERSION, code_digest
from attn_nlp.runner import variables

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "datasets", "tokenizers", "numpy", "scikit-learn")


def provenance() -> dict[str, object]:
    """Return plain values that describe this process and the device that it computes on."""
    device = _device()
    # On a CPU, this setting changes no bit.
    precise = {} if device == "cpu" else {"matmul_precision": _matmul_precision()}
    return {
        **_versions(),
        "attn_nlp": VERSION,
        FACT: code_digest(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpu": _cpu(),
        "device": device,
        **precise,
        "threads": 1,
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        **variables.recorded(os.environ),
    }


@cache
def _versions() -> dict[str, object]:
    versions: dict[str, object] = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return versions


@cache
def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor())


def _device() -> str:
    """Return the kind of device that JAX computes on; "cpu" if the model did not use JAX."""
    jax = sys.modules.get("jax")
    return jax.devices()[0].device_kind if jax else "cpu"


def _matmul_precision() -> str:
    """Return how an accelerator multiplies: by default, it rounds the factors to ten bits."""
    import jax

    return str(jax.default_matmul_precision.value or "default")
