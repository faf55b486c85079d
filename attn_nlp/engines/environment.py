"""The surroundings in which a cell gives the same bits, in a worker or in this process.

XLA's results on CPU change with the number of threads, so every program runs on one thread. The
flags are read when JAX starts and must be set before.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from attn_nlp.mistakes import Mistake
from attn_nlp.train import compiling

_ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"
_DECIDING = ("XLA_FLAGS", "NPROC")
_CACHE_BYTES = 2**30  # several hundred programs
_PROCESSOR = ("model name", "flags", "Features", "CPU part")  # on x86 and on ARM


def cache_folder() -> Path:
    """Where prepared data and compiled programs are kept: $ATTN_NLP_CACHE, or the user's cache."""
    own = os.environ.get("ATTN_NLP_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "attn_nlp"


def single_threaded() -> dict[str, str]:
    """The environment variables of a process that trains cells."""
    flags = os.environ.get("XLA_FLAGS", "").split()
    kept = [flag for flag in flags if flag != _ONE_THREAD]
    variables = {
        "XLA_FLAGS": " ".join([*kept, _ONE_THREAD]),
        "NPROC": "1",  # the size of XLA's thread pools
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    preferred = {
        "JAX_COMPILATION_CACHE_DIR": str(cache_folder() / "xla" / processor()),
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(_CACHE_BYTES),  # what was used longest ago goes
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # several workers may share one accelerator
        # Else an accelerator rounds the factors of a product to ten bits. No change on a CPU.
        "JAX_DEFAULT_MATMUL_PRECISION": "highest",
    }
    return {name: os.environ.get(name, value) for name, value in preferred.items()} | variables


@contextmanager
def single_threaded_here() -> Iterator[None]:
    """Make this process one that trains cells.

    The variables stay set afterwards, since JAX keeps what it has read; the core is given back.

    Raises:
      Mistake: JAX already runs here with other settings.
    """
    wanted = single_threaded()
    differ = any(os.environ.get(name) != wanted[name] for name in _DECIDING)
    if differ and _jax_runs():
        raise Mistake(
            "JAX already runs in this process on several threads, which changes results; start a "
            "fresh process, or leave out --in-process."
        )
    os.environ.update(wanted)
    allowed = cores()
    compiling.may_use(allowed)
    pin(allowed[0])
    try:
        yield
    finally:
        pin(*allowed)


def processor() -> str:
    """A name for processors that can run each other's programs: architecture, model and features.

    XLA compiles for the features of the processor that it runs on, and a home folder may be shared
    by machines that differ in them; a foreign program could end the process.
    """
    told = [platform.machine(), platform.processor()]
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        told += sorted({each for each in lines if each.startswith(_PROCESSOR)})
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]


def cores() -> list[int]:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def usable() -> int:
    """How many cores' worth of time this process may use, by affinity and by its control group."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        allowed = max(1, int(quota) // int(period))
    except (OSError, ValueError):  # no control group, or "max"
        allowed = len(cores())
    return min(allowed, len(cores()))


def pin(*these: int) -> None:
    """Keep this thread, and those it starts, on these cores, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        with suppress(OSError):
            os.sched_setaffinity(0, these)


def _jax_runs() -> bool:
    if "jax" not in sys.modules:
        return False
    from jax._src import xla_bridge  # JAX has no public way to ask

    return xla_bridge.backends_are_initialized()
