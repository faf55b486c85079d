"""From what a user types to parts: "query_mix", "normalizer:softmax", or a name that papers use."""

from __future__ import annotations

from attn_nlp.errors import UserError, nearest, unknown
from attn_nlp.parts.registry import SLOTS, Part, find, parts


def known() -> dict[str, list[Part]]:
    """Parts by every name under which they are found; aliases after names."""
    found: dict[str, list[Part]] = {}
    for part in parts():
        found.setdefault(part.name, []).append(part)
    for part in parts():
        for name in part.aliases:
            found.setdefault(name, []).append(part)
    return found


def some(text: str) -> tuple[Part, ...]:
    """All parts of a name, or the one of "slot:name".

    Raises:
      UserError: no such part; the message names the nearest slot or part.
    """
    slot, colon, name = text.partition(":")
    if colon:
        if slot not in SLOTS:
            raise unknown("slot", slot, SLOTS)
        return (find(slot, name),)
    by_name = known()
    if text not in by_name:
        close = nearest(text, [*SLOTS, *by_name])
        hint = f" Did you mean {close!r}?" if close else ""
        raise UserError(
            f"unknown slot or part {text!r}; 'attn-nlp parts' lists them, and those of an "
            f"experiment file with --import FILE.{hint}"
        )
    return tuple(by_name[text])


def one(text: str) -> Part:
    """The part of a name, or of "slot:name".

    Raises:
      UserError: no such part, or the name stands in several slots.
    """
    part, *others = some(text)
    if others:
        places = " or ".join(repr(f"{each.slot}:{each.name}") for each in (part, *others))
        raise UserError(f"part {text!r} stands in {1 + len(others)} slots; write {places}.")
    return part
