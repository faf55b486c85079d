"""The catalogue of parts: what exists, what it is called, who described it, what it needs.

A *part* is a function (or a class of functions) with a formula, registered in a *slot* by one
decorator line that carries everything a table, a figure or a program needs to know about it.
Nothing here imports JAX, and parts import JAX inside their functions, so that listing, planning
and printing tables start at once.

The built-in parts are defined next to their formulas in later stages; `load_builtin` imports those
modules by name, as a host loads plug-ins, so that no stage imports a later one.

A user's part uses the same decorators in the user's experiment file. Nobody maintains a revision
for it, so the hash of all user code and data that it reaches is part of the identity of every cell
that uses it. It must keep nothing between calls: a process trains many cells, in any order. What
a `fit` draws from `random` and from NumPy's global generator follows from the cell's seed; a
generator of its own must be given `seed`, since a missing seed cannot be detected.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Unpack, cast

from attn_nlp.errors import UserError, unknown
from attn_nlp.parts.declarations import check_brackets, check_line, check_part, data_files, hooks_of
from attn_nlp.parts.hooks import (
    HOOKS,
    ON_REQUEST,
    SLOTS,
    Decorator,
    Definition,
    Facts,
    Learned,
    Named,
    Numeric,
    Setting,
    Slot,
    Static,
)
from attn_nlp.parts.plugins import load_plugins, plugin_of
from attn_nlp.user_code.code_text import typed
from attn_nlp.user_code.hashing import Code, file_of
from attn_nlp.user_code.loading import current
from attn_nlp.user_code.loads import Load
from attn_nlp.wording import with_article

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
    "normalizer",
    "optimizer",
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
    "attn_nlp.nn.parts.scores",
    "attn_nlp.nn.parts.scores_content_free",
    "attn_nlp.nn.parts.scales",
    "attn_nlp.nn.parts.qk_norms",
    "attn_nlp.nn.parts.masks",
    "attn_nlp.nn.parts.normalizers",
    "attn_nlp.nn.parts.normalizers_pointwise",
    "attn_nlp.nn.parts.normalizers_sparse",
    "attn_nlp.nn.parts.mixers",
    "attn_nlp.nn.parts.weightings",
    "attn_nlp.nn.parts.activations",
    "attn_nlp.nn.parts.features",
    "attn_nlp.nn.parts.initializers",
    "attn_nlp.nn.parts.kinds",
    "attn_nlp.nn.parts.kinds_efficient",
    "attn_nlp.nn.parts.positions",
    "attn_nlp.nn.parts.pooling",
    "attn_nlp.nn.parts.models",
    "attn_nlp.train.optimizers",
    "attn_nlp.baselines",
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
    facts: Facts = field(default_factory=Facts)
    revision: int = 1
    doc: str = ""
    program: str = ""  # parts of one slot that share a program differ in numeric defaults only
    own_code: Code | None = None  # of a user's part, whose source is part of its identity

    def __deepcopy__(self, _memo: object) -> Part:
        """Return the part itself: it is immutable, and its functions have no copies."""
        return self

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
        """The key of the part in the catalogue: its slot and its name."""
        return self.slot, self.name

    @property
    def aliases(self) -> list[str]:
        """Other names by which it can be chosen."""
        return [other for (slot, other), name in _aliases.items() if (slot, name) == self.place]

    @property
    def settable(self) -> Mapping[str, Setting]:
        """The settings that an experiment may give; a variant of another part has none."""
        return {} if self.facts.get("fixed") else self.settings

    @property
    def code_hash(self) -> str | None:
        """The hash of the code and data of a user's part, or None for another part."""
        return None if self.own_code is None else self.own_code.hash

    def check(self) -> None:
        """Reject files of a user's part that have changed since they were hashed.

        Raises:
          UserError: naming the file.
        """
        if self.own_code is not None:
            self.own_code.check()

    def arguments(self, hook: str) -> list[str]:
        """Return the names of the arguments that a hook function asks for."""
        return list(inspect.signature(self.hooks[hook]).parameters)

    def learned_by(self, hooks: Collection[str] | None = None) -> dict[str, Learned]:
        """Return the learned arrays that these hooks, by default all, ask for."""
        mine = [hook for hook in self.hooks if hooks is None or hook in hooks]
        asked = {name for hook in mine for name in self.arguments(hook)}
        return {name: array for name, array in self.learned.items() if name in asked}

    def entry(self) -> dict[str, object]:
        """Return the fields that a listing shows, as plain values."""
        return {
            "slot": self.slot,
            "name": self.name,
            "label": self.label,
            "citation": self.cite,
            "summary": self.summary,
            "formula": self.formula,
            "settings": {name: setting.default for name, setting in self.settings.items()},
            "learned": {name: array.shape for name, array in self.learned.items()},
            "revision": self.revision,
            "facts": dict(self.facts),
            "aliases": self.aliases,
        }


_parts: dict[tuple[str, str], Part] = {}
_aliases: dict[tuple[str, str], str] = {}


def register(
    slot: str,
    name: str,
    *,
    label: str | None = None,
    cite: str = "",
    settings: Mapping[str, Setting] | None = None,
    learned: Mapping[str, Learned] | None = None,
    revision: int = 1,
    files: Sequence[str] = (),
    **facts: Unpack[Facts],
) -> Callable[[Definition], Definition]:
    """Enter a function (one hook) or a class of functions (several) into the catalogue.

    Args:
      slot: a key of `SLOTS`.
      name: lower-case letters, digits and underscores; what an experiment writes.
      label: what a table prints; by default the name.
      cite: authors and year, or "control".
      settings: what an experiment may set, by argument name of the hook functions.
      learned: arrays that training changes, by argument name of the hook functions.
      revision: raised when what the part computes changes.
      files: data that the part reads, as paths relative to the folder of its module. Files that
        are opened while an experiment file is loaded are found without it. Files that a hook
        function opens while it is traced, or that a library opens other than through Python, are
        not: name them here, or editing them leaves stored results in use.
      facts: what tests, figures and cells ask about the part, such as `sums_to_one=True`; see
        `hooks.Facts`.

    Raises:
      UserError: the name is malformed or taken, a hook does not belong to the slot, a hook
        function asks for an argument that nothing supplies, or another argument of the line
        cannot be meant.
    """
    check_line(slot, name, label, cite, revision, settings, learned, facts)

    def enter(definition: Definition) -> Definition:
        hooks = hooks_of(slot, name, definition)
        part = Part(
            slot=slot,
            name=name,
            label=label or name,
            cite=cite,
            hooks=MappingProxyType(hooks),
            settings=MappingProxyType(dict(settings or {})),
            learned=MappingProxyType(dict(learned or {})),
            facts=cast("Facts", MappingProxyType(facts)),
            revision=revision,
            doc=inspect.getdoc(definition) or "",
            program=name,
            own_code=own_code(definition, hooks.values(), files),
        )
        check_part(part)
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
    """Enter a part with other numeric defaults, which are fixed; `constant(c)` can be set."""
    base = _parts[slot, of]
    changed = {key: Numeric(value) for key, value in defaults.items()}
    part = Part(
        slot=slot,
        name=name,
        label=label,
        cite=cite,
        hooks=base.hooks,
        settings=MappingProxyType({**base.settings, **changed}),
        learned=base.learned,
        facts=cast("Facts", MappingProxyType({**base.facts, "special_case_of": of, "fixed": True})),
        revision=revision,
        doc=doc,
        program=base.program,
        own_code=own_code(None, base.hooks.values(), ()),
    )
    _enter(part)


def alias(slot: str, name: str, *, of: str) -> None:
    """Make a part known by another name that papers use for it; identity keeps the first."""
    _aliases[slot, name] = _parts[slot, of].name


@functools.cache  # called for every name that is looked up
def load_builtin() -> None:
    """Import every module that registers parts. None of ours imports JAX.

    Raises:
      UserError: a module of an installed package cannot be imported.
    """
    for module in BUILTIN_MODULES:
        importlib.import_module(module)
    load_plugins()


def parts(slot: str | None = None) -> tuple[Part, ...]:
    """Return all parts in the order of registration, or those of one slot."""
    load_builtin()
    if slot is not None and slot not in SLOTS:
        raise unknown("slot", slot, SLOTS)
    return tuple(part for part in _parts.values() if slot in (None, part.slot))


def find(slot: str, name: str) -> Part:
    """Return the part of that name.

    Raises:
      UserError: there is no such part; the message lists the known ones and the nearest.
    """
    load_builtin()
    name = _aliases.get((slot, name), name)
    if (slot, name) not in _parts:
        raise unknown(slot, name, [known for known_slot, known in _parts if known_slot == slot])
    return _parts[slot, name]


def _enter(part: Part) -> None:
    taken = _parts.get(part.place)
    if taken is not None and not _again(taken.own_code, part.own_code):
        other = part if part.own_code is None else taken  # the user's may have been first
        raise UserError(
            f"the {part.slot} name {part.name!r} is taken by {other.label!r}; choose another."
        )
    _parts[part.place] = part


def _again(before: Code | None, now: Code | None) -> bool:
    """Return whether a user's part may replace one that the same file, or an earlier one, entered.

    An experiment file runs once as a script and again when workers import it.
    """
    if before is None or now is None:
        return False
    if now.load is None or before.load is not now.load:
        return True
    return before.modules == now.modules and before.space is not now.space


def own_code(definition: object, hooks: Iterable[Callable], files: Sequence[str]) -> Code | None:
    """Return the user's code that a part or dataset is made of, or None, to who registers it."""
    space = sys._getframe(2).f_globals  # of the module that registers the part
    named = (space.get("__name__"), getattr(definition, "__module__", None))
    modules = [*named, *(getattr(hook, "__module__", None) for hook in hooks)]
    own = [str(name) for name in modules if name and str(name).partition(".")[0] != "attn_nlp"]
    if not own:
        return None
    told = [name for name in own if file_of(name)]
    plugin = plugin_of(own)
    if plugin is not None:  # the same in every process, whichever experiment file is read
        return Code(told, data_files(told, files), None, space, plugin.identity, installed=True)
    return Code(told, data_files(told, files), current(), space, "" if told else typed(definition))


def settle(load: Load) -> None:
    """Compute the hashes of the parts that loading an experiment file has registered."""
    for part in _parts.values():
        if part.own_code is not None and part.own_code.load is load:
            _ = part.own_code.hash


def _decorator(slot: str) -> Decorator:
    def decorator(name: str = "", /, **line: Any) -> Callable[[Definition], Definition]:
        check_brackets(slot, name)
        return register(slot, name, **line)

    decorator.__name__ = slot
    decorator.__doc__ = f"Register {with_article(slot)}: it {SLOTS[slot].what}. See `register`."
    return decorator


kind = _decorator("kind")
score = _decorator("score")
scale = _decorator("scale")
mask = _decorator("mask")
normalizer = _decorator("normalizer")
mixer = _decorator("mixer")
weighting = _decorator("weighting")
activation = _decorator("activation")
features = _decorator("features")
init = _decorator("init")
position = _decorator("position")
pooling = _decorator("pooling")
model = _decorator("model")
optimizer = _decorator("optimizer")
