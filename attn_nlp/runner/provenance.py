"""What describes a run without deciding its result: versions, code, machine, threads.

Two results of one cell are expected to agree bit for bit only where all of this agrees, and on a
CPU: an accelerator adds in whatever order its threads end.
"""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import attn_nlp
from attn_nlp.library_code import FACT, code_digest
from attn_nlp.runner import variables

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "datasets", "tokenizers", "numpy", "scikit-learn")


def provenance() -> dict[str, object]:
    """Plain values that describe this process and what it computes on."""
    device = _device()
    # No setting of it changes a bit on a CPU.
    precise = {} if device == "cpu" else {"matmul_precision": _matmul_precision()}
    return {
        **_versions(),
        "attn_nlp": attn_nlp.__version__,
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
    found: dict[str, object] = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


@cache
def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor())


def _device() -> str:
    """What JAX computes on; "cpu" where the model did without JAX."""
    jax = sys.modules.get("jax")
    return jax.devices()[0].device_kind if jax else "cpu"


def _matmul_precision() -> str:
    """How an accelerator multiplies: by default with factors rounded to ten bits."""
    import jax

    return str(jax.default_matmul_precision.value or "default")
