"""Names with settings: one canonical spelling, every wrong one rejected in a sentence."""

from __future__ import annotations

import dataclasses

import pytest

from attn_nlp.errors import UserError
from attn_nlp.parts.registry import Learned, Numeric, Static, register
from attn_nlp.parts.selection import canonical, choose, choose_all
from tests.nn.running import cases


@pytest.mark.parametrize(
    ("slot", "text", "wanted"),
    [
        ("scale", " rsqrt_dim ", "rsqrt_dim"),
        ("scale", "constant( 0.25 )", "constant(c=0.25)"),
        ("scale", "constant(c=1)", "constant(c=1.0)"),
        ("scale", "constant(-2)", "constant(c=-2.0)"),
        ("scale", "constant()", "constant"),
        ("kind", "se_token(activation=tanh)", "se_token(activation='tanh')"),
        ("mixer", "query_mix('fixed(0.3)')", "query_mix(weighting='fixed(share=0.3)')"),
        ("mixer", 'query_mix("fixed(0.3)")', "query_mix(weighting='fixed(share=0.3)')"),
        ("mixer", "output_gate+query_mix", "output_gate + query_mix"),
        ("mixer", "query_mix + output_gate", "query_mix + output_gate"),  # each changes the other's
        (
            "mixer",
            "query_mix + talking_heads + output_gate",
            "query_mix + output_gate + talking_heads",
        ),
        ("mixer", "heads+query_mix", "query_mix"),  # heads leave everything as it is
        ("mixer", "heads + heads", "heads"),
        ("mixer", "query_mix + multi_query", "multi_query + query_mix"),
        ("scale", "softcap + constant(2)", "constant(c=2.0) + softcap"),
        ("scale", "constant(2) + softcap", "constant(c=2.0) + softcap"),
        ("scale", "softcap(2) + softcap(1)", "softcap(c=2.0) + softcap(c=1.0)"),
        (
            "scale",
            "rsqrt_dim + constant(3) + constant(2)",
            "constant(c=2.0) + constant(c=3.0) + rsqrt_dim",
        ),
        ("mask", "window(2) + padding + causal", "causal + window(reach=2)"),
        ("score", "dot + additive", "additive + dot"),
    ],
)
def test_canonical_text(slot, text, wanted):
    assert canonical(slot, text) == wanted
    assert canonical(slot, wanted) == wanted


@pytest.mark.parametrize(("slot", "text"), cases())
def test_canonical_text_is_stable(slot, text):
    once = canonical(slot, text)
    assert canonical(slot, once) == once
    assert choose(slot, once).text == once


@pytest.mark.parametrize(
    ("slot", "text", "message"),
    [
        ("score", "dott", r"unknown score 'dott'; known: .*Did you mean 'dot'\?"),
        ("score", "dot(", "score 'dot\\(' is malformed; write a name such as 'dot'"),
        ("score", "", "score '' is malformed"),
        ("score", "3", "score '3' is malformed"),
        ("score", "a.b", "score 'a.b' is malformed"),
        ("score", "dot(1)", r"score 'dot\(1\)': dot takes no settings, not 1 values"),
        ("scale", "rsqrt_dim(0.5)", "rsqrt_dim takes no settings"),
        ("scale", "rsqrt_dim(c=0.5)", "unknown setting of scale 'rsqrt_dim' 'c'; known: none"),
        ("scale", "constant(1, 2)", "constant takes the settings c, not 2 values"),
        ("scale", "constant(k=1)", "unknown setting of scale 'constant' 'k'; known: c"),
        ("scale", "constant(**c)", "unknown setting of scale 'constant' None"),
        ("scale", "constant('a')", "setting 'c' of scale 'constant' is a number, not 'a'"),
        ("scale", "constant(True)", "is a number, not True"),
        ("scale", "constant(open('x'))", "is malformed"),
        ("weighting", "fixed(1.5)", "setting 'share' of weighting 'fixed' is 1.5; allowed: from 0"),
        ("mixer", "query_mix(fixd)", r"unknown weighting 'fixd'; .*Did you mean 'fixed'\?"),
        ("kind", "pairwise + se_token", "kind 'pairwise \\+ se_token' names 2 parts"),
        ("pooling", "mean + max", "pooling 'mean \\+ max' names 2 parts; a pooling is one part"),
        ("normalizer", "softmax + sigmoid", "a normalizer is one part"),
        ("position", "none + learned", "a position is one part"),
    ],
)
def test_wrong_texts_are_rejected(slot, text, message):
    with pytest.raises(UserError, match=message):
        canonical(slot, text)


@pytest.mark.parametrize("text", ["constant(1e999)", "constant(-1e999)"])
def test_numbers_are_finite(text):
    with pytest.raises(UserError, match="setting 'c' of scale 'constant' is"):
        choose("scale", text)


def test_whole_numbers(catalogue):
    register("mask", "near", settings={"reach": Static(2)})(lambda here, reach: None)
    assert choose("mask", "near").static({}) == {"reach": 2}
    assert choose("mask", "near(3)").static({}) == {"reach": 3}
    for text in ("near(0)", "near(1.5)", "near(True)"):
        with pytest.raises(UserError, match="allowed: integers >= 1"):
            choose("mask", text)


def test_numbers_come_by_path_and_named_parts_with_them(catalogue):
    letters = {"D": 16}
    assert choose("scale", "rsqrt_dim").numeric(letters, "p") == {"p.c": 0.25}
    mix = choose("mixer", "query_mix('fixed(0.3)')")
    assert mix.numeric(letters, "m") == {"m.weighting.share": 0.3}
    assert [part.name for part in mix.family()] == ["query_mix", "fixed"]


def test_programs_differ_in_all_but_numbers(catalogue):
    def program(slot, text):
        return choose(slot, text).program({"T": 2, "D": 4, "E": 8})

    scales = ["none", "rsqrt_dim", "inv_dim", "constant", "constant(0.1)"]
    assert all(program("scale", text) == program("scale", "none") for text in scales)
    assert program("scale", "learned") != program("scale", "none")
    assert program("mixer", "query_mix('fixed(0.1)')") == program(
        "mixer", "query_mix('fixed(0.9)')"
    )
    assert program("mixer", "query_mix(fixed)") != program("mixer", "query_mix(learned)")
    near = register("mask", "near", settings={"reach": Static(2)}, learned={"w": Learned("H")})
    near(lambda here, reach, w: None)
    assert program("mask", "near(3)") != program("mask", "near")


def test_several_parts_keep_their_order(catalogue):
    register("mixer", "gate", settings={"c": Numeric(0.5)})(lambda out, c: out)
    texts = [choice.text for choice in choose_all("mixer", "gate(1) + heads + gate")]
    assert texts == ["gate(c=1.0)", "gate"]


def test_a_text_is_read_with_the_parts_that_are_registered_now(catalogue):
    before = choose("mixer", "query_mix('fixed(0.3)')")
    assert choose("mixer", "query_mix('fixed(0.3)')") == before
    fixed = catalogue["weighting", "fixed"]
    catalogue["weighting", "fixed"] = dataclasses.replace(fixed, revision=fixed.revision + 1)
    again = choose("mixer", "query_mix('fixed(0.3)')")
    assert [part.revision for part in again.family()] == [1, fixed.revision + 1]
    del catalogue["weighting", "fixed"]
    with pytest.raises(UserError, match="unknown weighting 'fixed'"):
        choose("mixer", "query_mix('fixed(0.3)')")
