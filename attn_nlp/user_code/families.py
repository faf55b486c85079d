"""Families of environment variables that processes that train cells do not simply inherit.

JAX, Flax and the libraries under NumPy read dozens of variables, and many of these change the bits
of a result or make every cell fail. All but a few are taken away; if the user's code reads one, its
value says nothing about what a worker would read (`asked.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

from attn_nlp.variables import OURS

# Family -> the library that reads it on import, after which taking it away has no effect; "" if it
# does not affect bits or is read later. The first match counts.
_FAMILIES = {
    "JAX_": "jax",
    "JAX2TF_": "jax",
    "CHECK_VMA": "jax",
    "EAGER_CONSTANT_FOLDING": "jax",
    "MOCK_NUM_GPU_PROCESSES": "jax",
    "PJRT_NPROC": "",
    "FLAX_": "flax",
    "CHEX_": "chex",
    "TF_": "",
    "XNN_": "",
    "DNNL_": "",
    "ONEDNN_": "",
    "NPY_": "numpy",
    "OPENBLAS_CORETYPE": "numpy",
    "OPENBLAS_": "",
    "GOTO_": "",
    "BLIS_": "",
    "MKL_CBWR": "numpy",
    "MKL_ENABLE_INSTRUCTIONS": "numpy",
    "MKL_": "",
    "OMP_": "",
    "GOMP_": "",
    "KMP_": "",
    "SCIPY_": "scipy",
    "SKLEARN_": "sklearn",
    "JOBLIB_": "",
    "LOKY_": "",
    "SOURCE_DATE_EPOCH": "",
}

# Members of these families that change no bit, or that are recorded separately.
PASSING = {
    # where to compute
    "JAX_PLATFORMS",
    "JAX_PLATFORM_NAME",
    "JAX_CUDA_VISIBLE_DEVICES",
    "JAX_ROCM_VISIBLE_DEVICES",
    "JAX_ONEAPI_VISIBLE_DEVICES",
    "JAX_DEFAULT_MATMUL_PRECISION",
    # where programs are kept
    "JAX_ENABLE_COMPILATION_CACHE",
    "JAX_COMPILATION_CACHE_DIR",
    "JAX_COMPILATION_CACHE_MAX_SIZE",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES",
    # what to log
    "JAX_LOGGING_LEVEL",
    "JAX_LOG_COMPILES",
    "JAX_EXPLAIN_CACHE_MISSES",
    "JAX_DEBUG_LOG_MODULES",
    "JAX_TRACEBACK_FILTERING",
    "JAX_DUMP_IR_TO",
    "JAX_DUMP_IR_MODES",
    "TF_CPP_MIN_LOG_LEVEL",
    "TF_CPP_MAX_VLOG_LEVEL",
    "TF_CPP_VMODULE",
    # memory and threads
    "TF_FORCE_UNIFIED_MEMORY",
    "TF_GPU_ALLOCATOR",
    "KMP_DUPLICATE_LIB_OK",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
}

# Variables of Python that turn warnings into failed cells, strip assertions and docstrings, or wait
# at a prompt.
PYTHON = {
    "PYTHONPATH",  # the driver passes the folders that it really uses
    "PYTHONWARNINGS",
    "PYTHONDEVMODE",
    "PYTHONOPTIMIZE",
    "PYTHONINSPECT",
    "PYTHONSTARTUP",
}

# Further variables that no hash covers. The rule: a variable does not count if workers do not
# inherit it unchanged, or if it belongs to a library or to this package and is named here or above.
# Any other variable, such as JAXMODEL_LR or CUDA_GAIN, is the user's and counts if it is read.
_SETTLED = {
    # set for every process
    "NPROC",
    "TOKENIZERS_PARALLELISM",
    "PYTHONHASHSEED",
    "PYTHONIOENCODING",
    "XLA_FLAGS",
    # where to compute, with how much memory, and where programs are kept
    "CUDA_CACHE_DISABLE",
    "CUDA_CACHE_MAXSIZE",
    "CUDA_CACHE_PATH",
    "CUDA_DEVICE_MAX_CONNECTIONS",
    "CUDA_DEVICE_ORDER",
    "CUDA_HOME",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_MODULE_LOADING",
    "CUDA_PATH",
    "CUDA_ROOT",
    "CUDA_VISIBLE_DEVICES",
    "XLA_CLIENT_MEM_FRACTION",
    "XLA_PYTHON_CLIENT_ALLOCATOR",
    "XLA_PYTHON_CLIENT_MEM_FRACTION",
    "XLA_PYTHON_CLIENT_PREALLOCATE",
}


def library_of(name: str) -> str | None:
    """Return the library that reads a variable, "" if its import does not matter, None if none."""
    return next((of for prefix, of in _FAMILIES.items() if name.startswith(prefix)), None)


def taken_away(names: Iterable[str]) -> list[str]:
    """Return the variables that must not reach a library, sorted.

    Example:
      >>> taken_away(["HOME", "JAX_ENABLE_X64", "JAX_PLATFORMS", "OMP_SCHEDULE"])
      ['JAX_ENABLE_X64', 'OMP_SCHEDULE']
    """
    return sorted(name for name in names if library_of(name) is not None and name not in PASSING)


def is_settled(name: str) -> bool:
    """Return whether a variable does not count: workers do not inherit it, or it has no effect.

    Example:
      >>> [is_settled(name) for name in ("JAX_PLATFORMS", "JAXMODEL_LR", "PYTHON_LR")]
      [True, False, False]
    """
    return name in _SETTLED | PYTHON | OURS or library_of(name) is not None
