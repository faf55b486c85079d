"""Numbers written in sizes, such as "D**-0.5" for 1/sqrt(head_dim).

A registry line declares the shapes of a part's arrays and the defaults of its settings as text in
these sizes, so that it can be printed unchanged and checked before any shape is known. Only
numbers, sizes, the part's own integer settings, + - * / ** and log2() are allowed; nothing is
ever executed.
"""

from __future__ import annotations

import ast
import functools
import math
import operator
from collections.abc import Iterable, Mapping

from attn_nlp.errors import UserError

SIZES = {
    "T": "positions of a sentence",
    "H": "heads",
    "Q": "query heads: one for each attention map that a head applies",
    "K": "heads of keys and values",
    "M": "attention maps: one per query head, or one for each feature of it",
    "D": "dimension of one head",
    "U": "dimension of one head's values",
    "E": "width of the residual stream",
    "F": "width of the feed-forward layer",
    "N": "encoder layers",
    "V": "vocabulary",
    "C": "classes",
}

_SIZES_IN_WORDS = ", ".join(
    f"{letter} ({what.partition(':')[0]})" for letter, what in SIZES.items()
)
_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
}


_FUNCTIONS = {"log2": math.log2}


def evaluate(expression: float | str, sizes: Mapping[str, int]) -> float:
    """Return the value of a number or of an expression in sizes.

    Args:
      expression: a number or a text.
      sizes: sizes by letter, and by name the settings that the text may use.

    Raises:
      UserError: the text is not an expression in these sizes.

    Example:
      >>> evaluate("D**-0.5", {"D": 16})
      0.25
    """
    if not isinstance(expression, str):
        return float(expression)
    try:
        return float(_value(_parsed(expression), sizes))
    except (SyntaxError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UserError(
            f"{expression!r} is not a valid expression; use numbers, + - * / **, log2(), "
            f"parentheses, and the sizes {_SIZES_IN_WORDS}."
        ) from error


def shape(text: str, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """Return the shape that a text such as "H D D" means.

    Example:
      >>> shape("H D D", {"H": 2, "D": 8})
      (2, 8, 8)
    """
    return tuple(int(evaluate(size, sizes)) for size in text.split())


def check_expression(expression: float | str, where: str, names: Iterable[str] = ()) -> None:
    """Reject an expression that is not valid for any shape.

    Args:
      expression: a number or a text.
      where: what a message calls it.
      names: what it may use besides sizes.

    Raises:
      UserError: naming `where`.
    """
    try:
        evaluate(expression, dict.fromkeys([*SIZES, *names], 2))
    except UserError as error:
        raise UserError(f"{where}: {error}") from error


@functools.lru_cache(maxsize=1024)  # the few expressions of registry lines
def _parsed(expression: str) -> ast.expr:
    return ast.parse(expression, mode="eval").body


def _value(node: ast.expr, sizes: Mapping[str, int]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name):
            return sizes[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, sizes), _value(right, sizes))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, sizes)
        case ast.Call(func=ast.Name(id=name), args=[operand], keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](_value(operand, sizes))
    raise TypeError(f"not understood: {ast.dump(node)}")
