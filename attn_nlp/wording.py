"""Text from outside, and the one way by which any text leaves the program.

Labels, names of files and columns, messages of exceptions and whatever a store of somebody else
holds are written by others. A terminal obeys some of their characters: they could recolor it, set
its title, or rewrite the line above. Every command prints through `say`, `show` and `warn`, and
nothing else in this package prints, so that such characters are removed in one place.

A stream that nobody reads any more, that is full or that is closed is met here too. Standard
error tells how things go; where it cannot be written, the work goes on. Standard output is what a
command is for; where it cannot be written, the command ends.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import re
import sys
from collections.abc import Container
from contextlib import suppress
from typing import IO

# Control characters, those that turn the order of text around (a label could otherwise rewrite
# its line), numbers that are no characters (XML forbids U+FFFE and U+FFFF), and halves of
# characters, which have no UTF-8 form.
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
NO_CHARACTERS = "\ufdd0-\ufdef" + "".join(
    chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)
)
_OBEYED = re.compile(f"[\x00-\x1f\x7f-\x9f{_BIDI}{NO_CHARACTERS}]")
_IN_JSON = re.compile(f"[\x7f-\x9f{_BIDI}\u2028\u2029\ud800-\udfff{NO_CHARACTERS}]")
_HALVES = re.compile("[\ud800-\udfff]")
_BREAKS = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+")
_STYLE = re.compile(r"(\x1b\[[0-9;]*m)")  # colors, as `tables.lines` writes them

SUBSTITUTES = "attn_nlp.substitutes"
# What tables are made of, in letters that every encoding has. Each mark of a verdict keeps one of
# its own: a question mark would turn "better" into "undecided".
_PLAIN = "▲^ ▼v △(^) ▽(v) –- —- −- ·. ±+/- ×x √sqrt …... ≥>= ≤<= ≠!= ≈~ ²^2 •* ─- █# ░. →-> ‘' ’'"
_PLAIN_LETTERS = {each[0]: each[1:] for each in _PLAIN.split()}


class Unread(Exception):
    """Whoever was to read what is written has left: the other end of a pipe is closed."""


class Unwritable(OSError):
    """Standard output cannot be written; says why."""


class Nowhere(io.TextIOWrapper):
    """Stands for a standard output that was closed before the program started.

    Whatever else prints, such as a model, prints into nothing; what a command is for cannot be
    written.
    """

    def __init__(self) -> None:
        super().__init__(open(os.devnull, "wb"), encoding="utf-8")  # noqa: SIM115


def clean(text: str) -> str:
    """One line without control characters: what a terminal would obey is left out.

    Example:
      >>> clean("two\\nlines, \\x1b[31mred")
      'two lines, [31mred'
    """
    return without_controls(_BREAKS.sub(" ", text))


def with_article(noun: str) -> str:
    """Return a noun after the indefinite article that its first letter takes.

    Example:
      >>> with_article("score"), with_article("optimizer")
      ('a score', 'an optimizer')
    """
    return f"{'an' if noun[:1] in 'aeiou' else 'a'} {noun}"


def without_controls(text: str, kept: Container[str] = ()) -> str:
    """The text without characters that a screen would obey rather than show.

    Those are control characters, except the kept ones, those that turn the order of text around,
    and numbers that Unicode gives to no character. A lone surrogate, which has no UTF-8 form,
    becomes a question mark.

    Example:
      >>> without_controls("a\\x00b\\u202ec\\n", kept="\\n")
      'abc\\n'
    """
    return _OBEYED.sub(lambda found: found[0] if found[0] in kept else "", _HALVES.sub("?", text))


def is_utf8(text: str) -> bool:
    """Whether a text has a UTF-8 form, so that a store and a table can hold it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def without_format_characters(text: str) -> str:
    """The text without characters that have no width, such as U+200B.

    Example:
      >>> without_format_characters("on\\u200be")
      'one'
    """
    import unicodedata  # most commands never ask

    return "".join(each for each in text if unicodedata.category(each) != "Cf")


def escaped_json(text: str) -> str:
    """A JSON document in which such characters are escapes, so that it says the same.

    Example:
      >>> escaped_json('["a\\u202eb"]')
      '["a\\\\u202eb"]'
    """

    def escape(found: re.Match[str]) -> str:
        units = found[0].encode("utf-16-be", "surrogatepass").hex(" ", 2).split()
        return "".join(f"\\u{each}" for each in units)

    return _IN_JSON.sub(escape, text)


def reason_of(error: OSError) -> str:
    """What the system says of an error, and where that is too little, what it means."""
    reason = error.strerror or str(error)
    if error.errno == errno.EFBIG:
        return f"{reason}: larger than this shell (ulimit -f) or the file system allows"
    return reason


def say(text: object = "") -> None:
    """One line on standard output."""
    _out(clean(str(text)) + "\n")


def show(text: str, *, exact: bool = False, styled: bool = False) -> None:
    """Lines on standard output, ended by a line break.

    Args:
      text: what to show.
      exact: leave the text as it is where no terminal shows it, as in a file of data.
      styled: let colors through.
    """
    if not text.endswith("\n"):
        text += "\n"
    if exact and not _is_terminal(sys.stdout):
        _out(_HALVES.sub("?", text))
    elif styled:
        pieces = _STYLE.split(text)  # a style stands between any two pieces of text
        _out("".join(p if i % 2 else without_controls(p, "\n\t") for i, p in enumerate(pieces)))
    else:
        _out(without_controls(text, "\n\t"))


def warn(text: object, *, before: str = "attn-nlp: ") -> None:
    """One line on standard error, after the name of the program."""
    tell(sys.stderr, before + clean(str(text)))


def tell(stream: IO[str] | None, text: str) -> None:
    """Lines on a stream that only tells how things go: where it cannot be written, they are lost.

    Args:
      stream: None is one that was closed before the program started.
      text: without its last line break.
    """
    try:
        _put(stream, without_controls(text, "\n\t") + "\n")
    except (OSError, ValueError):  # nobody reads it, its disk is full, or it was closed
        silence(stream)


def silence(stream: IO[str] | None) -> None:
    """Let a stream that cannot be written take everything from now on, and what it still holds."""
    with suppress(OSError, ValueError, AttributeError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nothing, stream.fileno())  # type: ignore[union-attr]
        finally:
            os.close(nothing)


def _out(text: str) -> None:
    if isinstance(sys.stdout, Nowhere):
        raise Unwritable(errno.EBADF, "it is closed", "standard output")
    try:
        _put(sys.stdout, text)
    except BrokenPipeError as error:
        silence(sys.stdout)
        raise Unread from error
    except OSError as error:
        silence(sys.stdout)
        raise Unwritable(error.errno, reason_of(error), "standard output") from error


def _put(stream: IO[str] | None, text: str) -> None:
    if stream is None:
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    content = text.encode(encoding, SUBSTITUTES)
    raw = getattr(stream, "buffer", None)
    if isinstance(raw, io.RawIOBase):  # as $PYTHONUNBUFFERED asks
        # The system may take a part, as when the disk is full after it, and says why when asked
        # again; a text stream does not ask and drops the rest.
        left = memoryview(content)
        while left:
            left = left[raw.write(left) or 0 :]
    else:
        stream.write(content.decode(encoding))
    stream.flush()


def _is_terminal(stream: IO[str] | None) -> bool:
    return stream is not None and stream.isatty()


def _substitutes(error: UnicodeError) -> tuple[str, int]:
    """What stands for letters that an encoding lacks: a plain one, or the number of the letter."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN_LETTERS.get(each, _number(each)) for each in lacking), error.end


def _number(letter: str) -> str:
    return letter.encode("ascii", "backslashreplace").decode()


codecs.register_error(SUBSTITUTES, _substitutes)
