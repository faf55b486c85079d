"""A registry line that cannot be meant is rejected where it is written, with what to write."""

from __future__ import annotations

import functools

import pytest

from attn_nlp.errors import UserError
from attn_nlp.parts import registry
from attn_nlp.parts.registry import (
    Learned,
    Named,
    Numeric,
    Static,
    kind,
    mask,
    model,
    normalizer,
    register,
    score,
)


def plain(q, k):
    return q


def asking(q, k, c):
    return q


def rejected(make) -> str:
    with pytest.raises(UserError) as raised:
        make()
    return str(raised.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: score(plain),
            "@score is above 'plain' without a name; write @score(\"plain\") above",
        ),
        (lambda: mask(type("Near", (), {})), 'write @mask("near") above the definition'),
        (lambda: score(), "@score is given '' as a name; write @score(\"mine\")"),
        (lambda: score(3), '@score is given 3 as a name; write @score("mine")'),
        (lambda: register("score", 3), "score name 3 is malformed; use lower-case letters"),
        (lambda: score("Mine"), "score name 'Mine' is malformed"),
        (
            lambda: model("least", baseline=True)(lambda prepared, seed: {}),
            "model 'least' is a baseline, which is trained once for all seeds, but its `fit` asks "
            "for 'seed'; leave the argument out, or baseline=True.",
        ),
        (
            lambda: model("least", baseline=True, features="E")(
                type("Least", (), {"read": lambda x, mask: x})
            ),
            "model 'least' is a baseline, which is fitted without JAX, but has no `fit`; write one "
            "or leave baseline=True out.",
        ),
    ],
)
def test_decorators_without_a_name(make, said, catalogue):
    assert said in rejected(make)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"settings": {"c": 2.0}}, "setting 'c' of score 'mine' is 2.0; write Numeric(2.0)."),
        (
            {"settings": {"c": 2}},
            "is 2; write Numeric(2.0), or Static(2) if it shapes arrays.",
        ),
        ({"settings": {"c": "D"}}, "is 'D'; write Numeric('D'), or Named(slot, 'D') for another"),
        ({"settings": {"c": None}}, "is None; write Numeric(...), Static(...) or Named(...)"),
        ({"settings": {"c": True}}, "is True; write Numeric(...), Static(...) or Named(...)"),
        ({"settings": {"c": Numeric}}, "is Numeric without brackets; write Numeric(...)"),
        ({"settings": {"c": Learned("H")}}, "setting 'c' of score 'mine' is Learned("),
        ({"settings": Numeric(1)}, "write them by name: settings={'c': Numeric(0.5)}"),
        ({"settings": ["c"]}, "settings of score 'mine' are ['c']; write them by name"),
        ({"settings": {3: Numeric(1)}}, "3 is not the name of an argument"),
        ({"settings": {"c": Numeric(None)}}, "starts at None; give a number or an expression"),
        ({"settings": {"c": Numeric(True)}}, "starts at True; give a number or an expression"),
        ({"settings": {"c": Numeric("D**")}}, "'D**' is not a valid expression"),
        ({"settings": {"c": Numeric(2, high=1)}}, "starts at 2, which is not from -inf to 1"),
        ({"settings": {"c": Numeric(float("nan"))}}, "starts at nan, which is not from"),
        ({"settings": {"c": Numeric(float("inf"))}}, "starts at inf, which is not a finite number"),
        ({"settings": {"c": Static(2.5)}}, "starts at 2.5; give an integer or an expression"),
        ({"settings": {"c": Static(0)}}, "starts at 0, which is not from 1 to inf"),
        ({"settings": {"c": Named("masks", "x")}}, "slot in setting 'c' of score 'mine': 'masks'"),
        ({"learned": {"c": ("H", "D")}}, "learned array 'c' of score 'mine' is ('H', 'D'); write "),
        ({"learned": {"c": ("H", "D")}}, "write Learned('H D'), with the shape in sizes."),
        ({"learned": {"c": "H D"}}, "is 'H D'; write Learned('H D'), with the shape in sizes."),
        ({"learned": {"c": 3}}, 'is 3; write Learned("H D"), with the shape in sizes.'),
        ({"learned": {"c": Learned}}, "is Learned without brackets; write Learned(...)"),
        ({"learned": {"c": Learned(("H", "D"))}}, "has the shape ('H', 'D'); write sizes"),
        ({"learned": "H D"}, "learned of score 'mine' are 'H D'; write them by name"),
        ({"learned": {"c": Learned("H Z")}}, "learned array 'c' of score 'mine': 'Z' is no"),
        (
            {"learned": {"c": Learned("H")}, "settings": {"c": Numeric(1)}},
            "has 'c' both as a setting and as a learned array",
        ),
        ({"label": 3}, "label of score 'mine' is 3; it must be a string."),
        ({"cite": 2020}, "cite of score 'mine' is 2020; it must be a string."),
        ({"revision": "2"}, "revision of score 'mine' is '2'; give an integer from 1."),
        ({"sum_to_one": True}, "'sum_to_one'; known: alone, "),
        ({"sum_to_one": True}, "Did you mean 'sums_to_one'?"),
        ({"setting": {}}, "Did you mean 'settings'?"),
        ({"lable": "x"}, "Did you mean 'label'?"),
        ({"kinked": "yes"}, "kinked of score 'mine' is 'yes'; it is True or False."),
        ({"exclusive": True}, "exclusive of score 'mine' is True; it must be a string."),
        ({"flops": None}, "flops of score 'mine' is None; give a number or an expression"),
        ({"flops": "T*Z"}, "flops of score 'mine': 'T*Z' is not a valid expression"),
        ({"requires": "U=D"}, "requires of score 'mine' is 'U=D'; write sizes by size, such as"),
        (
            {"divides": {"H": "groups"}},
            "divides of score 'mine': 'groups' is not a valid expression",
        ),
    ],
)
def test_lines_that_cannot_be_meant(line, said, catalogue):
    unused = {"settings": {"c": Numeric(1)}} | line if "learned" not in line else line
    assert said in rejected(lambda: register("score", "mine", **unused)(asking))
    assert ("score", "mine") not in catalogue


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (
            lambda q, *k: q,
            "argument of score 'mine' in hook 'score': *k receives nothing; name what",
        ),
        (lambda q, **k: q, "**k receives nothing; name what you need: "),
        (lambda q, k, /: q, "'q' comes before a '/', but is given by name; drop the '/'."),
        (
            lambda self, q, k: q,
            "'self' receives nothing, since a hook has no object; leave it out.",
        ),
        (lambda q, k=None: q, "'k' has a default that is never used, since its value is always"),
        (lambda q, k, temperature=2.0: q, "write settings={'temperature': Numeric(2.0)} in"),
        (lambda q, key: q, "argument of score 'mine' in hook 'score': 'key'; known: "),
        (lambda q, k: (yield q), "must return an array: no yield, no async"),
        (functools.partial(plain, k=1), "score 'mine' is 'partial' and not a function; put the"),
        (3, "score 'mine' is 'int' and not a function"),
    ],
)
def test_functions_that_nobody_could_call(function, said, catalogue):
    assert said in rejected(lambda: score("mine")(function))


class Base:
    def weights(logits, mask):
        return logits


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"__init__": lambda self: None}, "has an __init__, but a part is never instantiated"),
        ({"weights": classmethod(plain)}, "weights of normalizer 'mine' is 'classmethod' and no"),
        ({"weights": functools.partial(plain)}, "write `def weights(...)` below @staticmethod"),
        ({"weight": lambda logits: logits}, "has a function 'weight', which is not a hook of a"),
        ({"reduce": lambda logits: logits}, "supplies reduce alone; a normalizer needs 'weights'"),
        ({"weights": Base.weights, "merge": lambda a: a}, "has 'merge' without 'reduce'; it needs"),
        ({}, "normalizer 'mine' supplies no hook; a normalizer needs 'weights'"),
    ],
)
def test_classes_that_nobody_could_run(body, said, catalogue):
    assert said in rejected(lambda: normalizer("mine")(type("Mine", (), body)))


def test_what_is_inherited_is_not_lost_in_silence(catalogue):
    derived = type("Mine", (Base,), {"reduce": lambda logits: logits})
    said = rejected(lambda: normalizer("mine")(derived))
    assert "inherits 'weights' from Base" in said
    assert "`weights = staticmethod(Base.weights)`" in said
    normalizer("mine")(type("Mine", (Base,), {"weights": staticmethod(Base.weights)}))


def test_what_is_declared_and_never_asked_for(catalogue):
    one = {"settings": {"c": Numeric(1)}}
    assert "setting 'c' of score 'mine' is asked for by none" in rejected(
        lambda: score("mine", **one)(plain)
    )
    assert "learned array 'w' of score 'mine' is asked for by none" in rejected(
        lambda: score("mine", learned={"w": Learned("H")})(plain)
    )
    score("mine", settings={"rank": Static(2)}, flops="rank*T")(plain)  # it is read by the fact


def test_a_reader_says_how_many_numbers_it_returns(catalogue):
    body = {"read": staticmethod(lambda x, mask: x)}
    said = rejected(lambda: model("mine")(type("Mine", (), body)))
    assert "does not say how many numbers its `read` returns" in said
    assert "@model('mine', features='E')" in said
    model("mine", features="E")(type("Mine", (), body))


def test_a_lambda_and_a_compiled_function_are_functions(catalogue):
    jax = pytest.importorskip("jax")
    score("mine")(lambda q, k: q)
    score("other")(jax.jit(plain))
    assert registry.find("score", "other").arguments("score") == ["q", "k"]
    kind("plainest")(type("Plainest", (), {}))
