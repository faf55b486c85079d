"""Theoretical costs of a cell: parameters, floating-point operations and state, without JAX.

The counts follow from what each part declares in its registry line: the shapes of its learned
arrays, `flops=` for its own operations on one sentence of T tokens, and for a kind `state=`, the
numbers kept to answer one more query about T tokens. What does not belong to a part, that is linear
maps, norms, feed-forward layers and the class head, is counted here.

A multiplication and an addition count as two operations, an elementwise function as one. The counts
are of the mathematics of one forward pass without padding or dropout: operations that are repeated
to save memory are left out. A part that declares no operations counts as none; `uncounted` lists
such parts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.experiment.cell import PATHS
from attn_nlp.parts.hooks import PAIRWISE
from attn_nlp.parts.registry import Named, Part, parts
from attn_nlp.parts.selection import Choice
from attn_nlp.parts.sizes import shape

_NORM = 7  # center (2), square, average, divide, scale and bias
_EMBED = frozenset({"embed"})  # the hook of a position that runs before the blocks


def parameters(cell: Cell, vocabulary: int, classes: int) -> int:
    """Return how many numbers training changes; exactly those that the encoder holds.

    Args:
      cell: the settings.
      vocabulary: ids, padding and unknown included.
      classes: how many classes there are.

    Returns:
      The count; 0 for a model that is fitted by its own code.
    """
    if _is_fitted(cell):
        return 0
    sizes = {**cell.sizes, "V": vocabulary, "C": classes}
    once, block, head = _composition(cell, sizes)
    embedding = sizes["V"] * sizes["E"]
    return (
        embedding + once.parameters(sizes) + sizes["N"] * block.parameters(sizes) + head.parameters
    )


def flops(cell: Cell, tokens: int, classes: int = 2) -> float:
    """Return the operations of one forward pass over one sentence.

    Args:
      cell: the settings; `length` bounds learned tables but is not the length counted.
      tokens: T, the length of the sentence.
      classes: how many classes there are.

    Returns:
      The count; 0 for a model that is fitted by its own code.
    """
    if _is_fitted(cell):
        return 0.0
    sizes = {**cell.sizes, "C": classes}
    once, block, head = _composition(cell, sizes)
    embedding = tokens * sizes["E"]
    around = embedding + once.flops(sizes, tokens) + head.flops(1)
    return around + sizes["N"] * block.flops(sizes, tokens)


def state(cell: Cell, tokens: int) -> float | None:
    """Return how many numbers all blocks keep to answer one more query about `tokens` tokens.

    Returns:
      The count, or None if the kind, or another model, does not declare it.
    """
    sizes = cell.sizes
    chosen = cell.choices
    model = chosen["model"]
    blocks, part = (1, model) if model.part.hooks else (sizes["N"], chosen["attention.kind"])
    if "state" not in part.part.facts:
        return None
    return blocks * part.fact("state", sizes, T=tokens)


def uncounted(cell: Cell) -> tuple[Part, ...]:
    """Return the parts of the cell that act and do not declare their operations."""
    acting_parts = {part.place: part for choice in acting(cell) for part in choice.family()}
    return tuple(part for part in acting_parts.values() if "flops" not in part.facts)


def part_flops(choice: Choice, sizes: Mapping[str, int], tokens: int) -> float:
    """Return the operations of a part's own hooks and of the parts that it names, on one sentence.

    Args:
      choice: the part with its settings.
      sizes: the sizes of the cell.
      tokens: T.
    """
    # A setting that defaults to the cell's length keeps it; only the sentence has `tokens` tokens.
    own = choice.fact("flops", sizes, T=tokens)
    return own + sum(part_flops(other, sizes, tokens) for other in choice.named().values())


def arrays(choice: Choice, sizes: Mapping[str, int], hooks: Collection[str] | None = None) -> int:
    """Return how many learned numbers a part has, including those of the parts that it names.

    Args:
      choice: the part with its settings.
      sizes: the sizes of the cell.
      hooks: those that are run, by default all; an array that none of them asks for does not
        exist.
    """
    own_sizes = {**sizes, **choice.static(sizes)}
    own = sum(
        prod(shape(array.shape, own_sizes)) for array in choice.part.learned_by(hooks).values()
    )
    return own + sum(arrays(other, sizes) for other in choice.named().values())


def acting(cell: Cell) -> Iterator[Choice]:
    """Yield the chosen parts that a forward pass runs; no score for a kind without pairs, say."""
    once, block, _ = _composition(cell, {**cell.sizes, "C": 0})
    yielded: list[Choice] = []
    for choice, hooks in [*block.parts, *once.parts]:
        runs = hooks != _EMBED or "embed" in choice.part.hooks
        if runs and not any(choice is other for other in yielded):
            yielded.append(choice)
            yield choice


def showing(part: Part) -> Cell:
    """Return the default cell with this part, named by another part if no path takes it.

    Raises:
      UserError: the default cell rejects the part, or nothing takes it.
    """
    return Cell().replace(settings_for(part.slot, part.name))


def settings_for(slot: str, text: str) -> dict[str, str]:
    """Return the setting, by path, that puts a part into a cell."""
    path = next((path for path, info in PATHS.items() if info.get("slot") == slot), None)
    if path is not None:
        return {path: text}
    for host in parts():
        for name, setting in host.settable.items():
            if isinstance(setting, Named) and setting.slot == slot:
                return settings_for(host.slot, f"{host.name}({name}={text!r})")
    raise UserError(f"nothing in a cell takes a part of slot {slot!r}.")


@dataclass(frozen=True)
class _Layer:
    """A linear map of a position; without a kernel of its own it shares that of another one."""

    fan_in: int
    fan_out: int
    use_bias: bool = True
    use_kernel: bool = True

    @property
    def parameters(self) -> int:
        kernel = self.fan_in * self.fan_out if self.use_kernel else 0
        return kernel + (self.fan_out if self.use_bias else 0)

    def flops(self, positions: int) -> float:
        bias = self.fan_out if self.use_bias else 0
        return positions * (2 * self.fan_in * self.fan_out + bias)


@dataclass
class _Group:
    """Everything that runs once for a sentence, or once in every block.

    Attributes:
      parts: with the hooks that are run, or None for all.
      layers: linear maps of every position.
      norms: the number of layer norms.
      elementwise: further operations at every position.
    """

    parts: list[tuple[Choice, Collection[str] | None]] = field(default_factory=list)
    layers: list[_Layer] = field(default_factory=list)
    norms: int = 0
    elementwise: int = 0

    def parameters(self, sizes: Mapping[str, int]) -> int:
        learned = sum(arrays(choice, sizes, hooks) for choice, hooks in self.parts)
        linear = sum(layer.parameters for layer in self.layers)
        return learned + linear + 2 * self.norms * sizes["E"]

    def flops(self, sizes: Mapping[str, int], tokens: int) -> float:
        own = sum(
            part_flops(choice, sizes, tokens)
            for choice, hooks in self.parts
            if hooks is None or _embeds_only(choice) == (hooks == _EMBED)
        )
        linear = sum(layer.flops(tokens) for layer in self.layers)
        return own + linear + tokens * (self.norms * _NORM * sizes["E"] + self.elementwise)


def _composition(cell: Cell, sizes: Mapping[str, int]) -> tuple[_Group, _Group, _Layer]:
    """Return the groups that run once and in every block, and the class head."""
    chosen = cell.choices
    model, kind = chosen["model"], chosen["attention.kind"]
    if model.part.hooks:
        head = _Layer(int(model.fact("features", sizes)), sizes["C"])
        return _Group([(model, None)]), _Group(), head
    width, ffn_width = sizes["E"], sizes["F"]
    once = _Group([(chosen["position"], _EMBED), (chosen["pooling"], None)])
    once.norms = 1 if cell.norm == "pre" else 0
    feed_forward = [_Layer(width, ffn_width), _Layer(ffn_width, width)]
    # ReLU in the feed-forward layer, and two residual connections.
    block = _Group([(kind, None)], feed_forward, norms=2, elementwise=ffn_width + 2 * width)
    if "block" not in kind.part.hooks:
        block.layers += _projections(cell, sizes)
    if not kind.part.hooks:
        block.parts += [
            (choice, set(choice.part.hooks) - _EMBED)
            for choice in chosen.values()
            if choice.part.slot in PAIRWISE
        ]
    return once, block, _Layer(width, sizes["C"])


def _projections(cell: Cell, sizes: Mapping[str, int]) -> list[_Layer]:
    """Return the maps to queries, keys and values, and the output map."""
    width, maps = sizes["E"], sizes["Q"] // sizes["H"]
    use_bias = cell.attention.projection_bias
    return [
        _Layer(width, sizes["Q"] * sizes["D"], use_bias),
        _Layer(width, sizes["K"] * maps * sizes["D"], use_bias, not cell.attention.tie_qk),
        _Layer(width, sizes["K"] * sizes["U"], use_bias),
        _Layer(sizes["H"] * sizes["U"], width, use_bias),
    ]


def _is_fitted(cell: Cell) -> bool:
    """Return whether the model is fitted by its own code."""
    return "fit" in cell.choices["model"].part.hooks


def _embeds_only(choice: Choice) -> bool:
    """Return whether the part runs once before the blocks, and not in each of them."""
    return set(choice.part.hooks) <= _EMBED and choice.part.slot == "position"
