"""Slots: the places that take a part, the hooks that a part may have, and what it declares.

In come no parts, out go the rules that the catalogue checks them by. Nothing here runs anything.
"""

from __future__ import annotations

from dataclasses import dataclass

# What each hook is handed by the code that walks the hooks. A hook function names the ones it
# wants; the order in which hooks run is the order in which they stand here.
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
# Hooks whose results are summed, multiplied or met, so that the order of parts changes nothing. The
# others hand what they made to the next part.
GATHERED = ("score", "relate", "factor", "allowed", "aggregate")
# Facts by which a part shapes the projections without running anything.
COUNTS = ("maps", "features", "key_heads")
# The slots of attention over pairs, in the order in which they act within a hook.
PAIRWISE = ("score", "scale", "position", "mask", "normalizer", "mixer")
# What a registry line may say of a part beside its settings and arrays, and in which form.
FACTS: dict[str, str] = {
    # Counts, in letters and in the part's whole-number settings.
    **dict.fromkeys(("flops", "state", "features", "maps", "key_heads"), "expression"),
    # Conditions on sizes.
    **dict.fromkeys(("requires", "divides"), "sizes"),
    # True or False.
    **dict.fromkeys(("alone", "control", "equivariant", "fixed", "baseline"), "truth"),
    **dict.fromkeys(("ignores_keys", "ignores_query", "kinked", "position_bound"), "truth"),
    **dict.fromkeys(("shift_invariant", "signed", "sums_to_one", "surrogate"), "truth"),
    **dict.fromkeys(("symmetric", "whole_rows"), "truth"),
    # Laws that a part of the user's own does not keep, see `probe.laws`.
    **dict.fromkeys(("sees_batch", "sees_padding", "undefined_gradient"), "truth"),
    # Words.
    **dict.fromkeys(("exclusive", "special_case_of"), "text"),
}
ON_REQUEST = ("here", "sizes", "seed", "layer", "draw")


@dataclass(frozen=True)
class Slot:
    """A place that takes one part, with the hooks a part in it may have."""

    name: str
    hooks: tuple[str, ...]  # the first is the one a bare function supplies
    what: str
    plain: bool = False  # whether a part may leave everything as it is and supply no hook
    several: bool = False  # whether " + " may join parts, which then act in turn


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
        Slot("weighting", ("weigh",), "says how much of two arrays goes into their mix"),
        Slot("activation", ("activate",), "turns one number a position into a weight"),
        Slot("features", ("features",), "turns a position into features"),
        Slot("init", ("std",), "draws the first query and key weights"),
        Slot(
            "position",
            ("embed", "prepare", "relate", "adjust", "aggregate"),
            "says where a token stands",
            plain=True,
        ),
        Slot("pooling", ("pool",), "makes one vector of a sentence"),
        Slot("model", ("fit", "read"), "learns from the training split and predicts", plain=True),
        Slot("optimizer", ("transform",), "turns gradients into steps of the parameters"),
    )
}


@dataclass(frozen=True)
class Numeric:
    """A setting that leaves shapes and code alone: an argument of the compiled program.

    The default is a number or an expression in the letters of `sizes.py`, such as "D**-0.5".
    """

    default: float | str
    low: float = float("-inf")
    high: float = float("inf")


@dataclass(frozen=True)
class Static:
    """A whole number that shapes the program; the default may be an expression in letters."""

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

    `shape` is letters of `sizes.py` divided by spaces; "" is a scalar. `fill` and `std` are
    numbers or expressions in those letters. All three may name the part's `Static` settings.
    """

    shape: str
    fill: float | str = 0.0
    std: float | str = 0.0


Setting = Numeric | Static | Named
