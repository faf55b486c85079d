"""Parts by what a user types: "query_mix", "normalizer:softmax", or a name used in papers."""

from __future__ import annotations

from attn_nlp.errors import UserError, nearest, unknown
from attn_nlp.parts.registry import SLOTS, Part, find, parts


def known() -> dict[str, list[Part]]:
    """Return the parts under each of their names; aliases come after names."""
    found: dict[str, list[Part]] = {}
    for part in parts():
        found.setdefault(part.name, []).append(part)
    for part in parts():
        for name in part.aliases:
            found.setdefault(name, []).append(part)
    return found


def some(text: str) -> tuple[Part, ...]:
    """Return all parts of a name, or the one of "slot:name".

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
    """Return the part of a name, or of "slot:name".

    Raises:
      UserError: no such part, or several slots have one of that name.
    """
    part, *others = some(text)
    if others:
        full = " or ".join(repr(f"{known.slot}:{known.name}") for known in (part, *others))
        raise UserError(f"part {text!r} is in {1 + len(others)} slots; write {full}.")
    return part
