"""What `--out` may not be: the store, an input of the command, or a file that is not of ours.

Asked before anything is trained, and once more when the file is written.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from attn_nlp.errors import UserError
from attn_nlp.outputs import check_writable, descriptor
from attn_nlp.runner.preflight import dataset_at, same_file
from attn_nlp.user_code import opened

if TYPE_CHECKING:
    from attn_nlp.experiment import Resolved

DEFAULT_FORMAT = "terminal"
# What SQLite and this package lay beside a store.
_CHECKPOINTS = ".checkpoints"
_BESIDE = re.compile(r"-wal|-shm|-journal|\.version\d+|\.checkpoints(/.*)?", re.DOTALL)
_BESIDE_ANY = re.compile(r"(-wal|-shm|-journal|\.version\d+|\.checkpoints)\Z")
_SQLITE = b"SQLite format 3\0"
_LOOK = 2**24  # bytes, more than any table has


def check(
    out: Path,
    kind: str,
    *,
    store: Path | None = None,
    resolved: Resolved | None = None,
) -> None:
    """Refuse a destination that holds what must not be lost.

    Args:
      out: where a command is to write.
      kind: "png", "svg", "store" or the name of a table format; a report is "html".
      store: of the command.
      resolved: the experiment, whose data are inputs too.

    Raises:
      UserError: one line that says what stands there.
    """
    check_inputs(out, store, resolved)
    check_writable(out)
    if os.path.isfile(out) and descriptor(out) is None:  # an open file is added to
        _check_kind(out, kind)


def check_inputs(out: Path, store: Path | None, resolved: Resolved | None) -> None:
    """Refuse the store, code and data of the command, under whatever name.

    Raises:
      UserError: one line that says what stands there.
    """
    real = os.path.realpath(out)
    if store is not None and _belongs_to(out, real, store):
        raise _refusal(out, "belongs to the store")
    for name in (real, os.path.abspath(out)):
        _check_beside(out, name)
    if real.endswith((".py", ".pyc")):  # an experiment file, or a module beside it
        raise _refusal(out, "is code in Python")
    if any(_same(out, real, Path(each)) for each in opened.noted):
        raise _refusal(out, "is read by the experiment file")
    if resolved is not None and (data := dataset_at(out, resolved)):
        raise _refusal(out, data)


def format_of(format: str | None, out: Path | None) -> str:
    """The table format that a user has asked for, by its name or by the ending of a file.

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
    """The same for a report, which has one format.

    Raises:
      UserError: another ending than .html, or what `check` refuses.
    """
    check_inputs(out, store, resolved)
    if out.suffix.lower() != ".html":
        _without_ending(out, [".html"])
    check(out, "html", store=store, resolved=resolved)


def _without_ending(out: Path, known: Iterable[str], more: str = "") -> str:
    """A terminal and a pipe need no ending."""
    if descriptor(out) is None and (os.path.isfile(out) or not os.path.exists(out)):
        ending = f"its ending {out.suffix!r}" if out.suffix else "it has no ending, which"
        raise UserError(
            f"--out {out}: {ending} names no format; end it in {', '.join(sorted(known))}{more}."
        )
    return DEFAULT_FORMAT


def _check_beside(out: Path, name: str) -> None:
    """Refuse names that SQLite or this package gives to what lies beside a store, whichever."""
    if ending := _BESIDE_ANY.search(name):
        raise _refusal(out, f"ends in {ending[0]!r}, as what lies beside a store does")
    for folder in Path(name).parents:
        if folder.suffix == _CHECKPOINTS and folder.with_suffix("").is_file():
            raise _refusal(out, f"lies in {folder.name!r}, beside a store")


def _belongs_to(out: Path, real: str, store: Path) -> bool:
    """Whether it is the store or lies beside it, under whatever name, also if not there yet."""
    if _same(out, real, store):
        return True
    for stem in (os.path.realpath(store), os.path.abspath(store)):
        for name in (real, os.path.abspath(out)):
            if name.startswith(stem) and _BESIDE.fullmatch(name[len(stem) :]):
                return True
        for each in glob.glob(f"{glob.escape(stem)}[.-]*"):
            if _BESIDE.fullmatch(each[len(stem) :]) and same_file(out, Path(each)):
                return True
    return False


def _check_kind(out: Path, kind: str) -> None:
    """Only what an earlier command has written may be replaced."""
    try:
        with open(out, "rb") as file:
            content = file.read(_LOOK)
    except OSError as error:
        raise UserError(
            f"cannot write to {out}: what stands there cannot be read ({error.strerror}), so that "
            "nobody knows what would be lost."
        ) from error
    if content.startswith(_SQLITE):
        raise _refusal(out, "is an SQLite database, perhaps a store")
    if content and not _is_ours(content, kind):
        why = "exists and is not recognized as an output of this version of attn-nlp, unedited"
        raise _refusal(out, why, ", or remove it")


def _is_ours(content: bytes, kind: str) -> bool:
    from attn_nlp.figures import FORMATS, marks
    from attn_nlp.tables import formats

    if kind in FORMATS:
        return marks.known(kind, content)
    return formats.known(kind, content.decode("utf-8", "replace"))


def _same(out: Path, real: str, other: Path) -> bool:
    return real == os.path.realpath(other) or same_file(out, other)


def _refusal(out: Path, why: str, more: str = "") -> UserError:
    return UserError(f"--out {out} {why}, and is not replaced; choose another name{more}.")
