"""Families of environment variables that do not reach a process that trains cells as they are.

JAX, Flax and the libraries beneath NumPy read dozens of variables, and many change the bits of a
result or make every cell fail. They are taken away, all but a few (`engines/variables.py`); what a
user's code reads of them says nothing of what a worker would read (`asked.py`).
"""

from __future__ import annotations

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

# These are set for each process, or recorded under names of their own.
_SET = ("ATTN_NLP_", "CUDA_", "JAX", "PYTHON", "XLA_")
_SET_ALONE = ("NPROC", "TOKENIZERS_PARALLELISM")


def library_of(name: str) -> str | None:
    """The library that reads a variable, "" where none of ours to ask for, None for no family."""
    return next((of for prefix, of in _FAMILIES.items() if name.startswith(prefix)), None)


def is_settled(name: str) -> bool:
    """Whether a process that trains cells gets the variable in a way of its own."""
    return name in _SET_ALONE or name.startswith(_SET) or library_of(name) is not None
