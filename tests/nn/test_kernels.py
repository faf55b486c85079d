"""Fast products and lookups have the values and gradients of the plain formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attn_nlp.nn.kernels import dense, rows_of, similarities, weighted_sum


def plain_similarities(q, k):
    return np.einsum("bhtd,bhsd->bhts", q, k)


def plain_mixed(weights, v):
    return np.einsum("bhts,bhsu->bhtu", weights, v)


PAIRS = {
    "similarities": (similarities, plain_similarities, (2, 3, 5, 4), (2, 3, 7, 4)),
    "weighted_sum": (weighted_sum, plain_mixed, (2, 3, 5, 7), (2, 3, 7, 4)),
    "dense, wide": (dense, np.matmul, (6, 3), (3, 8)),
    "dense, long": (dense, np.matmul, (6, 8), (8, 3)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_products_and_their_gradients_are_those_of_the_formula(name):
    fast, plain, *shapes = PAIRS[name]
    generator = np.random.default_rng(3)
    left, right = (generator.standard_normal(shape) for shape in shapes)
    slope = generator.standard_normal(plain(left, right).shape)
    moves = [generator.standard_normal(shape) for shape in shapes]

    with jax.enable_x64(True):
        found, back = jax.vjp(fast, jnp.asarray(left), jnp.asarray(right))
        grads = back(jnp.asarray(slope))
    np.testing.assert_allclose(found, plain(left, right), atol=1e-12)
    # The product is linear in each side, so that a difference is its derivative exactly.
    for grad, expected in zip(
        grads,
        ((slope * plain(moves[0], right)).sum(), (slope * plain(left, moves[1])).sum()),
        strict=True,
    ):
        move = moves[0] if grad.shape == left.shape else moves[1]
        np.testing.assert_allclose((np.asarray(grad) * move).sum(), expected, rtol=1e-10)


def test_rows_of_a_table_collect_the_slopes_of_every_use():
    table = np.random.default_rng(0).standard_normal((6, 2)).astype(np.float32)
    ids = np.array([[1, 1, 4], [0, 1, 5]])
    slope = np.arange(12, dtype=np.float32).reshape(2, 3, 2)

    found, back = jax.vjp(lambda table: rows_of(table, jnp.asarray(ids)), jnp.asarray(table))
    expected = np.zeros_like(table)
    np.add.at(expected, ids, slope)

    np.testing.assert_array_equal(found, table[ids])
    np.testing.assert_array_equal(back(jnp.asarray(slope))[0], expected)
