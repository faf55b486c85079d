"""The formats in which a table is written: one module for each, looked up by name.

A format is a module of this folder with

    SUFFIX: str                                        of a file, with its dot
    def render(grids: Sequence[Grid], options: Options) -> str
    COMMENT: str                                       its form of a comment, with {} for the text

or, if such a file cannot have comments, instead of COMMENT

    def signed(text: str) -> str                       the same for readers, and recognized by
    def is_signed(text: str) -> bool

Adding a format is adding the file.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from attn_nlp.errors import unknown
from attn_nlp.files.outputs import is_signed, signed
from attn_nlp.tables.grid import Grid
from attn_nlp.tables.notes import CAPTIONS

FORMATS = tuple(
    sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
)


@dataclass(frozen=True)
class Options:
    """Choices about the output; a format ignores those that do not concern it.

    Attributes:
      width: characters of a terminal line; None for 100.
      color: True for colors and bold in a terminal.
      safe_spreadsheet: True to add a leading quote to text that a spreadsheet would evaluate.
      caption: "short" or "full", in a terminal and in Markdown; the other formats keep all notes.
    """

    width: int | None = None
    color: bool = False
    safe_spreadsheet: bool = False
    caption: str = CAPTIONS[0]

    def __post_init__(self) -> None:
        if self.caption not in CAPTIONS:
            raise unknown("caption", self.caption, CAPTIONS)


def render(grids: Sequence[Grid], format: str, **options) -> str:
    """Return tables as text in a named format.

    Args:
      grids: one or more tables.
      format: one of `FORMATS`.
      options: fields of `Options`.

    Raises:
      UserError: an unknown format or caption; the message names the nearest.
    """
    return _module(format).render(grids, Options(**options))


def suffix(format: str) -> str:
    """Return the ending of file names of a format, with its dot.

    Raises:
      UserError: an unknown format.
    """
    return _module(format).SUFFIX


def as_file(format: str, text: str) -> str:
    """Return the content of a file of that format: the printed text with its signature."""
    module = _module(format)
    return signed(text, module.COMMENT) if hasattr(module, "COMMENT") else module.signed(text)


def known(format: str, text: str) -> bool:
    """Return True if a file was written by this package, so that a later table may replace it.

    Args:
      format: one of `FORMATS`.
      text: the whole file.
    """
    module = _module(format)
    return is_signed(text, module.COMMENT) if hasattr(module, "COMMENT") else module.is_signed(text)


def _module(format: str) -> ModuleType:
    if format not in FORMATS:
        raise unknown("table format", format, FORMATS)
    return importlib.import_module(f"{__name__}.{format}")
