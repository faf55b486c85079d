"""The page of a part in the terminal."""

from __future__ import annotations

import inspect

from attn_nlp.catalogue import price as prices
from attn_nlp.catalogue import words
from attn_nlp.parts.registry import SLOTS, Part
from attn_nlp.wording import rounded_count


def page(part: Part) -> str:
    """Return everything about a part, in lines of at most about 100 characters."""
    sections = [
        _head(part),
        inspect.cleandoc(part.doc),
        _listed("Settings", {name: words.setting(s) for name, s in part.settable.items()}),
        _listed(
            "Learned",
            {name: f"{words.shape(a)}; {words.start(a)}" for name, a in part.learned.items()},
        ),
        "\n".join(["Facts", *(f"  {fact}" for fact in words.facts(part))])
        if words.facts(part)
        else "",
        _cost(part),
    ]
    return "\n\n".join(section for section in sections if section)


def _head(part: Part) -> str:
    lines = {
        "slot": f"{part.slot}: {SLOTS[part.slot].what}",
        "label": part.label,
        "paper": part.cite or "none given",
        "aliases": ", ".join(part.aliases),
        "hooks": ", ".join(part.hooks) or "none: leaves everything as it is",
        "revision": str(part.revision),
    }
    return "\n".join(
        [
            f"{part.slot}:{part.name}",
            *(f"  {name:<9} {text}" for name, text in lines.items() if text),
        ]
    )


def _listed(title: str, entries: dict[str, str]) -> str:
    if not entries:
        return ""
    width = max(map(len, entries))
    return "\n".join([title, *(f"  {name:<{width}}  {text}" for name, text in entries.items())])


def _cost(part: Part) -> str:
    found = prices.price(part)
    if found is None:
        return "Cost\n  fitted by its own code; not counted"
    lines = [f"Cost in {prices.setup()}"]
    each = "" if part.slot in ("pooling", "model", "optimizer") else " in each block"
    lines.append(
        f"  parameters      {found.parameters:,} of its own{each}; {found.in_all:,} in total"
    )
    lines.append(_row("tokens", [f"{tokens:,}" for tokens in prices.LENGTHS]))
    if found.own is not None:
        lines.append(_row("own operations", map(rounded_count, found.own)))
    lines.append(_row("all operations", map(rounded_count, found.flops)))
    if found.state is not None:
        lines.append(_row("state", map(rounded_count, found.state)))
    if found.own is not None:
        lines.append(f"  own operations  {prices.formula(part)}{prices.naming(part)}")
    elif found.acts:
        lines.append("  own operations  not stated, counted as none")
    if "state" in part.facts:
        lines.append(f"  state           {part.facts['state']}")
    return "\n".join(lines)


def _row(name: str, numbers) -> str:
    return f"  {name:<14}" + "".join(f"{number:>9}" for number in numbers)
