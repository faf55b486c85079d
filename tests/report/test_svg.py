"""Pictures of the page: no style of their own, letters once, ids that do not meet."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from attn_nlp.report.svg import Pictures

SVG = """<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="9pt"
  height="5pt" viewBox="0 0 9 5">
 <title>T</title>
 <metadata>M</metadata>
 <defs><style type="text/css">*{stroke-linejoin: round}</style></defs>
 <g id="figure_1">
  <path id="mark" d="M 0 0
L 1 1
" style="fill: none; stroke: #1a1a1a"/>
  <use xlink:href="#mark" clip-path="url(#clip)"/>
  <g><defs><path id="DejaVuSans-Bold-4a" d="M 1 2
"/></defs><use xlink:href="#DejaVuSans-Bold-4a" transform="translate(3.25 0)"/></g>
 </g>
 <defs><clipPath id="clip"><rect width="1" height="1"/></clipPath></defs>
</svg>"""


def test_styles_become_attributes_and_characters_appear_once():
    pictures = Pictures()
    first, second = pictures.inline(SVG, 'says\x1b "so\u202e"'), pictures.inline(SVG, "again")
    root = ElementTree.fromstring(first)
    assert root.attrib == {
        "viewBox": "0 0 9 5",
        "width": "14",
        "height": "8",
        "role": "img",
        "aria-label": 'says "so"',
        "stroke-linejoin": "round",
        "stroke-linecap": "butt",
    }
    assert "style" not in first
    assert "xlink" not in first
    assert "M 0 0 L 1 1" in first
    mark = root.find(".//path")
    assert mark is not None
    assert (mark.get("fill"), mark.get("stroke")) == ("none", "#1a1a1a")
    assert pictures.sprite().count("<path") == 1
    assert 'id="l0" d="M 1 2"' in pictures.sprite()
    for each in (first, second):
        assert '<use href="#l0" x="3.2" />' in each
        assert "DejaVu" not in each
    ids = [re.findall(r'\bid="([^"]*)"', each) for each in (first, second)]
    assert ids == [["p1-mark", "p1-clip"], ["p2-mark", "p2-clip"]]
    assert 'href="#p1-mark"' in first
    assert 'clip-path="url(#p2-clip)"' in second


def test_a_page_without_pictures_has_no_letters():
    assert Pictures().sprite() == ""


def test_a_label_cannot_leave_its_attribute():
    found = Pictures().inline(SVG, '"><script>x</script>')
    assert "<script" not in found
    assert ElementTree.fromstring(found).get("aria-label") == '"><script>x</script>'


def test_a_file_that_is_not_svg_is_a_fault():
    with pytest.raises(ElementTree.ParseError):
        Pictures().inline("nonsense", "")
