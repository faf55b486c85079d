"""Describe an exception in one line, with the line of the user's code that it came from.

The result reads "my_idea.py, line 12, in mine: ZeroDivisionError: division by zero". A line deep in
JAX helps nobody: the innermost frame that belongs neither to this package, nor to an installed one,
nor to Python, is the line that a user can change. JAX removes its own frames from a traceback, and
chains the original as a cause; neither hides a frame of the user's.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, TracebackType

from attn_nlp.user_code.loads import PREFIX
from attn_nlp.user_code.modules import is_own

LONGEST = 1000  # characters of a reason
LONGEST_DETAIL = 50_000


def told(error: BaseException) -> str:
    """Return the exception in one line, with file, line and function of the user's code.

    This never raises, even if the exception fails when it is printed.
    """
    location = where(error)
    return f"{location}: {words_of(error)}" if location else words_of(error)


def words_of(error: BaseException, lines: int | None = 1) -> str:
    """Return the type of an exception and its message: "ZeroDivisionError: division by zero"."""
    said = message(error, lines)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def whole(error: BaseException) -> str:
    """Return the traceback as text, without its middle if it is very long."""
    try:
        text = "".join(traceback.format_exception(error))
    except Exception:  # a note or a cause that cannot be printed
        frames = "".join(traceback.format_tb(error.__traceback__))
        text = f"Traceback (most recent call last):\n{frames}{told(error)}\n"
    text = _printable(text)
    if len(text) <= LONGEST_DETAIL:
        return text
    half = LONGEST_DETAIL // 2
    return f"{text[:half]}\n[...]\n{text[-half:]}"


def where(error: BaseException) -> str:
    """Return the innermost line of the user's code: "my_idea.py, line 12, in mine"; "" if none.

    Only frames below the handler of the exception count: a script that calls this package is not to
    blame for everything that happens inside.
    """
    for link in _chain(error):
        for frame, line in reversed(list(_frames(link.__traceback__))):
            code = frame.f_code
            if _is_own(code.co_filename):
                return f"{shown(code.co_filename)}, line {line}, in {code.co_name}"
    return ""


def line_of(function: FunctionType) -> str:
    """Return where a function of the user's begins: "my_idea.py, line 8"."""
    code = function.__code__
    return f"{shown(code.co_filename)}, line {code.co_firstlineno}"


def shown(file: str) -> str:
    """Return a file as messages name it.

    The name is relative to the experiment's folder or the working directory, or else only its last
    part. It is the same in every process of a run.
    """
    path = Path(os.path.abspath(file))
    loaded = [module for name, module in sys.modules.items() if name.startswith(PREFIX)]
    files = [own for module in loaded if (own := getattr(module, "__file__", None))]
    folders = [Path(os.path.abspath(own)).parent for own in files]
    with contextlib.suppress(OSError):  # it may have been deleted
        folders.append(Path.cwd())
    for folder in folders:
        if path.is_relative_to(folder):
            return str(path.relative_to(folder))
    return path.name


def message(error: BaseException, lines: int | None = 1) -> str:
    """Return the message of an exception, its first lines or all, as one line of limited length."""
    try:
        said = str(error)
    except BaseException:  # from the user's code, which may raise anything here
        said = "(its message cannot be printed)"
    first = " ".join(" ".join(_printable(said).strip().split("\n")[:lines]).split())
    return cut(first, LONGEST)


def cut(said: str, longest: int) -> str:
    """Return the text, without its end if it is too long."""
    return said if len(said) <= longest else said[: longest - 3] + "..."


def _printable(text: str) -> str:
    """Return the text without lone surrogates and NUL, which no store can hold."""
    return re.sub("\0", "\\\\x00", text.encode("utf-8", "backslashreplace").decode("utf-8"))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception and those that it was raised from."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _frames(trace: TracebackType | None) -> Iterator[tuple]:
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next


def _is_own(file: str) -> bool:
    """Return whether a frame is in a file of the user's, not in typed or generated code."""
    return not file.startswith("<") and is_own(os.path.abspath(file))
