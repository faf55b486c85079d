"""Text for LaTeX: every character prints as itself, in pdflatex too, or is named as odd.

Plain ASCII is escaped, accents and Greek become commands, symbols become mathematics. Other
characters of GB 2312 (Chinese, kana, Cyrillic) go through `\\attnhan`, which `HAN` defines; all
others, such as emoji, are written by their code points, since pdflatex would stop at them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from attn_nlp.wording import clean

# XeLaTeX and LuaLaTeX print these characters if their font has them; pdflatex needs CJKutf8.
# The command is not a robust one: a list of tables is printed before this definition is read.
HAN = (
    r"\providecommand\attnhan[1]"
    r"{\ifdefined\Umathchar#1\else\begin{CJK}{UTF8}{gbsn}#1\end{CJK}\fi}"
)

# Brackets and stars are in groups: after the end of a line LaTeX would take them for an option.
_ASCII = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"$\mathdollar$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\texttt{\char34}",
    "`": r"\`{}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
}
_COMMANDS = {"\u00a0": "~"} | dict(
    re.findall(
        r"(\S) (\S+)",
        r"""
        ß \ss{}  æ \ae{}  Æ \AE{}  œ \oe{}  Œ \OE{}  ø \o{}  Ø \O{}  ł \l{}  Ł \L{}  ı \i{}  ȷ \j{}
        ¡ !`  ¿ ?`  – --  — ---  ‘ `  ’ '  “ ``  ” ''  … \ldots{}  § $\mathsection$
        − $-$  ± $\pm$  × $\times$  ÷ $\div$  · $\cdot$  ⋅ $\cdot$  ∘ $\circ$  ⊙ $\odot$
        √ $\surd$  ∞ $\infty$  ∂ $\partial$  ∇ $\nabla$  ∑ $\sum$  ∏ $\prod$  ∫ $\int$  ℓ $\ell$
        ≤ $\le$  ≥ $\ge$  ≠ $\ne$  ≈ $\approx$  ∼ $\sim$  ∝ $\propto$  ∈ $\in$  ‖ $\Vert$
        → $\to$  ← $\leftarrow$  ↑ $\uparrow$  ↓ $\downarrow$  ↔ $\leftrightarrow$  ⇒ $\Rightarrow$
        ▲ $\blacktriangle$  ▼ $\blacktriangledown$  △ $\vartriangle$  ▽ $\triangledown$
        ⁰ $^0$  ¹ $^1$  ² $^2$  ³ $^3$  ⁴ $^4$  ⁵ $^5$  ⁶ $^6$  ⁷ $^7$  ⁸ $^8$  ⁹ $^9$  ½ $\frac12$
        ₀ $_0$  ₁ $_1$  ₂ $_2$  ₃ $_3$  ₄ $_4$  ₅ $_5$  ₆ $_6$  ₇ $_7$  ₈ $_8$  ₉ $_9$  ° $^\circ$
        ς $\varsigma$  ⊗ $\otimes$  • $\bullet$  † $\dagger$  ¶ $\mathparagraph$
        """,
    )
)
_ACCENTS = {
    "\u0300": r"\`",
    "\u0301": r"\'",
    "\u0302": r"\^",
    "\u0303": r"\~",
    "\u0304": r"\=",
    "\u0306": r"\u",
    "\u0307": r"\.",
    "\u0308": r"\"",
    "\u030a": r"\r",
    "\u030b": r"\H",
    "\u030c": r"\v",
    "\u0323": r"\d",
    "\u0327": r"\c",
    "\u0331": r"\b",
}
# Greek capitals that look like Latin ones have no command of their own.
_GREEK_COMMANDS = frozenset("ΓΔΘΛΞΠΣΥΦΨΩ")
_ROOT = re.compile(r"√([A-Za-z0-9]+)")
# Two of these in a row form a ligature in the fonts of TeX; an empty group keeps them apart.
_LIGATURES = re.compile(r"([-',])(?=\1)")
_TOO_LONG = re.compile(r"(\S{30})(?=\S)")  # a word that fills a line may be broken here
_JOINER, _BREAK = "\u2060", "\u200b"  # characters without width that say so


def escape(text: str) -> str:
    """Return one line of text as LaTeX that prints it.

    Example:
      >>> print(escape("1/√D of 50% & α_1"))
      1/$\\sqrt{\\mathrm{D}}$ of 50\\% \\& $\\alpha$\\_1
    """
    text = unicodedata.normalize("NFC", clean(text))
    escaped, at = "", 0
    for root in _ROOT.finditer(text):
        escaped += _characters(text[at : root.start()]) + rf"$\sqrt{{\mathrm{{{root[1]}}}}}$"
        at = root.end()
    return escaped + _characters(text[at:])


def odd(texts: Iterable[str]) -> list[str]:
    """Return the characters that can only be written by their code points, each once, sorted."""
    characters = sorted(
        {character for text in texts for character in unicodedata.normalize("NFC", clean(text))}
    )
    return [
        character
        for character in characters
        if _plain(character) is None and not _is_han(character)
    ]


def code_point(character: str) -> str:
    """Return how an odd character is written.

    Example:
      >>> code_point("😀")
      'U+1F600'
    """
    return f"U+{ord(character):04X}"


def _characters(text: str) -> str:
    text = _LIGATURES.sub(rf"\1{_JOINER}", _TOO_LONG.sub(rf"\1{_BREAK}", text))
    pieces: list[str] = []
    han = ""
    for character in text:
        piece = _plain(character)
        if piece is None and _is_han(character):
            han += character
            continue
        if han:
            pieces, han = [*pieces, rf"\attnhan{{{han}}}"], ""
        if character in _ACCENTS and pieces:
            # NFC left it after its letter: there is no composed character.
            pieces[-1] = f"{_ACCENTS[character]}{{{pieces[-1]}}}"
        else:
            pieces.append(rf"\texttt{{{code_point(character)}}}" if piece is None else piece)
    return "".join(pieces) + (rf"\attnhan{{{han}}}" if han else "")


def _plain(character: str) -> str | None:
    """Return a character in commands that every engine knows, or None if there are none for it."""
    if character in _ASCII:
        return _ASCII[character]
    if character.isascii():
        return character
    if character == _JOINER:
        return "{}"
    if character == _BREAK:
        return r"\allowbreak{}"
    if character in _COMMANDS:
        return _COMMANDS[character]
    category = unicodedata.category(character)
    if category == "Cf":  # shows nothing
        return ""
    if category == "Zs":
        return " "
    if character in _ACCENTS:
        return _ACCENTS[character] + "{}"
    return _accented(character) or _greek(character)


def _accented(character: str) -> str | None:
    base, *marks = unicodedata.normalize("NFD", character)
    piece = {"i": r"\i", "j": r"\j"}.get(base) or (_plain(base) if marks else None)
    if piece is None or not all(mark in _ACCENTS for mark in marks):
        return None
    for mark in marks:
        piece = f"{_ACCENTS[mark]}{{{piece}}}"
    return piece


def _greek(character: str) -> str | None:
    """Return a Greek letter by its name in Unicode: GREEK SMALL LETTER ALPHA is \\alpha."""
    named = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (\w+)", unicodedata.name(character, ""))
    if named is None:
        return None
    name = named[2].lower().replace("lamda", "lambda")
    if named[1] == "SMALL":
        return "o" if name == "omicron" else rf"$\{name}$"
    if character in _GREEK_COMMANDS:
        return rf"$\{name.capitalize()}$"
    return {"chi": "X", "eta": "H", "rho": "P"}.get(name, name[0].upper())


def _is_han(character: str) -> bool:
    """Return True if the font `gbsn` has the character."""
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True
