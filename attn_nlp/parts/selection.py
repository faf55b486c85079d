"""How an experiment names a part and its settings.

    "dot"    "constant(0.25)"    "query_mix(weighting='fixed(0.3)')"    "heads + query_mix"

The text is parsed, never executed, and written back in one canonical form, since it is part of the
identity of a cell. Several parts of one slot are joined by " + ", in the order in which they act.
If that order makes no difference, it is alphabetical, and a part that does nothing is left out, so
that one computation has one text.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from attn_nlp.errors import UserError, unknown
from attn_nlp.parts import values
from attn_nlp.parts.hooks import COUNTS, GATHERED, CountFact
from attn_nlp.parts.registry import SLOTS, Named, Numeric, Part, Static, find
from attn_nlp.parts.sizes import evaluate
from attn_nlp.wording import with_article

_NAME = re.compile("[a-z_][a-z0-9_]*")


@dataclass(frozen=True)
class Choice:
    """A part with the settings that an experiment gave it; all others have their defaults."""

    part: Part
    given: Mapping[str, object]

    def __hash__(self) -> int:
        """Return the hash of slot and text: settings are a mapping, which has no hash."""
        return hash((self.part.slot, self.text))

    @property
    def text(self) -> str:
        """The canonical text: settings by name, in the order of the registry line."""
        inner = ", ".join(
            f"{name}={self.given[name]!r}" for name in self.part.settings if name in self.given
        )
        return f"{self.part.name}({inner})" if inner else self.part.name

    def named(self) -> dict[str, Choice]:
        """Return the parts that this one's settings name, by setting."""
        return {
            name: choose(setting.slot, str(self.given.get(name, setting.default)))
            for name, setting in self.part.settings.items()
            if isinstance(setting, Named)
        }

    def numeric(self, sizes: Mapping[str, int], path: str) -> dict[str, float]:
        """Return numeric settings by path, those of named parts included."""
        values = {
            f"{path}.{name}": evaluate(_number(self.given.get(name, setting.default)), sizes)
            for name, setting in self.part.settings.items()
            if isinstance(setting, Numeric)
        }
        for name, choice in self.named().items():
            values |= choice.numeric(sizes, f"{path}.{name}")
        return values

    def static(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """Return the integers that shape the program, by setting."""
        return {
            name: int(evaluate(_number(self.given.get(name, setting.default)), sizes))
            for name, setting in self.part.settings.items()
            if isinstance(setting, Static)
        }

    def program(self, sizes: Mapping[str, int]) -> object:
        """Return what decides the compiled program: all but the numeric settings."""
        named = {name: choice.program(sizes) for name, choice in self.named().items()}
        return [self.part.program, self.part.code_hash, self.static(sizes), named]

    def fact(
        self,
        name: CountFact,
        sizes: Mapping[str, int],
        default: float | str = 0,
        **instead: int,
    ) -> float:
        """Return the value of a fact that is an expression.

        Args:
          name: the fact.
          sizes: of the cell, by letter.
          default: the value for a part that does not have the fact.
          instead: sizes that replace those of the cell in the expression, but not in the part's
            integer settings, which may follow from them.
        """
        expression = self.part.facts.get(name, default)
        return evaluate(expression, {**sizes, **self.static(sizes), **instead})

    def family(self) -> Iterator[Part]:
        """Yield this part and all that its settings name."""
        yield self.part
        for choice in self.named().values():
            yield from choice.family()


def choose(slot: str, text: str) -> Choice:
    """Return the choice that a text such as "constant(0.25)" means.

    Raises:
      UserError: the text is malformed, or names an unknown part or setting, or a value is outside
        what the setting allows.
    """
    choices = choose_all(slot, text)
    if len(choices) != 1:
        raise _one(slot, text, choices)
    return choices[0]


def choose_all(slot: str, text: str) -> tuple[Choice, ...]:
    """Return the choices of a text that may join several parts by " + ", in canonical order.

    Example:
      >>> [choice.text for choice in choose_all("scale", "softcap + constant( 0.25 )")]
      ['constant(c=0.25)', 'softcap']
    """
    choices = _parsed(slot, text)
    if len(choices) == 1:
        return choices
    return _in_order([choice for choice in choices if not _idle(choice.part)] or choices[:1])


def _parsed(slot: str, text: str) -> tuple[Choice, ...]:
    """Return the choices in the order in which the text names them."""
    name = text.strip()
    if _NAME.fullmatch(name):  # as most are: a name without settings
        return (Choice(_found(slot, name), {}),)
    try:
        node = ast.parse(name, mode="eval").body
        terms = _terms(node)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _malformed(slot, text) from None
    choices = tuple(_choice(slot, term, text) for term in terms)
    if len(choices) > 1 and not SLOTS[slot].several:
        raise _one(slot, text, choices)
    return choices


def _idle(part: Part) -> bool:
    """Return whether a part changes nothing next to others, as the mixer "heads" does."""
    return not part.hooks and not any(fact in part.facts for fact in COUNTS)


def _in_order(choices: Sequence[Choice]) -> tuple[Choice, ...]:
    """Return the alphabetically first of all orders that compute the same.

    The order in the catalogue changes when a part is added; an identity must not.
    """
    waiting, ordered = list(choices), []
    while waiting:
        free = [
            position
            for position, choice in enumerate(waiting)
            if not any(_in_turn(other.part, choice.part) for other in waiting[:position])
        ]
        ordered.append(waiting.pop(min(free, key=lambda position: waiting[position].text)))
    return tuple(ordered)


def _in_turn(one: Part, other: Part) -> bool:
    """Return whether it matters which of two parts of a slot acts first."""
    return any(hook in other.hooks and hook not in GATHERED for hook in one.hooks)


def canonical(slot: str, text: str) -> str:
    """Return the one way to write a choice."""
    return " + ".join(choice.text for choice in choose_all(slot, text))


def _terms(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [*_terms(node.left), *_terms(node.right)]
    return [node]


def _choice(slot: str, node: ast.expr, text: str) -> Choice:
    match node:
        case ast.Name(id=name):
            positional, keywords = [], []
        case ast.Call(func=ast.Name(id=name), args=positional, keywords=keywords):
            pass
        case _:
            raise _malformed(slot, text)
    part = _found(slot, name)
    settable = list(part.settable)
    if len(positional) > len(settable):
        raise UserError(
            f"{slot} {text!r}: {name} takes {_settings_of(part)}, not {len(positional)} values."
        )
    given = dict(zip(settable, positional, strict=False))
    for argument in keywords:
        if argument.arg not in settable:
            raise unknown(f"setting of {slot} {name!r}", argument.arg, settable)
        if argument.arg in given:
            raise UserError(f"{slot} {text!r}: setting {argument.arg!r} is given twice.")
        given[argument.arg] = argument.value
    values = {key: _literal(slot, text, value) for key, value in given.items()}
    return Choice(part, {key: _checked(part, key, value) for key, value in values.items()})


def _found(slot: str, name: str) -> Part:
    """Return the part of that name.

    Raises:
      UserError: there is no such part, or float32 does not hold one of its defaults.
    """
    part = find(slot, name)
    for key, setting in part.settings.items():
        if isinstance(setting, Numeric) and not isinstance(setting.default, str):
            _checked(part, key, setting.default)
    return part


def _literal(slot: str, text: str, node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError, MemoryError):
        if isinstance(node, ast.Name):  # activation=sigmoid reads as activation="sigmoid"
            return node.id
        raise _malformed(slot, text) from None


def _checked(part: Part, name: str, value: object) -> object:
    setting = part.settings[name]
    where = f"setting {name!r} of {part.slot} {part.name!r}"
    match setting:
        case Named(slot=slot):
            return canonical(slot, str(value))
        case Numeric(low=low, high=high):
            return values.number(where, value, low, high)
        case Static(low=low, high=high):
            return values.whole(where, value, low, high)
    raise AssertionError(f"{where} is not of a known kind")


def _number(value: object) -> float | str:
    assert isinstance(value, int | float | str)
    return value


def _settings_of(part: Part) -> str:
    return "the settings " + ", ".join(part.settable) if part.settable else "no settings"


def _one(slot: str, text: str, choices: tuple[Choice, ...]) -> UserError:
    return UserError(
        f"{slot} {text!r} names {len(choices)} parts; {with_article(slot)} is one part."
    )


def _malformed(slot: str, text: str) -> UserError:
    return UserError(
        f"{slot} {values.shown(text)} is malformed; write a name such as 'dot', or a name with "
        "settings such as 'constant(0.25)'."
    )
