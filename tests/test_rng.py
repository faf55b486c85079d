"""Named random streams: equal paths give equal bits, other paths other numbers."""

from __future__ import annotations

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attn_nlp.rng import Stream, fold, hashed


def test_a_path_decides_the_bits():
    one = (Stream(3) / "blocks" / "kernel").normal((4, 5), 0.5)
    again = Stream(3, "/blocks/kernel").normal((4, 5), 0.5)
    np.testing.assert_array_equal(one, again)
    assert one.dtype == np.float32


def test_other_paths_and_seeds_give_other_numbers():
    keys = [Stream(seed) / path for seed in (0, 1) for path in ("a", "b", "ab", "a/b")]
    drawn = {np.asarray(stream.normal((3,), 1.0)).tobytes() for stream in keys}
    assert len(drawn) == len(keys)


def test_the_bits_are_those_of_philox_on_every_machine():
    """Pinned: NumPy keeps the stream of a bit generator, and its normal draws, across versions."""
    drawn = (Stream(3) / "blocks" / "kernel").normal((3,), 1.0)
    np.testing.assert_allclose(drawn, [-1.0786526, -0.5272589, 0.7037711], rtol=1e-6)


@pytest.mark.parametrize("seed", [2**31, 2**32 - 1])
def test_large_seeds(seed):
    assert np.isfinite((Stream(seed) / "x").normal((7,), 1.0)).all()


def test_mean_and_deviation():
    drawn = np.asarray((Stream(0) / "x").normal((100, 100), 0.5, fill=2.0))
    # Standard errors are 0.005 and 0.0035; four of them.
    assert abs(drawn.mean() - 2.0) < 0.02
    assert abs(drawn.std() - 0.5) < 0.015
    np.testing.assert_array_equal((Stream(0) / "x").normal((3,), 0.0, 2.0), np.full(3, 2.0))


@pytest.mark.parametrize("name", ["", "a", "é/ä"])
def test_fold_takes_any_name(name):
    key = jax.random.key(0)
    assert jnp.all(jax.random.key_data(fold(key, name)) == jax.random.key_data(fold(key, name)))


def test_hashed_numbers_are_those_of_the_formula():
    def mix(word):
        word = (word ^ word >> 16) * 0x7FEB352D & 0xFFFFFFFF
        word = (word ^ word >> 15) * 0x846CA68B & 0xFFFFFFFF
        return word ^ word >> 16

    key = jax.random.key(7)
    digest = hashlib.sha256(b"name").digest()
    words = [int(word) for word in jax.random.key_data(key)]
    first = words[0] ^ int.from_bytes(digest[:4], "little")
    second = words[1] ^ int.from_bytes(digest[4:8], "little")
    rows, columns = jnp.arange(3, dtype=jnp.uint32)[:, None], jnp.arange(4, dtype=jnp.uint32)
    found = hashed(key, "name", rows, columns)
    assert found.dtype == jnp.uint32
    for row, column in np.ndindex(3, 4):
        wanted = mix((mix(mix(first ^ row) ^ column) + second) & 0xFFFFFFFF)
        assert int(found[row, column]) == wanted


def test_hashed_numbers_look_drawn():
    """Every bit is even, and bits agree half of the time: over places, streams, keys and steps."""
    places = jnp.arange(20_000, dtype=jnp.uint32)
    key = jax.random.key(0)

    def bits(key, name, places):
        words = np.asarray(hashed(key, name, places))
        return np.unpackbits(words.view(np.uint8)).reshape(-1, 32)

    one = bits(key, "a", places)
    even = 5 * 0.5 / len(places) ** 0.5  # five standard errors
    assert np.abs(one.mean(axis=0) - 0.5).max() < even
    others = {
        "the next place": bits(key, "a", places + 1),
        "64 places on": bits(key, "a", places + 64),
        "another stream": bits(key, "b", places),
        "another key": bits(jax.random.key(1), "a", places),
        "the next step": bits(jax.random.fold_in(key, 1), "a", places),
    }
    for name, other in others.items():
        assert np.abs((one == other).mean(axis=0) - 0.5).max() < even, name
    counts = np.bincount(np.asarray(hashed(key, "a", places)) >> 24, minlength=256)
    expected = len(places) / 256
    # Chi-square of 255 degrees of freedom: mean 255, std 22.6; five of them.
    assert abs(((counts - expected) ** 2 / expected).sum() - 255) < 5 * 22.6
