"""Checks of `--out`: it is never the store, an input of the command, or a file of somebody else.

They run before anything is trained, and again when the file is written.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from attn_nlp.errors import UserError
from attn_nlp.files.outputs import check_writable, descriptor
from attn_nlp.runner.preflight import dataset_at, same_file
from attn_nlp.user_code import opened

if TYPE_CHECKING:
    from attn_nlp.experiment import Resolved

DEFAULT_FORMAT = "terminal"
# Files that SQLite and this package keep next to a store.
_CHECKPOINTS = ".checkpoints"
_COMPANION = re.compile(r"-wal|-shm|-journal|\.version\d+|\.checkpoints(/.*)?", re.DOTALL)
_COMPANION_OF_ANY = re.compile(r"(-wal|-shm|-journal|\.version\d+|\.checkpoints)\Z")
_SQLITE = b"SQLite format 3\0"
_READ = 2**24  # bytes, more than any table has


def check(
    out: Path,
    kind: str,
    *,
    store: Path | None = None,
    resolved: Resolved | None = None,
) -> None:
    """Reject a destination that holds something which must not be lost.

    Args:
      out: the file that a command is to write.
      kind: "png", "svg", "store" or the name of a table format; a report is "html".
      store: the store of the command.
      resolved: the experiment, whose data are inputs too.

    Raises:
      UserError: one line that says what the destination is.
    """
    check_inputs(out, store, resolved)
    check_writable(out)
    if os.path.isfile(out) and descriptor(out) is None:  # an open file is appended to
        _check_kind(out, kind)


def check_inputs(out: Path, store: Path | None, resolved: Resolved | None) -> None:
    """Reject the store, code and data of the command, under any name.

    Raises:
      UserError: one line that says what the destination is.
    """
    real = os.path.realpath(out)
    if store is not None and _belongs_to(out, real, store):
        raise _rejection(out, "belongs to the store")
    for name in (real, os.path.abspath(out)):
        _check_companion(out, name)
    if real.endswith((".py", ".pyc")):  # an experiment file, or a module that it imports
        raise _rejection(out, "is Python code")
    if any(_same(out, real, Path(path)) for path in opened.noted):
        raise _rejection(out, "is read by the experiment file")
    if resolved is not None and (data := dataset_at(out, resolved)):
        raise _rejection(out, data)


def format_of(format: str | None, out: Path | None) -> str:
    """Return the table format that a user asked for, by name or by the ending of a file.

    Raises:
      UserError: an unknown name or ending, or two that differ.
    """
    from attn_nlp.errors import unknown
    from attn_nlp.tables.formats import FORMATS, suffix

    if format is not None and format not in FORMATS:
        raise unknown("table format", format, FORMATS)
    if out is None:
        return format or DEFAULT_FORMAT
    by_ending = {suffix(name): name for name in FORMATS}
    named = by_ending.get(out.suffix.lower())
    if format and named not in (None, format):
        raise UserError(
            f"--format {format} and --out {out} name two formats; leave out --format, or end the "
            f"name in {suffix(format)}."
        )
    return format or named or _without_ending(out, by_ending, ", or give --format")


def check_report(out: Path, store: Path, resolved: Resolved) -> None:
    """Reject the same for a report, which has one format.

    Raises:
      UserError: an ending other than .html, or anything that `check` rejects.
    """
    check_inputs(out, store, resolved)
    if out.suffix.lower() != ".html":
        _without_ending(out, [".html"])
    check(out, "html", store=store, resolved=resolved)


def _without_ending(out: Path, known: Iterable[str], more: str = "") -> str:
    """Return the default format for a terminal or a pipe; reject a file without a known ending."""
    if descriptor(out) is None and (os.path.isfile(out) or not os.path.exists(out)):
        ending = f"its ending {out.suffix!r}" if out.suffix else "it has no ending, which"
        raise UserError(
            f"--out {out}: {ending} names no format; end it in {', '.join(sorted(known))}{more}."
        )
    return DEFAULT_FORMAT


def _check_companion(out: Path, name: str) -> None:
    """Reject names that SQLite or this package gives to files next to any store."""
    if ending := _COMPANION_OF_ANY.search(name):
        raise _rejection(out, f"ends in {ending[0]!r}, like the files next to a store,")
    for folder in Path(name).parents:
        if folder.suffix == _CHECKPOINTS and folder.with_suffix("").is_file():
            raise _rejection(out, f"is in {folder.name!r}, next to a store,")


def _belongs_to(out: Path, real: str, store: Path) -> bool:
    """Tell whether a path, existing or not, is the store or a file next to it, under any name."""
    if _same(out, real, store):
        return True
    for stem in (os.path.realpath(store), os.path.abspath(store)):
        for name in (real, os.path.abspath(out)):
            if name.startswith(stem) and _COMPANION.fullmatch(name[len(stem) :]):
                return True
        for name in glob.glob(f"{glob.escape(stem)}[.-]*"):
            if _COMPANION.fullmatch(name[len(stem) :]) and same_file(out, Path(name)):
                return True
    return False


def _check_kind(out: Path, kind: str) -> None:
    """Refuse to replace anything but the output of an earlier command."""
    try:
        with open(out, "rb") as file:
            content = file.read(_READ)
    except OSError as error:
        raise UserError(
            f"cannot write to {out}: the file there cannot be read ({error.strerror}), so that "
            "nobody knows what would be lost."
        ) from error
    if content.startswith(_SQLITE):
        raise _rejection(out, "is an SQLite database, perhaps a store")
    if content and not _is_ours(content, kind):
        why = "exists, is not recognized as an unedited output of this version of attn-nlp,"
        raise _rejection(out, why, ", or remove it")


def _is_ours(content: bytes, kind: str) -> bool:
    from attn_nlp.figures import FORMATS, marks
    from attn_nlp.tables import formats

    if kind in FORMATS:
        return marks.known(kind, content)
    return formats.known(kind, content.decode("utf-8", "replace"))


def _same(out: Path, real: str, other: Path) -> bool:
    return real == os.path.realpath(other) or same_file(out, other)


def _rejection(out: Path, why: str, more: str = "") -> UserError:
    return UserError(f"--out {out} {why} and is not replaced; choose another name{more}.")
