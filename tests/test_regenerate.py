"""The results of every stage, pinned with its revision: neither changes without the other.

`tests/golden/revisions.json` holds a few numbers made of the output of every part, of the encoder,
of training and of the metrics on fixed inputs. A stored row says under which revisions it was made;
if a part computed something else under the same revision, old rows would be taken for new ones.

With ATTN_NLP_REGENERATE=1 (`make regenerate`) new names are added and numbers whose revision was
raised are replaced; numbers that moved under the same revision are rejected even then.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from attn_nlp.experiment.revisions import REVISIONS
from attn_nlp.metrics import confusion, evaluate, log_loss, scores
from attn_nlp.nn.attention import build_attention
from attn_nlp.nn.context import ForwardContext
from attn_nlp.nn.encoder import build_classifier
from attn_nlp.nn.part_module import PartModule
from attn_nlp.parts import registry
from attn_nlp.parts.selection import choose
from attn_nlp.rng import Stream
from attn_nlp.train.leaf_order import ordered
from attn_nlp.train.loop import train
from tests.nn.running import SEED, inputs, parts, ready, sizes
from tests.train.tiny import CELL, ignored, prepared

GOLDEN = Path(__file__).parent / "golden" / "revisions.json"
# Pinned by the tests of the data stage and of the baselines, on rows and predictions.
ELSEWHERE = {"data", "tokens", "baselines"}
PARTS = [f"{part.slot} {part.name}" for part in parts()]
STAGES = ["encoder", "blocks", "training", "metrics"]


def digest(arrays) -> list[float]:
    """Four numbers that move when any of the numbers does: sums with fixed random weights.

    Six digits are kept. They are compared with a tolerance and not by a hash, since another
    processor may round the last bits otherwise, and a hash of rounded numbers would then differ
    now and then.
    """
    flat = np.concatenate([np.asarray(array, np.float64).reshape(-1) for array in arrays])
    draws = np.random.default_rng(0).normal(size=(4, flat.size)) / flat.size**0.5
    return [float(f"{number:.6g}") for number in draws @ flat]


def digest_of(name: str) -> list[float]:
    """Return the current results of a part or a stage, including a part's initial values."""
    if name == "encoder":
        return digest([encoded()])
    if name == "blocks":
        return digest(in_blocks())
    if name == "training":
        result = train(CELL, prepared(), ignored)
        looks = [[look["train_loss"], look["validation_loss"]] for look in result["history"]]
        return digest([looks, result["test"]["loss"]])
    if name == "metrics":
        labels, predictions = np.array([0, 0, 1, 2, 3]), np.array([0, 1, 1, 1, 3])
        class_logits = np.random.default_rng(1).normal(size=(5, 4))
        found = scores(labels, predictions, 4)
        judged = evaluate(labels, class_logits, positive=1)
        return digest(
            [
                list(found.values()),
                list(judged.scores.values()),
                judged.confidences,
                log_loss(class_logits, labels),
                confusion(labels, predictions, 4),
            ]
        )
    slot, part = name.split()
    choice = choose(slot, part)
    first = PartModule(choice, slot, sizes(choice), Stream(SEED))
    values = ordered(nnx.to_pure_dict(nnx.state(first, nnx.Param)))
    return digest([*ready(slot, part).run(inputs("golden")), *values])


def encoded() -> np.ndarray:
    """Class logits of one encoder with dropout, from the first weights on."""
    model = build_classifier(CELL.replace({"layers": 2, "norm": "post"}), 11, 3, 5)
    ids = jnp.asarray([[3, 4, 5, 6], [9, 3, 0, 0]])
    call = ForwardContext(
        CELL.numeric(), 5, frozenset({"dropout", "attention.dropout"}), jax.random.key(1)
    )
    return np.asarray(model(ids, call))


def in_blocks() -> list[np.ndarray]:
    """Results of attention in blocks, with dropout, and their slope by the input."""
    cell = CELL.replace({"length": 19, "attention.chunk": 8})
    module = build_attention(cell, cell.sizes, Stream(5), 0)
    call = ForwardContext(cell.numeric(), 5, frozenset({"attention.dropout"}), jax.random.key(1))
    x = jax.random.normal(jax.random.key(2), (2, 19, cell.width))
    tokens = jnp.arange(19) < jnp.asarray([[19], [11]])
    out, back = jax.vjp(lambda x: module(x, tokens, call), x)
    return [np.asarray(out), np.asarray(back(jnp.sin(out))[0])]


def revision_of(name: str) -> int:
    """The revision that stands in the code."""
    return REVISIONS[name] if name in REVISIONS else registry.find(*name.split()).revision


def same(one: list[float], other: list[float]) -> bool:
    """To five digits: float32 arithmetic, through sixty steps of training at most."""
    scale = max(1.0, *map(abs, other))
    return all(
        math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-5 * scale)
        for a, b in zip(one, other, strict=True)
    )


def settle(name: str, golden: dict, regenerate: bool) -> None:
    """Compare today's numbers with the pinned ones, or pin them where that is allowed.

    Raises:
      AssertionError: naming what moved, and what to do.
    """
    found, revision = digest_of(name), revision_of(name)
    pinned = golden.get(name)
    if pinned is None:
        assert regenerate, f"{name} is not in tests/golden/revisions.json; run `make regenerate`"
    elif pinned["revision"] == revision:
        assert same(found, pinned["numbers"]), (
            f"{name} computes something else under revision {revision}: raise its revision, so "
            "that stored rows of before are not taken for rows of now, then run `make regenerate`"
        )
        return
    else:
        assert revision > pinned["revision"], f"the revision of {name} went back; it only rises"
        assert regenerate, f"the revision of {name} was raised to {revision}; run `make regenerate`"
    golden[name] = {"revision": revision, "numbers": found}


def read() -> dict:
    return json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}


@pytest.mark.parametrize("name", PARTS + STAGES)
def test_golden_numbers_move_only_with_their_revision(name):
    golden = read()
    settle(name, golden, bool(os.environ.get("ATTN_NLP_REGENERATE")))
    if golden != read():
        lines = (f" {json.dumps(key)}: {json.dumps(golden[key])}" for key in sorted(golden))
        GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def test_golden_numbers_are_of_parts_that_exist():
    assert set(read()) == {*PARTS, *STAGES}
    assert set(REVISIONS) == {*STAGES, *ELSEWHERE}


@pytest.mark.parametrize("regenerate", [False, True])
def test_numbers_that_move_under_the_same_revision_are_rejected_by_name(regenerate, catalogue):
    golden = read()
    part = registry.find("activation", "tanh")

    @registry.activation("another")
    def another(logits, mask):
        return jnp.where(mask, 1.001 * jnp.tanh(logits), 0.0)

    hooks = registry.find("activation", "another").hooks
    catalogue["activation", "tanh"] = dataclasses.replace(part, hooks=hooks)
    with pytest.raises(AssertionError, match="activation tanh computes something else under revis"):
        settle("activation tanh", golden, regenerate)
    assert golden == read()


def test_numbers_of_a_raised_revision_are_replaced_on_demand_only(catalogue):
    golden = read()
    part = registry.find("activation", "tanh")
    catalogue["activation", "tanh"] = dataclasses.replace(part, revision=2)
    with pytest.raises(
        AssertionError, match="the revision of activation tanh was raised to 2; run"
    ):
        settle("activation tanh", golden, False)
    settle("activation tanh", golden, True)
    assert golden["activation tanh"]["revision"] == 2
    catalogue["activation", "tanh"] = part
    with pytest.raises(AssertionError, match="the revision of activation tanh went back"):
        settle("activation tanh", golden, True)


def test_an_unknown_name_is_added_on_demand_only():
    golden = read()
    del golden["metrics"]
    with pytest.raises(AssertionError, match=r"metrics is not in tests/golden/revisions\.json"):
        settle("metrics", golden, False)
    settle("metrics", golden, True)
    assert golden == read()
