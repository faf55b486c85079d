"""Costs on paper against what the encoder holds and what XLA counts, one cell for every part."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell, costs
from attn_nlp.nn.context import ForwardContext
from attn_nlp.nn.encoder import Classifier, build_classifier
from attn_nlp.parts import registry

VOCABULARY, CLASSES = 11, 3
# Little beside the part: the feed-forward layer has one unit, and the head is as wide as the
# stream, so that the T x S matrix outweighs the linear maps.
BASE = Cell(width=8, heads=2, head_dim=8, hidden=1, length=256, dropout=0.0)
SHORT, LONG = 64, 256
# What stands around a part that acts outside pairwise attention: as little as there is.
ALONE = {"attention.kind": "identity"}

# XLA's count of these says little, and why.
MISCOUNTED = {
    "model bag_of_embeddings": "selecting tokens is counted, as often as summing them",
    "model bilstm": "a loop's body is counted once",
    "normalizer entmax": "a loop's body is counted once",
    "normalizer entmax15": "running sums are counted as T x T a row, sorting by other rules",
    "normalizer sparsemax": "running sums are counted as T x T a row, sorting by other rules",
    "normalizer topk": "running sums are counted as T x T a row, sorting by other rules",
    "score additive": "a loop's body is counted once",
    "score hard_random": "drawing random bits is counted, in integers",
}
# XLA counts comparisons, choices and the mask's logic, which belong to no formula.
FACTOR, GROWTH = 1.4, 1.12


def trained() -> list[registry.Part]:
    """The parts that a forward pass runs, or that stand around it."""
    aside = {"fit", "transform"}
    return [part for part in registry.parts() if not aside & set(part.hooks)]


def name_of(part: registry.Part) -> str:
    return f"{part.slot} {part.name}"


def cell_of(part: registry.Part, base: Cell = BASE) -> Cell:
    outside = part.slot == "pooling" or {"embed"} == set(part.hooks)
    return base.replace((ALONE if outside else {}) | costs.settings_for(part.slot, part.name))


def held(model: Classifier) -> int:
    return sum(np.size(array[...]) for _, array in nnx.to_flat_state(nnx.state(model, nnx.Param)))


def counted_by_xla(cell: Cell, tokens: int) -> float:
    """Operations of the program as it is handed to XLA, before fusing repeats any of them."""
    graph, params, rest = nnx.split(build_classifier(cell, VOCABULARY, CLASSES, 0), nnx.Param, ...)

    def forward(params, ids):
        return nnx.merge(graph, params, rest)(ids, ForwardContext(cell.numeric()))

    ids = jnp.ones((1, tokens), jnp.int32)
    found = jax.jit(forward).lower(params, ids).cost_analysis()
    return found["flops"] + found.get("transcendentals", 0.0)


@pytest.mark.parametrize("part", trained(), ids=name_of)
def test_parameters_are_those_that_the_encoder_holds(part):
    cell = cell_of(part)
    found = costs.parameters(cell, VOCABULARY, CLASSES)
    assert found == held(build_classifier(cell, VOCABULARY, CLASSES, 0))


@pytest.mark.parametrize(
    "settings",
    [
        {"layers": 2, "norm": "post"},
        {"attention.projection_bias": True, "head_dim": 5, "value_dim": 3},
        {"attention.projection_bias": True, "attention.tie_qk": True},
        {"attention.mixer": "grouped_query", "heads": 4, "attention.projection_bias": True},
        {"attention.mixer": "differential", "attention.projection_bias": True},
        {"attention.kind": "linear", "layers": 3},
        {"attention.scale": "qk_layernorm + learned", "position": "shaw"},
        {"attention.mixer": "query_mix(weighting='gated')"},
    ],
    ids=str,
)
def test_parameters_follow_the_settings(settings):
    cell = Cell(width=8, heads=2, length=12).replace(settings)
    found = costs.parameters(cell, VOCABULARY, CLASSES)
    assert found == held(build_classifier(cell, VOCABULARY, CLASSES, 0))


@pytest.mark.parametrize("part", trained(), ids=name_of)
def test_every_part_that_acts_says_what_it_costs(part):
    if part.slot == "init" or (part.slot == "model" and not part.hooks):
        return  # draws first values; is the composition of the other slots
    assert "flops" in part.facts, f"{name_of(part)} lacks flops= in its registry line"
    if part.slot == "kind":
        assert "state" in part.facts, f"kind {part.name} lacks state= in its registry line"
    assert costs.uncounted(cell_of(part)) == ()


@pytest.mark.parametrize(
    "part", [part for part in trained() if name_of(part) not in MISCOUNTED], ids=name_of
)
def test_operations_are_about_those_that_xla_counts(part):
    cell = cell_of(part)
    ours = [costs.flops(cell, tokens, CLASSES) for tokens in (SHORT, LONG)]
    theirs = [counted_by_xla(cell, tokens) for tokens in (SHORT, LONG)]
    for one, other in zip(ours, theirs, strict=True):
        assert one / FACTOR < other < one * FACTOR
    growth, wanted = ours[1] / ours[0], theirs[1] / theirs[0]
    assert growth / GROWTH < wanted < growth * GROWTH


def test_only_parts_of_the_catalogue_are_miscounted():
    assert set(MISCOUNTED) <= {name_of(part) for part in registry.parts()}
    assert sorted(MISCOUNTED) == list(MISCOUNTED)


def test_with_pencil_and_paper():
    """One block of width 4, two heads of 3, at 5 tokens."""
    cell = Cell(width=4, heads=2, head_dim=3, hidden=2, position="none", attention=_plain())
    linear = 2 * 5 * (4 * 6) * 4  # queries, keys, values, output
    pairs = 2 * 2 * 5 * 5 * 3 + 2 * 2 * 5 * 5 * 3 + 5 * 2 * 5 * 5 + 2 * 5 * 5
    feed_forward = 5 * (2 * 4 * 2 + 2 * 2 + 2 * 2 * 4 + 4)
    norms_and_residuals = 5 * (3 * 7 * 4 + 2 * 4)
    around = 5 * 4 + 5 * 4 + 2 * 4 * 3 + 3  # sqrt(E), mean, class head
    found = costs.flops(cell, 5, 3)
    assert found == linear + pairs + feed_forward + norms_and_residuals + around


def _plain():
    return Cell().replace({"attention.scale": "none"}).attention


def test_state_is_kept_in_every_block():
    assert costs.state(Cell(layers=2), 10) == 2 * 10 * 4 * (16 + 16)
    shared = Cell(layers=2).replace({"attention.mixer": "multi_query"})
    assert costs.state(shared, 10) == 2 * 10 * (16 + 16)
    linear = Cell().replace({"attention.kind": "linear"})
    assert costs.state(linear, 10) == costs.state(linear, 10_000) == 4 * 16 * 17


def test_operations_grow_as_the_kinds_are_said_to():
    def growth(kind):
        cell = Cell().replace({"attention.kind": kind})
        return costs.flops(cell, 8192) / costs.flops(cell, 4096)

    assert growth("pairwise") > 3.5
    for kind in ("linear", "performer", "linformer", "aft_simple", "se_token", "se_channel"):
        assert growth(kind) < 2.01


def test_a_part_without_the_facts_is_named_and_counts_as_nothing(catalogue):
    @registry.score("mystery", label="Mystery")
    def mystery(q, k):
        """Compare somehow."""

    cell = Cell().replace({"attention.score": "mystery"})
    assert [part.name for part in costs.uncounted(cell)] == ["mystery"]
    uniform = Cell().replace({"attention.score": "uniform"})
    assert costs.flops(cell, 20) == costs.flops(uniform, 20)

    @registry.kind("riddle", label="Riddle")
    def riddle(x):
        """Mix somehow."""

    assert costs.state(Cell().replace({"attention.kind": "riddle"}), 20) is None


def test_what_a_cell_does_not_run_is_not_asked(catalogue):
    @registry.score("mystery", label="Mystery")
    def mystery(q, k):
        """Compare somehow."""

    cell = Cell().replace({"attention.score": "mystery", "model": "bag_of_embeddings"})
    assert costs.uncounted(cell) == ()


def test_a_model_that_reads_counts_for_itself(catalogue):
    @registry.model("twice", features="2*E", flops="3*T*E", state="E")
    class Twice:
        """Read twice."""

        def read(x, mask):
            return jnp.concatenate([x[:, 0], x[:, 0]], axis=1)

    cell = Cell().replace({"model": "twice"})
    assert costs.parameters(cell, 50, 3) == 50 * 64 + 2 * 64 * 3 + 3
    assert costs.parameters(cell, 50, 3) == held(build_classifier(cell, 50, 3, 0))
    assert costs.flops(cell, 10, 3) == 10 * 64 + 3 * 10 * 64 + 2 * 128 * 3 + 3
    assert costs.state(cell, 10) == 64


def test_a_model_that_is_fitted_by_its_own_code_is_not_counted():
    cell = Cell(model="majority")
    assert (costs.parameters(cell, 50, 3), costs.flops(cell, 10)) == (0, 0.0)
    assert costs.state(cell, 10) is None


@pytest.mark.parametrize("part", registry.parts(), ids=name_of)
def test_the_default_cell_can_show_every_part(part):
    found = costs.showing(part)
    family = [each.place for choice in found.choices.values() for each in choice.family()]
    assert part.place in family


def test_a_slot_that_nothing_takes_is_a_mistake(monkeypatch):
    with pytest.raises(UserError, match="nothing in a cell takes a part of slot 'nowhere'"):
        costs.settings_for("nowhere", "x")
