"""Optimizers: each is its chain of Optax, resumes to the same bits, and may be the user's own."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import attn_nlp.probe
from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.experiment.identity import baseline_cell, spec_of
from attn_nlp.parts import registry
from attn_nlp.parts.registry import Learned, Named, Numeric
from attn_nlp.parts.selection import choose
from attn_nlp.probe import probe
from attn_nlp.train import program as programs
from attn_nlp.train.checkpoint import Checkpoints
from attn_nlp.train.loop import train
from attn_nlp.train.optimizers import matrices
from attn_nlp.train.program import program_of
from attn_nlp.train.stepper import stepper_of
from tests.train.tiny import CELL, ignored, measured, prepared

SHAPES = {"blocks": {"kernel": (40, 33), "bias": (3,)}, "embed": (7, 5), "cube": (2, 3, 4)}
DECAY, CLIP, STEPS = 0.2, 0.7, 5
NUMERIC = {"weight_decay": DECAY, "clip": CLIP}
OPTIMIZERS = ("adamw", "sgd(momentum=0.9)", "adafactor", "lion", "muon")


def rate(step):
    return 0.02 / (1.0 + step)


def draw(rng):
    def one(shape):
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    return jax.tree.map(one, SHAPES, is_leaf=lambda leaf: isinstance(leaf, tuple))


def deep(params):
    return jax.tree.map(lambda leaf: leaf.ndim >= 2, params)


def shrink(step):
    return DECAY * rate(step)


def two_axes(params):
    return jax.tree.map(lambda _: optax.contrib.MuonDimensionNumbers(), params)


def muon_by_place():
    hidden = optax.chain(
        optax.contrib.scale_by_muon(beta=0.9, weight_dimension_numbers=two_axes),
        optax.scale(0.2 * 40**0.5),
        optax.add_decayed_weights(DECAY),
        optax.scale_by_learning_rate(rate),
    )
    rest = optax.adamw(rate, weight_decay=DECAY, mask=deep)
    place = {"blocks": {"kernel": "h", "bias": "r"}, "embed": "r", "cube": "r"}
    return optax.partition({"h": hidden, "r": rest}, place)


CHAINS = {
    "adamw": lambda: [optax.adamw(rate, weight_decay=DECAY, mask=deep)],
    "adamw(b1=0.8, b2=0.95, eps=0.001)": lambda: [
        optax.scale_by_adam(0.8, 0.95, 1e-3),
        optax.add_decayed_weights(DECAY, deep),
        optax.scale_by_learning_rate(rate),
    ],
    "sgd": lambda: [optax.add_decayed_weights(DECAY, deep), optax.sgd(rate)],
    "sgd(momentum=0.9)": lambda: [
        optax.trace(0.9),
        optax.add_decayed_weights(DECAY, deep),
        optax.scale_by_learning_rate(rate),
    ],
    "sgd(momentum=0.9, nesterov=1)": lambda: [
        optax.trace(0.9, nesterov=True),
        optax.add_decayed_weights(DECAY, deep),
        optax.scale_by_learning_rate(rate),
    ],
    "adafactor": lambda: [
        optax.scale_by_factored_rms(min_dim_size_to_factor=32),
        optax.clip_by_block_rms(1.0),
        optax.scale_by_schedule(rate),
        optax.scale_by_param_block_rms(),
        optax.add_decayed_weights(shrink, deep),
        optax.scale(-1.0),
    ],
    "lion(b1=0.8)": lambda: [
        optax.scale_by_lion(0.8, 0.99),
        optax.add_decayed_weights(DECAY, deep),
        optax.scale_by_learning_rate(rate),
    ],
    "muon(beta=0.9)": lambda: [muon_by_place()],
}


@pytest.mark.parametrize("text", CHAINS)
def test_steps_are_those_of_its_chain(text):
    rng = np.random.default_rng(0)
    chain = optax.chain(optax.clip_by_global_norm(CLIP), *CHAINS[text]())
    stepper = stepper_of(Cell(optimizer=text), NUMERIC, rate)
    ours = theirs = draw(rng)
    state, other = stepper.init(ours), chain.init(theirs)
    ours_too, theirs_too = jax.jit(stepper.update), jax.jit(chain.update)
    for step in range(STEPS):
        grads = draw(rng)
        ours, state = ours_too(ours, grads, state, step)
        updates, other = theirs_too(grads, other, theirs)
        theirs = optax.apply_updates(theirs, updates)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6), ours, theirs)


def test_the_catalogue_has_them_with_their_papers():
    found = registry.parts("optimizer")
    assert {part.name for part in found} == {choose("optimizer", t).part.name for t in OPTIMIZERS}
    assert all(part.cite and part.formula for part in found)


class Cut(BaseException):
    pass


@pytest.mark.parametrize("text", OPTIMIZERS[1:])
def test_a_training_that_was_cut_ends_in_the_same_bits(text, tmp_path, monkeypatch):
    cell = CELL.replace({"optimizer": text, "steps": 8, "evaluate_every": 4})
    data = prepared(rows=90)
    whole = train(cell, data, ignored)
    monkeypatch.setenv("ATTN_NLP_CHECKPOINT_SECONDS", "0")

    def cut(progress):
        if progress["step"] == 4:
            raise Cut

    with pytest.raises(Cut):
        train(cell, data, cut, Checkpoints(tmp_path, {"spec": text}))
    monkeypatch.delenv("ATTN_NLP_CHECKPOINT_SECONDS")
    said = []
    resumed = train(cell, data, said.append, Checkpoints(tmp_path, {"spec": text}))
    assert {each["step"] for each in said} == {0, 8}, "it goes on from step 4, undamaged"
    assert measured(resumed) == measured(whole)


def test_seeds_and_rates_share_a_program(monkeypatch):
    seen = []
    monkeypatch.setattr(programs, "_programs", {})
    monkeypatch.setattr(programs, "Program", lambda cell, *_: seen.append(cell) or object())
    for change in ({}, {"seed": 5}, {"learning_rate": 0.5}, {"weight_decay": 0.3}, {"clip": 2.0}):
        program_of(CELL.replace({"optimizer": "lion", **change}), prepared(rows=90))
    assert len(seen) == 1


def test_the_default_is_in_no_identity_and_a_baseline_has_none():
    assert spec_of(Cell(optimizer="adamw")) == spec_of(Cell())
    assert spec_of(Cell(optimizer="adamw(b1=0.8)")) != spec_of(Cell())
    cells = [Cell(), Cell(optimizer="lion")]
    assert len({spec_of(baseline_cell("majority", cell)) for cell in cells}) == 1


def test_an_unknown_optimizer_or_setting_is_rejected_with_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'lion'"):
        Cell(optimizer="lyon")
    with pytest.raises(UserError, match="Did you mean 'momentum'"):
        Cell(optimizer="sgd(momentun=0.9)")
    with pytest.raises(UserError, match="allowed: integers from 0 to 1"):
        Cell(optimizer="sgd(nesterov=2)")


def test_one_of_the_users_own_is_probed_and_trains(catalogue):
    @registry.optimizer("mine", label="Mine", cite="here", settings={"power": Numeric(1.0)})
    def mine(learning_rate, power):
        return optax.chain(
            optax.stateless(lambda g, p: jax.tree.map(lambda x: jnp.sign(x) * abs(x) ** power, g)),
            optax.scale_by_learning_rate(learning_rate),
        )

    cell = CELL.replace({"optimizer": "mine(power=0.5)", "steps": 20})
    assert probe([cell]) == ()
    assert spec_of(cell) != spec_of(CELL.replace({"steps": 20}))
    assert train(cell, prepared(rows=90), ignored)["status"] == "done"
    assert probe([cell.replace({"model": "cnn"})]) == ()


def nothing(learning_rate):
    pass


def lossy(learning_rate):
    return optax.stateless(lambda updates, params: jax.tree.map(jnp.sum, updates))


def growing():
    def update(updates, state, params=None):
        return updates, (state, state)

    return optax.GradientTransformation(lambda params: jnp.zeros(()), update)


def failing():
    raise ValueError("no such thing")


def drawn(learning_rate):
    return optax.sgd(float(np.random.default_rng().random()))


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        (nothing, "returned None; expected an optax.GradientTransformation"),
        (lossy, "its `update` returns updates of other names, shapes or types than the parameters"),
        (growing, "its `update` returns a state of other names"),
        (failing, "no such thing"),
        (drawn, "not the same twice"),
    ],
)
def test_what_an_own_optimizer_does_wrong_is_found_before_training(
    hook, message, catalogue, monkeypatch
):
    for known in ("_traced", "_changing", "_tried"):  # by the code of this file
        monkeypatch.setattr(attn_nlp.probe, known, {})
    registry.optimizer("wrong", label="Wrong", cite="here")(hook)
    with pytest.raises(UserError, match=message):
        probe([CELL.replace({"optimizer": "wrong"})])


@pytest.mark.parametrize(
    ("facts", "hook", "message"),
    [
        ({"learned": {"w": Learned("D")}}, lambda w: w, "declares learned arrays"),
        (
            {"settings": {"w": Named("activation", "tanh")}},
            lambda w: w,
            "the settings of an optimizer are numbers",
        ),
        ({}, lambda seed: seed, "in hook 'transform': 'seed'"),
        ({}, lambda params: params, "in hook 'transform': 'params'"),
    ],
)
def test_what_an_optimizer_cannot_be_given_is_rejected(facts, hook, message, catalogue):
    with pytest.raises(UserError, match=message):
        registry.optimizer("mine", label="Mine", cite="here", **facts)(hook)


def test_matrices_are_arrays_of_two_axes_or_more():
    params = draw(np.random.default_rng(0))
    assert matrices(params) == {
        "blocks": {"kernel": True, "bias": False},
        "embed": True,
        "cube": True,
    }
