"""A figure as SVG for a page, or as the bytes of a file; the same bytes every time."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING

from attn_nlp.figures.fonts import undrawable
from attn_nlp.figures.library import settings
from attn_nlp.figures.marks import PNG, marked
from attn_nlp.figures.results.sheet import DPI

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SVG, _XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
_REFERENCE = re.compile(r"url\(#([^)]*)\)")


def svg_of(figure: Figure, prefix: str = "") -> str:
    """Return the figure as one `<svg>` element, ready to embed in an HTML page.

    It has `role="img"`, describes itself in `aria-label` and `<title>`, and contains no script, no
    style sheet, no comment and no address except its namespaces.

    Args:
      figure: of this package; its label describes it.
      prefix: of every id, so that figures on one page do not use one another's shapes. Letters,
        digits, "-" and "_", beginning with a letter.

    Returns:
      Text that begins with "<svg".
    """
    assert re.fullmatch(r"([A-Za-z][A-Za-z0-9_-]*)?", prefix), prefix
    buffer = io.StringIO()
    with settings():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(buffer.getvalue())  # noqa: S314 - our own text; drops comments
    for parent in list(root.iter()):
        for child in list(parent):
            # A style sheet would apply to the whole page; its two settings are inherited instead.
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style", f"{_SVG}title"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        element.attrib = {
            name.replace(_XLINK, "xlink:"): _renamed(name, value, prefix)
            for name, value in element.attrib.items()
        }
    label = str(figure.get_label())
    root.attrib = {
        "xmlns": _SVG[1:-1],
        "xmlns:xlink": _XLINK[1:-1],
        "role": "img",
        "aria-label": label,
        **root.attrib,
        "stroke-linejoin": "round",
        "stroke-linecap": "butt",
    }
    title = ElementTree.Element("title")
    title.text = label
    root.insert(0, title)
    return ElementTree.tostring(root, encoding="unicode")


def file_bytes(figure: Figure, format: str) -> bytes:
    """Return the content of a file.

    Args:
      figure: of this package.
      format: "svg" or "png".
    """
    if format == "svg":
        return marked(f'<?xml version="1.0" encoding="utf-8"?>\n{svg_of(figure)}\n'.encode())
    buffer = io.BytesIO()
    with settings():
        metadata = {**PNG, "Title": figure.get_label()}
        figure.savefig(buffer, format=format, dpi=DPI, metadata=metadata)
    return buffer.getvalue()


def boxed(figure: Figure) -> str:
    """Return the characters of a figure that are drawn as boxes, since no font has them."""
    from matplotlib.text import Text

    return undrawable(text.get_text() for text in figure.findobj(Text))


def _renamed(name: str, value: str, prefix: str) -> str:
    if not prefix:
        return value
    if name == "id":
        return f"{prefix}-{value}"
    if name.endswith("href") and value.startswith("#"):
        return f"#{prefix}-{value[1:]}"
    return _REFERENCE.sub(rf"url(#{prefix}-\1)", value)
