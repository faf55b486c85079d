"""A part of the user's own that is another one each time it is traced is said to be so."""

from __future__ import annotations

import inspect
import itertools
import random
import time
from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attn_nlp import probe
from attn_nlp.cli import main
from attn_nlp.errors import UserError
from attn_nlp.parts import registry
from attn_nlp.probe.twice import changing, hooks_of
from tests.nn.test_promises import uses
from tests.probe.test_laws import BASE, LAWFUL, cells_of

_count = itertools.count()
_seen: list[int] = []


def product(q, k):
    return q @ k.swapaxes(2, 3)


def fresh_generator(q, k):
    return product(q, k) * np.random.default_rng().random()


def shared_generator(q, k):
    return product(q, k) + random.random()


@jax.jit
def _jitted(q, k):
    return product(q, k) * random.random()


def under_jit(q, k):
    return _jitted(q, k)


@jax.jit
def jitted_itself(q, k):
    return product(q, k) * random.random()


def array_of_numpy(q, k):
    return product(q, k) + np.random.rand(q.shape[2], k.shape[2])  # noqa: NPY002


def clock(q, k):
    return product(q, k) * time.time()


def seconds(q, k):
    return product(q, k) * np.random.default_rng(time.time_ns()).random()


def counter(q, k):
    return product(q, k) / (1 + next(_count))


def list_that_grows(q, k):
    _seen.append(1)
    return product(q, k) / len(_seen)


@pytest.mark.parametrize(
    "function",
    [
        fresh_generator,
        shared_generator,
        under_jit,
        jitted_itself,
        array_of_numpy,
        clock,
        seconds,
        counter,
        list_that_grows,
    ],
)
def test_a_part_that_is_not_the_same_twice_is_reported_and_nothing_else(function, catalogue):
    registry.register("score", function.__name__)(function)
    line = inspect.unwrap(function).__code__.co_firstlineno
    with pytest.raises(UserError) as found:
        probe.probe([BASE.replace({"attention.score": function.__name__})])
    said = f"score '{function.__name__}', hook 'score' (test_twice.py, line {line}): it is not the"
    assert str(found.value).replace("tests/probe/", "").startswith(said)
    assert "padding" not in str(found.value)


def seeded(q, k, seed):
    draws = jax.random.normal(jax.random.fold_in(jax.random.key(0), seed), (k.shape[2],))
    return product(q, k) + draws + np.random.default_rng(3).random()


def noted(q, k):
    _seen.append(1)
    return product(q, k) * jnp.asarray(np.eye(2, dtype=np.float32)).sum()


@pytest.mark.parametrize("function", [product, seeded, noted])
def test_a_part_that_is_the_same_twice_passes(function, catalogue):
    registry.register("score", function.__name__)(function)
    cell = BASE.replace({"attention.score": function.__name__})
    assert changing({"": (cell, hooks_of(cell))}) == {"": None}


@pytest.mark.parametrize("hook", ["reweight", "finish"])
def test_the_hook_that_changes_is_named(hook, catalogue):
    def drawn(out):
        return out * random.random()

    def reweight(weights):
        return drawn(weights) if hook == "reweight" else weights

    def finish(out):
        return drawn(out) if hook == "finish" else out

    registry.mixer("mine")(type("Mine", (), {"reweight": reweight, "finish": finish}))
    cell = BASE.replace(uses("mixer"))
    wrong = changing({"": (cell, hooks_of(cell))})[""]
    assert str(wrong).startswith(f"mixer 'mine', hook {hook!r} (")


def test_every_part_of_the_catalogue_is_the_same_twice(catalogue):
    own = SimpleNamespace(hash="own", load=None)
    catalogue.update({place: replace(part, own_code=own) for place, part in catalogue.items()})
    cells = [cell for each in LAWFUL for cell in cells_of(each.values[0])]
    firsts = {str(at): (cell, hooks_of(cell)) for at, cell in enumerate(cells)}
    assert not any(changing(firsts).values())


MEMO = '''
import numpy as np
from attn_nlp import Cell, Experiment, Static, Table, score, vary

TABLES = {}


@score("bias", label="Bias", cite="a test", settings={"p": Static(1, low=1)})
def bias(q, k, p):
    """Add a table.

    logits[t, s] = q[t] . k[s] + cos(p s)
    """
    key = KEY
    if key not in TABLES:
        TABLES[key] = np.cos(np.arange(k.shape[2]) * p).astype("float32")
    return q @ k.swapaxes(-1, -2) + TABLES[key]


base = Cell(width=8, heads=1, length=8)
axes = [vary("attention.score", "bias(p=1)", "bias(p=7)"), vary("seed", 0)]
experiment = Experiment(base, axes, [Table("Bias", "attention.score", reference="bias(p=1)")])
'''


@pytest.mark.parametrize(("key", "status"), [("k.shape[2]", 2), ("k.shape[2], p", 0)])
def test_a_table_for_all_cells_that_depends_on_the_first_is_rejected(
    tmp_path, catalogue, capsys, key, status
):
    file = tmp_path / "memo.py"
    file.write_text(MEMO.replace("KEY", key))
    assert main(["plan", str(file), "--store", str(tmp_path / "s.sqlite")]) == status
    assert (
        "hook 'score' (memo.py, line 8): it is not the same twice" in capsys.readouterr().err
    ) == (status == 2)
