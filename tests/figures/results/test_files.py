"""SVG for a page and for a file: the same bytes, ids of their own, nothing that acts."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from attn_nlp.figures import fonts
from attn_nlp.figures.results import (
    Chart,
    Line,
    Panel,
    Point,
    boxed,
    draw,
    file_bytes,
    forest,
    svg_of,
)
from attn_nlp.tables import build
from tests.tables.example import example
from tests.tables.hostile import hostile

from .measuring import faults, pixels, words

SCRIPT = """
import sys
from attn_nlp.figures.results import file_bytes, forest
from attn_nlp.tables import build
from tests.tables.example import example
figure = forest(build(*example()))
for format in ("svg", "png"):
    with open(f"{sys.argv[1]}/forest.{format}", "wb") as file:
        file.write(file_bytes(figure, format))
print(*sys.modules)
"""
NASTY = r"a_b^{2} $x$ $\frac{1}{2} \alpha <b>&amp; --> %d {} "


def chart(*labels: str) -> Chart:
    lines = tuple(
        Line(label, (Point(1, n, n - 1, n + 1), Point(2, n + 1))) for n, label in enumerate(labels)
    )
    return Chart(f"T {labels[0]}", labels[0], "step", labels, (Panel((), labels[0], lines),))


@pytest.fixture(scope="module")
def figure():
    return forest(build(*example()))


def test_another_process_writes_the_same_bytes_and_needs_no_jax(figure, tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=True
    )
    for format in ("svg", "png"):
        assert (tmp_path / f"forest.{format}").read_bytes() == file_bytes(figure, format)
    assert not {"jax", "flax", "datasets", "matplotlib.pyplot"} & set(ended.stdout.split())


def test_drawing_twice_changes_nothing(figure):
    assert svg_of(figure, "a") == svg_of(figure, "a")


def test_an_svg_for_a_page_says_what_it_is(figure):
    text = svg_of(figure, "first")
    assert text.startswith("<svg ")
    root = ElementTree.fromstring(text)
    assert root.get("role") == "img"
    label = root.get("aria-label")
    assert "Paired differences" in label
    assert root[0].tag.endswith("title")
    assert root[0].text == label
    kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not kinds & {"script", "style", "metadata", "image", "text", "foreignObject"}
    assert not re.findall(r"https?://(?!www\.w3\.org/)", text)
    assert "<!--" not in text


def test_two_figures_of_a_page_share_no_id_and_refer_to_their_own(figure):
    found = []
    for prefix in ("one", "two"):
        text = svg_of(figure, prefix)
        ids = re.findall(r'\bid="([^"]*)"', text)
        assert len(ids) == len(set(ids)) > 10
        used = re.findall(r'href="#([^"]*)"', text) + re.findall(r"url\(#([^)]*)\)", text)
        assert used
        assert set(used) <= set(ids)
        found.append(set(ids))
    assert not found[0] & found[1]


def test_files_hold_no_date(figure):
    for format, head in (("svg", b"<?xml"), ("png", b"\x89PNG")):
        content = file_bytes(figure, format)
        assert content.startswith(head)
        assert b"dc:date" not in content
        assert b"Matplotlib" not in content


def test_labels_are_text_and_never_formulas():
    figure = draw(chart(NASTY, "$", r"\\", "_"))
    said = words(figure)
    assert NASTY.strip() in said
    assert faults(figure) == []
    root = ElementTree.fromstring(svg_of(figure, "x"))
    assert NASTY.strip() in root.get("aria-label")
    # Read as a formula, x between dollars would be one slanted letter.
    plain, formula = pixels(draw(chart("$x$"))), pixels(draw(chart("x")))
    assert plain.shape != formula.shape or (plain != formula).any()


def test_a_hostile_table_is_drawn_well():
    figure = forest(hostile())
    assert faults(figure) == []
    assert "\x1b" not in words(figure)
    assert "\u202e" not in words(figure)
    ElementTree.fromstring(svg_of(figure, "x"))


def made_font(folder, letters: str):
    """A font whose letters are squares."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    for move, point in (("moveTo", (100, 0)), ("lineTo", (100, 700)), ("lineTo", (700, 700))):
        getattr(pen, move)(point)
    pen.closePath()
    glyph = pen.glyph()
    names = [".notdef", *(f"u{ord(letter):x}" for letter in letters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap(dict(zip(map(ord, letters), names[1:], strict=True)))
    builder.setupGlyf(dict.fromkeys(names, glyph))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 100)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable(
        {"familyName": "Attn Squares", "styleName": "Regular", "psName": "Squares"}
    )
    builder.setupOS2(sTypoAscender=800, sTypoDescender=-200, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    builder.save(folder / "squares.ttf")
    return folder / "squares.ttf"


@pytest.fixture
def with_chinese(tmp_path, monkeypatch):
    """matplotlib with a font that has two Chinese letters, and no other that has them."""
    from matplotlib.font_manager import FontEntry, fontManager

    entry = FontEntry(fname=str(made_font(tmp_path, "注意")), name="Attn Squares", weight=400)
    others = [each for each in fontManager.ttflist if each.name.startswith("DejaVu")]
    monkeypatch.setattr(fontManager, "ttflist", [*others, entry])
    fontManager._findfont_cached.cache_clear()  # pyright: ignore[reportAttributeAccessIssue]
    fonts._installed.cache_clear()
    yield
    fontManager._findfont_cached.cache_clear()  # pyright: ignore[reportAttributeAccessIssue]
    fonts._installed.cache_clear()


def test_chinese_is_drawn_by_a_font_that_has_it(with_chinese):
    assert fonts.undrawable(["注意 attention"]) == ""
    assert fonts.undrawable(["注意力 attention"]) == "力"
    figure = draw(chart("注意 attention", "意"))
    assert "注意 attention" in words(figure)
    assert faults(figure) == []
    ids = re.findall(r'id="([^"]*)"', svg_of(figure))
    assert len({each for each in ids if each.startswith("Squares-")}) == 2


def test_letters_that_no_font_has_are_named_and_boxed():
    gone = "\U000e0123"  # of no script
    assert fonts.undrawable(["plain", f"x{gone}"]) == gone
    assert fonts.undrawable(["plain\n"]) == ""
    figure = draw(chart(f"x{gone}", "plain"))
    assert boxed(figure) == gone
    root = ElementTree.fromstring(svg_of(figure, "x"))
    kept = [element.text for element in root.iter() if element.tag.endswith("}text")]
    assert kept == [f"T x{gone}", f"x{gone}", f"x{gone}", f"x{gone}"]
    assert (pixels(figure) < 255).any()
    assert np.isfinite(pixels(figure)).all()
