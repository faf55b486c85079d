"""Any valid product of parts trains, and an invalid one is rejected where it is written."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.experiment.cell import PATHS
from attn_nlp.nn.context import ForwardContext
from attn_nlp.nn.encoder import build_classifier
from attn_nlp.parts import registry
from attn_nlp.parts.hooks import PAIRWISE
from tests.nn.running import rng_of
from tests.train.tiny import CELL, LENGTH, VOCABULARY, prepared

SLOTS = {
    "position": "position",
    "pooling": "pooling",
    **{f"attention.{slot}": slot for slot in ("kind", "score", "scale", "mask")},
    **{f"attention.{slot}": slot for slot in ("normalizer", "mixer", "init")},
}
PRODUCTS, STEPS = 24, 5
ROWS = slice(0, 16)


def drawn(number: int) -> dict[str, str]:
    """One part for each slot, of three products in four with pairwise attention; some joined."""
    rng = rng_of(f"product {number}")

    def one(slot: str) -> str:
        return str(rng.choice([part.name for part in registry.parts(slot)]))

    settings = {path: one(slot) for path, slot in SLOTS.items()}
    if number % 4:
        settings["attention.kind"] = "pairwise"
    kind = registry.find("kind", settings["attention.kind"])
    if kind.hooks:  # the slots that it leaves aside stand at their defaults
        aside = PAIRWISE if "attend" in kind.hooks else (*PAIRWISE, "init")
        for path in [path for path, slot in SLOTS.items() if slot in aside and slot != "position"]:
            settings[path] = PATHS[path]["default"]
    elif number % 3 == 0:
        settings["attention.mask"] += f" + {one('mask')}"
        settings["attention.mixer"] += f" + {one('mixer')}"
    return settings


def valid() -> list[dict[str, str]]:
    """The first products that a cell accepts."""
    found: list[dict[str, str]] = []
    number = 0
    while len(found) < PRODUCTS:
        try:
            CELL.replace(drawn(number))
            found.append(drawn(number))
        except UserError:
            pass
        number += 1
    return found


@pytest.mark.parametrize("settings", valid(), ids=lambda s: " ".join(s.values()))
def test_a_product_trains_and_ignores_padding(settings):
    cell = CELL.replace(settings)
    data = prepared(rows=72)
    graph, state = nnx.split(build_classifier(cell, VOCABULARY, 2, 0), nnx.Param)
    ids, labels = jnp.asarray(data.ids[ROWS]), jnp.asarray(data.labels[ROWS])
    dropping = frozenset({"dropout", "attention.dropout"})
    optimizer = optax.adam(1e-2)

    def loss(params, key):
        call = ForwardContext(cell.numeric(), 0, dropping, key)
        class_logits = nnx.merge(graph, params)(ids, call)
        return optax.softmax_cross_entropy_with_integer_labels(class_logits, labels).mean()

    @jax.jit
    def step(params, averages, key):
        value, gradients = jax.value_and_grad(loss)(params, key)
        updates, averages = optimizer.update(gradients, averages, params)
        finite = jnp.array([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients)])
        return optax.apply_updates(params, updates), averages, value, finite.all()

    params, averages = state, optimizer.init(state)
    for place in range(STEPS):
        params, averages, value, finite = step(params, averages, jax.random.key(place))
        assert np.isfinite(value)
        assert finite
    model, call = nnx.merge(graph, params), ForwardContext(cell.numeric())
    short = np.flatnonzero(data.lengths[ROWS] <= LENGTH - 2)
    full = model(ids[short], call)
    cut = model(ids[short][:, : LENGTH - 2], call)
    # The same numbers in sums of other lengths: some float32 roundings through one block.
    np.testing.assert_allclose(cut, full, rtol=1e-3, atol=1e-4)


def test_most_products_are_valid():
    """So that what is rejected stays the exception."""
    rejected = 0
    for number in range(200):
        try:
            CELL.replace(drawn(number))
        except UserError:
            rejected += 1
    assert 0 < rejected < 120


REJECTED = [
    (
        {"attention.mixer": "differential + query_mix"},
        r"'query_mix' needs query heads equal to heads; they are 4 and 2\. Choose another part "
        r"than .*'differential'",
    ),
    (
        {"attention.mixer": "query_mix", "value_dim": 3},
        r"needs value_dim equal to head_dim; they are 3 and 4\. Leave value_dim out, or give 4",
    ),
    (
        {"attention.score": "feature_wise", "position": "shaw"},
        r"position 'shaw' needs attention maps equal to query heads; .*'feature_wise'",
    ),
    (
        {"attention.score": "cosine", "attention.scale": "qk_norm"},
        r"'cosine' and attention\.scale 'qk_norm' both normalize .*; choose one of them",
    ),
    (
        {"attention.score": "feature_wise + dot"},
        r"score 'feature_wise' must be alone: it cannot be joined",
    ),
    (
        {"attention.mixer": "grouped_query(groups=3)"},
        r"needs heads to be a multiple of groups; they are 2 and 3\. Choose groups=2",
    ),
    (
        {"attention.mixer": "multi_query", "attention.tie_qk": True},
        r"tie_qk .* as many heads of keys as of queries; they are 1 and 2",
    ),
    (
        {"attention.kind": "fnet", "position": "rope"},
        r"position 'rope' acts inside pairwise attention.*choose one of none, sinusoidal, learned",
    ),
    (
        {"attention.kind": "linear", "attention.score": "uniform"},
        r"attention\.score 'uniform' acts inside pairwise attention, which attention\.kind "
        r"'linear' does not have; leave it at 'dot'\.",
    ),
    (
        {"attention.kind": "fnet", "attention.normalizer": "sparsemax"},
        r"attention\.normalizer 'sparsemax' acts inside pairwise .*; leave it at 'softmax'\.",
    ),
    (
        {"attention.kind": "se_token", "attention.mixer": "query_mix"},
        r"attention\.mixer 'query_mix' acts inside pairwise .*; leave it at 'heads'\.",
    ),
    (
        {"attention.kind": "linear", "attention.mask": "window(5)"},
        r"attention\.mask 'window\(reach=5\)' acts inside pairwise .*; leave it at 'padding'\.",
    ),
    (
        {"attention.kind": "linear", "attention.scale": "softcap + constant(2)"},
        r"scale 'constant\(c=2\.0\) \+ softcap' acts inside pairwise .*; leave it at 'rsqrt_dim'\.",
    ),
    (
        {"attention.kind": "fnet", "attention.init": "xavier"},
        r"attention\.init 'xavier' acts inside pairwise .*; leave it at 'unit_variance'\.",
    ),
]


@pytest.mark.parametrize(("settings", "message"), REJECTED, ids=lambda each: str(each)[:60])
def test_parts_that_do_not_fit_together_are_rejected_where_they_are_written(settings, message):
    base = Cell(width=8, heads=2)
    with pytest.raises(UserError) as caught:
        base.replace(settings)
    assert re.search(message, str(caught.value)), caught.value


def test_a_kind_takes_every_setting_that_it_or_the_encoder_runs():
    """`attend` is given queries and keys, whose first weights an initializer draws."""
    found = Cell().replace({"attention.kind": "linear", "attention.init": "xavier"})
    assert found.attention.init == "xavier"
    for part in registry.parts("position"):
        if "embed" in part.hooks or not part.hooks:
            Cell(position=part.name).replace({"attention.kind": "fnet"})
