"""Where in the user's own code an exception came from, and what it says, in one line.

In comes an exception; out goes "my_idea.py, line 12, in mine: ZeroDivisionError: division by zero".
A line deep in JAX helps nobody: the innermost frame that belongs neither to this package, nor to an
installed one, nor to Python, is the line that a user can change. JAX cuts its own frames out of a
traceback, and chains what it cut as a cause; neither hides a frame of the user's.
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

LONGEST = 1000  # letters of a reason
LONGEST_DETAIL = 50_000


def told(error: BaseException) -> str:
    """The exception in one line, with the file, line and function of the user's own code.

    Whatever the exception does when it is printed, this raises nothing.
    """
    place = where(error)
    return f"{place}: {words_of(error)}" if place else words_of(error)


def words_of(error: BaseException, lines: int | None = 1) -> str:
    """ "ZeroDivisionError: division by zero", the kind of an exception and its `message`."""
    said = message(error, lines)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def whole(error: BaseException) -> str:
    """The traceback as text, the middle left out where it is very long."""
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
    """ "my_idea.py, line 12, in mine", the innermost line of the user's own code; "" where none is.

    Frames outside whoever caught the exception do not count: a script that calls this package is
    not to blame for all that happens inside.
    """
    for each in _chain(error):
        for frame, line in reversed(list(_frames(each.__traceback__))):
            code = frame.f_code
            if _is_own(code.co_filename):
                return f"{shown(code.co_filename)}, line {line}, in {code.co_name}"
    return ""


def place_of(function: FunctionType) -> str:
    """ "my_idea.py, line 8", where a function of the user's begins."""
    code = function.__code__
    return f"{shown(code.co_filename)}, line {code.co_firstlineno}"


def shown(file: str) -> str:
    """A file as messages name it: from the experiment's folder, or the working directory, or alone.

    The same in every process of a run, wherever it was started.
    """
    path = Path(os.path.abspath(file))
    loaded = [module for name, module in sys.modules.items() if name.startswith(PREFIX)]
    files = [each for module in loaded if (each := getattr(module, "__file__", None))]
    folders = [Path(os.path.abspath(each)).parent for each in files]
    with contextlib.suppress(OSError):  # it may have been deleted
        folders.append(Path.cwd())
    for folder in folders:
        if path.is_relative_to(folder):
            return str(path.relative_to(folder))
    return path.name


def message(error: BaseException, lines: int | None = 1) -> str:
    """What the exception says, its first lines or all in one, cut where it is very long."""
    try:
        said = str(error)
    except BaseException:  # whatever the part's own code does there
        said = "(what it says cannot be printed)"
    first = " ".join(" ".join(_printable(said).strip().split("\n")[:lines]).split())
    return cut(first, LONGEST)


def cut(said: str, longest: int) -> str:
    """The text, its end left out where it is longer."""
    return said if len(said) <= longest else said[: longest - 3] + "..."


def _printable(text: str) -> str:
    """The text without halves of surrogate pairs and without NUL, which no store can hold."""
    return re.sub("\0", "\\\\x00", text.encode("utf-8", "backslashreplace").decode("utf-8"))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, and what it was raised from."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__


def _frames(found: TracebackType | None) -> Iterator[tuple]:
    while found is not None:
        yield found.tb_frame, found.tb_lineno
        found = found.tb_next


def _is_own(file: str) -> bool:
    """Whether a frame's file is the user's; what is typed or made on the spot has none."""
    return not file.startswith("<") and is_own(os.path.abspath(file))
