"""Pictures for a page whose policy forbids inline styles.

Input is SVG as matplotlib writes it; output is the same picture with styles as attributes and ids
of its own. Characters are drawn once for the whole page: half of every file is outlines of
characters that the next one repeats.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.etree import ElementTree

from attn_nlp.wording import clean

_LINK = "http://www.w3.org/1999/xlink"
PIXELS = 1.5  # on a screen per point of the drawing, so that small print is legible
_GLYPH = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)*-[0-9a-f]+")  # DejaVuSans-Bold-4a
_ALONG = re.compile(r"translate\(([-\d.]+) 0\)")  # the position of a character in its line
_DROPPED = ("metadata", "style", "title")
# The style of every element in matplotlib's style sheet.
_EVERYWHERE = {"stroke-linejoin": "round", "stroke-linecap": "butt"}


@dataclass
class Pictures:
    """The pictures of one page.

    Attributes:
      glyphs: outlines by the name that matplotlib gives them; the page has them once, before the
        pictures, under short ids.
    """

    glyphs: dict[str, str] = field(default_factory=dict)
    _count: int = 0

    def inline(self, svg: str, says: str) -> str:
        """Return an SVG as an element of the page.

        Args:
          svg: a whole SVG file that this package has drawn.
          says: the text for a screen reader.
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
        """Return the characters of all pictures, which are not drawn by themselves."""
        if not self.glyphs:
            return ""
        inner = "".join(self.glyphs.values())
        hidden = 'class="letters" width="0" height="0" aria-hidden="true"'
        return f"<svg {hidden}><defs>{inner}</defs></svg>"

    def _take(self, node: ElementTree.Element, own: str) -> None:
        for child in list(node):
            name = child.get("id", "")
            if _local(child) in _DROPPED:
                node.remove(child)
            elif _local(child) == "path" and _GLYPH.fullmatch(name):
                if name not in self.glyphs:
                    child.set("id", f"l{len(self.glyphs)}")
                    _plain(child, "")
                    self.glyphs[name] = _written(child)
                node.remove(child)
            else:
                self._take(child, own)
                if _local(child) in ("defs", "g") and not len(child) and not child.get("id"):
                    node.remove(child)
        _plain(node, own)
        self._refer(node, own)

    def _refer(self, node: ElementTree.Element, own: str) -> None:
        """Rewrite a reference to an element of the picture, or to a character in its line."""
        name = node.attrib.pop(f"{{{_LINK}}}href", "")
        if not name:
            return
        if name[1:] not in self.glyphs:
            node.set("href", f"#{own}{name[1:]}")
            return
        node.set("href", f"#l{list(self.glyphs).index(name[1:])}")
        along = _ALONG.fullmatch(node.get("transform", ""))
        if along:
            del node.attrib["transform"]
            node.set("x", f"{float(along[1]):.1f}")


def _plain(node: ElementTree.Element, own: str) -> None:
    """Turn styles into attributes, prefix ids and references, and drop spaces between elements."""
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
    """Write an element for HTML, with names without prefix."""
    for element in node.iter():
        element.tag = _local(element)
    node.tail = None
    return ElementTree.tostring(node, encoding="unicode")
