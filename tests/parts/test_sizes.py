"""Expressions in letters: their values, and that nothing else is understood."""

from __future__ import annotations

import pytest

from attn_nlp.errors import UserError
from attn_nlp.parts.sizes import SIZES as SIZE_NAMES
from attn_nlp.parts.sizes import check_expression, evaluate, shape

SIZES = dict.fromkeys(SIZE_NAMES, 2) | {"D": 16, "H": 3}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("D**-0.5", 0.25),
        ("D**-1", 1 / 16),
        ("2/(D+H)", 2 / 19),
        ("-D + 2*H - 1", -11),
        (0.3, 0.3),
        (2, 2.0),
    ],
)
def test_values(text, value):
    assert evaluate(text, SIZES) == value


@pytest.mark.parametrize(
    "text",
    ["", "D**", "Z", "d", "__import__('os')", "D if 1 else 2", "D // 2", "'D'", "D()", "D.x"],
)
def test_anything_else_is_rejected(text):
    with pytest.raises(
        UserError,
        match=r"is not a valid expression; use numbers, .* sizes T .positions of a sentence., H",
    ):
        evaluate(text, SIZES)
    with pytest.raises(UserError, match="here: "):
        check_expression(text, "here")


def test_shapes():
    assert shape("H D D", SIZES) == (3, 16, 16)
    assert shape("", SIZES) == ()
