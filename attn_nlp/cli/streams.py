"""The standard streams as a shell provides them: closed, full, or in an old encoding."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from types import TracebackType

from attn_nlp.wording import SUBSTITUTES, Nowhere, silence, tell

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def prepare() -> None:
    """Make all three usable.

    A closed stream leaves its file descriptor free: the next file to be opened, such as a store,
    would get it, and everything printed would go into that file. So the descriptor is taken first,
    by the null device; a command that prints to such a stream ends with an error (`wording`). A
    character that the encoding of a stream lacks gets a substitute.
    """
    for number, (name, mode) in enumerate(_STREAMS):
        _occupy(number)
        if getattr(sys, name) is None and name == "stdout":
            sys.stdout = Nowhere()
        elif getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        encoding = (getattr(stream, "encoding", None) or "utf-8").replace("-", "").lower()
        if encoding != "utf8" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=SUBSTITUTES)  # type: ignore[union-attr]


def settle() -> None:
    """Flush both output streams, so that nothing is left to fail when the interpreter exits."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            silence(stream)


def print_fault(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print a traceback safely, for `sys.excepthook`: it may quote text from outside."""
    tell(sys.stderr, "".join(traceback.format_exception(kind, error, trace)).rstrip("\n"))


def _occupy(number: int) -> None:
    try:
        os.fstat(number)
        return
    except OSError:
        pass
    with suppress(OSError):
        got = os.open(os.devnull, os.O_RDWR)  # the lowest free number
        if got != number:
            os.dup2(got, number)
            os.close(got)
        os.set_inheritable(number, True)
