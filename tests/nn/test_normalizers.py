"""The laws of normalizers: rows sum to one, shifts change nothing, and blocks make up rows."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from attn_nlp.nn.context import BlockContext
from attn_nlp.parts import registry
from tests.conftest import required
from tests.nn.running import cases, here_of, inputs, normalized, on_device, ready, seen_of
from tests.nn.test_parts import extreme

CASES = [text for _, text in cases("normalizer")]
LAWFUL = [*CASES, "entmax(2.0)", "entmax(4.0)", "topk(1)", "topk(9)", "relu_squared(2.0)"]
ROWS, KEYS = 4, 7


def weights_of(part, given) -> np.ndarray:
    (weights,) = part.run(given)
    return np.asarray(weights)


@pytest.mark.parametrize("change", [lambda given: given, extreme], ids=["usual", "extreme"])
@pytest.mark.parametrize("text", CASES)
def test_hidden_keys_weigh_exactly_nothing(text, change):
    given = change(inputs())
    weights = weights_of(ready("normalizer", text), given)
    assert np.isfinite(weights).all()
    assert (weights[~np.broadcast_to(given["mask"], weights.shape)] == 0).all()
    blind = ~given["mask"].any(axis=-1)
    assert blind.any()
    assert (weights[np.broadcast_to(blind, weights.shape[:3])] == 0).all()


@pytest.mark.parametrize("text", CASES)
def test_rows_sum_to_one_where_claimed_and_only_there(text):
    part = ready("normalizer", text)
    given = inputs()
    sees = np.broadcast_to(given["mask"].any(axis=-1), given["logits"].shape[:3])
    sums = weights_of(part, given).sum(axis=-1)[sees]
    claimed = part.choice.part.facts["sums_to_one"]
    assert np.allclose(sums, 1.0, atol=1e-6) == claimed  # six float32 roundings
    assert (weights_of(part, given) >= 0).all() != bool(part.choice.part.facts.get("signed"))


@pytest.mark.parametrize("text", CASES)
def test_a_shift_of_a_row_changes_nothing_where_claimed_and_only_there(text):
    part, given = ready("normalizer", text), inputs()
    moved = given | {"logits": given["logits"] + np.array([3.0, -2.0, 0.5, 1.0, 2.0])[:, None]}
    same = np.allclose(weights_of(part, given), weights_of(part, moved), atol=1e-6)
    assert same == bool(part.choice.part.facts.get("shift_invariant"))


@pytest.mark.parametrize("text", CASES)
def test_permuting_keys_permutes_weights(text):
    part, given = ready("normalizer", text), inputs()
    order = np.array([3, 0, 5, 1, 4, 2])
    moved = given | {"logits": given["logits"][..., order], "mask": given["mask"][..., order]}
    found = weights_of(part, moved)
    # A sum in another order may differ in the last bits, and so may a threshold found by it.
    np.testing.assert_allclose(found, weights_of(part, given)[..., order], atol=5e-7)


@pytest.mark.parametrize("change", [lambda given: given, extreme], ids=["usual", "extreme"])
@pytest.mark.parametrize("text", CASES)
def test_blocks_of_keys_give_the_weights_of_the_whole_where_claimed(text, change):
    part, given = ready("normalizer", text), on_device(change(inputs()))
    bound, call = part.bound(), part.call()
    (whole,) = part.run(change(inputs()))
    blocks = [slice(0, 2), slice(2, 3), slice(3, 6)]
    pieces = [(given["logits"][..., s], given["mask"][..., s]) for s in blocks]
    stats = None
    if bound.has("merge"):
        for block, (logits, mask) in zip(blocks, pieces, strict=True):
            where = here_of(given, block.start, block.stop - block.start)
            own = bound.reduce(call, where, logits=logits, mask=mask)
            stats = own if stats is None else bound.merge(call, a=stats, b=own)
        logits, mask = given["logits"], given["mask"]
        alone = bound.reduce(call, here_of(given), logits=logits, mask=mask)
        for merged, single in zip(stats, alone, strict=True):
            np.testing.assert_allclose(merged, single, rtol=1e-6)
    found = [
        normalized(bound, call, given, logits, mask, stats, block.start)
        for block, (logits, mask) in zip(blocks, pieces, strict=True)
    ]
    same = np.allclose(jnp.concatenate(found, axis=-1), whole, rtol=1e-6, atol=1e-7)
    assert same != bool(part.choice.part.facts.get("whole_rows"))


def test_reduce_and_merge_come_together():
    for part in registry.parts("normalizer"):
        hooks = set(part.hooks)
        assert ("reduce" in hooks) == ("merge" in hooks), part.name
        assert not ("merge" in hooks and part.facts.get("whole_rows")), part.name


def test_seen_counts_the_keys_of_every_query():
    given = on_device(inputs())
    np.testing.assert_array_equal(seen_of(given)[..., 0], np.asarray(given["mask"]).sum(axis=-1))


@functools.cache
def compiled(text: str):
    """From logits (1, 1, ROWS, KEYS), mask and a direction to weights and the gradient there."""
    part = ready("normalizer", text)
    bound, call = part.bound(), part.call()

    def weights(logits, mask):
        ones = jnp.ones((1, KEYS), bool)
        where = BlockContext(jnp.arange(ROWS), jnp.arange(KEYS), ones[:, :ROWS], ones)
        more = {"logits": logits, "mask": mask}
        stats = bound.reduce(call, where, **more) if bound.has("reduce") else None
        seen = mask.sum(axis=-1, keepdims=True).astype(logits.dtype)
        return bound.weights(call, where, stats=stats, seen=seen, **more)

    @jax.jit
    def both(logits, mask, way):
        found, pull = jax.vjp(lambda logits: weights(logits, mask), logits)
        return found, pull(way)[0]

    def run(logits, mask=True, way=None):
        wide = jnp.result_type(float)
        mask = np.broadcast_to(mask, logits.shape)
        way = np.ones(logits.shape) if way is None else way
        given = jnp.asarray(logits, wide), jnp.asarray(mask), jnp.asarray(way, wide)
        return tuple(np.asarray(each) for each in both(*given))

    return run


WAY = np.random.default_rng(3).normal(size=(1, 1, ROWS, KEYS)).astype(np.float32)
# Among usual numbers: ties, the largest that the laws name, and the least that float32 holds.
LOGITS = st.one_of(
    st.floats(-20, 20, width=32), st.sampled_from([0.0, 0.5, 30.0, 1e4, -1e4, 1e6, -1e30, -3e38])
)
SHAPE = (1, 1, ROWS, KEYS)
ROUNDED = st.sampled_from([np.float32, jnp.bfloat16])
WHOLE_ROWS = st.sampled_from([1e4, -1e4, -3e38, 0.0])  # all equal


@pytest.mark.parametrize("text", LAWFUL)
@settings(deadline=None, max_examples=40)
@drawn(arrays(np.float32, SHAPE, elements=LOGITS), arrays(bool, SHAPE), ROUNDED, WHOLE_ROWS)
def test_whatever_the_logits_the_laws_hold(text, logits, mask, rounded, equal):
    logits[0, 0, 0] = equal
    logits = logits.astype(rounded).astype(np.float32)
    weights, gradient = compiled(text)(logits, mask, WAY)
    facts = ready("normalizer", text).choice.part.facts
    assert np.isfinite(weights).all()
    assert np.isfinite(gradient).all()
    assert (weights[~mask] == 0).all()
    assert (gradient[~mask] == 0).all()
    assert facts.get("signed") or (weights >= 0).all()
    sees = mask.any(axis=-1)
    if facts["sums_to_one"]:
        # Seven divisions and a sum, each off by at most 6e-8 of numbers below one.
        np.testing.assert_allclose(weights[sees].sum(axis=-1), 1.0, atol=1e-6)
    for row in np.ndindex(SHAPE[:3]):
        z, w = logits[row][mask[row]], weights[row][mask[row]]
        rising = w[np.argsort(z, kind="stable")]
        tie = np.sort(z)[1:] == np.sort(z)[:-1]
        # A larger logit never weighs less; exp may be off by a last digit.
        assert (tie | (np.diff(rising) >= -1e-6 * np.abs(rising[1:]))).all(), (z, w)


@pytest.mark.parametrize("text", [text for text in LAWFUL if not text.startswith(("topk", "hard"))])
@settings(deadline=None, max_examples=20)
@drawn(arrays(np.float32, SHAPE, elements=LOGITS), arrays(bool, SHAPE))
def test_equal_logits_weigh_the_same(text, logits, mask):
    logits[..., 1] = logits[..., 0]
    mask[..., :2] = True
    weights, _ = compiled(text)(logits, mask)
    np.testing.assert_array_equal(weights[..., 0], weights[..., 1])


MERGED = [text for text in LAWFUL if "merge" in ready("normalizer", text).choice.part.hooks]


@pytest.mark.parametrize("text", MERGED)
@settings(deadline=None, max_examples=20)
@drawn(arrays(np.float32, SHAPE, elements=LOGITS), arrays(bool, SHAPE), st.permutations(range(3)))
def test_blocks_merge_in_any_order(text, logits, mask, order):
    part = ready("normalizer", text)
    bound, call = part.bound(), part.call()

    def reduce(block):
        more = {"logits": jnp.asarray(logits[..., block]), "mask": jnp.asarray(mask[..., block])}
        return bound.reduce(call, None, **more)

    def merge(a, b):
        return bound.merge(call, a=a, b=b)

    pieces = [reduce(slice(0, 2)), reduce(slice(2, 4)), reduce(slice(4, 7))]
    first, second, third = (pieces[place] for place in order)
    whole = reduce(slice(0, 7))
    for stats in (merge(merge(first, second), third), merge(first, merge(second, third))):
        for found, expected in zip(stats, whole, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-6)


def rows(name: str) -> np.ndarray:
    """Logits with usual rows, one of ties, one of extremes and one of large numbers."""
    logits = np.random.default_rng(len(name)).normal(size=SHAPE) * 2
    logits[0, 0, 1, :4] = 0.7
    logits[0, 0, 2, ::2] = [1e4, -1e4, 1e4, 3.0]
    logits[0, 0, 3] += 500
    return logits


def agrees_with(text, logits, theirs, leaf, *, atol=1e-12):
    """Values and gradients in float64 beside those of a torch function of `leaf`."""
    torch = required("torch")
    theirs.backward(torch.tensor(WAY.astype(float)))
    with jax.enable_x64(True):
        weights, gradient = compiled(text)(logits, way=WAY)
    np.testing.assert_allclose(weights, theirs.detach().numpy(), rtol=1e-12, atol=atol)
    np.testing.assert_allclose(gradient, leaf.grad.numpy(), rtol=1e-9, atol=atol)


ORACLES = {
    "softmax": lambda torch, z: torch.softmax(z, dim=-1),
    "softmax_one": lambda torch, z: torch.softmax(
        torch.nn.functional.pad(z, (0, 1), value=0.0), dim=-1
    )[..., :-1],
    "sigmoid": lambda torch, z: torch.sigmoid(z - np.log(KEYS)),
    "relu_over_n": lambda torch, z: torch.relu(z) / KEYS,
    "relu_squared": lambda torch, z: torch.relu(z) ** 2,
    "relu_squared(2.0)": lambda torch, z: torch.relu(z / KEYS) ** 2,
    "gumbel(0.3)": lambda torch, z: torch.softmax(z / 0.3, dim=-1),
    "none": lambda torch, z: z / KEYS,
}


@pytest.mark.parametrize("text", ORACLES)
def test_an_oracle_torch_gives_the_same_weights_and_gradients(text):
    torch = required("torch")
    leaf = torch.tensor(rows(text), requires_grad=True)
    agrees_with(text, rows(text), ORACLES[text](torch, leaf), leaf)


def test_a_softmax_with_one_can_attend_to_nothing_and_is_a_softmax_when_sure():
    logits = rows("one")
    quiet, _ = compiled("softmax_one")(np.clip(logits, None, 5) - 50)
    assert (quiet.sum(axis=-1) < 1e-15).all()
    sure, _ = compiled("softmax_one")(np.clip(logits, -5, None) + 50)
    np.testing.assert_allclose(sure, compiled("softmax")(np.clip(logits, -5, None))[0], rtol=1e-4)
    np.testing.assert_allclose(compiled("softmax_one")(logits * 0)[0], 1 / (KEYS + 1), rtol=1e-6)


@pytest.mark.parametrize("text", LAWFUL)
def test_a_key_weighs_on_its_own_where_no_statistics_are_needed(text):
    part = ready("normalizer", text).choice.part
    pointwise = "reduce" not in part.hooks and not part.facts.get("whole_rows")
    logits = np.random.default_rng(5).normal(size=SHAPE)
    moved = logits.copy()
    moved[..., 2] += 3.0
    before, after = (compiled(text)(each)[0] for each in (logits, moved))
    assert (before[..., 2] != after[..., 2]).any()
    others = np.delete(before, 2, axis=-1) == np.delete(after, 2, axis=-1)
    assert others.all() == pointwise


def test_a_linear_normalizer_is_linear():
    one, two = np.random.default_rng(6).normal(size=(2, *SHAPE))
    none = compiled("none")
    np.testing.assert_allclose(
        none(2 * one - 3 * two)[0], 2 * none(one)[0] - 3 * none(two)[0], atol=1e-6
    )


def test_squares_are_divided_by_the_power_of_n_that_is_asked_for():
    logits = np.full(SHAPE, 3.0)
    mask = np.arange(KEYS) < np.array([1, 2, 4, 7])[:, None]
    for power in (0.0, 1.0, 2.0):
        weights, _ = compiled(f"relu_squared({power})")(logits, mask[None, None])
        wanted = 9 / np.array([1, 2, 4, 7]) ** power
        np.testing.assert_allclose(weights[0, 0].max(axis=-1), wanted, rtol=1e-6)
    assert (compiled("relu_squared")(-logits)[0] == 0).all()


def test_sigmoid_rows_sum_to_about_one_at_the_start():
    given = inputs()
    given["logits"][:] = 0.0
    given["mask"][:] = True
    sums = weights_of(ready("normalizer", "sigmoid"), given).sum(axis=-1)
    np.testing.assert_allclose(sums, 6 / 7, rtol=1e-6)  # n / (1 + n)
