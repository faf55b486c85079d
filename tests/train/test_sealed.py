"""A compiled program is run only under the name that it was written under."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from attn_nlp.runner.environment import single_threaded

RUNS = """
import jax
from attn_nlp.train import compile_cache as compiling
compiling.start_threads()
def double(x): return x * 2.0
def triple(x): return x * 3.0
print(*(float(jax.jit(each)(jax.numpy.float32(5.0))) for each in (double, triple)))
"""


def exchange(one: Path, other: Path) -> None:
    """Each gets the content of the other."""
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def test_exchanged_programs_are_noticed(tmp_path):
    variables = os.environ | single_threaded()
    variables |= {"JAX_COMPILATION_CACHE_DIR": str(tmp_path), "JAX_PLATFORMS": "cpu"}
    said, files = [], []
    for _ in range(2):
        command = [sys.executable, "-W", "error", "-c", RUNS]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
        said.append(done.stdout.strip())
        ((double,), (triple,)) = (
            tmp_path.glob(f"jit_{each}-*-cache") for each in ("double", "triple")
        )
        files.append((double.read_bytes(), triple.read_bytes()))
        exchange(double, triple)
    assert said == ["10.0 15.0"] * 2
    assert files[1] != files[0][::-1]  # what was exchanged was written anew


@pytest.fixture(params=[-1, 1000], ids=["unbounded", "bounded"])
def cache(tmp_path, request):
    from jax._src.lru_cache import LRUCache

    from attn_nlp.train.sealed import _kind

    cache = _kind(LRUCache)(str(tmp_path), max_size=request.param)
    cache.put("one", b"the first program")
    cache.put("two", b"the second program")
    return cache


def test_what_is_whole_is_read(cache, tmp_path):
    assert cache.get("one") == b"the first program"
    assert cache.get("two") == b"the second program"
    assert cache.get("three") is None
    cache.put("one", b"another process was first")
    assert cache.get("one") == b"the first program"


@pytest.mark.parametrize("damage", ["exchanged", "exchanged with seals", "one bit", "no seal"])
def test_what_does_not_fit_its_name_is_taken_out(cache, tmp_path, damage):
    if damage.startswith("exchanged"):
        exchange(tmp_path / "one-cache", tmp_path / "two-cache")
    if damage.endswith("seals"):
        exchange(tmp_path / "one-seal", tmp_path / "two-seal")
    if damage == "one bit":
        (tmp_path / "one-cache").write_bytes(b"uhe first program")
    if damage == "no seal":
        (tmp_path / "one-seal").unlink()
    assert cache.get("one") is None
    assert not list(tmp_path.glob("one-*"))
    cache.put("one", b"the first program")
    assert cache.get("one") == b"the first program"


def test_what_is_too_large_gets_no_seal(tmp_path, cache):
    if not cache.eviction_enabled:
        return
    with pytest.warns(UserWarning, match="exceeds"):
        cache.put("big", b"x" * 2000)
    assert not list(tmp_path.glob("big-*"))


def test_jax_has_what_we_put_in_its_place():
    """It has no public place for it, so a new version may move it."""
    import jax
    from jax._src import compilation_cache

    from attn_nlp.train import sealed

    assert jax.__version__
    sealed.install()
    assert compilation_cache.get_file_cache.__globals__["LRUCache"].sealed
