"""The font that draws a text: the one that comes with matplotlib, or one of the machine's.

DejaVu draws every text whose characters it has, so that every machine draws the same. It has no
Chinese. Such a text also uses the installed font with most of the missing characters, whose shapes
differ from machine to machine. If no font has a character, matplotlib draws a box for it, and an
SVG of results keeps the text as text.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.font_manager import FontProperties

LAST_RESORT = "Last Resort"  # has a box for every character, and so draws none


def font_file(bold: bool = False, mono: bool = False) -> str:
    """Return the file of the font that comes with matplotlib."""
    import matplotlib

    name = "DejaVuSans" + "Mono" * mono + ("-Bold" if bold else "")
    return f"{matplotlib.get_data_path()}/fonts/ttf/{name}.ttf"


def properties(
    content: str, size: float, *, bold: bool = False, mono: bool = False
) -> FontProperties:
    """Return the font of one text.

    Args:
      content: the text.
      size: in points.
      bold: a heavier weight.
      mono: a monospaced font.
    """
    from matplotlib.font_manager import FontProperties

    lacking = _lacking(content, font_file(bold, mono))
    if not lacking:
        return FontProperties(fname=font_file(bold, mono), size=size)
    other = _installed(lacking)
    families = ["DejaVu Sans Mono" if mono else "DejaVu Sans", *([other] if other else [])]
    return FontProperties(family=families, size=size)  # few such fonts have a bold one


def undrawable(contents: Iterable[str]) -> str:
    """Return the characters that no font of this machine has, each once, sorted."""
    characters = _lacking("".join(contents), font_file())
    return "".join(
        sorted(character for character in characters if _installed(frozenset(character)) is None)
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress matplotlib's warning about characters that it draws as boxes; see `undrawable`."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        yield


@cache
def _characters(file: str) -> frozenset[str]:
    from matplotlib.font_manager import get_font

    return frozenset(map(chr, get_font(file).get_charmap()))


def _lacking(content: str, file: str) -> frozenset[str]:
    return frozenset(content) - _characters(file) - {"\n"}


@cache
def _installed(characters: frozenset[str]) -> str | None:
    """Return the family with most of the characters, on ties one without serifs, or None."""
    from matplotlib.font_manager import fontManager

    files = {
        font.name: font.fname
        for font in sorted(fontManager.ttflist, key=lambda font: (font.name, font.fname))
        if font.style == "normal" and not font.name.startswith(LAST_RESORT)
    }
    coverage = {name: len(characters & _characters(file)) for name, file in files.items()}
    best = max(
        coverage, key=lambda name: (coverage[name], "serif" not in name.lower()), default=None
    )
    return best if best is not None and coverage[best] else None
