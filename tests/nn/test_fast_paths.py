"""Code written for speed agrees with the same thing written plainly."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attn_nlp.nn.kernels import EPSILON, dense, layer_norm


def plain_norm(x, scale, bias):
    mean = x.mean(axis=-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
    return (x - mean) / jnp.sqrt(variance + EPSILON) * scale + bias


def plain_dense(x, kernel, bias):
    return jnp.einsum("bte,ef->btf", x, kernel) + bias


def check(fast, plain, x, *arrays):
    """Values and gradients by all arguments, weighted so that no two entries play the same part."""
    weights = jnp.asarray(np.random.default_rng(1).normal(size=fast(x, *arrays).shape), x.dtype)

    def gradients(function):
        def total(arguments):
            return (function(*arguments) * weights).sum()

        return jax.jit(jax.value_and_grad(total))((x, *arrays))

    # Float32 sums of at most 96 products, taken in another order.
    close: dict[str, Any] = {"rtol": 2e-5, "atol": 2e-5}
    np.testing.assert_allclose(jax.jit(fast)(x, *arrays), plain(x, *arrays), **close)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, **close), gradients(fast), gradients(plain)
    )


def draws(*shapes):
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in shapes]


@pytest.mark.parametrize(("fan_in", "fan_out"), [(8, 24), (24, 8), (8, 8), (1, 5), (5, 1)])
def test_dense_is_the_plain_product(fan_in, fan_out):
    check(dense, plain_dense, *draws((4, 6, fan_in), (fan_in, fan_out), (fan_out,)))


def test_dense_without_a_shift():
    x, kernel = draws((3, 4), (4, 2))
    np.testing.assert_allclose(dense(x, kernel), x @ kernel, rtol=1e-6)


def test_layer_norm_is_the_formula():
    check(layer_norm, plain_norm, *draws((4, 6, 16), (16,), (16,)))


def test_layer_norm_of_equal_features_is_the_shift():
    scale, bias = draws((16,), (16,))
    x = jnp.full((2, 16), 3.0)
    np.testing.assert_allclose(layer_norm(x, scale, bias), jnp.stack([bias, bias]), rtol=1e-6)
    slope = jax.grad(lambda x: layer_norm(x, scale, bias).sum())(x)
    assert np.isfinite(slope).all()
