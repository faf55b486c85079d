"""The mechanisms in the rows of an experiment's tables, each with its formula and picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from attn_nlp import figures
from attn_nlp.errors import UserError
from attn_nlp.experiment.cell import PATHS
from attn_nlp.experiment.planned import RowSpec
from attn_nlp.figures.render import figure
from attn_nlp.figures.results import svg_of
from attn_nlp.parts.registry import SLOTS, Part
from attn_nlp.parts.selection import choose_all
from attn_nlp.report.svg import Pictures


@dataclass(frozen=True)
class Mechanism:
    """A part of the catalogue as a report shows it.

    Attributes:
      slot, label, cite: from the registry.
      what: the purpose of its slot.
      summary, formula: from its docstring.
      rows: labels of the rows that use it.
      picture: its schematic as SVG, or "" if the part is not loaded.
    """

    slot: str
    label: str
    cite: str
    what: str
    summary: str
    formula: str
    rows: tuple[str, ...]
    picture: str


@dataclass(frozen=True)
class Makeup:
    """The settings of each row: the table before the schematics.

    Attributes:
      paths: the settings that select rows, without the prefix that all paths share.
      rows: (label, source, a text for each path).
    """

    paths: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[str, ...]], ...]


def makeup(rows: Sequence[RowSpec]) -> Makeup:
    """Return the settings of each row, in the words of the catalogue if it has them.

    Args:
      rows: {"label", "where", "cite"} of the tables.
    """
    paths = list(dict.fromkeys(path for row in rows for path in row["where"]))
    return Makeup(
        paths=tuple(path.removeprefix("attention.").replace("_", " ") for path in paths),
        rows=tuple(
            (
                str(row["label"]),
                str(row["cite"]),
                tuple(_named(path, row["where"].get(path)) for path in paths),
            )
            for row in rows
        ),
    )


def mechanisms(rows: Sequence[RowSpec], pictures: Pictures) -> list[Mechanism]:
    """Return every part that a row names, directly or through another, in order of the slots.

    A part of an experiment file that is not loaded has a name but no picture.
    """
    users: dict[tuple[str, str], list[str]] = {}
    found: dict[tuple[str, str], Part | None] = {}
    for row in rows:
        for path, value in row["where"].items():
            slot = PATHS[path].get("slot") if path in PATHS else None
            if slot is None or value is None:
                continue
            for part in _parts(slot, str(value)):
                key = (slot, str(value)) if part is None else part.place
                found.setdefault(key, part)
                users.setdefault(key, []).append(str(row["label"]))
    order = list(SLOTS)
    return [
        _mechanism(key, found[key], tuple(dict.fromkeys(users[key])), pictures)
        for key in sorted(found, key=lambda key: order.index(key[0]))
    ]


def _parts(slot: str, text: str) -> list[Part | None]:
    try:
        return [part for choice in choose_all(slot, text) for part in choice.family()]
    except UserError:
        return [None]


def _mechanism(
    key: tuple[str, str], part: Part | None, rows: tuple[str, ...], pictures: Pictures
) -> Mechanism:
    slot, name = key
    if part is None:
        summary = "A part of the experiment's own file, which was not read for this report."
        return Mechanism(slot, name, "", SLOTS[slot].what, summary, "", rows, "")
    drawn = svg_of(figure(figures.mechanism(part)))
    return Mechanism(
        slot=slot,
        label=part.label,
        cite=part.cite,
        what=SLOTS[slot].what,
        summary=part.summary,
        formula=part.formula,
        rows=rows,
        picture=pictures.inline(drawn, f"Data flow of {part.label}: {part.summary}"),
    )


def _named(path: str, value: object) -> str:
    slot = PATHS[path].get("slot") if path in PATHS else None
    if value is None:
        return ""
    if slot is None:
        return str(value)
    try:
        chosen = choose_all(slot, str(value))
    except UserError:
        return str(value)
    return " + ".join(
        choice.part.label + choice.text.removeprefix(choice.part.name) for choice in chosen
    )
