"""Decide which environment variables reach a process that trains cells.

Of the variables that libraries read, only those that `families.py` names are passed on. Those that
are passed on and may decide bits are recorded in the provenance.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from attn_nlp.errors import UserError
from attn_nlp.user_code.families import PYTHON, library_of, taken_away

# Passed on to workers, and may decide bits, mostly on an accelerator. XLA_FLAGS and the precision
# of products are recorded separately.
RECORDED = (
    "CUBLAS_WORKSPACE_CONFIG",
    "GLIBC_TUNABLES",
    "LIBTPU_INIT_ARGS",
    "NVIDIA_TF32_OVERRIDE",
)

# Settings of JAX that decide bits, with their values unless someone's code changes them.
_SETTINGS = {
    "jax_default_device": None,
    "jax_default_prng_impl": "threefry2x32",
    "jax_disable_jit": False,
    "jax_disable_most_optimizations": False,
    "jax_enable_x64": False,
    "jax_exec_time_optimization_effort": 0.0,
    "jax_high_dynamic_range_gumbel": False,
    "jax_numpy_dtype_promotion": "standard",
    "jax_random_seed_offset": 0,
    "jax_softmax_custom_jvp": False,
    "jax_threefry_partitionable": True,
}


def for_workers(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a worker inherits, before any are set for it."""
    away = {*taken_away(variables), *PYTHON}
    kept = {name: value for name, value in variables.items() if name not in away}
    # So a set of names has one order in every worker, and printing never fails in a model.
    return kept | {"PYTHONHASHSEED": "0", "PYTHONIOENCODING": "utf-8:backslashreplace"}


def come_too_late(names: Iterable[str]) -> list[str]:
    """Return variables to be taken away that a library in this process may already have read."""
    return [name for name in taken_away(names) if library_of(name) in sys.modules]


def recorded(variables: Mapping[str, str]) -> dict[str, str]:
    """Return unusual variables and settings for the provenance; most often there are none."""
    given = [f"{name}={variables[name]}" for name in RECORDED if variables.get(name)]
    changed = []
    if "jax" in sys.modules:
        import jax

        for name, usual in _SETTINGS.items():
            try:
                value = jax.config._read(name)  # the public way knows only some of them
            except AttributeError:  # this version of JAX has no such setting
                continue
            if value != usual:
                changed.append(f"{name}={getattr(value, 'value', value)}")
    facts = {"variables": " ".join(given), "jax_settings": " ".join(changed)}
    return {name: text for name, text in facts.items() if text}


def xla_flags(variables: Mapping[str, str]) -> list[str]:
    """Return the flags of $XLA_FLAGS, even if it names a file that contains them.

    XLA takes a value that does not begin with a hyphen for the name of a file, and if there is no
    such file, it continues without any flag.

    Raises:
      UserError: there is no such file.
    """
    text = variables.get("XLA_FLAGS", "").strip()
    if not text or text.startswith("-"):
        return text.split()
    try:
        with open(text, encoding="utf-8") as file:
            return file.read().split()
    except (OSError, ValueError) as error:
        raise UserError(
            f"XLA_FLAGS is {text!r}, which neither begins with '--' nor names a file of flags that "
            "can be read; give flags such as --xla_dump_to=FOLDER, or unset it."
        ) from error
