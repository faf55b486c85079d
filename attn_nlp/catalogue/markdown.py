"""All parts on one page of Markdown, the file docs/catalogue.md."""

from __future__ import annotations

import textwrap

from attn_nlp.catalogue import price as prices
from attn_nlp.catalogue import words
from attn_nlp.parts.hooks import Slot
from attn_nlp.parts.registry import SLOTS, Part, parts
from attn_nlp.parts.sizes import SIZES
from attn_nlp.tables.formats.markdown import escape
from attn_nlp.wording import rounded_count

_TITLE = """# The catalogue

<!-- Written by `make catalogue` from the registry lines; changes belong there. -->
"""


def markdown() -> str:
    """Return the page: a section for each slot, with a table and a paragraph for each part."""
    lines = [_TITLE, *_introduction()]
    for slot in SLOTS.values():
        if parts(slot.name):
            lines += _section(slot)
    return "\n".join(lines)


def _introduction() -> list[str]:
    letters = ", ".join(f"{letter} {what}" for letter, what in SIZES.items())
    text = (
        f"{len(parts())} parts in {len(SLOTS)} slots. B counts sentences, S key positions; the "
        f"other letters are: {letters}. Operations (FLOPs) are those of one forward pass over one "
        "sentence, with a multiplication and an addition counted as two; parameters and operations "
        f"are those of {prices.setup()}."
    )
    return [*textwrap.wrap(escape(text), 100, break_on_hyphens=False), ""]


def _section(slot: Slot) -> list[str]:
    lines = [f"## {slot.name}", "", escape(f"{slot.what[0].upper()}{slot.what[1:]}."), ""]
    lines += ["| name | label | paper | own operations |", "| :-- | :-- | :-- | :-- |"]
    for part in parts(slot.name):
        entries = [_code(part.name), escape(part.label), escape(part.cite), _operations(part)]
        lines.append(f"| {' | '.join(entries)} |")
    for part in parts(slot.name):
        lines += ["", *_paragraph(part)]
    return [*lines, ""]


def _paragraph(part: Part) -> list[str]:
    lines = [f"### {part.slot}:{escape(part.name)}", "", f"*{escape(part.label)}* "]
    lines[-1] += f"({escape(part.cite)}). {escape(part.summary)}"
    if part.formula:
        lines += ["", "```text", *part.formula.splitlines(), "```"]
    entries = [
        *([f"also known as {', '.join(map(_code, part.aliases))}"] if part.aliases else []),
        *(
            f"setting {_code(name)}: {escape(words.setting(value))}"
            for name, value in part.settable.items()
        ),
        *(
            f"learned {_code(name)} {escape(words.shape(array))}: {escape(words.start(array))}"
            for name, array in part.learned.items()
        ),
        *(escape(fact) for fact in words.facts(part)),
        *_cost(part),
    ]
    return [*lines, "", *(f"- {entry}" for entry in entries)]


def _operations(part: Part) -> str:
    formula = prices.formula(part)
    return _code(formula) + escape(prices.naming(part)) if formula else ""


def _cost(part: Part) -> list[str]:
    found = prices.price(part)
    if found is None:
        return ["fitted by its own code; its cost is not counted"]
    said = []
    if found.own is not None:
        numbers = _by_length(found.own)
        said.append(f"own operations {_operations(part)}: {numbers}")
    elif found.acts:
        said.append("own operations not stated, counted as none")
    if "state" in part.facts and found.state is not None:
        said.append(f"state {_code(str(part.facts['state']))}: {_by_length(found.state)}")
    if found.parameters:
        said.append(f"{found.parameters:,} parameters of its own")
    said.append(f"total: {found.in_all:,} parameters; {_by_length(found.flops, ' operations')}")
    return said


def _by_length(counts: tuple[float, ...], unit: str = "") -> str:
    """Write counts at `prices.LENGTHS`, or one if they are all equal.

    Example:
      >>> _by_length((10.0, 20.0, 30.0, 40.0), " operations")
      '10 operations at T = 16, 20 at 64, 30 at 256, 40 at 1,024'
    """
    first = f"{rounded_count(counts[0])}{unit}"
    if len(set(counts)) == 1:
        return first
    rest = zip(counts[1:], prices.LENGTHS[1:], strict=True)
    said = [f"{rounded_count(count)} at {tokens:,}" for count, tokens in rest]
    return ", ".join([f"{first} at T = {prices.LENGTHS[0]:,}", *said])


def _code(text: str) -> str:
    """Write a code span, in which only the border of a table is escaped."""
    assert "`" not in text, f"{text!r} cannot be in a code span"
    return "`" + text.replace("|", "\\|") + "`"
