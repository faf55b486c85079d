"""The surroundings of a cell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from attn_nlp.errors import UserError
from attn_nlp.runner import cores, environment, provenance


@pytest.fixture(autouse=True)
def variables(monkeypatch):
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_one_thread_is_added_to_the_users_flags(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_a=1")
    found = environment.single_threaded()
    assert found["XLA_FLAGS"] == "--xla_a=1 --xla_cpu_multi_thread_eigen=false"
    assert found["NPROC"] == found["OMP_NUM_THREADS"] == "1"
    assert "JAX_PLATFORMS" not in found


def test_flags_are_added_once(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", environment.single_threaded()["XLA_FLAGS"])
    assert environment.single_threaded()["XLA_FLAGS"] == os.environ["XLA_FLAGS"]


def test_products_are_not_rounded_unless_the_user_says_so(monkeypatch):
    monkeypatch.delenv("JAX_DEFAULT_MATMUL_PRECISION", raising=False)
    assert environment.single_threaded()["JAX_DEFAULT_MATMUL_PRECISION"] == "highest"
    monkeypatch.setenv("JAX_DEFAULT_MATMUL_PRECISION", "tensorfloat32")
    assert environment.single_threaded()["JAX_DEFAULT_MATMUL_PRECISION"] == "tensorfloat32"


def test_only_an_accelerator_says_how_it_multiplies(monkeypatch):
    import jax

    assert provenance.provenance()["device"] == "cpu"
    assert "matmul_precision" not in provenance.provenance()
    monkeypatch.setattr(provenance, "_device", lambda: "NVIDIA H200")
    with jax.default_matmul_precision("highest"):
        assert provenance.provenance()["matmul_precision"] == "highest"
    with jax.default_matmul_precision(None):
        assert provenance.provenance()["matmul_precision"] == "default"


def test_the_cache_follows_the_variables(monkeypatch):
    monkeypatch.delenv("ATTN_NLP_CACHE", raising=False)
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert environment.cache_folder() == Path("/x/attn_nlp")
    monkeypatch.setenv("ATTN_NLP_CACHE", "/y")
    assert environment.cache_folder() == Path("/y")
    folder = Path(environment.single_threaded()["JAX_COMPILATION_CACHE_DIR"])
    assert folder == Path("/y/xla") / environment.processor()


def test_compiled_programs_are_kept_apart_by_processor_and_not_without_end(monkeypatch):
    here = environment.processor()
    assert here == environment.processor()
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "model name : another\nflags : old\n")
    assert environment.processor() != here
    assert int(environment.single_threaded()["JAX_COMPILATION_CACHE_MAX_SIZE"]) == 2**30


def test_a_users_own_compile_cache_is_kept(monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/mine")
    assert environment.single_threaded()["JAX_COMPILATION_CACHE_DIR"] == "/mine"


def test_this_process_is_pinned_and_let_go():
    before = cores.allowed_cores()
    with environment.single_threaded_here():
        assert cores.allowed_cores() == before[:1]
        assert os.environ["NPROC"] == "1"
    assert cores.allowed_cores() == before


def test_jax_on_several_threads_is_rejected(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_other=1")
    monkeypatch.setattr(environment, "jax_runs", lambda: True)
    with (
        pytest.raises(UserError, match="leave out --in-process"),
        environment.single_threaded_here(),
    ):
        pass


def test_pinning_is_left_out_where_the_system_cannot(monkeypatch):
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    cores.pin(0)
    assert cores.allowed_cores() == list(range(os.cpu_count() or 1))
    assert 1 <= cores.usable() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "this user has no home folder; name a folder"),
        ({"HOME": ""}, "HOME is '', which is not an absolute path"),
        ({"HOME": "me"}, "HOME is 'me', which is not an absolute path"),
        ({"XDG_CACHE_HOME": "cache"}, "XDG_CACHE_HOME is 'cache', which is not an absolute path"),
        ({"ATTN_NLP_CACHE": "/dev/null/x"}, "in /dev/null/x: Not a directory; name another"),
        ({"XDG_CACHE_HOME": "/dev/null"}, "in /dev/null/attn_nlp: Not a directory; name another"),
    ],
)
def test_where_nothing_can_be_kept_the_variable_is_named(monkeypatch, variables, said):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    for name in ("ATTN_NLP_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="ATTN_NLP_CACHE") as found:
        environment.check_cache()
    assert said in str(found.value)


@pytest.mark.parametrize(("allowed", "fits"), [(69, False), (70, True), (-1, True)])
def test_too_few_open_files_are_said_before_anything_runs(monkeypatch, allowed, fits):
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda _: (allowed, -1))
    if fits:
        environment.check_limits(2)
        return
    with pytest.raises(UserError, match="may have 69 files open and needs 70 for 2 workers"):
        environment.check_limits(2)
