"""Slots that take a part, hooks that a part may have, and what its registry line may declare.

The catalogue checks parts by these rules. Nothing here runs anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypedDict, TypeVar, Unpack, get_type_hints

# The arguments that each hook may ask for. Hooks run in this order.
HOOKS: dict[str, tuple[str, ...]] = {
    "embed": ("x", "mask"),
    "prepare": ("q", "k"),
    "score": ("q", "k"),
    "relate": ("q", "k"),
    "factor": ("seen",),
    "adjust": ("logits", "q", "seen"),
    "allowed": (),
    "reduce": ("logits", "mask"),
    "merge": ("a", "b"),
    "rescale": ("a", "b"),
    "weights": ("logits", "mask", "stats", "seen"),
    "reweight": ("weights",),
    "aggregate": ("weights", "v"),
    "finish": ("out", "q_raw", "x"),
    "attend": ("q", "k", "v", "mask"),
    "block": ("x", "mask"),
    "pool": ("x", "mask"),
    "read": ("x", "mask"),
    "activate": ("logits", "mask"),
    "features": ("x",),
    "weigh": ("out", "q_raw"),
    "std": ("fan_in", "fan_out"),
    "fit": ("cell", "prepared", "report"),
    "transform": ("learning_rate", "weight_decay", "matrices"),
}
# Hooks whose results are summed, multiplied or intersected, so that the order of parts changes
# nothing. The others pass their result to the next part.
GATHERED = ("score", "relate", "factor", "allowed", "aggregate")
# Facts by which a part shapes the projections without running anything.
COUNTS = ("maps", "features", "key_heads")
# The slots of attention over pairs, in the order in which they act within a hook.
PAIRWISE = ("score", "scale", "position", "mask", "normalizer", "mixer")
CountFact = Literal["flops", "state", "features", "maps", "key_heads"]
Expression = float | str
SizePairs = Mapping[str, Expression]


class Facts(TypedDict, total=False):
    """Everything that a registry line may say of a part beside its settings and arrays.

    Tests, figures, costs and cells ask for these facts; no other name is accepted.
    """

    # Counts: expressions in sizes and in the part's integer settings.
    flops: Expression
    state: Expression
    features: Expression
    maps: Expression
    key_heads: Expression
    # Conditions on sizes.
    requires: SizePairs
    divides: SizePairs
    # Which cells and tables the part belongs to.
    alone: bool
    baseline: bool
    control: bool
    fixed: bool
    # Properties of what it computes.
    equivariant: bool
    ignores_keys: bool
    ignores_query: bool
    kinked: bool
    position_bound: bool
    shift_invariant: bool
    signed: bool
    sums_to_one: bool
    surrogate: bool
    symmetric: bool
    whole_rows: bool
    # Laws that a user's part declares not to keep; see `probe.laws`.
    sees_batch: bool
    sees_padding: bool
    undefined_gradient: bool
    # Words.
    exclusive: str
    special_case_of: str


_FORMS = {Expression: "expression", SizePairs: "sizes", bool: "truth", str: "text"}
# The form of each fact, by which a registry line is checked when it runs.
FACTS: dict[str, str] = {name: _FORMS[kind] for name, kind in get_type_hints(Facts).items()}
ON_REQUEST = ("here", "sizes", "seed", "layer", "draw")


@dataclass(frozen=True)
class Slot:
    """A role in the model that one part plays, with the hooks that such a part may have."""

    name: str
    hooks: tuple[str, ...]  # the first is the one a bare function supplies
    what: str
    plain: bool = False  # a part may leave everything unchanged and supply no hook
    several: bool = False  # " + " may join parts, which then act one after another


SLOTS: dict[str, Slot] = {
    slot.name: slot
    for slot in (
        Slot("kind", ("block", "attend"), "passes information between positions", plain=True),
        Slot("score", ("score", "prepare"), "compares a query with a key", several=True),
        Slot("scale", ("factor", "prepare", "adjust"), "multiplies the score", several=True),
        Slot(
            "mask", ("allowed",), "restricts which keys a query may see", plain=True, several=True
        ),
        Slot(
            "normalizer",
            ("weights", "reduce", "merge", "rescale"),
            "turns logits into weights over the keys",
        ),
        Slot(
            "mixer",
            ("finish", "prepare", "adjust", "reweight", "aggregate"),
            "applies the weights to the values",
            plain=True,
            several=True,
        ),
        Slot("weighting", ("weigh",), "sets the proportions in which two arrays are mixed"),
        Slot("activation", ("activate",), "turns one score per position into a weight"),
        Slot("features", ("features",), "turns a token representation into features"),
        Slot("init", ("std",), "draws the first query and key weights"),
        Slot(
            "position",
            ("embed", "prepare", "relate", "adjust", "aggregate"),
            "encodes token positions",
            plain=True,
        ),
        Slot("pooling", ("pool",), "pools token vectors into one"),
        Slot("model", ("fit", "read"), "learns from the training split and predicts", plain=True),
        Slot("optimizer", ("transform",), "turns gradients into steps of the parameters"),
    )
}


@dataclass(frozen=True)
class Numeric:
    """A setting that leaves shapes and code alone: an argument of the compiled program.

    The default is a number or an expression in the sizes of `sizes.py`, such as "D**-0.5".
    """

    default: float | str
    low: float = float("-inf")
    high: float = float("inf")


@dataclass(frozen=True)
class Static:
    """An integer that shapes the program; the default may be an expression in sizes."""

    default: int | str
    low: int = 1
    high: int | None = None


@dataclass(frozen=True)
class Named:
    """A setting that names another registered part."""

    slot: str
    default: str


@dataclass(frozen=True)
class Learned:
    """An array that training changes, drawn as fill + std * N(0, 1).

    `shape` lists sizes of `sizes.py`, separated by spaces; "" is a scalar. `fill` and `std` are
    numbers or expressions in those sizes. All three may name the part's `Static` settings.
    """

    shape: str
    fill: float | str = 0.0
    std: float | str = 0.0


Setting = Numeric | Static | Named
Definition = TypeVar("Definition", bound=Callable)


class Decorator(Protocol):
    """A decorator that registers a function, or a class of functions, in one slot."""

    def __call__(
        self,
        name: str = "",
        /,
        *,
        label: str | None = None,
        cite: str = "",
        settings: Mapping[str, Setting] | None = None,
        learned: Mapping[str, Learned] | None = None,
        revision: int = 1,
        files: Sequence[str] = (),
        **facts: Unpack[Facts],
    ) -> Callable[[Definition], Definition]: ...
