"""The laws of kinds without a matrix of pairs: what they estimate, and at what cost."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.nn.context import ForwardContext
from attn_nlp.nn.parts.kinds_efficient import projection
from attn_nlp.parts import registry
from attn_nlp.parts.selection import choose
from tests.conftest import required
from tests.nn.running import SIZES, rng_of
from tests.nn.test_kinds import LENGTH, SHOWN, bound
from tests.reference import kind_pairwise

EFFICIENT = ["linear", "performer", "linformer", "aft_simple"]
HEADS, DIM, VALUES = 2, 4, 3


def attend(text: str, q, k, v, tokens, *, arrays=None, layer=0, seed=0) -> np.ndarray:
    part = bound(text, arrays, layer, T=q.shape[2], D=q.shape[3], U=v.shape[3])
    more = {"q": q, "k": k, "v": v}
    more = {name: jnp.asarray(x, jnp.float32) for name, x in more.items()}
    return np.asarray(part.attend(ForwardContext({}, seed), None, mask=jnp.asarray(tokens), **more))


def projected(length: int = LENGTH, dim: int = DIM, values: int = VALUES, batch: int = 4):
    """Queries, keys and values of a few sentences."""
    rng = rng_of(f"projected {length} {dim} {values} {batch}")
    sizes = (dim, dim, values)
    return [rng.normal(size=(batch, HEADS, length, size)) for size in sizes]


@pytest.mark.parametrize("text", EFFICIENT)
def test_a_sentence_of_padding_gets_zeros(text):
    q, k, v = projected(values=DIM)
    assert (attend(text, q, k, v, SHOWN)[3] == 0).all()


@pytest.mark.parametrize("text", ["linear", "performer"])
def test_weights_by_features_average_the_values(text):
    """With equal values the result is that value: the weights of a query sum to one."""
    q, k, v = projected()
    same = np.broadcast_to(v[:, :, :1], v.shape)
    found = attend(text, 3 * q, 3 * k, same, SHOWN)
    np.testing.assert_allclose(found[:3], same[:3], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [1.0, 100.0, 1e4])
@pytest.mark.parametrize("text", ["linear", "performer"])
def test_features_that_underflow_still_weigh(text, size):
    """Features of -1e4 are zero in floating point, their ratios are not: equal keys share."""
    q, k, v = projected()
    far = -size * np.abs(q), -size * np.abs(k[:, :, :1]) + 0 * k
    found = attend(text, *far, v, SHOWN)
    for b in range(3):
        mean = v[b][:, SHOWN[b]].mean(axis=1, keepdims=True)
        np.testing.assert_allclose(found[b], np.broadcast_to(mean, found[b].shape), atol=1e-5)


def test_linear_attention_is_its_kernel_matrix_normalized():
    q, k, v = projected()
    phi_q, phi_k = (np.where(x > 0, x + 1, np.exp(np.minimum(x, 0))) for x in (q, k))
    kernel = np.einsum("bhtd,bhsd->bhts", phi_q, phi_k) * SHOWN[:, None, None, :]
    total = kernel.sum(axis=-1, keepdims=True)
    weights = kernel / np.where(total > 0, total, 1)
    found = attend("linear", q, k, v, SHOWN)
    np.testing.assert_allclose(found, weights @ v, rtol=1e-5, atol=1e-6)


def test_linear_attention_oracle():
    """A sentence at a time in PyTorch, with its own elu."""
    torch = required("torch")
    q, k, v = projected()
    found = attend("linear", q, k, v, SHOWN)
    for b in range(3):
        n = int(SHOWN[b].sum())
        one, other, values = (torch.tensor(x[b][:, :n]) for x in (q, k, v))
        phi = [torch.nn.functional.elu(x) + 1 for x in (one, other)]
        summed = phi[1].transpose(1, 2) @ values
        total = phi[0] @ phi[1].sum(dim=1, keepdim=True).transpose(1, 2)
        np.testing.assert_allclose(found[b][:, :n], phi[0] @ summed / total, rtol=1e-5, atol=1e-6)


def exact(q, k, v) -> np.ndarray:
    return kind_pairwise(q, k, v, np.ones((len(q), q.shape[2]), bool))


def performer_error(features: int, seeds: int, q, k, v) -> float:
    """Mean absolute error to softmax attention, over seeds; one sentence of 16 tokens, D = 16."""
    part = bound(f"performer({features})", T=16, D=16, U=VALUES)
    mask = jnp.ones((1, 16), bool)
    given = {n: jnp.asarray(x, jnp.float32) for n, x in zip("qkv", (q, k, v), strict=True)}

    def estimate(seed):
        return part.attend(ForwardContext({}, seed), None, mask=mask, **given)

    found = np.asarray(jax.jit(jax.vmap(estimate))(jnp.arange(seeds)))
    return float(np.mean(np.abs(found - exact(q, k, v))))


def test_the_error_of_performer_falls_with_the_root_of_its_features():
    """Choromanski et al., 2021: the variance of an estimate from m features is of order 1/m.

    Each error is a mean over 32 seeds and 96 numbers, which gives the slope to some hundredths. It
    is -1/2 but for terms of order 1/m. Queries and keys are 0.4 times unit variance: at unit
    variance and D = 16 the relative variance of one weight is about exp(8) / m, and a thousand
    features are too few to see the law.
    """
    counts = [16, 64, 256, 1024]
    q, k, v = projected(length=16, dim=16, batch=1)
    q, k = 0.4 * q, 0.4 * k
    errors = [performer_error(count, 32, q, k, v) for count in counts]
    slope = np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert -0.6 < slope < -0.4, (slope, errors)
    alike = np.abs(exact(0 * q, k, v) - exact(q, k, v)).mean()  # the error of equal weights
    assert errors[-1] < 0.3 * alike


def kernels(rows, q, k) -> np.ndarray:
    """phi(q) . phi(k) of every set of rows (..., m, D)."""
    size = len(q)
    exponent = rows @ ((q + k) / size**0.25) - (q @ q + k @ k) / (2 * size**0.5)
    return np.exp(exponent).mean(axis=-1)


def drawn_rows(seeds: int, features: int, size: int) -> np.ndarray:
    draw = jax.jit(jax.vmap(lambda seed: projection(seed, 0, features, size)))
    return np.asarray(draw(jnp.arange(seeds)), np.float64)


def test_performer_estimates_the_kernel_without_bias():
    rng = rng_of("kernel")
    q, k = rng.normal(size=(2, 8)) / 2
    found = kernels(drawn_rows(4000, 8, 8), q, k)
    error = found.std() / len(found) ** 0.5
    wanted = np.exp(q @ k / 8**0.5)
    assert error < 0.02 * wanted
    assert abs(found.mean() - wanted) < 3 * error


def test_orthogonal_rows_estimate_better_than_independent_ones():
    """Choromanski et al., 2021, section 2.4: for any number of features up to D.

    Every row is taken with its negative, so that what is odd in it, and the same for both, cancels;
    of what remains, orthogonality takes about 1 - 3/(D + 2), here 70%.
    """
    q, k = np.full(8, 0.4), np.full(8, 0.3)
    independent = rng_of("independent").normal(size=(4000, 8, 8))
    errors = [
        (kernels(rows, q, k) + kernels(-rows, q, k)).var()
        for rows in (drawn_rows(4000, 8, 8), independent)
    ]
    assert errors[0] < 0.6 * errors[1]


def test_rows_of_the_projection_are_normal_and_orthogonal_in_groups():
    rows = drawn_rows(2000, 7, 4)
    products = np.einsum("nmd,nkd->nmk", rows, rows)
    group = np.arange(7) // 4
    for one, other in np.ndindex(7, 7):
        if one != other and group[one] == group[other]:
            # Rounding of products of numbers up to about ten.
            assert abs(products[:, one, other]).max() < 1e-5
    assert abs(products[:, 0, 4]).mean() > 0.1  # of two groups
    # Squared lengths are chi-squared: mean 4, std sqrt(8), over 14,000 rows.
    assert abs(np.einsum("nmm->nm", products).mean() - 4) < 4 * (8 / 14000) ** 0.5
    assert abs(rows.mean(axis=0)).max() < 5 * 2000**-0.5
    assert abs((rows**2).mean(axis=0) - 1).max() < 5 * (2 / 2000) ** 0.5


def test_the_projection_belongs_to_seed_and_layer():
    q, k, v = projected()
    first = attend("performer", q, k, v, SHOWN)
    np.testing.assert_array_equal(first, attend("performer", q, k, v, SHOWN))
    for other in ({"seed": 1}, {"layer": 1}):
        assert not np.allclose(first, attend("performer", q, k, v, SHOWN, **other), atol=1e-3)
    q, k, v = (np.concatenate([x, x[:, :, :2] * 9], axis=2) for x in (q, k, v))
    padded = attend("performer", q, k, v, np.pad(SHOWN, ((0, 0), (0, 2))))
    # Sums over two keys more that weigh nothing, perhaps in other groups.
    np.testing.assert_allclose(padded[:, :, :LENGTH], first, rtol=1e-5, atol=1e-6)


def test_linformer_of_full_rank_with_identities_is_softmax_attention():
    q, k, v = projected()
    places = {"keys": np.eye(LENGTH), "values": np.eye(LENGTH)}
    everything = np.ones((4, LENGTH), bool)
    found = attend(f"linformer({LENGTH})", q, k, v, everything, arrays=places)
    np.testing.assert_allclose(found, exact(q, k, v), rtol=1e-5, atol=1e-6)


def test_linformer_oracle():
    """The same against PyTorch, with random mixtures of the keys that are no padding."""
    torch = required("torch")
    q, k, v = projected()
    rng = rng_of("mixtures")
    places = {name: rng.normal(size=(LENGTH, 3)) for name in ("keys", "values")}
    found = attend("linformer(3)", q, k, v, SHOWN, arrays=places)
    for b in range(4):
        n = int(SHOWN[b].sum())
        pairs = ((k, "keys"), (v, "values"))
        mixed = [torch.tensor(places[name][:n].T) @ torch.tensor(x[b][:, :n]) for x, name in pairs]
        wanted = torch.nn.functional.scaled_dot_product_attention(torch.tensor(q[b]), *mixed)
        np.testing.assert_allclose(found[b], wanted, rtol=1e-5, atol=1e-6)


def test_linformer_ends_at_its_length():
    q, k, v = projected()
    with pytest.raises(AssertionError):
        attend("linformer(3)", q, k, v, SHOWN, arrays={"keys": np.zeros((LENGTH - 1, 3))})


def test_aft_simple_does_not_care_how_features_are_divided_into_heads():
    q, k, v = projected(values=DIM)

    def joined(x):
        return x.transpose(0, 2, 1, 3).reshape(4, 1, LENGTH, HEADS * DIM)[:, :, :, :]

    found = attend("aft_simple", q, k, v, SHOWN)
    wide = attend("aft_simple", joined(q), joined(k), joined(v), SHOWN)
    np.testing.assert_allclose(joined(found), wide, rtol=1e-6, atol=1e-7)


def test_aft_simple_with_equal_keys_gates_the_mean():
    q, k, v = projected(values=DIM)
    found = attend("aft_simple", q, 0 * k + 5, v, SHOWN)
    for b in range(3):
        mean = v[b][:, SHOWN[b]].mean(axis=1, keepdims=True)
        np.testing.assert_allclose(found[b], mean / (1 + np.exp(-q[b])), rtol=1e-5, atol=1e-6)


def test_aft_simple_oracle():
    torch = required("torch")
    q, k, v = projected(values=DIM)
    found = attend("aft_simple", 3 * q, 3 * k, v, SHOWN)
    for b in range(3):
        n = int(SHOWN[b].sum())
        one, other, values = (torch.tensor(x[b][:, :n]) for x in (3 * q, 3 * k, v))
        mixed = (torch.softmax(other, dim=1) * values).sum(dim=1, keepdim=True)
        wanted = torch.sigmoid(one) * mixed
        np.testing.assert_allclose(found[b][:, :n], wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("text", EFFICIENT)
def test_kinds_reject_mixers_that_add_maps(text, catalogue):
    """They are given one query a head: a mixer that compares two maps has nothing to subtract."""

    @registry.mixer("twofold", maps=2)
    class Twofold:
        """Halve the maps."""

        def reweight(weights):
            return weights[:, ::2]

    settings = {"attention.kind": text, "attention.mixer": "twofold"}
    with pytest.raises(
        UserError, match=f"{text}' needs query heads equal to heads; they are 8 and"
    ):
        Cell().replace(settings)


def temporary_bytes(text: str, length: int) -> int:
    """Memory that one layer takes between input and output, gradients included."""
    part = bound(text, T=length, D=8, U=8)
    mask = jnp.ones((1, length), bool)

    def loss(q, k, v):
        if "attend" not in part.choice.part.hooks:  # all pairs at once, as a yardstick
            logits = jnp.einsum("bhtd,bhsd->bhts", q, k)
            return jnp.einsum("bhts,bhsd->bhtd", jax.nn.softmax(logits), v).sum()
        return part.attend(ForwardContext({}, 0), None, q=q, k=k, v=v, mask=mask).sum()

    shape = jax.ShapeDtypeStruct((1, 2, length, 8), jnp.float32)
    compiled = jax.jit(jax.grad(loss, argnums=(0, 1, 2))).lower(shape, shape, shape).compile()
    return compiled.memory_analysis().temp_size_in_bytes


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("pairwise", 14, 17), *((text, 0.9, 4.5) for text in EFFICIENT)],
)
def test_memory_grows_with_the_length_and_not_with_its_square(text, low, high):
    """Four times the length: four times the memory, where all pairs take sixteen times.

    What does not depend on the length, such as sums over keys, keeps it below four; all that
    AFT-simple does is fused into one pass, which takes no memory that grows at all.
    """
    ratio = temporary_bytes(text, 1024) / temporary_bytes(text, 256)
    assert low < ratio < high


@pytest.mark.parametrize("text", EFFICIENT)
def test_the_stated_cost_grows_with_the_length(text):
    choice = choose("kind", text)

    def fact(name, length):
        return choice.fact(name, SIZES | {"T": length})

    assert fact("flops", 400) == 4 * fact("flops", 100) > 0
    assert fact("state", 400) == fact("state", 100) > 0
