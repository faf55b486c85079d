"""The laws of kinds: what passes between positions, what never does, and at what cost."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.nn.context import ForwardContext
from attn_nlp.nn.part_module import PartModule
from attn_nlp.parts.selection import choose
from tests.conftest import required
from tests.nn.running import SIZES, Given, cases, inputs, names, ready, rng_of
from tests.reference import kind_pairwise

CASES = [text for _, text in cases("kind")]
LENGTH = 7
SHOWN = np.arange(LENGTH)[None, :] < np.array([[LENGTH], [4], [1], [0]])


def bound(text: str, arrays: dict | None = None, layer: int = 0, **sizes) -> PartModule:
    """A kind with the learned arrays given by name, the others random."""
    given = {f"/{name}": np.asarray(array) for name, array in (arrays or {}).items()}
    return PartModule(choose("kind", text), "kind", SIZES | sizes, Given(given), layer)


def block(text: str, x, tokens, arrays: dict | None = None) -> np.ndarray:
    part = bound(text, arrays, E=x.shape[2], F=2 * x.shape[2])
    call = ForwardContext({}, 0)
    x = jnp.asarray(x, jnp.float32)
    return np.asarray(part.block(call, None, x=x, mask=jnp.asarray(tokens)))


def sentences(length: int = LENGTH, width: int = 6) -> np.ndarray:
    return rng_of("sentences").normal(size=(4, length, width))


@pytest.mark.parametrize("text", CASES)
def test_a_sentence_alone_gets_what_it_gets_in_a_padded_batch(text):
    """Places, lengths and random features follow from the sentence, not from its batch."""
    given = inputs()
    part = ready("kind", text)
    together = np.asarray(part.run(given)[0])[1]
    axes = {"x": 1, "q": 2, "k": 2, "v": 2}
    alone = {name: given[name][1:2].take(range(3), axis) for name, axis in axes.items()}
    alone |= {"tokens": given["tokens"][1:2, :3]}
    if part.choice.part.hooks:
        found = run_cut(part, alone)
    else:
        mask = np.ones((1, 3), bool)
        found = kind_pairwise(alone["q"], alone["k"], alone["v"], mask)[0]
    # The same numbers are added, in groups of another size: a few roundings of numbers near ten.
    np.testing.assert_allclose(found, together[..., :3, :], rtol=1e-5, atol=1e-5)


def run_cut(part, alone) -> np.ndarray:
    """Run the kind on sentences shorter than the cell's length."""
    (hook,) = part.choice.part.hooks
    wanted = ("x",) if hook == "block" else ("q", "k", "v")
    more = {name: jnp.asarray(alone[name], jnp.float32) for name in wanted}
    mask = jnp.asarray(alone["tokens"])
    return np.asarray(getattr(part.bound(), hook)(part.call(), None, mask=mask, **more))[0]


@pytest.mark.parametrize("text", CASES)
def test_moving_tokens_moves_results_unless_bound_to_places(text):
    part, given = ready("kind", text), inputs()
    order = np.array([4, 2, 0, 1, 3])
    axes = {"x": 1, "q": 2, "k": 2, "v": 2, "tokens": 1}
    moved = {name: given[name].take(order, axis) for name, axis in axes.items()}
    before, after = (np.asarray(part.run(each)[0])[0] for each in (given, given | moved))
    same = np.allclose(before.take(order, before.ndim - 2), after, rtol=1e-4, atol=1e-5)
    assert same != bool(part.choice.part.facts.get("position_bound"))


@pytest.mark.parametrize("length", [LENGTH, 300])
def test_fnet_is_the_real_part_of_numpys_transform_of_each_sentence(length):
    x = sentences(length)
    lengths = [length, length // 2 + 1, 1, 0]
    tokens = np.arange(length)[None, :] < np.array(lengths)[:, None]
    found = block("fnet", x, tokens)
    for b, n in enumerate(lengths):
        assert (found[b, n:] == 0).all()
        if n:
            # Sums of n * 6 numbers in float32, about sqrt(6 n) large.
            wanted = np.fft.fft2(x[b, :n]).real
            np.testing.assert_allclose(found[b, :n], wanted, atol=2e-6 * n + 1e-5)


def test_fnet_of_a_constant_sentence_is_at_the_first_position_only():
    x = np.ones((1, LENGTH, 6))
    wanted = np.zeros_like(x)
    wanted[0, 0, 0] = LENGTH * 6
    np.testing.assert_allclose(block("fnet", x, SHOWN[:1]), wanted, atol=1e-5)


def test_identity_passes_nothing():
    assert (block("identity", sentences(), SHOWN) == 0).all()


def test_se_channel_oracle():
    torch = required("torch")
    x, rng = sentences(width=8), rng_of("channels")
    arrays = {"inward": rng.normal(size=(8, 4)), "outward": rng.normal(size=(4, 8))}
    nn = torch.nn
    net = nn.Sequential(
        nn.Linear(8, 4, bias=False), nn.ReLU(), nn.Linear(4, 8, bias=False), nn.Sigmoid()
    ).double()
    for layer, name in ((net[0], "inward"), (net[2], "outward")):
        layer.weight.data = torch.tensor(arrays[name].T)
    found = block("se_channel(2)", x, SHOWN, arrays)
    for b in range(3):
        shown = torch.tensor(x[b][SHOWN[b]])
        wanted = (shown * net(shown.mean(dim=0))).detach()
        np.testing.assert_allclose(found[b][SHOWN[b]], wanted, rtol=1e-5, atol=1e-6)


def test_se_channel_passes_only_the_mean():
    """Tokens that leave the mean where it was change nothing of the others."""
    x = sentences(width=8)
    other = x.copy()
    other[0, 1] += 3.0
    other[0, 2] -= 3.0
    before, after = block("se_channel", x, SHOWN), block("se_channel", other, SHOWN)
    np.testing.assert_allclose(before[0, 3:], after[0, 3:], rtol=1e-5, atol=1e-6)
    assert not np.allclose(before[0, 1:3], after[0, 1:3], atol=1e-3)


def test_se_channel_needs_a_ratio_that_divides():
    with pytest.raises(UserError, match=r"width to be a multiple of reduction.*Choose reduction=2"):
        Cell(width=10, heads=2).replace({"attention.kind": "se_channel(3)"})


def test_se_token_gives_every_position_the_same():
    found = block("se_token", sentences(), SHOWN)
    np.testing.assert_array_equal(found, np.broadcast_to(found[:, :1], found.shape))
    assert (found[3] == 0).all()


@pytest.mark.parametrize("kind", names("kind"))
def test_every_kind_states_operations_and_state(kind):
    choice = choose("kind", kind)
    for name in ("flops", "state"):
        assert name in choice.part.facts
        assert choice.fact(name, SIZES) >= 0
