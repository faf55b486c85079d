"""Pictures made fit to stand inside a page whose policy forbids styles of their own.

In: SVG as matplotlib writes it. Out: the same picture whose styles are attributes, whose ids are
its own, and whose letters are drawn once for the whole page: half of every file is outlines of
letters that the next one repeats.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.etree import ElementTree

from attn_nlp.wording import clean

_LINK = "http://www.w3.org/1999/xlink"
PIXELS = 1.5  # of a screen for a point of the drawing, so that its small print can be read
_GLYPH = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)*-[0-9a-f]+")  # DejaVuSans-Bold-4a
_ALONG = re.compile(r"translate\(([-\d.]+) 0\)")  # where a letter stands in its line
_DROPPED = ("metadata", "style", "title")
# What matplotlib's style sheet says of every element.
_EVERYWHERE = {"stroke-linejoin": "round", "stroke-linecap": "butt"}


@dataclass
class Pictures:
    """The pictures of one page.

    Attributes:
      letters: outlines by the name that matplotlib gives them; in the page they stand once, before
        the pictures, under short ids.
    """

    letters: dict[str, str] = field(default_factory=dict)
    _count: int = 0

    def inline(self, svg: str, says: str) -> str:
        """An SVG as an element of the page.

        Args:
          svg: a whole SVG file that this package has drawn.
          says: what a screen reader reads in its place.
        """
        self._count += 1
        own = f"p{self._count}-"
        root = ElementTree.fromstring(svg.encode())  # noqa: S314
        width, height = root.get("viewBox", "0 0 1 1").split()[2:]
        self._take(root, own)
        root.attrib = {
            "viewBox": root.get("viewBox", ""),
            "width": f"{PIXELS * float(width):.0f}",
            "height": f"{PIXELS * float(height):.0f}",
            "role": "img",
            "aria-label": clean(says),
            **_EVERYWHERE,
        }
        return _written(root)

    def sprite(self) -> str:
        """The letters of all pictures, drawn nowhere by themselves."""
        if not self.letters:
            return ""
        inner = "".join(self.letters.values())
        hidden = 'class="letters" width="0" height="0" aria-hidden="true"'
        return f"<svg {hidden}><defs>{inner}</defs></svg>"

    def _take(self, node: ElementTree.Element, own: str) -> None:
        for child in list(node):
            name = child.get("id", "")
            if _local(child) in _DROPPED:
                node.remove(child)
            elif _local(child) == "path" and _GLYPH.fullmatch(name):
                if name not in self.letters:
                    child.set("id", f"l{len(self.letters)}")
                    _plain(child, "")
                    self.letters[name] = _written(child)
                node.remove(child)
            else:
                self._take(child, own)
                if _local(child) in ("defs", "g") and not len(child) and not child.get("id"):
                    node.remove(child)
        _plain(node, own)
        self._refer(node, own)

    def _refer(self, node: ElementTree.Element, own: str) -> None:
        """References to what is the picture's own, or to a letter, which moves along its line."""
        name = node.attrib.pop(f"{{{_LINK}}}href", "")
        if not name:
            return
        if name[1:] not in self.letters:
            node.set("href", f"#{own}{name[1:]}")
            return
        node.set("href", f"#l{list(self.letters).index(name[1:])}")
        along = _ALONG.fullmatch(node.get("transform", ""))
        if along:
            del node.attrib["transform"]
            node.set("x", f"{float(along[1]):.1f}")


def _plain(node: ElementTree.Element, own: str) -> None:
    """Styles as attributes, ids and references to them prefixed, no spaces between elements."""
    for declaration in filter(None, (node.attrib.pop("style", "")).split(";")):
        name, _, value = declaration.partition(":")
        node.set(name.strip(), value.strip())
    name = node.get("id")
    if name is not None:
        if _local(node) == "g":
            del node.attrib["id"]  # matplotlib numbers its groups; nothing refers to them
        else:
            node.set("id", own + name)
    for attribute, value in node.attrib.items():
        if "url(#" in value:
            node.set(attribute, value.replace("url(#", f"url(#{own}"))
    if "d" in node.attrib:
        node.set("d", " ".join(node.attrib["d"].split()))
    node.text = (node.text or "").strip() if _local(node) in ("text", "tspan") else None
    node.tail = None


def _local(node: ElementTree.Element) -> str:
    return node.tag.rpartition("}")[2]


def _written(node: ElementTree.Element) -> str:
    """As HTML writes it: names without prefix."""
    for each in node.iter():
        each.tag = _local(each)
    node.tail = None
    return ElementTree.tostring(node, encoding="unicode")
