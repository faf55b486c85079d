"""The laws that every part obeys, whatever its slot, and the list of those that need not."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attn_nlp.parts import registry
from attn_nlp.parts.selection import choose
from tests.nn.running import SLOTS, cases, inputs, parts, ready, rng_of

# Slots whose inputs and outputs are real numbers that training differentiates.
SMOOTH = tuple(slot for slot in SLOTS if slot not in ("mask", "init"))
# Those whose gradient is that of what they return, and not one that stands in for it.
EXACT = [
    (slot, text)
    for slot, text in cases(*SMOOTH)
    if not choose(slot, text).part.facts.get("surrogate")
]
FLOATS = ("x", "q", "k", "v", "q_raw", "out", "logits", "marks")


@pytest.mark.proof("reference")
@pytest.mark.parametrize(("slot", "text"), cases())
def test_a_part_agrees_with_its_reference(slot, text):
    part, given = ready(slot, text), inputs()
    # A few dozen roundings of 6e-8 each, at values up to about ten.
    close(part.run(given), part.expected(given), rtol=2e-5, atol=1e-5)


@pytest.mark.proof("extremes")
@pytest.mark.parametrize(("slot", "text"), cases())
def test_a_part_agrees_with_its_reference_at_extreme_values(slot, text):
    part, given = ready(slot, text), extreme(inputs())
    found, expected = part.run(given), part.expected(given)
    for array, wanted in zip(found, expected, strict=True):
        assert np.isfinite(array).all()
        # float32 keeps seven digits of a sum of several numbers of 1e4.
        np.testing.assert_allclose(array, wanted, rtol=1e-4, atol=1e-5 * max(1, np.max(wanted)))


@pytest.mark.proof("gradient")
@pytest.mark.parametrize(("slot", "text"), EXACT)
def test_gradients_match_differences(slot, text):
    part = ready(slot, text)
    points = [inputs("gradients")]
    if not part.choice.part.facts.get("kinked"):
        points.append(tied(inputs("gradients")))
    with jax.enable_x64(True):
        for given in points:
            slope, difference = slopes(part, given)
            # The difference is exact to the square of its step of 1e-5, and to 1e-16 / 1e-5.
            np.testing.assert_allclose(slope, difference, rtol=1e-6, atol=1e-7)


@pytest.mark.proof("finite gradient")
@pytest.mark.parametrize("change", ["usual", "extreme"])
@pytest.mark.parametrize(("slot", "text"), cases(*SMOOTH))
def test_gradients_are_finite_where_keys_are_hidden(slot, text, change):
    given = extreme(inputs()) if change == "extreme" else inputs()
    assert not given["mask"].any(axis=-1).all()  # some query sees nothing
    part = ready(slot, text)
    scalar, leaves = weighed(part, given)
    for gradient in jax.tree.leaves(jax.grad(scalar)(leaves)):
        assert np.isfinite(gradient).all()


@pytest.mark.proof("hidden")
@pytest.mark.parametrize(
    ("slot", "text"), cases("normalizer", "activation", "mixer", "pooling", "kind", "position")
)
def test_what_is_hidden_changes_nothing(slot, text):
    given = inputs()
    other = {name: value.copy() for name, value in given.items()}
    tokens, mask = given["tokens"], given["mask"]
    other["x"][~tokens] = 1e4
    other["marks"][~tokens] = -1e4
    other["logits"][~np.broadcast_to(mask, other["logits"].shape)] = 1e4
    unseen = ~mask.any(axis=(1, 2))
    if slot == "kind":  # told of tokens alone; every position is a query and a key
        unseen[:, : tokens.shape[1]] = ~tokens
    for name in ("k", "v"):
        other[name][np.broadcast_to(unseen[:, None], other[name].shape[:3])] = 1e4
    part = ready(slot, text)
    for before, after in zip(part.run(given), part.run(other), strict=True):
        before, after = np.asarray(before), np.asarray(after)
        if before.shape == given["x"].shape:  # what stands at padding is anybody's
            before, after = before[tokens], after[tokens]
        if slot == "kind" and before.ndim == 4:
            before, after = (np.moveaxis(each, 1, 2)[tokens] for each in (before, after))
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("slot", SLOTS)
def test_no_two_parts_of_a_slot_agree(slot):
    found = {part.name: ready(slot, part.name).run(inputs()) for part in parts(slot)}
    for one, other in itertools.combinations(found, 2):
        facts = registry.find(slot, one).facts, registry.find(slot, other).facts
        if other == facts[0].get("special_case_of") or one == facts[1].get("special_case_of"):
            continue
        assert not equal(found[one], found[other]), f"{slot} {one!r} and {other!r} are one"


def test_the_parts_that_need_not_obey_a_law_are_these():
    """A new name here is a decision, never an accident."""
    assert opted_out("gradients match differences where values tie", kinked=True) == [
        "activation relu",
        "features feed_forward",
        "features two_layer",
        "model cnn",
        "normalizer entmax",
        "normalizer relu_over_n",
        "normalizer sparsemax",
        "normalizer topk",
        "pooling max",
    ]
    assert opted_out("gradients match differences", surrogate=True) == ["normalizer hard"]
    assert opted_out("permuting keys permutes logits", position_bound=True) == [
        "kind fnet",
        "kind linformer",
        "pooling first",
        "score hard_random",
        "score location",
        "score synthesizer_dense",
        "score synthesizer_random",
    ]
    assert opted_out("rows are made of blocks of keys", whole_rows=True) == [
        "normalizer entmax",
        "normalizer entmax15",
        "normalizer hard",
        "normalizer sparsemax",
        "normalizer topk",
    ]
    assert opted_out("weights are not negative", signed=True) == ["normalizer none"]
    assert opted_out("rows sum to one", sums_to_one=False) == [
        "activation relu",
        "activation sigmoid",
        "activation tanh",
        "normalizer none",
        "normalizer relu_over_n",
        "normalizer relu_squared",
        "normalizer sigmoid",
        "normalizer softmax_one",
    ]
    assert opted_out("the query counts", ignores_query=True) == [
        "score content",
        "score hard_random",
        "score synthesizer_random",
        "score uniform",
    ]


def opted_out(law: str, **fact: object) -> list[str]:
    ((name, value),) = fact.items()
    return sorted(
        f"{part.slot} {part.name}" for part in registry.parts() if part.facts.get(name) == value
    )


def close(found, expected, *, rtol, atol):
    assert len(found) == len(expected)
    for array, wanted in zip(found, expected, strict=True):
        assert array.shape == np.shape(wanted)
        np.testing.assert_allclose(array, wanted, rtol=rtol, atol=atol)


def equal(one, other) -> bool:
    return len(one) == len(other) and all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-5)
        for a, b in zip(one, other, strict=True)
    )


def extreme(given: dict) -> dict:
    """The same with logits of +1e4 and -1e4 among the others, seen and hidden."""
    given = {name: value.copy() for name, value in given.items()}
    for name in ("logits", "marks"):
        drawn = rng_of(f"extreme {name}").random(given[name].shape)
        given[name][drawn < 0.3] = 1e4
        given[name][drawn > 0.7] = -1e4
    given["q"][0, :, 0] = 1e4
    given["k"][0, :, 1] = 1.0
    return given


def tied(given: dict) -> dict:
    """The same with equal logits, equal keys and zeros: where kinks would be."""
    given = {name: value.copy() for name, value in given.items()}
    given["logits"][:] = 0.5
    given["marks"][:] = 0.0
    given["k"][:] = given["k"][:, :, :1]
    return given


def weighed(part, given: dict):
    """A number made of all that the part returns, as a function of all real numbers it gets."""
    fixed = {name: value for name, value in given.items() if name not in FLOATS}

    def scalar(leaves):
        found = part.run(fixed | leaves["inputs"], leaves["arrays"])
        draws = (rng_of(f"weigh {place}") for place in itertools.count())
        return sum(
            jnp.sum(array * jnp.asarray(rng.normal(size=array.shape), array.dtype))
            for array, rng in zip(found, draws, strict=False)
        )

    leaves = {"inputs": {name: given[name] for name in FLOATS}, "arrays": dict(part.arrays)}
    return scalar, jax.tree.map(lambda each: jnp.asarray(each, jnp.result_type(float)), leaves)


def slopes(part, given: dict) -> tuple[float, float]:
    """The slope in a random direction: by gradients, and by a central difference."""
    scalar, leaves = weighed(part, given)
    draws = itertools.count()
    direction = jax.tree.map(
        lambda leaf: jnp.asarray(rng_of(f"direction {next(draws)}").normal(size=leaf.shape)), leaves
    )

    def at(step):
        return scalar(jax.tree.map(lambda leaf, way: leaf + step * way, leaves, direction))

    gradient = jax.grad(scalar)(leaves)
    slope = sum(jax.tree.leaves(jax.tree.map(lambda g, way: (g * way).sum(), gradient, direction)))
    return float(slope), float((at(1e-5) - at(-1e-5)) / 2e-5)
