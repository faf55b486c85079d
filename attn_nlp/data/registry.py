"""Register datasets by name, and check the name of a dataset in an experiment.

Such a name may be a registered name, a Hub id or a path. A registered name takes precedence over a
folder with the same name, and an existing path over a Hub id, as in `datasets.load_dataset`.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from attn_nlp.data.docstrings import DOCSTRINGS
from attn_nlp.data.names import shown
from attn_nlp.data.planted import PLANTED
from attn_nlp.data.public import REAL_SETS
from attn_nlp.data.source import Source
from attn_nlp.errors import UserError, unknown
from attn_nlp.parts.plugins import load_plugins
from attn_nlp.parts.registry import own_code
from attn_nlp.user_code.hashing import Code
from attn_nlp.wording import is_utf8

SOURCES: dict[str, Source] = {s.name: s for s in (*PLANTED, DOCSTRINGS, *REAL_SETS)}
MADE_BY: dict[str, Code] = {}  # the user's code that makes the rows of a dataset
FILE_KINDS = {".parquet": "parquet", ".csv": "csv", ".json": "json", ".jsonl": "json"}
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(:[\w.-]+)?")


def sources() -> tuple[Source, ...]:
    """Return every registered dataset, without loading any.

    Example:
      >>> [s.name for s in sources()][:3]
      ['planted_lookup', 'planted_keyword', 'planted_negation']
    """
    load_plugins()
    return tuple(SOURCES.values())


def register_dataset(source: Source) -> None:
    """Register a dataset of an installed package or an experiment file.

    Args:
      source: its name, its label, its license, and where its rows come from.

    Raises:
      UserError: it is not a `Source`, or another dataset has its name.
    """
    if not isinstance(source, Source):
        raise UserError(
            f"register_dataset was given {type(source).__name__}, not a Source; write "
            "register_dataset(Source(name, label, license, hub_id=...))."
        )
    known = SOURCES.get(source.name, source)
    if replace(known, make=None) != replace(source, make=None):  # a file may be run again
        raise UserError(f"the dataset name {source.name!r} is taken; choose another.")
    SOURCES[source.name] = source
    code = None if source.make is None else own_code(source.make, [source.make], ())
    if code is not None:
        MADE_BY[source.name] = code


def looks_like_path(name: str) -> bool:
    """Return whether a name can only mean a file or folder on this machine."""
    return name.startswith(("/", "./", "../", "~", ".\\")) or Path(name).suffix in FILE_KINDS


def local_path(name: str) -> Path | None:
    """Return the existing file or folder that a name refers to, or None; broken links exist."""
    if name in SOURCES or not name or "\0" in name or not is_utf8(name):
        return None
    try:
        path = expanded(name)
        return path if os.path.lexists(path) else None
    except OSError:  # longer than any file name
        return None


def expanded(name: str) -> Path:
    """Return a path with the user's home for a leading ~, unless a file has that very name."""
    path = Path(name)
    with suppress(RuntimeError):  # no such user
        return path if os.path.lexists(path) else path.expanduser()
    return path


def unusual(path: Path) -> str | None:
    """Return what a path is if it is not a file or folder that can be read, or None if it is.

    Nothing is opened, since opening a named pipe waits for a writer and a device may never end.
    """
    kinds = {
        stat.S_ISFIFO: "a named pipe",
        stat.S_ISSOCK: "a socket",
        stat.S_ISCHR: "a device",
        stat.S_ISBLK: "a device",
    }
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "a link to a file that is not there" if path.is_symlink() else "missing"
    except OSError as error:
        return f"not readable ({error.strerror})"
    return next((name for is_one, name in kinds.items() if is_one(mode)), None)


def check_dataset(name: str) -> None:
    """Reject a name that cannot be a dataset, without loading anything.

    Args:
      name: a registered name, an existing file or folder, or a Hub id `owner/name[:config]`.

    Raises:
      UserError: the name is none of these. Hub ids are not checked for existence.

    Example:
      >>> check_dataset("sst2")
      >>> check_dataset("owner/name:config")
      >>> check_dataset("planted_lokup")  # doctest: +ELLIPSIS
      Traceback (most recent call last):
      ...
      attn_nlp.errors.UserError: unknown dataset 'planted_lokup'; ...'planted_lookup'? ...
    """
    load_plugins()
    if name in SOURCES:
        return
    if not is_utf8(name):
        raise UserError(
            f"dataset '{shown(name)}': the name is not valid UTF-8, so no store or table can "
            "contain it; rename the file."
        )
    path = local_path(name)
    if path is not None:
        what = unusual(path)
        if what is not None:
            raise UserError(f"dataset '{shown(name)}' is {what}; give a file or a folder of files.")
        if path.is_file() and path.suffix not in FILE_KINDS:
            ending = f"is a {shown(path.suffix)} file" if path.suffix else "has no ending"
            raise UserError(
                f"dataset {name!r} {ending}; a file must be one of {', '.join(FILE_KINDS)}."
            )
        return
    if looks_like_path(name):
        raise UserError(f"dataset {name!r} looks like a path, but {_why_missing(name)}.")
    if not HUB_ID.fullmatch(name):
        raise UserError(
            f"{unknown('dataset', name, SOURCES)} A Hub id owner/name or an existing file or "
            "folder is allowed too."
        )


def _why_missing(name: str) -> str:
    with suppress(ValueError):  # a NUL
        try:
            expanded(name).lstat()
        except PermissionError:
            return "a folder in it cannot be entered: permission denied"
        except OSError:
            pass
    return "there is no such file or folder"
