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
from math import prod

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell
from attn_nlp.experiment.cell import PATHS
from attn_nlp.parts.hooks import PAIRWISE
from attn_nlp.parts.registry import Named, Part, parts
from attn_nlp.parts.selection import Choice
from attn_nlp.parts.sizes import shape

_NORM = 7  # center (2), square, average, divide, scale and bias


def parameters(cell: Cell, vocabulary: int, classes: int) -> int:
    """Return how many numbers training changes; exactly those that the encoder holds.

    Args:
      cell: the settings.
      vocabulary: ids, padding and unknown included.
      classes: how many classes there are.

    Returns:
      The count; 0 for a model that is fitted by its own code.
    """
    sizes = {**cell.sizes, "V": vocabulary, "C": classes}
    chosen = cell.choices
    model = chosen["model"]
    if "fit" in model.part.hooks:
        return 0
    embedding = sizes["V"] * sizes["E"]
    if "read" in model.part.hooks:
        features = int(model.fact("features", sizes))
        return embedding + arrays(model, sizes) + features * sizes["C"] + sizes["C"]
    around = arrays(chosen["position"], sizes, {"embed"}) + arrays(chosen["pooling"], sizes)
    last = 2 * sizes["E"] if cell.norm == "pre" else 0
    head = sizes["E"] * sizes["C"] + sizes["C"]
    return embedding + around + sizes["N"] * _block_parameters(cell, sizes) + last + head


def flops(cell: Cell, tokens: int, classes: int = 2) -> float:
    """Return the operations of one forward pass over one sentence.

    Args:
      cell: the settings; `length` bounds learned tables but is not the length counted.
      tokens: T, the length of the sentence.
      classes: how many classes there are.

    Returns:
      The count; 0 for a model that is fitted by its own code.
    """
    sizes = {**cell.sizes, "C": classes}
    chosen = cell.choices
    model = chosen["model"]
    if "fit" in model.part.hooks:
        return 0.0
    embedding = tokens * sizes["E"]
    if "read" in model.part.hooks:
        features = model.fact("features", sizes)
        return embedding + part_flops(model, sizes, tokens) + 2 * features * sizes["C"] + sizes["C"]
    position = chosen["position"]
    once = part_flops(position, sizes, tokens) if _embeds_only(position) else 0.0
    last = _NORM * tokens * sizes["E"] if cell.norm == "pre" else 0
    pooling = part_flops(chosen["pooling"], sizes, tokens)
    head = 2 * sizes["E"] * sizes["C"] + sizes["C"]
    return embedding + once + sizes["N"] * _block_flops(cell, sizes, tokens) + last + pooling + head


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
    chosen = cell.choices
    model, kind = chosen["model"], chosen["attention.kind"]
    if model.part.hooks:
        yield model
        return
    yield kind
    for choice in chosen.values():
        slot = choice.part.slot
        inside = not kind.part.hooks and slot in PAIRWISE
        if slot == "pooling" or inside or (slot == "position" and "embed" in choice.part.hooks):
            yield choice


def showing(part: Part) -> Cell:
    """Return the default cell with this part, named by another part if no path takes it.

    Raises:
      UserError: the default cell refuses the part, or nothing takes it.
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


def _block_parameters(cell: Cell, sizes: Mapping[str, int]) -> int:
    chosen = cell.choices
    kind = chosen["attention.kind"]
    feed_forward = 2 * sizes["E"] * sizes["F"] + sizes["F"] + sizes["E"]
    count = 2 * 2 * sizes["E"] + feed_forward + arrays(kind, sizes)
    if "block" in kind.part.hooks:
        return count
    query, key, value, output = _projections(sizes)
    count += query + (0 if cell.attention.tie_qk else key) + value + output
    if cell.attention.projection_bias:
        count += (query + key + value) // sizes["E"] + sizes["E"]
    if "attend" in kind.part.hooks:
        return count
    return count + sum(
        arrays(choice, sizes, set(choice.part.hooks) - {"embed"}) for choice in _slots(chosen)
    )


def _block_flops(cell: Cell, sizes: Mapping[str, int], tokens: int) -> float:
    chosen = cell.choices
    kind = chosen["attention.kind"]
    feed_forward = 4 * sizes["E"] * sizes["F"] + 2 * sizes["F"] + sizes["E"]
    residual_and_norms = 2 * sizes["E"] + 2 * _NORM * sizes["E"]
    count = tokens * (feed_forward + residual_and_norms) + part_flops(kind, sizes, tokens)
    if "block" in kind.part.hooks:
        return count
    count += 2 * tokens * sum(_projections(sizes))
    if cell.attention.projection_bias:
        count += tokens * (sum(_projections(sizes)[:3]) // sizes["E"] + sizes["E"])
    if "attend" in kind.part.hooks:
        return count
    return count + sum(
        part_flops(choice, sizes, tokens) for choice in _slots(chosen) if not _embeds_only(choice)
    )


def _projections(sizes: Mapping[str, int]) -> tuple[int, int, int, int]:
    """Return the weights of the maps to queries, keys and values, and of the output map."""
    maps = sizes["Q"] // sizes["H"]
    query, key = sizes["Q"] * sizes["D"], sizes["K"] * maps * sizes["D"]
    return (
        sizes["E"] * query,
        sizes["E"] * key,
        sizes["E"] * sizes["K"] * sizes["U"],
        sizes["H"] * sizes["U"] * sizes["E"],
    )


def _slots(chosen: Mapping[str, Choice]) -> list[Choice]:
    return [choice for choice in chosen.values() if choice.part.slot in PAIRWISE]


def _embeds_only(choice: Choice) -> bool:
    """Return whether the part runs once before the blocks, and not in each of them."""
    return set(choice.part.hooks) <= {"embed"} and choice.part.slot == "position"
