"""The variables that reach a training process, and the warnings about them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from attn_nlp.errors import UserError
from attn_nlp.runner import environment, variables
from attn_nlp.user_code import asked, families


def test_every_setting_of_jax_is_taken_away_but_those_that_are_named():
    """Also settings that a later version of JAX adds, since it reads their names in capitals."""
    from jax._src import config

    names = [name.upper() for name in config.config._value_holders]
    passing = set(names) - set(variables.taken_away(names))
    assert passing == {name for name in families.PASSING if name.startswith("JAX_")} & set(names)
    assert {"JAX_PLATFORMS", "JAX_COMPILATION_CACHE_DIR"} <= passing
    assert {"JAX_RANDOM_SEED_OFFSET", "JAX_ENABLE_X64", "CHECK_VMA"} <= set(names) - passing


def test_what_passes_is_something_that_jax_reads():
    from jax._src import config

    ours = {name for name in families.PASSING if name.startswith("JAX_")}
    assert ours <= {name.upper() for name in config.config._value_holders} | {"JAX_PLATFORM_NAME"}


@pytest.mark.parametrize(
    "name",
    [
        *("FLAX_RNG_SEPARATOR", "NPY_DISABLE_CPU_FEATURES", "OPENBLAS_CORETYPE", "MKL_CBWR"),
        *("OMP_SCHEDULE", "GOMP_CPU_AFFINITY", "KMP_AFFINITY", "ONEDNN_MAX_CPU_ISA", "PJRT_NPROC"),
        *("PYTHONWARNINGS", "PYTHONOPTIMIZE", "PYTHONINSPECT", "PYTHONPATH", "SCIPY_ARRAY_API"),
        *("SOURCE_DATE_EPOCH", "JOBLIB_START_METHOD"),
    ],
)
def test_a_worker_does_not_get(name):
    assert name not in variables.for_workers({name: "1", "HOME": "/"})


def test_what_a_worker_gets_in_a_way_of_its_own_is_in_no_hash():
    names = [*environment.single_threaded(), "GAIN"]
    assert [*asked.lines({name: [None] for name in names})] == ["$GAIN is not set"]


def test_a_worker_gets_the_rest_as_it_is():
    given = {"HOME": "/", "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "1", "XLA_FLAGS": "--a"}
    found = variables.for_workers(given)
    assert given.items() <= found.items()
    assert found.keys() - given.keys() == {"PYTHONHASHSEED", "PYTHONIOENCODING"}


def test_what_a_loaded_library_has_read_comes_too_late(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", sys)
    monkeypatch.delitem(sys.modules, "numpy", raising=False)
    names = ["JAX_ENABLE_X64", "JAX_PLATFORMS", "NPY_PROMOTION_STATE", "OMP_SCHEDULE"]
    assert variables.come_too_late(names) == ["JAX_ENABLE_X64"]


def test_this_process_is_rejected_or_settled(monkeypatch):
    import jax  # noqa: F401 - has read its variables

    for name in variables.taken_away(environment.os.environ):
        monkeypatch.delenv(name)
    monkeypatch.setenv("JAX_RANDOM_SEED_OFFSET", "7")
    with pytest.raises(UserError, match="JAX_RANDOM_SEED_OFFSET is set and was already read"):
        environment.settle()
    monkeypatch.delenv("JAX_RANDOM_SEED_OFFSET")
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    for name, value in environment.single_threaded().items():
        monkeypatch.setenv(name, value)
    environment.settle()
    assert "GOMP_SPINCOUNT" not in environment.os.environ


def test_nothing_is_recorded_where_nothing_is_unusual():
    assert variables.recorded({"HOME": "/", "NVIDIA_TF32_OVERRIDE": ""}) == {}


def test_what_decides_bits_and_passes_is_recorded():
    found = variables.recorded({"NVIDIA_TF32_OVERRIDE": "0", "GLIBC_TUNABLES": "glibc.cpu.x=1"})
    assert found == {"variables": "GLIBC_TUNABLES=glibc.cpu.x=1 NVIDIA_TF32_OVERRIDE=0"}


def test_a_setting_that_code_has_changed_is_recorded():
    import jax

    jax.config.update("jax_enable_x64", True)
    try:
        assert variables.recorded({}) == {"jax_settings": "jax_enable_x64=True"}
    finally:
        jax.config.update("jax_enable_x64", False)


def test_flags_may_be_in_a_file(tmp_path, monkeypatch):
    """XLA reads it only where the text is nothing but its name, and would else have no flags."""
    flags = tmp_path / "flags"
    flags.write_text("--xla_a=1\n--xla_b=2\n")
    monkeypatch.setenv("XLA_FLAGS", str(flags))
    expected = "--xla_a=1 --xla_b=2 --xla_cpu_multi_thread_eigen=false"
    assert environment.single_threaded()["XLA_FLAGS"] == expected
    flags.unlink()
    with pytest.raises(UserError, match="neither begins with '--' nor names a file"):
        environment.single_threaded()


def test_warnings_are_no_errors_in_this_process_either():
    code = (
        "import warnings; from attn_nlp.runner.environment import single_threaded_here as here\n"
        "with here(): warnings.warn('a library says')"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, "a library says" in done.stderr) == (0, True)
