"""Numbers in words, and the one way in which text, also that of others, is printed.

Labels, names of files and columns, messages of exceptions and the contents of someone else's store
are written by others. A terminal obeys some characters: they could change its colors, set its
title, or overwrite the line above. Every command prints through `say`, `show` and `warn`, and
nothing else in this package prints, so that such characters are removed in one place.

Streams that are closed, full, or no longer read are handled here too. Standard error only reports
progress: if it cannot be written, the work continues. Standard output is the purpose of a command:
if it cannot be written, the command ends.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import re
import sys
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from typing import IO, Any

# Control characters, characters that reverse the order of text (a label could otherwise disguise
# its line), code points that are not characters (XML forbids U+FFFE and U+FFFF), and halves of
# surrogate pairs, which have no UTF-8 form.
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
NO_CHARACTERS = "\ufdd0-\ufdef" + "".join(
    chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)
)
_OBEYED = re.compile(f"[\x00-\x1f\x7f-\x9f{_BIDI}{NO_CHARACTERS}]")
_IN_JSON = re.compile(f"[\x7f-\x9f{_BIDI}\u2028\u2029\ud800-\udfff{NO_CHARACTERS}]")
_HALVES = re.compile("[\ud800-\udfff]")
_BREAKS = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+")
_STYLE = re.compile(r"(\x1b\[[0-9;]*m)")  # colors, as `tables.lines` writes them

_SUFFIXES = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))

SUBSTITUTES = "attn_nlp.substitutes"
# Characters of tables, with substitutes that every encoding has. The mark of every verdict has a
# substitute of its own: a question mark would turn "better" into "undecided".
_PLAIN = "▲^ ▼v △(^) ▽(v) –- —- −- ·. ±+/- ×x √sqrt …... ≥>= ≤<= ≠!= ≈~ ²^2 •* ─- █# ░. →-> ‘' ’'"
_SUBSTITUTES = {pair[0]: pair[1:] for pair in _PLAIN.split()}


class Unread(Exception):
    """The reader of standard output is gone: the other end of a pipe is closed."""


class Unwritable(OSError):
    """Standard output cannot be written, for the reason in the message."""


class Nowhere(io.TextIOWrapper):
    """A standard output for a program that was started with it closed.

    Other output, such as a model's, is discarded; the output of a command raises `Unwritable`.
    """

    def __init__(self) -> None:
        super().__init__(open(os.devnull, "wb"), encoding="utf-8")  # noqa: SIM115


def clean(text: str) -> str:
    """Return the text as one line, without characters that a terminal would obey.

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
    """Return the text without characters that a screen would obey rather than show.

    Those are control characters, except the kept ones; characters that reverse the order of text;
    and code points that Unicode reserves as noncharacters. A lone surrogate, which has no UTF-8
    form, becomes a question mark.

    Example:
      >>> without_controls("a\\x00b\\u202ec\\n", kept="\\n")
      'abc\\n'
    """
    return _OBEYED.sub(lambda match: match[0] if match[0] in kept else "", _HALVES.sub("?", text))


def is_utf8(text: str) -> bool:
    """Return whether a text has a UTF-8 form, so that a store and a table can contain it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def without_format_characters(text: str) -> str:
    """Return the text without characters that have no width, such as U+200B.

    Example:
      >>> without_format_characters("on\\u200be")
      'one'
    """
    import unicodedata  # most commands do not need it

    return "".join(c for c in text if unicodedata.category(c) != "Cf")


def escaped_json(text: str) -> str:
    """Return a JSON document with such characters as escapes, which keeps its meaning.

    Example:
      >>> escaped_json('["a\\u202eb"]')
      '["a\\\\u202eb"]'
    """

    def escape(match: re.Match[str]) -> str:
        units = match[0].encode("utf-16-be", "surrogatepass").hex(" ", 2).split()
        return "".join(f"\\u{unit}" for unit in units)

    return _IN_JSON.sub(escape, text)


def reason_of(error: OSError) -> str:
    """Return the system's description of an error, with an explanation if it is too short."""
    reason = error.strerror or str(error)
    if error.errno == errno.EFBIG:
        return f"{reason}: larger than this shell (ulimit -f) or the file system allows"
    return reason


def plural(count: int, noun: str) -> str:
    """Return a count with its noun; the plural ends in s.

    Example:
      >>> plural(1, "step"), plural(3000, "step")
      ('1 step', '3,000 steps')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def plural_span(counts: Sequence[int], noun: str) -> str:
    """Return a count with its noun, or the smallest and the largest of several.

    Example:
      >>> plural_span([1, 1], "text"), plural_span([1, 3], "text")
      ('1 text', '1 to 3 texts')
    """
    low, high = min(counts), max(counts)
    return plural(low, noun) if low == high else f"{low:,} to {plural(high, noun)}"


def span(values: Sequence, text_of: Callable[[Any], str]) -> str:
    """Return the text of a value, or of the smallest and the largest of several.

    Example:
      >>> span([90, 91, 90], str), span([5], str)
      ('90 to 91', '5')
    """
    low, high = text_of(min(values)), text_of(max(values))
    return low if low == high else f"{low} to {high}"


def short_count(count: int) -> str:
    """Return a count in at most four characters, as a narrow column needs it.

    Example:
      >>> short_count(950), short_count(4_100), short_count(41_230), short_count(1_500_000)
      ('950', '4.1k', '41k', '1.5M')
    """
    for size, suffix in _SUFFIXES[1:]:
        if count >= size:
            scaled = count / size
            return (f"{scaled:.1f}" if scaled < 9.95 else f"{scaled:.0f}") + suffix
    return str(count)


def rounded_count(count: float) -> str:
    """Return a count to three significant digits.

    Example:
      >>> [rounded_count(count) for count in (0, 64, 999, 32_768, 8_388_608)]
      ['0', '64', '999', '32.8k', '8.39M']
    """
    for size, suffix in _SUFFIXES:
        if count >= size * 0.9995:
            digits = f"{count / size:.3g}"
            return f"{float(digits):g}{suffix}"
    return f"{count:.0f}"


def gigabytes(count: int) -> str:
    """Return a number of bytes in gigabytes, to one decimal.

    Example:
      >>> gigabytes(1_234_000_000)
      '1.2 GB'
    """
    return f"{count / 1e9:.1f} GB"


def duration(seconds: float) -> str:
    """Return a duration in its largest unit, at least one second.

    Example:
      >>> duration(0.4), duration(42), duration(125), duration(5400)
      ('1 s', '42 s', '2 min', '1.5 h')
    """
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    if seconds < 3600:
        return f"{int(seconds / 60 + 0.5)} min"
    return f"{seconds / 3600:.1f} h"


def moment(iso: str) -> str:
    """Return an ISO 8601 time as a date and time in UTC; text that is not one is left as it is.

    Example:
      >>> moment("2026-11-24T13:26:15.970198+00:00")
      '24 November 2026, 13:26 UTC'
    """
    from datetime import UTC, datetime

    try:
        when = datetime.fromisoformat(iso).astimezone(UTC)
    except ValueError:
        return iso
    return f"{when.day} {when:%B %Y, %H:%M} UTC"


def say(text: object = "") -> None:
    """Print one line on standard output."""
    _out(clean(str(text)) + "\n")


def show(text: str, *, exact: bool = False, styled: bool = False) -> None:
    """Print lines on standard output, ended by a line break.

    Args:
      text: the lines.
      exact: leave the text unchanged unless a terminal shows it, as for a data file.
      styled: keep color codes.
    """
    if not text.endswith("\n"):
        text += "\n"
    if exact and not _is_terminal(sys.stdout):
        _out(_HALVES.sub("?", text))
    elif styled:
        pieces = _STYLE.split(text)  # every second piece is a color code
        _out("".join(p if i % 2 else without_controls(p, "\n\t") for i, p in enumerate(pieces)))
    else:
        _out(without_controls(text, "\n\t"))


def warn(text: object, *, before: str = "attn-nlp: ") -> None:
    """Print one line on standard error, after the name of the program."""
    tell(sys.stderr, before + clean(str(text)))


def tell(stream: IO[str] | None, text: str) -> None:
    """Print lines on a stream for progress; if it cannot be written, they are discarded.

    Args:
      stream: the stream, or None if it was closed before the program started.
      text: the lines, without the last line break.
    """
    try:
        _put(stream, without_controls(text, "\n\t") + "\n")
    except (OSError, ValueError):  # nobody reads it, its disk is full, or it was closed
        silence(stream)


def silence(stream: IO[str] | None) -> None:
    """Discard everything that a broken stream still buffers or is given from now on."""
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
    if isinstance(raw, io.RawIOBase):  # with $PYTHONUNBUFFERED
        # The system may write only a part, as when the disk is then full, and reports the reason at
        # the next call; a text stream does not call again and drops the rest.
        left = memoryview(content)
        while left:
            left = left[raw.write(left) or 0 :]
    else:
        stream.write(content.decode(encoding))
    stream.flush()


def _is_terminal(stream: IO[str] | None) -> bool:
    return stream is not None and stream.isatty()


def _substitutes(error: UnicodeError) -> tuple[str, int]:
    """Return substitutes for characters that an encoding lacks: plain ones, or their numbers."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_SUBSTITUTES.get(c) or _number(c) for c in lacking), error.end


def _number(character: str) -> str:
    return character.encode("ascii", "backslashreplace").decode()


codecs.register_error(SUBSTITUTES, _substitutes)
