"""Cells: a wrong setting is rejected where it is written, in a sentence that says what to do."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest

from attn_nlp.errors import UserError
from attn_nlp.experiment import Attention, Cell
from attn_nlp.experiment.cell import PATHS, check_path, flatten, get, parse, unflatten
from attn_nlp.parts import registry


def rejected(message: str, **settings):
    with pytest.raises(UserError, match=message):
        Cell().replace({path.replace("__", "."): value for path, value in settings.items()})


def test_every_field_has_a_path_a_help_and_the_default_of_the_class():
    cell = Cell()
    assert set(PATHS) == {f.name for f in dataclasses.fields(Cell)} - {"attention"} | {
        f"attention.{f.name}" for f in dataclasses.fields(Attention)
    }
    for path, info in PATHS.items():
        assert info["help"], path
        assert get(cell, path) == info["default"], path
    assert unflatten(flatten(cell)) == cell


def test_unknown_paths_name_the_nearest():
    rejected(
        r"unknown setting 'lerning_rate'; known: .*Did you mean 'learning_rate'\?", lerning_rate=1
    )
    rejected(r"unknown setting 'scale'. Did you mean 'attention.scale'\?", scale="none")
    rejected(r"unknown setting 'attention.heads'. Did you mean 'heads'\?", attention__heads=2)
    with pytest.raises(UserError, match=r"unknown axis 'attention.scal'; .*'attention.scale'\?"):
        check_path("attention.scal", "axis")


def test_wrong_values_are_rejected():
    rejected("steps is 0; allowed: integers >= 1", steps=0)
    rejected("steps is 1.5; allowed: integers", steps=1.5)
    rejected("steps is True; allowed: integers", steps=True)
    rejected("seed is -1; allowed: integers from 0 to 4294967295", seed=-1)
    rejected("learning_rate is a number, not 'fast'", learning_rate="fast")
    rejected("learning_rate is a number, not True", learning_rate=True)
    rejected("learning_rate is -1; allowed: from 0 to inf", learning_rate=-1)
    rejected("learning_rate is nan", learning_rate=float("nan"))
    rejected("learning_rate is inf", learning_rate=float("inf"))
    rejected("dropout is 1; allowed: from 0 to 0.95", dropout=1)
    rejected("warmup is 1.5; allowed: from 0 to 1", warmup=1.5)
    rejected(r"unknown norm 'per'; known: post, pre. Did you mean 'pre'\?", norm="per")
    rejected("attention.score names a score; 3 is no name", attention__score=3)
    rejected(r"unknown score 'dott'; .*Did you mean 'dot'\?", attention__score="dott")
    rejected("attention.tie_qk is 1; expected bool", attention__tie_qk=1)
    rejected("dataset is 3; give a name, a Hub id, or a path as a string", dataset=3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"learning_rate": 1e39},
            "learning_rate is 1e.39, and float32, .* for infinity; allowed: 0,",
        ),
        ({"learning_rate": 10**400}, "for infinity"),
        ({"learning_rate": 1e-50}, "learning_rate is 1e-50, and float32, in .* takes it for zero"),
        ({"learning_rate": 1e-38}, "for zero; allowed: 0, or 1.18e-38 to 3.4e.38"),  # subnormal
        ({"weight_decay": 1e39}, "weight_decay is 1e.39"),
        ({"clip": 1e39}, "clip is 1e.39"),
        ({"dropout": 1e-300}, "dropout is 1e-300"),
        ({"attention.scale": "constant(1e50)"}, "setting 'c' of scale 'constant' is 1e.50, and"),
        ({"attention.scale": "constant(-1e-50)"}, "is -1e-50, and float32"),
        ({"attention.mixer": "query_mix('fixed(1e-50)')"}, "is 1e-50, and float32"),
    ],
)
def test_numbers_that_float32_cannot_hold_are_rejected(settings, message):
    with pytest.raises(UserError, match=message):
        Cell().replace(settings)


def test_the_ends_of_float32_and_zero_are_numbers():
    largest, smallest = float(np.finfo(np.float32).max), float(np.finfo(np.float32).tiny)
    for value in (largest, smallest, 0.0):
        cell = Cell(learning_rate=value)
        assert np.float32(cell.numeric()["learning_rate"]) == value


def test_a_default_of_a_part_must_fit_float32_too(catalogue):
    registry.scale("vast", settings={"c": registry.Numeric(1e39)})(lambda c: c)
    rejected("setting 'c' of scale 'vast' is 1e.39", attention__scale="vast")


@pytest.mark.parametrize("path", ["steps", "width", "length", "vocabulary", "batch_size", "layers"])
def test_sizes_fit_into_int32(path):
    with pytest.raises(
        UserError, match=f"{path} is {2**31}; allowed: integers from . to {2**31 - 1}"
    ):
        Cell().replace({path: 2**31})
    with pytest.raises(UserError, match=f"{path} is 1000"):
        Cell().replace({path: 10**30})


def test_as_many_steps_as_can_be_drawn_beforehand():
    assert Cell(steps=10**8, batch_size=10).steps == 10**8
    message = "100,000,000 steps of 16 sentences each need the order of 1,600,000,000 sentences"
    rejected(message, steps=10**8, batch_size=16)
    rejected("1 steps of 21,000,000 sentences", steps=1, batch_size=21_000_000)
    assert Cell(model="majority", steps=10**9).steps == 10**9, "it takes no steps"


@pytest.mark.parametrize(
    ("width", "heads", "advice"), [(130, 4, "128 or 132"), (3, 4, "4 or 8"), (10, 7, "7 or 14")]
)
def test_a_width_that_does_not_split_is_rejected(width, heads, advice):
    message = (
        f"width {width} does not split into {heads} heads; choose a multiple of {heads}, such as"
    )
    rejected(f"{message} {advice}, or give head_dim", width=width, heads=heads)
    cell = Cell(width=width, heads=heads, head_dim=5)
    assert cell.sizes["D"] == 5


def test_letters():
    letters = Cell(width=12, heads=3, layers=2, length=9).sizes
    assert letters == {
        "T": 9, "H": 3, "Q": 3, "K": 3, "M": 3, "D": 4, "U": 4, "E": 12, "F": 48, "N": 2
    }  # fmt: skip
    letters = Cell(width=12, heads=3, head_dim=5, value_dim=7, hidden=11).sizes
    assert (letters["D"], letters["U"], letters["F"]) == (5, 7, 11)
    assert Cell(head_dim=6).sizes["U"] == 6


def test_a_query_mix_needs_values_as_wide_as_queries():
    message = (
        r"attention.mixer 'query_mix' needs value_dim equal to head_dim; they are 5 and 8. Leave "
        r"value_dim out, or give 8"
    )
    rejected(message, attention__mixer="query_mix", head_dim=8, value_dim=5)
    rejected(
        "attention.mixer.1 'query_mix' needs",
        attention__mixer="output_gate + query_mix",
        value_dim=5,
    )
    assert Cell(attention=Attention(mixer="query_mix"), head_dim=8, value_dim=8)


def test_weight_maps_multiply_the_query_heads(catalogue):
    registry.mixer("pairs", maps=2)(lambda out: out)
    assert Cell(heads=4, attention=Attention(mixer="pairs")).sizes["Q"] == 8


def test_equal_cells_are_written_in_one_way():
    one = Cell(learning_rate=1, attention=Attention(scale="constant( 0.25 )"))
    other = Cell(learning_rate=1.0, attention=Attention(scale="constant(c=0.25)"))
    assert one == other
    assert hash(one) == hash(other)
    assert one.attention.scale == "constant(c=0.25)"


def test_numbers_by_path():
    cell = Cell(width=64, heads=4, attention=Attention(mixer="query_mix('fixed(0.3)')"))
    assert cell.numeric() == {
        "dropout": 0.1,
        "attention.dropout": 0.0,
        "learning_rate": 1e-3,
        "weight_decay": 0.01,
        "clip": 1.0,
        "attention.scale.c": 0.25,
        "attention.mixer.weighting.share": 0.3,
        "optimizer.b1": 0.9,
        "optimizer.b2": 0.999,
        "optimizer.eps": 1e-8,
    }


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("steps", "30", 30),
        ("learning_rate", "1e-3", 0.001),
        ("head_dim", "None", None),
        ("attention.tie_qk", "True", True),
        ("attention.tie_qk", "false", False),
        ("attention.scale", "constant(1)", "constant(c=1.0)"),
        ("norm", "post", "post"),
        ("dataset", "sst2", "sst2"),
    ],
)
def test_texts_of_the_command_line(path, text, value):
    assert parse(path, text) == value


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("steps", "many", "steps is an integer, not 'many'"),
        ("steps", "None", "steps is an integer, not 'None'"),
        ("steps", "0", "steps is 0; allowed: integers >= 1"),
        ("learning_rate", "nan", "learning_rate is nan"),
        ("attention.tie_qk", "yes", "attention.tie_qk is 'yes'; allowed: true, false"),
        ("norm", "mid", "unknown norm 'mid'"),
    ],
)
def test_wrong_texts_of_the_command_line(path, text, message):
    with pytest.raises(UserError, match=message):
        parse(path, text)


def test_a_cell_parses_its_parts_once():
    cell = Cell(attention=Attention(mixer="query_mix + heads"))
    assert cell.choices is cell.choices
    assert cell.sizes is cell.sizes
    with pytest.raises(TypeError):
        cell.sizes["H"] = 2  # type: ignore[index]
    assert cell.replace({"heads": 8}).sizes["H"] == 8
    assert cell.sizes["H"] == 4


def test_a_cell_can_be_copied_and_sent_to_another_process():
    """Parsed parts hold functions, which cannot be pickled."""
    cell = Cell(heads=8)
    assert cell.sizes["H"] == 8
    for other in (pickle.loads(pickle.dumps(cell)), copy.deepcopy(cell)):
        assert other == cell
        assert other.sizes == cell.sizes
