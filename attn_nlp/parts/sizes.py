"""Numbers written in the letters of the field, such as "D**-0.5" for 1/sqrt(head_dim).

A part says in its registry line how large its arrays are and where its settings start. It says so
as text in these letters, so that the line can be printed as it is and checked before a shape is
known. Only numbers, letters, the part's own whole-number settings, + - * / ** and log2() are
understood; nothing is ever executed.
"""

from __future__ import annotations

import ast
import functools
import math
import operator
from collections.abc import Iterable, Mapping

from attn_nlp.errors import UserError

LETTERS = {
    "T": "positions of a sentence",
    "H": "heads",
    "Q": "query heads: one for each map of weights that a head applies",
    "K": "heads of keys and values",
    "M": "maps of weights: one a query head, or one for each feature of it",
    "D": "dimension of one head",
    "U": "dimension of one head's values",
    "E": "width of the residual stream",
    "F": "width of the feed-forward layer",
    "N": "encoder layers",
    "V": "vocabulary",
    "C": "classes",
}

_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
}


_FUNCTIONS = {"log2": math.log2}


def evaluate(expression: float | str, letters: Mapping[str, int]) -> float:
    """The value of a number or of an expression in the letters given.

    Args:
      expression: a number or a text.
      letters: sizes by letter, and by name those settings that the text may speak of.

    Raises:
      UserError: the text is not an expression in known letters.

    Example:
      >>> evaluate("D**-0.5", {"D": 16})
      0.25
    """
    if not isinstance(expression, str):
        return float(expression)
    try:
        return float(_value(_parsed(expression), letters))
    except (SyntaxError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UserError(
            f"{expression!r} is no expression in the letters {', '.join(LETTERS)}; "
            "allowed: numbers, these letters, + - * / **, log2() and brackets."
        ) from error


def shape(letters_in_order: str, letters: Mapping[str, int]) -> tuple[int, ...]:
    """The shape that a text such as "H D D" stands for.

    Example:
      >>> shape("H D D", {"H": 2, "D": 8})
      (2, 8, 8)
    """
    return tuple(int(evaluate(letter, letters)) for letter in letters_in_order.split())


def check_expression(expression: float | str, where: str, names: Iterable[str] = ()) -> None:
    """Refuse an expression that no shapes could make sense of; `names` it may use beside letters.

    Raises:
      UserError: naming `where` the expression stands.
    """
    try:
        evaluate(expression, dict.fromkeys([*LETTERS, *names], 2))
    except UserError as error:
        raise UserError(f"{where}: {error}") from error


@functools.lru_cache(maxsize=1024)  # the few expressions of registry lines, for every cell anew
def _parsed(expression: str) -> ast.expr:
    return ast.parse(expression, mode="eval").body


def _value(node: ast.expr, letters: Mapping[str, int]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=letter):
            return letters[letter]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, letters), _value(right, letters))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, letters)
        case ast.Call(func=ast.Name(id=name), args=[operand], keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](_value(operand, letters))
    raise TypeError(f"not understood: {ast.dump(node)}")
