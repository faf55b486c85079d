"""The catalogue: every part is complete, and a wrong one is rejected where it is written."""

from __future__ import annotations

from typing import Any

import pytest

from attn_nlp.errors import UserError
from attn_nlp.parts import registry
from attn_nlp.parts.registry import Learned, Numeric, Static, register, variant
from tests import reference
from tests.nn.running import SLOTS, reference_name


@pytest.mark.parametrize("part", registry.parts(), ids=lambda part: f"{part.slot}-{part.name}")
def test_every_part_is_complete(part):
    who = f"{part.slot} {part.name!r}"
    assert part.label, f"{who} has no label"
    assert part.cite, f"{who} has no citation; write cite='control' where there is no paper"
    assert part.summary.endswith("."), f"{who} has no docstring whose first paragraph is a sentence"
    assert part.formula, f"{who} has no formula: indent it by four spaces in the docstring"
    assert {"=", "~"} & set(part.formula), f"{who}: the formula {part.formula!r} equates nothing"
    assert part.revision >= 1
    assert part.code_hash is None, f"{who} is built in; its revision stands for its code"
    if part.slot != "optimizer" and (part.slot != "model" or "read" in part.hooks):
        name = reference_name(part.slot, part.name)
        assert hasattr(reference, name), f"{who} has no reference; write tests/reference::{name}"
        assert getattr(reference, name).__doc__, f"tests/reference::{name} has no formula"
    cited = part.cite not in ("control", "attn_nlp")
    if cited and not part.facts.get("baseline"):
        papers = "References:" in part.doc or part.slot in ("pooling", "mixer", "mask", "model")
        assert papers, f"{who} cites {part.cite!r} but its docstring has no References"


def test_every_reference_belongs_to_a_part():
    known = {reference_name(part.slot, part.name) for part in registry.parts()}
    for name in vars(reference):
        if name.split("_")[0] in SLOTS and "_" in name:
            assert name in known, f"tests/reference::{name} is of no part in the catalogue"


def test_a_forgotten_piece_is_named(catalogue):
    register("score", "bare")(lambda q, k: None)
    part = registry.find("score", "bare")
    with pytest.raises(AssertionError, match="score 'bare' has no citation"):
        test_every_part_is_complete(part)


@pytest.mark.parametrize("slot", registry.SLOTS)
def test_every_slot_has_parts_of_different_labels(slot):
    labels = [part.label for part in registry.parts(slot)]
    assert labels
    assert len(set(labels)) == len(labels)


def test_an_entry_is_plain(catalogue):
    entry: dict[str, Any] = registry.find("scale", "rsqrt_dim").entry()
    assert entry["settings"] == {"c": "D**-0.5"}
    assert entry["facts"].items() >= {"special_case_of": "constant", "fixed": True}.items()
    assert entry["formula"] == "logits[t, s] = score[t, s] / sqrt(D)"
    assert entry["summary"] == "Divide the score by the square root of head_dim."


def test_unknown_names_are_rejected_with_the_nearest():
    with pytest.raises(UserError, match=r"unknown normalizer 'sofmax'; known: .*'softmax'\?"):
        registry.find("normalizer", "sofmax")
    with pytest.raises(UserError, match=r"unknown slot 'scores'; known: .*Did you mean 'score'\?"):
        registry.parts("scores")
    with pytest.raises(UserError, match="unknown slot 'scor'"):
        register("scor", "x")


@pytest.mark.parametrize("name", ["", "Dot", "1st", "a-b", "a b", "x" * 41, "../x"])
def test_malformed_names_are_rejected(name):
    with pytest.raises(
        UserError, match="malformed; use lower-case letters, digits and underscores"
    ):
        register("score", name)


def test_wrong_parts_are_rejected(catalogue):
    with pytest.raises(UserError, match="the score name 'dot' is taken by 'Dot product'"):
        register("score", "dot")(lambda q, k: None)
    with pytest.raises(UserError, match=r"argument of score 'mine' in hook 'score': 'key'; known"):
        register("score", "mine")(lambda q, key: None)
    with pytest.raises(
        UserError, match="mixer 'mine' has a function 'factor', which is not a hook"
    ):

        @register("mixer", "mine")
        class Wrong:
            def factor():
                return 1

    with pytest.raises(UserError, match="score 'mine' supplies no hook; a score needs 'score'"):

        @register("score", "mine")
        class Empty:
            """Nothing."""

    with pytest.raises(
        UserError, match=r"learned array 'w' of score 'mine': 'Z' is not a valid expression"
    ):
        register("score", "mine", learned={"w": Learned("H Z")})(lambda q, k, w: None)
    with pytest.raises(
        UserError, match=r"setting 'c' of score 'mine': 'D\*\*' is not a valid expression"
    ):
        register("score", "mine", settings={"c": Numeric("D**")})(lambda q, k, c: None)
    assert ("score", "mine") not in catalogue


def test_a_part_may_ask_for_its_own_and_for_where_it_stands(catalogue):
    register(
        "score", "mine", learned={"w": Learned("H")}, settings={"c": Numeric(1), "n": Static(2)}
    )(lambda q, k, w, c, n, here, sizes, seed, layer: None)
    assert registry.find("score", "mine").code_hash


def test_a_variant_shares_the_program_and_takes_no_settings(catalogue):
    half = {"of": "constant", "label": "½", "cite": "control", "doc": "Halve."}
    variant("scale", "half", **half, defaults={"c": 0.5})
    part, base = registry.find("scale", "half"), registry.find("scale", "constant")
    assert part.program == base.program
    assert part.hooks == base.hooks
    with pytest.raises(UserError, match="the scale name 'inv_dim' is taken"):
        variant("scale", "inv_dim", **half, defaults={"c": 0.5})
