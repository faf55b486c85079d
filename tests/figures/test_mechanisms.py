"""The schematic of every part: nothing is missing and nothing is in the way of anything."""

from __future__ import annotations

import inspect

import pytest

from attn_nlp.figures import mechanism
from attn_nlp.figures.diagrams import WHOLE, _pairwise, flow
from attn_nlp.figures.fonts import quiet
from attn_nlp.parts import hooks, registry
from attn_nlp.parts.hooks import PAIRWISE
from attn_nlp.parts.registry import HOOKS, SLOTS, Learned, Named, Numeric

from .measuring import faults

PARTS = registry.parts()
IDS = [f"{part.slot}:{part.name}" for part in PARTS]


def said(drawing) -> str:
    """All words of a drawing in one line, without the breaks that wrapping brought."""
    return " ".join(" ".join(line.content for box in drawing.boxes for line in box.lines).split())


def squeezed(text: str) -> str:
    return "".join(text.split())


def rounded(point):
    return tuple(round(each, 6) for each in point)


def own(part):
    return [box for box in mechanism(part).boxes if box.look == "own" and box.lines]


def calls(part) -> str:
    return squeezed(" ".join(line.content for box in own(part) for line in box.lines))


@pytest.mark.parametrize("part", PARTS, ids=IDS)
def test_nothing_is_in_the_way_of_anything(part):
    assert faults(mechanism(part)) == []


@pytest.mark.parametrize("part", PARTS, ids=IDS)
def test_all_that_the_registry_says_is_on_it(part):
    words = squeezed(said(mechanism(part)))
    for text in (part.label, part.cite, part.summary, part.formula):
        assert squeezed(text) in words
    assert f"{part.slot}:{part.name}" in words
    for name, array in part.learned.items():
        assert f"{name}({','.join(array.shape.split())})" in words
    if not part.facts.get("fixed"):
        for name in part.settings:
            assert f"{name}=" in words


@pytest.mark.parametrize("part", PARTS, ids=IDS)
def test_every_hook_of_the_part_is_highlighted_with_what_it_asks_for(part):
    assert own(part)
    for hook, function in part.hooks.items():
        arguments = ",".join(inspect.signature(function).parameters)
        assert f"{hook}({arguments})" in calls(part)


@pytest.mark.parametrize("part", PARTS, ids=IDS)
def test_what_a_hook_asks_for_points_at_it(part):
    drawn = mechanism(part)
    asked = {
        name
        for function in part.hooks.values()
        for name in inspect.signature(function).parameters
        if name in {**part.learned, **part.settings}
    }
    starts = {rounded(arrow.points[0]) for arrow in drawn.arrows}
    beside = [box for box in drawn.boxes if box.look in ("array", "setting") and box.lines]
    for box in beside:
        level = box.y + box.height / 2
        assert {rounded((box.x, level)), rounded((box.right, level))} & starts
    assert {box.lines[0].content.split()[0] for box in beside} == asked


def test_the_steps_stand_in_the_order_in_which_they_run():
    """A flow shows the steps of `nn/pairwise.py` from the top."""
    names = [node.name for node in _pairwise(registry.find("score", "dot")).nodes()]
    steps = [name for name in names if name in (*PAIRWISE, "finish")]
    assert steps == ["score", "scale", "mask", "normalizer", "finish"]
    assert names.index("logits") == names.index("score") + 1
    assert names.index("weights") == names.index("normalizer") + 1
    assert names.index("out") == names.index("aggregate") + 1


def test_a_hook_acts_at_its_place():
    def steps(slot, name):
        nodes = flow(registry.find(slot, name)).nodes()
        return [(node.name, node.look) for node in nodes if node.look != "data"]

    rope = steps("position", "rope")
    assert rope[:2] == [("prepare", "own"), ("score", "step")]
    differential = dict(steps("mixer", "differential"))
    assert (differential["reweight"], differential["finish"]) == ("own", "own")
    assert differential["aggregate"] == "step"
    shaw = dict(steps("position", "shaw"))
    assert (shaw["score"], shaw["aggregate"], shaw["finish"]) == ("own", "own", "step")
    assert dict(steps("mask", "padding"))["mask"] == "own"


def test_the_query_runs_past_attention_to_a_mixer_that_asks_for_it():
    edges = flow(registry.find("mixer", "query_mix")).edges
    assert [(e.start, e.end) for e in edges if e.way == "left"] == [("q", "finish")]
    edges = flow(registry.find("mixer", "output_gate")).edges
    assert [(e.start, e.end) for e in edges if e.way == "left"] == [("x", "finish")]
    assert not [e for e in flow(registry.find("mixer", "heads")).edges if e.way != "down"]


def test_sizes_follow_the_part():
    def shapes(slot, name):
        found = flow(registry.find(slot, name)).nodes()
        return {node.name: node.texts[1].content for node in found if node.look == "data"}

    assert shapes("score", "dot")["logits"] == "(B, H, T, S)"
    assert shapes("mixer", "differential")["logits"] == "(B, Q, T, S)"
    assert shapes("mixer", "multi_query")["v"] == "(B, K, S, D)"
    assert shapes("score", "feature_wise")["weights"] == "(B, M, T, S)"


def _plain(hook: str):
    space: dict = {}
    exec(f"def {hook}({', '.join(HOOKS[hook])}):\n    pass", space)
    return space[hook]


@pytest.mark.parametrize("slot", SLOTS)
def test_every_slot_has_a_flow_for_any_hook_that_it_may_have(slot, catalogue, monkeypatch):
    """A part that nobody has written yet can be drawn: long names, much to say, every hook."""
    monkeypatch.setitem(hooks.FACTS, "unheard_of", "text")
    for hook in SLOTS[slot].hooks:
        registry._parts.pop((slot, "strange"), None)
        learned: dict = {"first": Learned("H D D"), "second": Learned("")}
        settings: dict = {"third": Numeric("D**-0.5"), "named": Named("activation", "sigmoid")}
        if slot == "optimizer":  # it takes numbers alone
            learned, settings = {}, {"third": Numeric("D**-0.5")}
        arguments = ", ".join((*HOOKS[hook], *learned, *settings))
        space: dict = {}
        exec(f"def {hook}({arguments}):\n    pass", space)
        space[hook].__doc__ = (
            "Do something that takes a long sentence to tell, and then some more words.\n\n"
            f"    result[t] = {'f(' * 12}x{')' * 12} + {'y' * 90}, z = 1,  w = 2\n"
        )
        needed = {hook: staticmethod(space[hook]), "__doc__": space[hook].__doc__}
        if slot == "normalizer" and hook != "weights":
            rest = ("reduce", "merge", "rescale", "weights")
            needed |= {each: staticmethod(_plain(each)) for each in rest if each != hook}
        body = type("Strange", (), needed)
        registry.register(
            slot,
            "strange",
            label="A name that is much longer than names of mechanisms usually are, by far",
            cite="Somebody, Somebody Else, Yet Another & A Fourth Author, 2031, in a long journal",
            learned=learned,
            settings=settings,
            unheard_of="a fact without words",  # pyright: ignore[reportCallIssue]
            **({"features": "E"} if hook == "read" else {}),
        )(body)
        part = registry.find(slot, "strange")
        drawn = mechanism(part)
        assert faults(drawn) == []
        assert "unheard_of" in said(drawn)
        assert hook in said(drawn)


def test_a_user_may_write_what_is_no_formula(catalogue):
    @registry.score("dollars", label="$a_b$ \\frac{1}{2} <b> 注意", cite="")
    def dollars(q, k):
        """Cost $5 or $6_x^y$."""

    # Chinese letters may be in no font here; the boxes that are drawn for them must still fit.
    part = registry.find("score", "dollars")
    with quiet():
        assert faults(mechanism(part)) == []


def test_whole_hooks_are_hooks():
    assert set(HOOKS) >= WHOLE
