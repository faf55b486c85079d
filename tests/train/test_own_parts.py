"""A user's parts, one in every slot, in the user's own experiment file."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from attn_nlp.experiment.cell import PATHS, unflatten
from attn_nlp.experiment.load import load_file, resolve_file
from attn_nlp.parts import registry
from attn_nlp.parts.hooks import PAIRWISE
from attn_nlp.train.loop import train
from tests.train.tiny import ignored, prepared

FILE = '''"""Do my parts run?"""

import jax.numpy as jnp

from attn_nlp.experiment import Cell, Experiment, Table, vary
from attn_nlp.parts.registry import (
    Learned, Numeric, Static, activation, features, init, kind, mask, mixer, model, normalizer,
    optimizer, pooling, position, scale, score, weighting,
)


@score("mine", label="Mine", cite="me", learned={"w": Learned("Q D", std=1.0)})
def compared(q, k, w):
    """logits = sum_d w[d] q[t, d] k[s, d]."""
    return jnp.einsum("bhtd,bhsd,hd->bhts", q, k, w)


@scale("mine", settings={"c": Numeric("D**-0.25")})
def scaled(c):
    return c


@mask("mine", settings={"reach": Static(3)})
def near(here, reach):
    return jnp.abs(here.rows[:, None] - here.columns[None, :]) <= reach


@normalizer("mine")
def squared(logits, mask):
    return jnp.where(mask, logits * logits, 0.0)


@mixer("mine")
def halved(out):
    return out * helper()


def helper():
    return 0.5


@weighting("mine")
def third():
    return 1 / 3


@activation("mine")
def clipped(logits, mask):
    return jnp.where(mask, jnp.clip(logits, 0, 1), 0.0)


@features("mine")
def doubled(x):
    return 2 * x


@init("mine", settings={"gain": Numeric(0.5)})
def small(fan_in, gain):
    return gain * fan_in**-0.5


@position("mine", learned={"slope": Learned("", fill=0.1)})
class Line:
    def embed(x, here, slope):
        return x + slope * here.rows[:, None]


@pooling("mine")
def summed(x, mask):
    return jnp.where(mask[:, :, None], x, 0.0).sum(axis=1)


@optimizer("mine", settings={"gain": Numeric(1.0)})
def signed(learning_rate, gain):
    import optax

    return optax.sign_sgd(lambda step: gain * learning_rate(step))


@kind("mine")
class Shift:
    def block(x, mask):
        return jnp.roll(jnp.where(mask[:, :, None], x, 0.0), 1, axis=1)


@model("mine")
def fitted(cell, prepared, report):
    from attn_nlp.train.loop import train

    return train(cell, prepared, report)


@model("reader", features="E + 1")
class Counted:
    def read(x, mask):
        words = jnp.where(mask[:, :, None], x, 0.0).sum(axis=1)
        return jnp.concatenate([words, mask.sum(axis=1, keepdims=True)], axis=1)


base = Cell(width=8, heads=2, length=6, steps=10, batch_size=8, evaluate_every=10, dropout=0.0)
experiment = Experiment(
    base=base.replace({
        "attention.scale": "mine", "attention.mask": "mine(2)", "attention.normalizer": "mine",
        "attention.mixer": "mine + query_mix('mine')", "attention.init": "mine",
        "position": "mine", "pooling": "mine", "optimizer": "mine(0.5)",
    }),
    axes=[vary("attention.score", "dot", "mine")],
    tables=[Table("Mine", "attention.score")],
)
'''


@pytest.fixture
def file(tmp_path, catalogue):
    path = tmp_path / "own.py"
    path.write_text(FILE)
    yield path
    sys.modules.pop("attn_nlp_experiment_own", None)


def edited(path, old: str, new: str) -> list[str]:
    """The specs after an edit."""
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))
    return specs(path)


def specs(path) -> list[str]:
    return [cell["spec"] for cell in resolve_file(path).cells]


def test_parts_in_every_slot_are_listed_and_train(file):
    resolved = resolve_file(file)
    assert resolved.question == "Do my parts run?"
    for slot in registry.SLOTS:
        part = registry.find(slot, "mine")
        assert part in registry.parts(slot)
        assert part.code_hash, slot
    data = prepared(edges=(6,))
    cell = unflatten(resolved.cells[1]["settings"])
    inside = [path for path, info in PATHS.items() if info.get("slot") in (*PAIRWISE, "init")]
    no_pairs = {path: PATHS[path]["default"] for path in inside}
    for settings in (
        {},
        no_pairs | {"attention.kind": "se_token('mine', features='mine')", "model": "mine"},
        no_pairs | {"attention.kind": "mine"},
        {"model": "reader"},
    ):
        changed = cell.replace(settings)
        fit = changed.choices["model"].part.hooks.get("fit", train)
        result = fit(changed, data, ignored)
        assert result["status"] == "done", settings
        assert np.isfinite(result["test"]["loss"])


def test_the_code_of_a_part_is_in_the_spec(file):
    before = specs(file)
    assert len(set(before)) == 2
    assert specs(file) == before
    assert set(edited(file, "bhtd,bhsd,hd->bhts", "bhtd,bhsd,hd->bhts ")) & set(before) == set()


def test_a_helper_beside_a_part_is_in_the_spec(file):
    before = specs(file)
    assert not set(edited(file, "return 0.5", "return 0.6")) & set(before)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Do my parts run?"""', '"""Do my parts run? They do."""'),
        ('tables=[Table("Mine"', 'tables=[Table("My parts"'),
        ("class Line:\n", "class Line:  # straight\n"),
        ("\n\n\ndef helper", "\n\n\n\n\ndef helper"),
        ('"""logits = sum_d w[d] q[t, d] k[s, d]."""', '"""Weighted products."""'),
    ],
    ids=["the question", "a table", "a comment", "blank lines", "a docstring"],
)
def test_texts_and_tables_are_not_in_the_spec(file, old, new):
    before = specs(file)
    assert edited(file, old, new) == before


def test_built_in_parts_alone_have_no_code_in_the_spec(file):
    before = specs(file)
    plain = 'experiment = Experiment(base=Cell(), axes=[], tables=[Table("T", "seed")])\n'
    file.write_text(FILE + plain)
    own = specs(file)
    file.write_text((FILE + plain).replace("return 0.5", "return 0.7"))
    assert specs(file) == own != before


def test_an_edit_within_the_same_second_is_seen(file, monkeypatch):
    """Bytecode is cached by time in seconds and by size; both are the same here."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    stamp = (1_000_000_000, 1_000_000_000)
    os.utime(file, stamp)
    load_file(file)
    assert registry.find("weighting", "mine").hooks["weigh"]() == 1 / 3
    file.write_text(FILE.replace("return 1 / 3", "return 1 / 4"))
    os.utime(file, stamp)
    load_file(file)
    assert registry.find("weighting", "mine").hooks["weigh"]() == 1 / 4
