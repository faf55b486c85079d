"""The laws that own parts are tried by: every built-in part obeys, and a broken one shows."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

from attn_nlp import probe
from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.parts import registry
from attn_nlp.probe import laws
from attn_nlp.probe.traced import trace
from tests.nn.running import parts
from tests.nn.test_promises import uses

BASE = Cell(width=16, heads=2, length=16, dropout=0.0)
TOGETHER = ("score", "scale", "mask", "normalizer", "mixer", "position", "pooling")
NAMED = {"weighting": "query_mix({!r})", "activation": "se_token({!r})"}
NAMED |= {"features": "se_token(features={!r})"}


def path_of(slot: str) -> str:
    (path,) = uses(slot)
    return path


def lawful_cells():
    """Settings that use every part of the catalogue at least once, several at a time."""
    columns = [[part.name for part in parts(slot)] for slot in TOGETHER]
    rows = [
        {path_of(slot): name for slot, name in zip(TOGETHER, row, strict=True) if name}
        for row in itertools.zip_longest(*columns)
    ]
    for slot in ("kind", "model", *NAMED):
        texts = [NAMED.get(slot, "{}").format(part.name) for part in parts(slot) if part.hooks]
        rows += [{path_of(slot): text} for text in texts]
    return [pytest.param(each, id=" ".join(map(str, each.values()))) for each in rows]


LAWFUL = lawful_cells()


def cells_of(settings: dict[str, object]) -> list[Cell]:
    """One cell, or one after another where the parts do not go together."""
    try:
        return [BASE.replace(settings)]
    except UserError:
        return [BASE.replace({path: text}) for path, text in settings.items()]


@pytest.mark.parametrize("settings", LAWFUL)
def test_every_part_of_the_catalogue_obeys(settings):
    for cell in cells_of(settings):
        assert list(laws.violations(cell)) == []


@pytest.mark.parametrize("settings", LAWFUL)
def test_every_part_of_the_catalogue_returns_what_own_parts_must(settings, catalogue):
    own = SimpleNamespace(hash="own")
    catalogue.update({place: replace(part, own_code=own) for place, part in catalogue.items()})
    for cell in cells_of(settings):
        assert trace(cell) is None
        assert trace(cell.replace({"attention.chunk": 8, "layers": 2})) is None


def broken(slot: str, function, name: str = "mine", **facts) -> tuple[str, tuple[str, ...]]:
    """Return the rejection of a part that is this function, and the warnings."""
    registry.register(slot, name, **facts)(function)
    wrong, warned = laws.broken_laws(BASE.replace(uses(slot)), path_of(slot))
    return ("" if wrong is None else str(wrong)), warned


def unmasked(logits):
    return jax.nn.softmax(logits, axis=-1)


def far_below(logits, mask):
    return jax.nn.softmax(jnp.where(mask, logits, -1e9), axis=-1)


def infinitely_below(logits, mask):
    return jax.nn.softmax(jnp.where(mask, logits, -jnp.inf), axis=-1)


def over_queries(logits, mask):
    return jnp.where(mask, jax.nn.softmax(logits, axis=-2), 0.0)


def padding_only(logits, here):
    return jnp.where(here.keys[:, None, None, :], jax.nn.sigmoid(logits), 0.0)


def by_length(logits, mask):
    return jnp.where(mask, jax.nn.sigmoid(logits), 0.0) / logits.shape[-1]


def rooted(logits, mask):
    return jnp.where(mask, jnp.sqrt(jnp.maximum(logits, 0.0)), 0.0)


def mean_of_all(x):
    return x.mean(axis=1)


def mean_by_length(x, mask):
    return jnp.where(mask[:, :, None], x, 0.0).mean(axis=1)


def mean_of_none(x, mask):
    return jnp.where(mask[:, :, None], x, 0.0).sum(axis=1) / mask.sum(axis=1, keepdims=True)


def last_position(x):
    return x[:, -1]


def averaged(x):
    return jnp.broadcast_to(x.mean(axis=1, keepdims=True), x.shape)


def evened(weights):
    return weights + 1 / weights.shape[-1]


def centered(q, k):
    return q @ (k - k.mean(axis=2, keepdims=True)).swapaxes(2, 3) * k.mean()


def over_the_batch(x, mask):
    return (jax.nn.softmax(jnp.where(mask[:, :, None], x, -1e9), axis=0) * x).sum(axis=1)


def less_the_batch(x, mask):
    means = (
        jnp.where(mask[:, :, None], x, 0.0).sum(axis=1) / jnp.maximum(mask.sum(axis=1), 1)[:, None]
    )
    return means - means.mean(axis=0)


def gated(logits):
    return jax.nn.sigmoid(logits)


@pytest.mark.parametrize(
    ("slot", "function", "said"),
    [
        ("normalizer", unmasked, r"gives weight 0\.\d+ to padding keys, where it must be 0; mult"),
        ("normalizer", padding_only, r"gives weight 1 to hidden keys, where it must be 0"),
        ("normalizer", far_below, r"gives weight 0\.17 to padding keys in the row of a query tha"),
        ("normalizer", infinitely_below, "gives weight NaN to padding keys in the row of a query"),
        ("normalizer", over_queries, r"lets padding into the result: class logits move by \d"),
        ("normalizer", by_length, "depends on how far a sentence is padded: .* 2 more positions"),
        (
            "normalizer",
            rooted,
            "has a gradient that is not finite; replace the argument of sqrt,",
        ),
        ("pooling", mean_of_all, r"lets padding into the result: class logits move by \d"),
        ("pooling", mean_by_length, "depends on how far a sentence is padded"),
        ("pooling", mean_of_none, "not finite where a sentence is padding alone, .*keep divisors"),
        ("pooling", last_position, "lets padding into the result"),
        ("kind", averaged, "lets padding into the result"),
        ("score", centered, r"mixes the sentences of a batch: class logits of one move by \d"),
        ("pooling", over_the_batch, "mixes the sentences of a batch: .*; axis 0 is the batch"),
        ("pooling", less_the_batch, "mixes the sentences of a batch"),
        ("activation", gated, "lets padding into the result"),
    ],
)
def test_a_part_that_breaks_a_law_is_rejected_with_its_name(slot, function, said, catalogue):
    rejected, warned = broken(slot, function)
    assert re.match(f"{slot} 'mine' .*{said}", rejected), rejected
    assert (warned, rejected.count("\n")) == ((), 0)


def test_weights_changed_after_the_normalizer_are_looked_at_too(catalogue):
    rejected, _ = broken("mixer", type("Mine", (), {"reweight": evened}))
    assert rejected.startswith("mixer 'mine' gives weight 0.17 to padding keys, where it must be 0")


@pytest.mark.parametrize(
    ("slot", "function", "fact", "said"),
    [
        ("pooling", mean_of_all, "sees_padding", "pooling 'mine' lets padding into the result: "),
        ("pooling", less_the_batch, "sees_batch", "pooling 'mine' mixes the sentences of a batch"),
        ("normalizer", rooted, "undefined_gradient", "normalizer 'mine' has a gradient that is no"),
    ],
)
def test_a_part_that_declares_it_is_warned_of(slot, function, fact, said, catalogue):
    rejected, warned = broken(slot, function, **{fact: True})
    assert rejected == ""
    assert warned[0].startswith(said)
    assert warned[0].endswith(f"(declared: {fact}=True)")
    other = "sees_padding" if fact == "undefined_gradient" else "undefined_gradient"
    registry._parts.pop((slot, "mine"))
    assert said in broken(slot, function, **{other: True})[0]


@pytest.mark.parametrize(
    ("slot", "function"),
    [
        ("normalizer", lambda logits, mask: jax.nn.softmax(logits, axis=-1, where=mask)),
        ("pooling", lambda x, mask: jnp.where(mask[:, :, None], x, 0.0).sum(axis=1)),
        ("score", lambda q, k: q @ k.swapaxes(2, 3)),
        ("mask", lambda here: abs(here.distances) <= 1),
        ("init", lambda fan_in: 0.5),
        ("position", type("Mine", (), {"embed": lambda x, here: x + here.rows[:, None]})),
    ],
)
def test_a_lawful_part_passes(slot, function, catalogue):
    assert broken(slot, function) == ("", ())


def test_a_part_may_need_what_another_own_part_makes(catalogue):
    registry.score("mine_above")(lambda q, k: jnp.exp(-jnp.abs(q @ k.swapaxes(2, 3))))
    registry.normalizer("mine_roots")(lambda logits, mask: jnp.where(mask, jnp.log(logits), 0.0))
    cell = BASE.replace({"attention.normalizer": "mine_roots"})
    rejected, _ = laws.broken_laws(cell, "attention.normalizer")
    assert "normalizer 'mine_roots'" in str(rejected)
    both = cell.replace({"attention.score": "mine_above"})
    assert laws.broken_laws(both, "attention.normalizer") == (None, ())


def test_a_part_that_only_works_at_the_full_length_is_tried_there(catalogue):
    def whole(x, mask, sizes):
        return jnp.einsum("bte,t->be", x, jnp.ones(sizes["T"]))

    assert "lets padding into the result" in broken("pooling", whole)[0]


def test_what_is_known_is_not_tried_again(catalogue, monkeypatch):
    registry.pooling("mine_once")(lambda x, mask: jnp.where(mask[:, :, None], x, 0.0).sum(axis=1))
    cells = [BASE.replace({"pooling": "mine_once", "heads": heads}) for heads in (1, 2)]
    asked = []
    monkeypatch.setattr(probe, "_traced", {})
    monkeypatch.setattr(probe, "_tried", {})
    monkeypatch.setattr(probe, "trace", lambda cell: asked.append(cell.heads))
    monkeypatch.setattr(probe, "broken_laws", lambda cell, path: asked.append(path) or (None, ()))
    more = [each.replace({"seed": 3, "learning_rate": 0.1}) for each in cells]
    assert probe.probe([*cells, *more]) == probe.probe(cells) == ()
    assert asked == [1, 2, "pooling"]
