"""The user's own hooks must return the right shape and type, checked before training."""

from __future__ import annotations

import jax.numpy as jnp
import pytest

from attn_nlp.experiment import Cell
from attn_nlp.parts import registry
from attn_nlp.parts.registry import Named, Static
from attn_nlp.probe.traced import trace
from attn_nlp.user_code.frames import shown
from tests.nn.running import ready

BASE = Cell(width=8, heads=2, length=6, dropout=0.0)
PATHS = {"kind": "attention.kind", "score": "attention.score", "scale": "attention.scale"}
PATHS |= {"mask": "attention.mask", "normalizer": "attention.normalizer"}
PATHS |= {"mixer": "attention.mixer", "init": "attention.init"}


def wrong(slot: str, hook: str, function, **facts) -> str:
    """Return the message on a cell with a part whose hook is the given function, or ""."""
    registry.register(slot, "mine", **facts)(type("Mine", (), {hook: function}))
    found = trace(BASE.replace(uses(slot)))
    return "" if found is None else str(found)


def uses(slot: str) -> dict[str, object]:
    """Settings of a cell that uses the part."""
    if slot == "weighting":
        return {"attention.mixer": "query_mix('mine')"}
    if slot in ("activation", "features"):
        return {"pooling": f"se_token({slot}='mine')"}
    return {PATHS.get(slot, slot): "mine"}


def right(slot: str, hook: str):
    """A function that returns what it should."""
    return {
        "score": lambda q, k: q @ k.swapaxes(2, 3),
        "prepare": lambda q, k: (2 * q, k),
        "factor": lambda: 0.5,
        "adjust": lambda logits: -logits,
        "allowed": lambda here: here.rows[:, None] >= here.columns,
        "weights": lambda logits, mask: jnp.where(mask, logits, 0.0),
        "reweight": lambda weights: 2 * weights,
        "finish": lambda out: -out,
        "aggregate": lambda weights, v: weights @ v,
        "relate": lambda here: here.distances,
        "embed": lambda x: x + 1,
        "pool": lambda x, mask: x.sum(axis=1),
        "read": lambda x, mask: x.sum(axis=1),
        "attend": lambda q, k, v: v,
        "block": lambda x: x,
        "weigh": lambda: 1 / 3,
        "activate": lambda logits: logits,
        "features": lambda x: 2 * x,
        "std": lambda fan_in: fan_in**-0.5,
    }[hook]


HOOKS = [(slot.name, hook) for slot in registry.SLOTS.values() for hook in slot.hooks]
BLOCKED = ("reduce", "merge", "rescale")  # they come together, see below
ELSEWHERE = ("fit", "transform")  # no encoder runs them
ONE = [(slot, hook) for slot, hook in HOOKS if hook not in (*BLOCKED, *ELSEWHERE)]
ONE.remove(("score", "prepare"))  # a score compares, whatever else it does


@pytest.mark.parametrize(("slot", "hook"), ONE)
def test_every_hook_may_return_what_it_should_and_not_nothing(slot, hook, catalogue):
    facts = {"features": "E"} if slot == "model" else {}
    assert wrong(slot, hook, right(slot, hook), **facts) == ""
    registry._parts.pop((slot, "mine"))

    def forgotten():
        pass

    said = wrong(slot, hook, forgotten, **facts)
    line = forgotten.__code__.co_firstlineno
    assert said.startswith(f"{slot} 'mine', hook {hook!r} ({shown(__file__)}, line {line}): ")
    assert "returned None; expected " in said
    assert said.endswith("Is a `return` missing?")
    assert "\n" not in said


LOGITS = "expected logits float32 (B, H, T, S) = (3, 2, 6, 6)."


@pytest.mark.parametrize(
    ("made", "returned"),
    [
        (lambda x: x.astype("int32"), "int32 of shape (3, 2, 6, 6)"),
        (lambda x: x > 0, "bool of shape (3, 2, 6, 6)"),
        (lambda x: x.astype("complex64"), "complex64 of shape (3, 2, 6, 6)"),
        (lambda x: x.astype("float16"), "float16 of shape (3, 2, 6, 6)"),
        (lambda x: x.astype("bfloat16"), "bfloat16 of shape (3, 2, 6, 6)"),
        (lambda x: x.sum(), "float32 of shape ()"),
        (lambda x: 1.5, "the Python float 1.5"),
        (lambda x: 1, "the Python int 1"),
        (lambda x: (x, x), "a tuple of 2"),
        (lambda x: x[:, :1], "float32 of shape (3, 1, 6, 6)"),
        (lambda x: x[..., None], "float32 of shape (3, 2, 6, 6, 1)"),
        (lambda x: "x", "a str"),
    ],
)
def test_logits_are_floats_of_every_query_and_key(made, returned, catalogue):
    said = wrong("score", "score", lambda q, k: made(q @ k.swapaxes(2, 3)))
    assert f"returned {returned}; {LOGITS}" in said


@pytest.mark.parametrize(
    ("slot", "hook", "function", "said"),
    [
        ("normalizer", "weights", lambda logits: logits > 0, "expected weights float32 (B, H, T, "),
        ("mask", "allowed", lambda here: 1.0 * here.distances, "expected bool that broadcasts to"),
        ("mask", "allowed", lambda here: here.distances, "returned int32 of shape (6, 6); expecte"),
        (
            "scale",
            "factor",
            lambda: float("nan"),
            "returned the Python float nan; expected float32",
        ),
        ("scale", "factor", lambda: True, "returned the Python bool True; expected float32"),
        ("scale", "factor", lambda: jnp.ones(5), "broadcasts to (B, H, T, S) = (3, 2, 6, 6)"),
        ("scale", "factor", lambda: 1j, "returned the Python complex 1j"),
        (
            "mixer",
            "finish",
            lambda out: out[..., :1],
            "expected float32 (B, H, T, U) = (3, 2, 6, 4",
        ),
        (
            "mixer",
            "reweight",
            lambda weights: weights[:, :1],
            "expected weights float32 (B, H, T, S",
        ),
        ("position", "embed", lambda x: x[:, :1], "expected float32 (B, T, E) = (3, 6, 8)"),
        ("position", "prepare", lambda q: q, "expected a pair, q and k, float32 (B, Q, T, D) ="),
        ("position", "prepare", lambda q, k: (q, k[:, :1]), "(B, Q, S, D) = (3, 2, 6, 4)"),
        ("pooling", "pool", lambda x: x, "expected float32 (B, E) = (3, 8)"),
        ("model", "read", lambda x: x[:, 0, :5], "expected float32 (B, features) = (3, 9)"),
        ("kind", "attend", lambda v: v[:, :1], "expected float32 (B, H, T, U) = (3, 2, 6, 4)"),
        ("kind", "block", lambda x: x[0], "expected float32 (B, T, E) = (3, 6, 8)"),
        (
            "weighting",
            "weigh",
            lambda out: out[:1, :, :2],
            "broadcasts to (B, H, T, U) = (3, 2, 6,",
        ),
        ("activation", "activate", lambda logits: logits[0], "expected float32 (B, T) = (3, 6)"),
        ("features", "features", lambda x: x[..., :4], "expected float32 (B, T, E) = (3, 6, 8)"),
        ("init", "std", lambda: -1.0, "expected a Python number, 0 or more"),
        ("init", "std", lambda: jnp.sqrt(2.0), "compute it by ** or `math`"),
        ("init", "std", lambda: "1", "returned a str; expected a Python number"),
    ],
)
def test_what_else_hooks_may_not_return(slot, hook, function, said, catalogue):
    facts = {"features": "E + 1"} if slot == "model" else {}
    assert said in wrong(slot, hook, function, **facts)


@pytest.mark.parametrize(
    ("slot", "hook", "function"),
    [
        ("score", "score", lambda q, k: k @ q.swapaxes(2, 3)),
        ("normalizer", "weights", lambda logits, mask: jnp.where(mask, logits, 0).swapaxes(2, 3)),
        ("mixer", "reweight", lambda weights: weights.swapaxes(2, 3)),
        ("position", "adjust", lambda logits: logits.swapaxes(2, 3)),
    ],
)
def test_a_swap_of_queries_and_keys_is_found_though_they_are_as_many(
    slot, hook, function, catalogue
):
    assert "T and S are swapped: rows are queries, columns keys." in wrong(slot, hook, function)


def test_a_part_that_needs_as_many_queries_as_keys_is_left_alone(catalogue):
    def compared(q, k, sizes):
        return q @ k.swapaxes(2, 3) + jnp.ones((sizes["T"], sizes["T"]))

    assert wrong("score", "score", compared) == ""


def test_statistics_of_rows_are_arrays_that_merge_into_the_same(catalogue):
    hooks = {
        name: staticmethod(f)
        for name, f in ready("normalizer", "softmax").choice.part.hooks.items()
    }
    cell = BASE.replace({"attention.chunk": 8, "length": 16})

    def said(name, **changed):
        registry.normalizer(name)(type("Mine", (), hooks | changed))
        found = trace(cell.replace({"attention.normalizer": name}))
        return "" if found is None else str(found)

    assert said("whole") == ""
    assert "expected arrays, such as a tuple of (B, H, T, 1)" in said(
        "one", reduce=lambda logits: (None, logits)
    )
    assert "expected the same arrays as `reduce` returns" in said("two", merge=lambda a, b: a[0])
    assert "hook 'rescale'" in said("three", rescale=lambda a, b: 1.0)


def test_an_exception_of_a_part_is_reported_with_its_line_and_hook(catalogue):
    def mine(q, k):
        return 1.0 / 0

    said = wrong("score", "score", mine)
    line = mine.__code__.co_firstlineno + 1
    assert said == (
        f"{shown(__file__)}, line {line}, in mine: ZeroDivisionError: float division by zero "
        "(hook 'score' of score 'mine')"
    )


@pytest.mark.parametrize("error", [SystemExit(3), RecursionError("deep"), ImportError("no torch")])
def test_whatever_a_part_raises_is_a_mistake(error, catalogue):
    def mine(x):
        raise error

    assert f"in mine: {type(error).__name__}: {error}" in wrong("pooling", "pool", mine)


def test_python_that_asks_an_array_is_reported_with_its_line(catalogue):
    def mine(q, k):
        logits = q @ k.swapaxes(2, 3)
        return logits if logits.sum() > 0 else -logits

    assert "in mine: TracerBoolConversionError: " in wrong("score", "score", mine)


def test_a_part_named_by_anothers_setting_is_checked_too(catalogue):
    registry.activation("mine")(lambda logits: logits > 0)
    found = trace(BASE.replace({"attention.kind": "se_token('mine')"}))
    assert "activation 'mine', hook 'activate'" in str(found)
    registry.weighting("mine")(lambda: None)
    registry.mixer("outer", settings={"w": Named("weighting", "mine"), "n": Static(1)})(
        lambda out, w: out * w()
    )
    found = trace(BASE.replace({"attention.mixer": "outer"}))
    assert "weighting 'mine', hook 'weigh'" in str(found)


def test_built_in_parts_are_not_asked(monkeypatch):
    monkeypatch.setattr("attn_nlp.nn.promises.run_checked", lambda *_: 1 / 0)
    assert trace(BASE) is None


def test_a_part_that_draws_is_tried_as_in_training_too(catalogue):
    def noisy(logits, mask, draw):
        return jnp.where(mask, logits, 0.0) if draw is None else draw(logits.shape) > 0.5

    said = wrong("normalizer", "weights", noisy)
    assert "returned bool of shape (3, 2, 6, 6); expected weights float32" in said
