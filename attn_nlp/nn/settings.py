"""The settings of a module: keyword arguments in, the cells that describe its blocks out.

A cell holds and checks every setting of a model, so a module that is built by keywords is also
built from cells: names, ranges and parts that do not fit together are rejected as in an experiment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from attn_nlp.errors import UserError, unknown
from attn_nlp.experiment import Cell
from attn_nlp.experiment.cell import check_value
from attn_nlp.parts.registry import Named, parts
from attn_nlp.parts.selection import Choice, choose, choose_all
from attn_nlp.parts.values import shown

# Keywords of a block's attention, with the paths of a cell's settings; `qk_norm` joins the scale.
ATTENTION = {
    **{name: name for name in ("heads", "head_dim", "value_dim", "position")},
    **{
        name: f"attention.{name}"
        for name in (
            "kind",
            "score",
            "scale",
            "mask",
            "normalizer",
            "mixer",
            "init",
            "tie_qk",
            "dropout",
            "chunk",
        )
    },
    "use_bias": "attention.projection_bias",
}


def attention_cell(outer: Mapping[str, object], attention: Mapping[str, object]) -> Cell:
    """Return the cell of one block.

    Args:
      outer: settings around attention, by path of a cell.
      attention: those of attention, by keyword: the keys of `ATTENTION`, and `qk_norm`.

    Raises:
      UserError: an unknown keyword, part or setting, or parts that do not fit together.
    """
    given, known = dict(attention), (*ATTENTION, "qk_norm")
    for name in given:
        if name not in known:
            raise unknown("attention setting", name, known)
    given["scale"] = _joined(given.get("scale"), given.pop("qk_norm", None))
    if given.get("position") is not None:
        check_inside(str(check_value("position", given["position"])))
    inner = {ATTENTION[name]: value for name, value in given.items() if value is not None}
    return Cell().replace({**outer, **inner})


def layer_cells(
    outer: Mapping[str, object], attention: object, layers: int
) -> tuple[Cell, list[Cell]]:
    """Return the cell of the whole encoder and those of its blocks.

    Args:
      outer: settings around attention, by path of a cell.
      attention: one mapping for all blocks, one for every block, or None for the defaults.
      layers: how many blocks there are.

    Raises:
      UserError: as `attention_cell`; or not as many mappings as layers.
    """
    base = attention_cell(outer, {})
    form = 'give {"score": "additive"}, or a list of such, one for each layer'
    if attention is None or isinstance(attention, Mapping):
        settings = [attention or {}] * layers
    elif isinstance(attention, Sequence) and not isinstance(attention, str):
        settings = list(attention)
    else:
        raise UserError(f"attention is {shown(attention)}; {form}.")
    for entry in settings:
        if not isinstance(entry, Mapping):
            raise UserError(f"attention holds {shown(entry)}; {form}.")
    if len(settings) != layers:
        raise UserError(f"attention has {len(settings)} entries for {layers} layers; {form}.")
    return base, [attention_cell(outer, entry) for entry in settings]


def check_length(choices: Iterable[Choice], length: int | None) -> int | None:
    """Return the most tokens that learned arrays allow, or None if they allow any number.

    Raises:
      UserError: a part depends on the length of a text, and none is given.
    """
    limited = False
    for choice in choices:
        counting = [part for part in _family(choice) if _counts_positions(part)]
        if counting and length is None:
            part = choice.part
            raise UserError(
                f"{part.slot} {choice.text!r} depends on the most tokens of a text; give them as "
                "length, such as length=128."
            )
        limited |= any(_has_table(counted) for counted in counting)
    return length if limited else None


def check_inside(position: str) -> None:
    """Reject a position that acts on embeddings alone.

    Raises:
      UserError: naming those that act inside attention.
    """
    part = choose("position", position).part
    if set(part.hooks) == {"embed"}:
        inside = [part.name for part in parts("position") if set(part.hooks) - {"embed"}]
        raise UserError(
            f"position {position!r} acts on embeddings, not inside attention; allowed: none, "
            f"{', '.join(inside)}. Give it as the position of an Encoder."
        )


def asks_for(choices: Iterable[Choice], name: str) -> bool:
    """Return whether a hook of these parts, or of parts that they name, takes that argument."""
    return any(
        name in part.arguments(hook)
        for choice in choices
        for part in choice.family()
        for hook in part.hooks
    )


def _joined(scale: object, qk_norm: object) -> object:
    """Return the scale joined with a normalization of queries and keys, which is a scale too."""
    if qk_norm is None:
        return scale
    text = check_value("attention.scale", qk_norm)
    if not all("prepare" in choice.part.hooks for choice in choose_all("scale", str(text))):
        known = [part.name for part in parts("scale") if "prepare" in part.hooks]
        raise unknown("qk_norm", qk_norm, known)
    return text if scale is None else f"{scale} + {text}"


def _family(choice: Choice) -> Iterator[Choice]:
    yield choice
    for other in choice.named().values():
        yield from _family(other)


def _counts_positions(choice: Choice) -> bool:
    defaults = (
        str(setting.default)
        for name, setting in choice.part.settings.items()
        if name not in choice.given and not isinstance(setting, Named)
    )
    return _has_table(choice) or any(_names_length(text) for text in defaults)


def _has_table(choice: Choice) -> bool:
    """Return whether a learned array has an entry for every position."""
    return any(_names_length(array.shape) for array in choice.part.learned.values())


def _names_length(text: str) -> bool:
    return re.search(r"\bT\b", text) is not None
