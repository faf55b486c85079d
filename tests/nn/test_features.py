"""Features: each position's from itself alone, and what a layer of PyTorch makes of the same."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from attn_nlp.nn.context import ForwardContext
from attn_nlp.nn.part_module import PartModule
from attn_nlp.parts.selection import choose
from attn_nlp.rng import Stream
from tests.conftest import required
from tests.nn.running import SIZES, cases, inputs, names, ready

CASES = [text for _, text in cases("features")]


def found(text: str, x: np.ndarray) -> np.ndarray:
    return np.asarray(ready("features", text).run(inputs() | {"x": x})[0])


@pytest.mark.parametrize("text", CASES)
def test_every_position_has_features_of_itself_alone(text):
    x = inputs()["x"]
    other = x.copy()
    other[0, 1] += 1.0
    before, after = found(text, x), found(text, other)
    changed = np.zeros(x.shape[:2], bool)
    changed[0, 1] = True
    np.testing.assert_array_equal(before[~changed], after[~changed])
    assert not np.allclose(before[changed], after[changed], atol=1e-3)


@pytest.mark.parametrize("text", CASES)
def test_places_and_sentences_are_alike(text):
    x = np.broadcast_to(inputs()["x"][:1, :1], inputs()["x"].shape)
    features = found(text, x)
    np.testing.assert_allclose(features, np.broadcast_to(features[:1, :1], x.shape), rtol=1e-6)


@pytest.mark.parametrize("text", ["linear", "tanh_layer", "feed_forward", "two_layer(5)"])
def test_features_oracle(text):
    torch = required("torch")
    nn = torch.nn
    part, x = ready("features", text), inputs()["x"]
    after = {"tanh_layer": [nn.Tanh()], "feed_forward": [nn.ReLU()]}.get(text, [])
    layers = [nn.Linear(8, 8), *after]
    if text == "two_layer(5)":
        layers = [nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 8)]
    net = nn.Sequential(*layers).double()
    linear = [layer for layer in net if isinstance(layer, nn.Linear)]
    values = list(part.arrays.values())  # kernel and bias of each layer in turn
    for layer, kernel, bias in zip(linear, values[::2], values[1::2], strict=True):
        layer.weight.data, layer.bias.data = torch.tensor(kernel.T), torch.tensor(bias)
    wanted = net(torch.tensor(x)).detach()
    np.testing.assert_allclose(part.run({**inputs()})[0], wanted, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "low", "high"), [("linear", 0.9, 1.1), ("two_layer", 0.8, 1.2)])
def test_features_start_with_the_variance_of_their_input(name, low, high):
    sizes = SIZES | {"E": 64, "F": 256}
    part = PartModule(choose("features", name), "features", sizes, Stream(0))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(8, 50, 64)), jnp.float32)
    features = np.asarray(part.features(ForwardContext({}), None, x=x))
    assert low < features.var() < high


@pytest.mark.parametrize("name", names("features"))
def test_all_features_state_their_operations(name):
    assert choose("features", name).fact("flops", SIZES, -1) >= 0
