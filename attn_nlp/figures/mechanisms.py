"""The schematic of a part: its data flow at the left, a description at the right."""

from __future__ import annotations

import re

from attn_nlp.catalogue import words
from attn_nlp.figures.diagrams import WHOLE, flow
from attn_nlp.figures.drawing import Box, Drawing, Text, stacked
from attn_nlp.figures.layout import lay_out
from attn_nlp.parts.registry import SLOTS, Part
from attn_nlp.parts.sizes import SIZES
from attn_nlp.wording import with_article

MARGIN = 16.0
PANEL = 300.0  # width of the right side
_BETWEEN = 26.0
_LOOKS = {
    "own": "what the part does",
    "step": "another step",
    "data": "an array",
    "array": "learned by the part",
    "setting": "a setting, at its default",
}
_SIZES = {"B": "sentences", "S": "key positions", **SIZES, "T": "positions"}


def mechanism(part: Part) -> Drawing:
    """Return the schematic of a part.

    Args:
      part: any part of the catalogue.

    Returns:
      A drawing named "slot-name".
    """
    drawing = Drawing(
        f"{part.slot}-{part.name}", f"{part.label}, {with_article(part.slot)} of attention"
    )
    boxes, arrows = lay_out(flow(part))
    head = _head(part)
    below = MARGIN + head[-1].bottom + 14.0
    drawing.add(head, dx=MARGIN, dy=MARGIN)
    drawing.add(boxes, arrows, MARGIN, below)
    side = max([box.right for box in boxes] + [x for arrow in arrows for x, _ in arrow.points])
    drawing.add(_panel(part, boxes), dx=MARGIN + side + _BETWEEN, dy=below)
    drawing.trim(MARGIN)
    return drawing


def _head(part: Part) -> list[Box]:
    address = f"{part.slot}:{part.name} {SLOTS[part.slot].what}"
    lines = [Text(part.label, 14, bold=True), Text(address, 9, gray=True)]
    if part.cite:
        lines.append(Text(part.cite, 9, gray=True))
    return [stacked(0, 0, 620, lines, centered=False)]


def _panel(part: Part, drawn: list[Box]) -> list[Box]:
    """Return the boxes at the right, from the top."""
    sections: list[tuple[list[Text], str]] = [([Text(part.summary, 9)], "bare")]
    if part.formula and not WHOLE & set(part.hooks):
        sections.append(([Text(part.formula, 8, mono=True)], "formula"))
    settings = part.settable
    if settings:
        lines = [f"{name} = {words.setting(value)}" for name, value in settings.items()]
        sections.append((_listed("Settings", lines), "bare"))
    if part.learned:
        lines = [
            f"{name} {words.shape(array)}; {words.start(array)}"
            for name, array in part.learned.items()
        ]
        sections.append((_listed("Learned", lines), "bare"))
    if words.facts(part):
        sections.append((_listed("Facts", words.facts(part)), "bare"))
    sections.append(([Text(_legend(drawn), 7.5, gray=True)], "bare"))
    boxes, y = [], 0.0
    for texts, look in sections:
        boxes.append(stacked(0, y, PANEL, texts, look, centered=False))
        y = boxes[-1].bottom + 7.0
    return [*boxes, *_looks(drawn, y + 2.0)]


def _listed(title: str, lines: list[str]) -> list[Text]:
    return [Text(title, 8.5, bold=True), *(Text(line, 8) for line in lines)]


def _legend(drawn: list[Box]) -> str:
    """Return the meanings of the sizes that occur in the shapes of the flow."""
    shapes = " ".join(
        inner
        for box in drawn
        for line in box.lines
        for inner in re.findall(r"\(([^()]*)\)", line.content)
        if not line.mono
    )
    used = set(re.findall(r"\b[A-Z]\b", shapes))
    sizes = _SIZES | ({"T": "query positions"} if "S" in used else {})
    return "; ".join(f"{letter} {what}" for letter, what in sizes.items() if letter in used)


def _looks(drawn: list[Box], y: float) -> list[Box]:
    """Return a legend of the looks of the boxes that are drawn."""
    boxes = []
    for look, what in _LOOKS.items():
        if any(box.look == look for box in drawn):
            boxes.append(Box(2.0, y, 22.0, 11.0, look=look))
            boxes.append(stacked(30.0, y - 3.0, PANEL - 30.0, [Text(what, 7.5)], centered=False))
            y += 19.0
    return boxes
