"""Families of environment variables that do not reach a process that trains cells as they are.

JAX, Flax and the libraries beneath NumPy read dozens of variables, and many change the bits of a
result or make every cell fail. They are taken away, all but a few; what a user's code reads of them
says nothing of what a worker would read (`asked.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

from attn_nlp.variables import OURS

# A family -> the library that reads it when it is imported, after which it cannot be taken away;
# "" where that is no matter of bits, or is read later. The first that fits counts.
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

# What is said to these families and changes no bit, or is recorded under a name of its own.
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
    # what to say about it
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

# Python's own: what turns a warning into a failed cell, leaves out assertions and texts, or waits
# at a prompt.
PYTHON = {
    "PYTHONPATH",  # the driver hands over what it really uses
    "PYTHONWARNINGS",
    "PYTHONDEVMODE",
    "PYTHONOPTIMIZE",
    "PYTHONINSPECT",
    "PYTHONSTARTUP",
}

# Further names that no hash knows. The rule: a variable has no say where a worker does not get it
# as it is, or where it is one of a library's or of ours that is named here or above; any other
# name, such as JAXMODEL_LR or CUDA_GAIN, is the user's own and counts where it is read.
_SETTLED = {
    # set for each process
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
    """The library that reads a variable, "" where none of ours to ask for, None for no family."""
    return next((of for prefix, of in _FAMILIES.items() if name.startswith(prefix)), None)


def taken_away(names: Iterable[str]) -> list[str]:
    """Those of the variables that must not reach a library, sorted.

    Example:
      >>> taken_away(["HOME", "JAX_ENABLE_X64", "JAX_PLATFORMS", "OMP_SCHEDULE"])
      ['JAX_ENABLE_X64', 'OMP_SCHEDULE']
    """
    return sorted(name for name in names if library_of(name) is not None and name not in PASSING)


def is_settled(name: str) -> bool:
    """Whether a variable has no say: no worker gets it as it is, or it is known to decide nothing.

    Example:
      >>> [is_settled(name) for name in ("JAX_PLATFORMS", "JAXMODEL_LR", "PYTHON_LR")]
      [True, False, False]
    """
    return name in _SETTLED | PYTHON | OURS or library_of(name) is not None
