"""Checks of a registry line, made where it is written.

The input is the arguments of a decorator and the definition below it. The output is the hooks, or
one sentence that says what to write instead.
"""

from __future__ import annotations

import inspect
import math
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from attn_nlp.errors import UserError, unknown
from attn_nlp.parts.hooks import FACTS, HOOKS, ON_REQUEST, SLOTS, Learned, Named, Numeric, Static
from attn_nlp.parts.sizes import check_expression
from attn_nlp.user_code.hashing import file_of
from attn_nlp.wording import with_article

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
# Hooks that a slot of several hooks cannot do without, and hooks that need others.
_NEEDED = {"normalizer": "weights"}
_TOGETHER = {"rescale": ("reduce", "merge"), "merge": ("reduce",)}


def check_brackets(slot: str, name: object) -> None:
    """Reject a decorator without brackets or without a name.

    Raises:
      UserError: showing the right form.
    """
    if isinstance(name, str) and name:
        return
    called = getattr(name, "__name__", "")
    shown = called if called.isidentifier() else "mine"
    given = f"is above {called!r} without a name" if called else f"is given {name!r} as a name"
    raise UserError(f'@{slot} {given}; write @{slot}("{shown.lower()}") above the definition.')


def check_line(
    slot: str,
    name: object,
    label: object,
    cite: object,
    revision: object,
    settings: object,
    learned: object,
    facts: Mapping[str, object],
) -> None:
    """Reject arguments of a registry line that cannot be meant.

    Raises:
      UserError: naming the argument and what it may be.
    """
    if slot not in SLOTS:
        raise unknown("slot", slot, SLOTS)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UserError(
            f"{slot} name {name!r} is malformed; use lower-case letters, digits and underscores, "
            "at most 40, beginning with a letter."
        )
    who = f"{slot} {name!r}"
    for what, text in (("label", label), ("cite", cite)):
        if text is not None and not isinstance(text, str):
            raise UserError(f"{what} of {who} is {text!r}; it must be a string.")
    if isinstance(revision, bool) or not isinstance(revision, int) or revision < 1:
        raise UserError(f"revision of {who} is {revision!r}; give an integer from 1.")
    for what, given, kinds, form in (
        ("settings", settings, (Numeric, Static, Named), "settings={'c': Numeric(0.5)}"),
        ("learned", learned, (Learned,), "learned={'w': Learned('H D')}"),
    ):
        if given is None:
            continue
        if not isinstance(given, Mapping):
            raise UserError(f"{what} of {who} are {given!r}; write them by name: {form}.")
        for key, value in given.items():
            if not isinstance(key, str) or not key.isidentifier():
                raise UserError(f"{what} of {who}: {key!r} is not the name of an argument.")
            if not isinstance(value, kinds):
                array = Learned in kinds
                named = "learned array" if array else "setting"
                advice = _array_advice(value) if array else _setting_advice(value)
                raise UserError(f"{named} {key!r} of {who} is {advice}.")
    for fact, value in facts.items():
        _check_fact(who, fact, value)


def _array_advice(value: object) -> str:
    """Return what was given instead of an array, and how to write it."""
    if value is Learned:
        return "Learned without brackets; write Learned(...)"
    shape = " ".join(map(str, value)) if isinstance(value, tuple | list) else value
    write = f"Learned({shape!r})" if isinstance(shape, str) else 'Learned("H D")'
    return f"{value!r}; write {write}, with the shape in sizes"


def _setting_advice(value: object) -> str:
    """Return what was given without a class around it, and how to write it."""
    if value in (Numeric, Static, Named):
        kind = getattr(value, "__name__", "Numeric")
        return f"{kind} without brackets; write {kind}(...)"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return f"{value!r}; write Numeric(...), Static(...) or Named(...)"
    if isinstance(value, int):
        return f"{value!r}; write Numeric({float(value)}), or Static({value}) if it shapes arrays"
    if isinstance(value, float):
        return f"{value!r}; write Numeric({value!r})"
    return f"{value!r}; write Numeric({value!r}), or Named(slot, {value!r}) for another part"


def _check_fact(who: str, fact: str, value: object) -> None:
    form = FACTS.get(fact)
    if form is None:
        arguments = ("label", "cite", "settings", "learned", "revision", "files")
        raise unknown(f"argument of {who}:", fact, [*FACTS, *arguments])
    if form == "truth" and not isinstance(value, bool):
        raise UserError(f"{fact} of {who} is {value!r}; it is True or False.")
    if form == "text" and not isinstance(value, str):
        raise UserError(f"{fact} of {who} is {value!r}; it must be a string.")
    if form == "expression" and (
        isinstance(value, bool) or not isinstance(value, int | float | str)
    ):
        raise UserError(
            f"{fact} of {who} is {value!r}; give a number or an expression, such as '2*E'."
        )
    if form == "sizes":
        example = "{'U': 'D'}" if fact == "requires" else "{'D': 2}"
        if not isinstance(value, Mapping):
            raise UserError(
                f"{fact} of {who} is {value!r}; write sizes by size, such as {example}."
            )


def hooks_of(slot: str, name: str, definition: Any) -> dict[str, Callable]:
    """Return the hook functions of the definition below a decorator, by hook.

    Raises:
      UserError: it is neither a function nor a class of functions, or one of them is not a hook.
    """
    who, allowed = f"{slot} {name!r}", SLOTS[slot].hooks
    if not isinstance(definition, type):
        if not _is_function(definition):
            raise UserError(
                f"{who} is {type(definition).__name__!r} and not a function; put the decorator "
                "above a def, or above a class of functions."
            )
        return {allowed[0]: definition}
    _check_class(who, definition, allowed)
    plain = {
        key: value.__func__ if isinstance(value, staticmethod) else value
        for key, value in vars(definition).items()
        if not key.startswith("_")
    }
    hooks = {key: value for key, value in plain.items() if _is_function(value)}
    for key, value in plain.items():
        if key in allowed and key not in hooks:
            raise UserError(
                f"{key} of {who} is {type(value).__name__!r} and not a function; write "
                f"`def {key}(...)` below @staticmethod."
            )
    for key in hooks:
        if key not in allowed:
            raise UserError(
                f"{who} has a function {key!r}, which is not a hook of {with_article(slot)}; "
                f"allowed: {', '.join(allowed)}. Move a helper out of the class, or begin "
                "its name with an underscore."
            )
    needed = _NEEDED.get(slot)
    if (not hooks and not SLOTS[slot].plain) or (needed and needed not in hooks):
        lacks = "supplies no hook" if not hooks else f"supplies {', '.join(hooks)} alone"
        raise UserError(f"{who} {lacks}; {with_article(slot)} needs {needed or allowed[0]!r}.")
    for key in hooks:
        for other in _TOGETHER.get(key, ()):
            if other not in hooks:
                raise UserError(f"{who} has {key!r} without {other!r}; it needs both.")
    return hooks


def _is_function(value: object) -> bool:
    """Return whether it is a function, or one that a library has wrapped, as `jax.jit` does."""
    return inspect.isfunction(value) or (callable(value) and hasattr(value, "__wrapped__"))


def _check_class(who: str, definition: type, allowed: Collection[str]) -> None:
    if "__init__" in vars(definition):
        raise UserError(
            f"{who} has an __init__, but a part is never instantiated and keeps no state: give "
            "numbers by settings= and arrays by learned=."
        )
    for base in definition.__mro__[1:-1]:
        for hook in allowed:
            if hook in vars(base) and hook not in vars(definition):
                raise UserError(
                    f"{who} inherits {hook!r} from {base.__name__}, which is not searched; write "
                    f"`{hook} = staticmethod({base.__name__}.{hook})` in the class."
                )


def check_part(part: Any) -> None:
    """Reject hook functions that ask for what nothing supplies, and numbers that are not possible.

    Args:
      part: a `registry.Part`.

    Raises:
      UserError: naming the argument or the expression.
    """
    who = f"{part.slot} {part.name!r}"
    for name in (*part.settings, *part.learned):
        if name in part.settings and name in part.learned:
            raise UserError(f"{who} has {name!r} both as a setting and as a learned array.")
    asked: set[str] = set()
    for hook, function in part.hooks.items():
        asked |= _check_signature(who, hook, function, (*part.settings, *part.learned))
    if part.hooks:
        _check_unasked(who, part, asked)
    if part.slot == "model" and part.facts.get("baseline"):
        _check_baseline(who, part, asked)
    if part.slot == "optimizer":
        _check_optimizer(who, part, asked)
    counts = [name for name, setting in part.settings.items() if isinstance(setting, Static)]
    for name, setting in part.settings.items():
        where = f"setting {name!r} of {who}"
        if isinstance(setting, Named):
            if setting.slot not in SLOTS:
                raise unknown(f"slot in {where}:", setting.slot, SLOTS)
            continue
        _check_number(where, setting)
    for name, array in part.learned.items():
        where = f"learned array {name!r} of {who}"
        if not isinstance(array.shape, str):
            raise UserError(f"{where} has the shape {array.shape!r}; write sizes, such as 'H D'.")
        for expression in (array.fill, array.std, *array.shape.split()):
            check_expression(expression, where, counts)
    for fact, value in part.facts.items() if part.own_code else ():  # tests check the others
        _check_expressions(f"{fact} of {who}", FACTS.get(fact), value, counts)
    if "read" in part.hooks and "features" not in part.facts:
        raise UserError(
            f"{who} does not say how many numbers its `read` returns for a sentence; add "
            f"features=, such as @{part.slot}({part.name!r}, features='E')."
        )


def _check_signature(who: str, hook: str, function: Callable, own: Sequence[str]) -> set[str]:
    """Return the names of the arguments that the function asks for."""
    if inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function):
        raise UserError(f"hook {hook!r} of {who} must return an array: no yield, no async.")
    known = {*HOOKS[hook], *ON_REQUEST, *own}
    arguments = inspect.signature(function).parameters
    for position, argument in enumerate(arguments.values()):
        name, where = argument.name, f"argument of {who} in hook {hook!r}:"
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            raise UserError(
                f"{where} {argument} receives nothing; name what you need: {_list(known)}."
            )
        if position == 0 and name in ("self", "cls") and name not in known:
            raise UserError(
                f"{where} {name!r} receives nothing, since a hook has no object; leave it out."
            )
        if name not in known:
            if argument.default is argument.empty:
                raise unknown(where, name, known)
            raise UserError(
                f"{where} {name!r} has a default but is not a setting; write "
                f"settings={{{name!r}: Numeric({argument.default!r})}} in the registry line, or "
                "leave it out."
            )
        if argument.default is not argument.empty:
            raise UserError(
                f"{where} {name!r} has a default that is never used, since its value is always "
                "given; leave the default out."
            )
        if argument.kind is argument.POSITIONAL_ONLY:
            raise UserError(
                f"{where} {name!r} comes before a '/', but is given by name; drop the '/'."
            )
        if name in own and name in HOOKS[hook]:
            raise UserError(
                f"{where} {name!r} is both an argument of the hook and declared; rename it."
            )
    return set(arguments)


def _list(names: Collection[str]) -> str:
    return ", ".join(sorted(names))


def _check_unasked(who: str, part: Any, asked: Collection[str]) -> None:
    """Reject a setting or an array that no hook asks for: it would be set without effect."""
    for name, setting in part.settings.items():
        if isinstance(setting, Numeric | Named) and name not in asked:
            raise UserError(f"setting {name!r} of {who} is asked for by none of its functions.")
    for name in part.learned:
        if name not in asked:
            raise UserError(
                f"learned array {name!r} of {who} is asked for by none of its functions."
            )


def _check_baseline(who: str, part: Any, asked: Collection[str]) -> None:
    """Reject a baseline without a `fit`, or one whose `fit` asks for the seed."""
    if "fit" not in part.hooks:
        raise UserError(
            f"{who} is a baseline, which is fitted without JAX, but has no `fit`; write one or "
            "leave baseline=True out."
        )
    if "seed" in asked:
        raise UserError(
            f"{who} is a baseline, which is trained once for all seeds, but its `fit` asks for "
            "'seed'; leave the argument out, or baseline=True."
        )


def _check_optimizer(who: str, part: Any, asked: Collection[str]) -> None:
    """Reject what an optimizer, which is made once for all layers, is not given."""
    if part.learned:
        raise UserError(
            f"{who} declares learned arrays; an optimizer keeps its arrays in the state that its "
            "`init` returns. Leave learned= out."
        )
    for name, setting in part.settings.items():
        if isinstance(setting, Named):
            raise UserError(
                f"setting {name!r} of {who} names a part; the settings of an optimizer are "
                "numbers. Write Numeric(...) or Static(...)."
            )
    for name in ON_REQUEST:
        if name in asked:
            allowed = (*HOOKS["transform"], *part.settings)
            raise unknown(f"argument of {who} in hook 'transform':", name, allowed)


def _check_number(where: str, setting: Numeric | Static) -> None:
    default, whole = setting.default, isinstance(setting, Static)
    kinds = int | str if whole else int | float | str
    if isinstance(default, bool) or not isinstance(default, kinds):
        allowed = "an integer" if whole else "a number"
        raise UserError(
            f"{where} starts at {default!r}; give {allowed} or an expression, such as 'D'."
        )
    check_expression(default, where)
    high = math.inf if setting.high is None else setting.high
    if not isinstance(default, str) and not (setting.low <= default <= high):
        raise UserError(
            f"{where} starts at {default!r}, which is not from {setting.low} to {high}."
        )
    if not isinstance(default, str) and not math.isfinite(default):
        raise UserError(f"{where} starts at {default!r}, which is not a finite number.")


def _check_expressions(where: str, form: str | None, value: Any, counts: Sequence[str]) -> None:
    if form == "expression":
        check_expression(value, where, counts)
    elif form == "sizes":
        for pair in value.items():
            for size in pair:
                check_expression(size, where, counts)


def data_files(modules: Sequence[str], files: object) -> tuple[Path, ...]:
    """Return the files that a part declares.

    Args:
      modules: modules of the part, first the one that registers it.
      files: paths from that module's folder.

    Raises:
      UserError: one of them is not a file.
    """
    if isinstance(files, str) or not isinstance(files, Sequence):
        raise UserError(f"files is {files!r}; write a list of paths, such as files=['gain.txt'].")
    home = file_of(modules[0]) if modules else None
    folder = Path(home).parent if home else Path.cwd()
    paths = []
    for name in files:
        if not isinstance(name, str | os.PathLike):
            raise UserError(f"files names {name!r}; give the path of a file.")
        path = folder / name
        if not path.is_file():
            why = "is a folder; name its files" if path.is_dir() else "is not a file"
            raise UserError(f"files names {str(name)!r}, but {path} {why}.")
        paths.append(Path(os.path.abspath(path)))
    return tuple(paths)
