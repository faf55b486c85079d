"""The cache of compiled programs heals after a process was killed while it wrote."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from attn_nlp.runner.environment import single_threaded
from attn_nlp.train.compile_cache import repair

COMPILES = "import jax, jax.numpy as jnp; jax.jit(lambda x: x * 2.0 + 1.0)(jnp.ones(3))"


def compiled(folder: Path) -> str:
    """Compile something in a process of its own; what it said."""
    variables = os.environ | single_threaded()
    variables |= {"JAX_COMPILATION_CACHE_DIR": str(folder), "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-W", "default", "-c", COMPILES]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    return done.stderr


def age(folder: Path) -> None:
    """Nobody has touched it for an hour."""
    for path in folder.iterdir():
        os.utime(path, times=(time.time() - 3600,) * 2)


@pytest.mark.parametrize("damage", ["the second file missing", "the second file empty", "empty"])
def test_a_half_written_entry_is_removed_and_written_again(tmp_path, damage):
    compiled(tmp_path)
    hurt = min(tmp_path.glob("*-cache"))
    whole = {path.name for path in tmp_path.iterdir()}
    second = hurt.with_name(hurt.name.removesuffix("-cache") + "-atime")
    if damage == "the second file missing":
        second.unlink()
    else:
        (hurt if damage == "empty" else second).write_bytes(b"")
    age(tmp_path)

    assert repair(tmp_path) == 1
    assert not hurt.exists()
    assert not second.exists()
    assert "compilation cache" not in compiled(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == whole
    assert repair(tmp_path) == 0


def test_what_another_process_may_be_writing_stays(tmp_path):
    (tmp_path / "jit_f-1-cache").write_bytes(b"program")
    assert repair(tmp_path) == 0
    age(tmp_path)
    assert repair(tmp_path) == 1


def test_no_folder_needs_no_mending(tmp_path):
    assert repair(tmp_path / "none") == 0


def test_a_seal_without_its_program_goes(tmp_path):
    for name in ("one-cache", "one-atime", "one-seal", "two-seal"):
        (tmp_path / name).write_bytes(b"kept")
    age(tmp_path)
    (tmp_path / "three-seal").write_bytes(b"its program may be on its way")
    assert repair(tmp_path) == 0
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"one-cache", "one-atime", "one-seal", "three-seal"}
