"""Axes: what is varied, seeds outermost, every slip rejected on import."""

from __future__ import annotations

import pytest

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell, Experiment, Table, skip, together, vary
from attn_nlp.experiment.axes import product, restrict


def test_values_are_kept_as_a_cell_keeps_them():
    assert vary("learning_rate", 1, 0.5).points == ({"learning_rate": 1.0}, {"learning_rate": 0.5})
    assert vary("attention.scale", "constant(1)").values("attention.scale") == ("constant(c=1.0)",)


def test_settings_move_in_step():
    axis = together({"heads": 1, "width": 8}, {"heads": 2, "width": 16})
    assert axis.paths == ("heads", "width")
    settings = product(Cell(), (axis, vary("seed", 0, 1)))
    moved = [(each["seed"], each["heads"], each["width"]) for each in settings]
    assert moved == [(0, 1, 8), (0, 2, 16), (1, 1, 8), (1, 2, 16)]


def test_seeds_are_outermost_and_the_others_as_they_stand():
    axes = (vary("heads", 1, 2), vary("seed", 0, 1), vary("norm", "pre", "post"))
    found = [(s["seed"], s["heads"], s["norm"]) for s in product(Cell(), axes)]
    assert found == [(s, h, n) for s in (0, 1) for h in (1, 2) for n in ("pre", "post")]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: vary("heads"), r"vary\('heads', ...\) has no values; give at least one"),
        (lambda: vary("head", 1), r"unknown axis 'head'; known: .*Did you mean 'heads'\?"),
        (lambda: vary("heads", 1, 1), r"vary\('heads', ...\): {'heads': 1} is listed twice"),
        (lambda: vary("dropout", 0, 0.0), "is listed twice"),
        (lambda: vary("attention.scale", "constant(1)", "constant(c=1.0)"), "is listed twice"),
        (lambda: vary("heads", 0), "heads is 0; allowed: integers >= 1"),
        (lambda: together(), r"together\(...\) has no values"),
        (
            lambda: together({"heads": 1}, {"width": 8}),
            r"together\(...\): every point must name the same paths in the same order; the first "
            "names heads, another width",
        ),
        (lambda: skip("why", when={"head": 1}), r"unknown path in skip\(...\) 'head'"),
        (
            lambda: product(Cell(), (vary("heads", 1), together({"heads": 1, "width": 8}))),
            "two axes vary 'heads'; put the values on one axis",
        ),
        (
            lambda: restrict(
                (vary("attention.score", "dot", "additive"),), "attention.score", ("a",)
            ),
            "axis 'attention.score' has no value 'a'; it has dot, additive",
        ),
        (
            lambda: restrict((vary("norm", "pre"),), "norm", ("per",)),
            r"axis 'norm' has no value 'per'; it has pre. Did you mean 'pre'\?",
        ),
        (
            lambda: restrict((vary("heads", 1),), "width", (8,)),
            "this experiment has no axis 'width'; it has heads",
        ),
    ],
)
def test_slips_are_rejected(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_a_skip_covers_any_of_its_values_at_every_path():
    rule = skip("why", when={"heads": (1, 2), "dropout": 0})
    assert rule.covers({"heads": 2, "dropout": 0.0})
    assert not rule.covers({"heads": 4, "dropout": 0.0})
    assert not rule.covers({"heads": 1, "dropout": 0.1})


def test_only_some_points():
    axes = (together({"heads": 1, "width": 8}, {"heads": 2, "width": 16}), vary("seed", 0, 1))
    (kept, seeds) = restrict(axes, "width", (16,))
    assert kept.points == ({"heads": 2, "width": 16},)
    assert seeds == axes[1]


def test_axes_and_cells_are_counted_before_they_are_made():
    with pytest.raises(
        UserError, match=r"vary\('seed', ...\) has 1,000,001 values; allowed: at most"
    ):
        vary("seed", *range(1_000_001))
    axes = [vary("learning_rate", *range(1, 1002)), vary("seed", *range(1000))]
    experiment = Experiment(base=Cell(), axes=axes, tables=[Table("T", "learning_rate")])
    message = (
        r"1,001,000 combinations \(1,001 of learning_rate, 1,000 of seed\); allowed: at most 1,0"
    )
    with pytest.raises(UserError, match=message):
        experiment.resolve("name", "")


def test_a_slip_in_a_table_is_said_before_any_cell_is_made(monkeypatch):
    axes = [vary("learning_rate", *range(1, 1001)), vary("weight_decay", *range(1000))]
    experiment = Experiment(base=Cell(), axes=axes, tables=[Table("T", "learning_rate")])
    monkeypatch.setattr("attn_nlp.experiment.definition.product", None)
    with pytest.raises(UserError, match="axis 'weight_decay' is neither a row"):
        experiment.resolve("name", "")


def test_a_skip_may_name_its_values_as_any_collection():
    rules = [skip("why", when={"heads": values}) for values in ((1, 2), [1, 2], range(1, 3))]
    assert rules[0] == rules[1] == rules[2]
