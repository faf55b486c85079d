"""The catalogue of parts: what exists, what it is called, who described it, what it needs.

A *part* is a function (or a class of functions) with a formula, registered in a *slot* by one
decorator line that carries everything a table, a figure or a program needs to know about it.
Nothing here imports JAX, and parts import JAX inside their functions, so that listing, planning
and printing tables start at once.

The built-in parts stand beside their formulas in later stages; `load_builtin` imports those
modules by name, the way a host loads plug-ins, so that no stage imports a later one.

A user's own part uses the same decorators in the user's own experiment file. It has no revision
that anyone keeps for it, so the hash of its source goes into the identity of every cell that
uses it.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from attn_nlp.letters import check_expression
from attn_nlp.mistakes import Mistake, unknown
from attn_nlp.slots import HOOKS, ON_REQUEST, SLOTS, Learned, Named, Numeric, Setting, Slot, Static

__all__ = [
    "HOOKS",
    "ON_REQUEST",
    "SLOTS",
    "Learned",
    "Named",
    "Numeric",
    "Part",
    "Setting",
    "Slot",
    "Static",
    "activation",
    "alias",
    "features",
    "find",
    "init",
    "kind",
    "load_builtin",
    "mask",
    "mixer",
    "model",
    "normaliser",
    "parts",
    "pooling",
    "position",
    "register",
    "scale",
    "score",
    "variant",
    "weighting",
]

BUILTIN_MODULES = (
    "attn_nlp.attention.scores",
    "attn_nlp.attention.blind_scores",
    "attn_nlp.attention.scales",
    "attn_nlp.attention.norm_scales",
    "attn_nlp.attention.masks",
    "attn_nlp.attention.normalisers",
    "attn_nlp.attention.normalisers_pointwise",
    "attn_nlp.attention.normalisers_sparse",
    "attn_nlp.attention.mixers",
    "attn_nlp.attention.weightings",
    "attn_nlp.attention.activations",
    "attn_nlp.attention.features",
    "attn_nlp.attention.initialisers",
    "attn_nlp.attention.kinds",
    "attn_nlp.attention.kinds_efficient",
    "attn_nlp.positions",
    "attn_nlp.attention.places",
    "attn_nlp.pooling",
    "attn_nlp.models",
    "attn_nlp.floors",
)


@dataclass(frozen=True)
class Part:
    """One entry of the catalogue."""

    slot: str
    name: str
    label: str
    cite: str
    hooks: Mapping[str, Callable]
    settings: Mapping[str, Setting] = field(default_factory=dict)
    learned: Mapping[str, Learned] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)
    revision: int = 1
    doc: str = ""
    program: str = ""  # parts of one slot that share a program differ in numeric defaults only
    code_hash: str | None = None  # for a user's part: its source decides the result too

    @property
    def summary(self) -> str:
        """The first sentence of the part's docstring."""
        return self.doc.strip().split("\n\n")[0].replace("\n", " ").strip()

    @property
    def formula(self) -> str:
        """The first indented paragraph of the docstring: the formula as text."""
        for paragraph in inspect.cleandoc(self.doc).split("\n\n")[1:]:
            if paragraph.startswith("    "):
                return textwrap.dedent(paragraph).strip()
        return ""

    @property
    def place(self) -> tuple[str, str]:
        """Where the part stands in the catalogue."""
        return self.slot, self.name

    @property
    def aliases(self) -> list[str]:
        """Other names under which it is found."""
        return [other for (slot, other), name in _aliases.items() if (slot, name) == self.place]

    @property
    def settable(self) -> Mapping[str, Setting]:
        """The settings that an experiment may give; a variant of another part has none."""
        return {} if self.facts.get("fixed") else self.settings

    def arguments(self, hook: str) -> list[str]:
        """What a hook function asks for."""
        return list(inspect.signature(self.hooks[hook]).parameters)

    def learned_by(self, hooks: Collection[str] | None = None) -> dict[str, Learned]:
        """The learned arrays that these hooks ask for, by default all; others do not exist."""
        mine = [hook for hook in self.hooks if hooks is None or hook in hooks]
        asked = {name for hook in mine for name in self.arguments(hook)}
        return {name: array for name, array in self.learned.items() if name in asked}

    def entry(self) -> dict[str, object]:
        """What a listing shows: plain values only."""
        return {
            "slot": self.slot,
            "name": self.name,
            "label": self.label,
            "citation": self.cite,
            "summary": self.summary,
            "formula": self.formula,
            "settings": {name: each.default for name, each in self.settings.items()},
            "learned": {name: array.shape for name, array in self.learned.items()},
            "revision": self.revision,
            "facts": dict(self.facts),
            "aliases": self.aliases,
        }


_parts: dict[tuple[str, str], Part] = {}
_aliases: dict[tuple[str, str], str] = {}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def register(
    slot: str,
    name: str,
    *,
    label: str | None = None,
    cite: str = "",
    settings: Mapping[str, Setting] | None = None,
    learned: Mapping[str, Learned] | None = None,
    revision: int = 1,
    **facts: object,
) -> Callable:
    """Enter a function (one hook) or a class of functions (several) into the catalogue.

    Args:
      slot: a key of `SLOTS`.
      name: lower-case letters, digits and underscores; what an experiment writes.
      label: what a table prints; the name where none is given.
      cite: authors and year, or "control".
      settings: what an experiment may set, by argument name of the hook functions.
      learned: arrays that training changes, by argument name of the hook functions.
      revision: raised when what the part computes changes.
      facts: anything a test or a figure asks, such as `sums_to_one=True`.

    Raises:
      Mistake: the name is malformed or taken, a hook does not belong to the slot, or a hook
        function asks for an argument that nothing supplies.
    """
    if slot not in SLOTS:
        raise unknown("slot", slot, SLOTS)
    if not _NAME.fullmatch(name):
        raise Mistake(
            f"{slot} name {name!r} is malformed; use lower-case letters, digits and underscores, "
            "at most 40, beginning with a letter."
        )

    def enter(definition):
        hooks = _hooks_of(slot, name, definition)
        part = Part(
            slot=slot,
            name=name,
            label=label or name,
            cite=cite,
            hooks=MappingProxyType(hooks),
            settings=MappingProxyType(dict(settings or {})),
            learned=MappingProxyType(dict(learned or {})),
            facts=MappingProxyType(facts),
            revision=revision,
            doc=inspect.getdoc(definition) or "",
            program=name,
            code_hash=_code_hash(definition),
        )
        _check_part(part)
        _enter(part)
        return definition

    return enter


def variant(
    slot: str,
    name: str,
    *,
    of: str,
    label: str,
    cite: str,
    doc: str,
    defaults: Mapping[str, float | str],
    revision: int = 1,
) -> None:
    """Enter a part under other numeric defaults, which stay: `constant(c)` offers a choice."""
    base = _parts[slot, of]
    if (slot, name) in _parts:
        raise _taken(_parts[slot, name])
    changed = {key: Numeric(value) for key, value in defaults.items()}
    _parts[slot, name] = Part(
        slot=slot,
        name=name,
        label=label,
        cite=cite,
        hooks=base.hooks,
        settings=MappingProxyType({**base.settings, **changed}),
        learned=base.learned,
        facts=MappingProxyType({**base.facts, "special_case_of": of, "fixed": True}),
        revision=revision,
        doc=doc,
        program=base.program,
    )


def alias(slot: str, name: str, *, of: str) -> None:
    """Let a part be found under another name that papers use for it; identity keeps the first."""
    _aliases[slot, name] = _parts[slot, of].name


@functools.cache  # every name that is looked up asks for it
def load_builtin() -> None:
    """Import every module that registers parts. None of them imports JAX."""
    for module in BUILTIN_MODULES:
        importlib.import_module(module)


def parts(slot: str | None = None) -> tuple[Part, ...]:
    """All parts in the order of registration, or those of one slot."""
    load_builtin()
    if slot is not None and slot not in SLOTS:
        raise unknown("slot", slot, SLOTS)
    return tuple(part for part in _parts.values() if slot in (None, part.slot))


def find(slot: str, name: str) -> Part:
    """The part of that name.

    Raises:
      Mistake: no such part; the message lists the known ones and the nearest.
    """
    load_builtin()
    name = _aliases.get((slot, name), name)
    if (slot, name) not in _parts:
        raise unknown(slot, name, [known for place, known in _parts if place == slot])
    return _parts[slot, name]


def _hooks_of(slot: str, name: str, definition) -> dict[str, Callable]:
    allowed = SLOTS[slot].hooks
    if inspect.isfunction(definition):
        return {allowed[0]: definition}
    plain = {
        key: value.__func__ if isinstance(value, staticmethod) else value
        for key, value in vars(definition).items()
        if not key.startswith("_")
    }
    hooks = {key: value for key, value in plain.items() if inspect.isfunction(value)}
    for key in hooks:
        if key not in allowed:
            raise Mistake(
                f"{slot} {name!r} has a function {key!r}, which is no hook of a {slot}; "
                f"allowed: {', '.join(allowed)}."
            )
    if not hooks and not SLOTS[slot].plain:
        raise Mistake(f"{slot} {name!r} supplies no hook; a {slot} needs {allowed[0]!r}.")
    return hooks


def _check_part(part: Part) -> None:
    own = {*part.settings, *part.learned}
    for hook in part.hooks:
        known = {*HOOKS[hook], *ON_REQUEST, *own}
        for argument in part.arguments(hook):
            if argument not in known:
                raise unknown(
                    f"argument of {part.slot} {part.name!r} in hook {hook!r}:", argument, known
                )
    counts = [name for name, setting in part.settings.items() if isinstance(setting, Static)]
    for name, setting in part.settings.items():
        if isinstance(setting, Numeric | Static):
            check_expression(setting.default, f"setting {name!r} of {part.slot} {part.name!r}")
    for name, array in part.learned.items():
        where = f"learned array {name!r} of {part.slot} {part.name!r}"
        for expression in (array.fill, array.deviation, *array.shape.split()):
            check_expression(expression, where, counts)


def _enter(part: Part) -> None:
    taken = _parts.get(part.place)
    # An experiment file is executed once as a script and once more when workers import it.
    same_source = taken is not None and taken.code_hash is not None and part.code_hash is not None
    if taken is not None and not same_source:
        raise _taken(taken)
    _parts[part.place] = part


def _taken(part: Part) -> Mistake:
    return Mistake(
        f"the {part.slot} name {part.name!r} is taken by {part.label!r}; choose another."
    )


def _code_hash(definition) -> str | None:
    """The hash of a user's source file; None for the parts of this package.

    The whole file counts, since a part may call helpers beside it; but not its texts, its
    comments and the experiment itself, which change as results come in.
    """
    if definition.__module__.split(".")[0] == "attn_nlp":
        return None
    file = getattr(sys.modules.get(definition.__module__), "__file__", None)
    source = Path(file).read_text("utf-8") if file else inspect.getsource(definition)
    tree = ast.parse(textwrap.dedent(source))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and _is_text(node.body[0]):
            del node.body[0]
    kept = [ast.unparse(node) for node in tree.body if not _tells_nothing(node)]
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()[:16]


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _tells_nothing(node: ast.stmt) -> bool:
    match node:
        case ast.Assign(targets=[ast.Name(id="experiment")]):
            return True
        case ast.AnnAssign(target=ast.Name(id="experiment")):
            return True
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
            return True
    return _is_text(node)


def _decorator(slot: str) -> Callable:
    def decorator(name: str, **facts) -> Callable:
        return register(slot, name, **facts)

    decorator.__name__ = slot
    decorator.__doc__ = f"Register a {slot}: it {SLOTS[slot].what}. See `register`."
    return decorator


kind = _decorator("kind")
score = _decorator("score")
scale = _decorator("scale")
mask = _decorator("mask")
normaliser = _decorator("normaliser")
mixer = _decorator("mixer")
weighting = _decorator("weighting")
activation = _decorator("activation")
features = _decorator("features")
init = _decorator("init")
position = _decorator("position")
pooling = _decorator("pooling")
model = _decorator("model")
