"""Which variables of the environment reach a process that trains cells.

Of the families that libraries read only what `families.py` names passes; the rest never arrives.
What passes and may decide bits goes into the provenance.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from attn_nlp.errors import UserError
from attn_nlp.user_code.families import PYTHON, library_of, taken_away

# They reach a worker and may decide bits, mostly of an accelerator. XLA_FLAGS and the precision of
# products are recorded under names of their own.
RECORDED = (
    "CUBLAS_WORKSPACE_CONFIG",
    "GLIBC_TUNABLES",
    "LIBTPU_INIT_ARGS",
    "NVIDIA_TF32_OVERRIDE",
)

# Settings of JAX that decide bits, as they are unless somebody's code changes them.
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
    """The variables that a worker gets, before any of ours are set."""
    away = {*taken_away(variables), *PYTHON}
    kept = {name: value for name, value in variables.items() if name not in away}
    # A set of names has the same order in every worker, and what a model prints never fails.
    return kept | {"PYTHONHASHSEED": "0", "PYTHONIOENCODING": "utf-8:backslashreplace"}


def come_too_late(names: Iterable[str]) -> list[str]:
    """Those that should be taken away but were read already by a library that is loaded here."""
    return [name for name in taken_away(names) if library_of(name) in sys.modules]


def recorded(variables: Mapping[str, str]) -> dict[str, str]:
    """What the provenance says of variables and settings beyond the usual; mostly nothing."""
    told = [f"{name}={variables[name]}" for name in RECORDED if variables.get(name)]
    changed = []
    if "jax" in sys.modules:
        import jax

        for name, usual in _SETTINGS.items():
            try:
                found = jax.config._read(name)  # the public way knows only some of them
            except AttributeError:  # this version of JAX has no such setting
                continue
            if found != usual:
                changed.append(f"{name}={getattr(found, 'value', found)}")
    found = {"variables": " ".join(told), "jax_settings": " ".join(changed)}
    return {name: text for name, text in found.items() if text}


def xla_flags(variables: Mapping[str, str]) -> list[str]:
    """The flags of $XLA_FLAGS, also where it names a file that holds them.

    XLA takes a text that does not begin with a hyphen for the name of a file, and where there is
    none it goes on without any flag.

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
