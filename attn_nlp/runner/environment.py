"""The environment in which a cell gives the same bits, in a worker or in this process.

On a CPU, XLA's results change with the number of threads, so every program runs on one thread. JAX
reads the flags when it starts, so they must be set before that.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from attn_nlp.errors import UserError
from attn_nlp.runner import variables
from attn_nlp.runner.cores import allowed_cores, pin
from attn_nlp.train import compile_cache
from attn_nlp.user_code.loading import as_found

_ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"
_DECIDING = ("XLA_FLAGS", "NPROC")
_CACHE_BYTES = 2**30  # several hundred programs
_OPEN_FILES, _OPEN_FILES_OF_WORKER = 64, 3
_PROCESSOR = ("model name", "flags", "Features", "CPU part")  # on x86 and on ARM


def cache_folder() -> Path:
    """Return the folder for prepared data and compiled programs.

    It is $ATTN_NLP_CACHE, or else a folder in the user's cache.

    Raises:
      UserError: a variable that names a folder is not an absolute path, or there is no home folder.
    """
    own = os.environ.get("ATTN_NLP_CACHE")
    if own:
        return Path(own)
    users = os.environ.get("XDG_CACHE_HOME")
    if users and not Path(users).is_absolute():
        raise UserError(
            f"XDG_CACHE_HOME is {users!r}, which is not an absolute path; give one, or name a "
            "folder for prepared data and compiled programs by ATTN_NLP_CACHE."
        )
    home = os.environ.get("HOME")
    if not users and home is not None and not Path(home).is_absolute():
        raise UserError(
            f"HOME is {home!r}, which is not an absolute path; give one, or name a folder for "
            "prepared data and compiled programs by ATTN_NLP_CACHE."
        )
    try:
        return Path(users or Path.home() / ".cache") / "attn_nlp"
    except RuntimeError as error:  # a user without an entry in the system's list, as in containers
        raise UserError(
            "this user has no home folder; name a folder for prepared data and compiled programs "
            "by ATTN_NLP_CACHE."
        ) from error


def check_cache() -> None:
    """Create the folder of `cache_folder` if it does not exist.

    Raises:
      UserError: it cannot be created.
    """
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot keep prepared data and compiled programs in {folder}: {error.strerror}; name "
            "another folder by ATTN_NLP_CACHE."
        ) from error


def check_limits(workers: int) -> None:
    """Check that the working directory exists and that a run may open enough files.

    Otherwise some cell would fail later, for a reason that has nothing to do with it.

    Raises:
      UserError: the directory was deleted, or the system allows too few open files.
    """
    try:
        os.getcwd()
    except OSError as error:
        raise UserError(
            "the working directory was deleted; change to one that exists and try again."
        ) from error
    with suppress(ImportError):  # not on every system
        import resource

        allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        needed = _OPEN_FILES + _OPEN_FILES_OF_WORKER * workers
        if allowed != resource.RLIM_INFINITY and allowed < needed:
            said = "1 worker" if workers == 1 else f"{workers} workers"
            raise UserError(
                f"this process may have {allowed} files open and needs {needed} for {said}; "
                f"raise the limit with 'ulimit -n {max(1024, needed)}'."
            )


def single_threaded() -> dict[str, str]:
    """Return environment variables that every process that trains cells must have.

    Raises:
      UserError: $XLA_FLAGS contains no flags.
    """
    kept = [flag for flag in variables.xla_flags(os.environ) if flag != _ONE_THREAD]
    wanted = {
        "XLA_FLAGS": " ".join([*kept, _ONE_THREAD]),
        "NPROC": "1",  # the size of XLA's thread pools
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    preferred = {
        "JAX_COMPILATION_CACHE_DIR": str(cache_folder() / "xla" / processor()),
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(_CACHE_BYTES),  # the least recently used are evicted
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # several workers may share one accelerator
        # By default an accelerator rounds the factors of a product to ten bits; a CPU does not.
        "JAX_DEFAULT_MATMUL_PRECISION": "highest",
    }
    return {name: os.environ.get(name) or value for name, value in preferred.items()} | wanted


def of_workers(file: str | None = None) -> dict[str, str]:
    """Return all environment variables of a worker, which runs the experiment file again."""
    given = os.environ if file is None else as_found(os.path.abspath(file), os.environ)
    return variables.for_workers(given) | single_threaded()


def settle() -> None:
    """Set the environment variables of this process to those of one that trains cells.

    They are not restored, since libraries keep the values that they have read.

    Raises:
      UserError: a library has already read other values in this process, or Python leaves out
        assertions.
    """
    if sys.flags.optimize:
        raise UserError(
            "Python runs with -O or PYTHONOPTIMIZE, which may change what your code computes; "
            "workers run without. Leave that out, or --in-process."
        )
    late = variables.come_too_late(os.environ)
    if late:
        raise UserError(
            f"{late[0]} is set and was already read in this process, which changes results; unset "
            "it, or leave out --in-process unless the experiment file sets it itself."
        )
    wanted = single_threaded()
    differ = any(os.environ.get(name) != wanted[name] for name in _DECIDING)
    if differ and jax_runs():
        raise UserError(
            "JAX already runs in this process with several threads or other flags, which changes "
            "results; start a new process, or leave out --in-process."
        )
    for name in variables.taken_away(os.environ):
        del os.environ[name]
    os.environ.update(wanted)


@contextmanager
def single_threaded_here() -> Iterator[None]:
    """Settle this process and pin it to one core; at the end of the block, unpin it.

    Raises:
      UserError: a library has already read other values in this process.
    """
    settle()
    allowed = allowed_cores()
    compile_cache.may_use(allowed)
    pin(allowed[0])
    try:
        with warnings.catch_warnings():
            if any("error" in option for option in sys.warnoptions):
                warnings.simplefilter("default")  # a library's warning must not fail every cell
            yield
    finally:
        pin(*allowed)


def processor() -> str:
    """Return a name that is shared by processors that can run each other's programs.

    It hashes architecture, model and features. XLA compiles for the features of the processor that
    it runs on, and machines with different features may share a home folder; a program compiled
    for other features could crash the process.
    """
    known = [platform.machine(), platform.processor()]
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        known += sorted({line for line in lines if line.startswith(_PROCESSOR)})
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:12]


def jax_runs() -> bool:
    """Return whether JAX has started in this process; from then on it keeps its flags."""
    if "jax" not in sys.modules:
        return False
    from jax._src import xla_bridge  # JAX has no public way to ask

    return xla_bridge.backends_are_initialized()
