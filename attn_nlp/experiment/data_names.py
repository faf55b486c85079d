"""One spelling for each dataset, since the name is part of the identity of a cell.

The input is what an experiment or the command line names. A registered name or a Hub id is kept
unchanged. A path loses redundant steps and becomes relative to the working directory if it lies
below it, so that `d.csv`, `./d.csv`, `sub/../d.csv` and `/data/d.csv` are one dataset in `/data`,
and results move to another machine with their files. A path to anywhere else stays absolute, or
relative with its `..` or `~`. Links are names of their own: only the real location of a folder
decides whether it lies below the working directory, and a `..` after a link to a folder is kept.

Only the text decides whether it is a path, never what happens to exist. So `./trec6` is not taken
for the registered `trec6`, and `./owner/name` keeps its `./`, since without it it would be a Hub
id.
"""

from __future__ import annotations

import importlib
import os
import re

from attn_nlp.errors import UserError
from attn_nlp.parts import values
from attn_nlp.parts.values import shown

ENDINGS = (".parquet", ".csv", ".json", ".jsonl")  # of files; other texts may be names
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(:[\w.-]+)?")
_STEPS = re.compile(r"(^|/)(\.\.?|~[^/]*)?(/|$)")  # an empty step, "." or "..", or "~" in front


def spelled(value: object) -> str:
    """Return the one spelling of a dataset.

    Raises:
      UserError: it is not a text, or a text that cannot be printed and stored.

    Example:
      >>> spelled("sst2"), spelled("owner/name:config"), spelled("./a//d.csv")
      ('sst2', 'owner/name:config', 'a/d.csv')
    """
    value = values.plain(value)
    is_path = isinstance(value, os.PathLike)  # whatever it looks like
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str):
        raise UserError(f"dataset is {shown(value)}; give a name, a Hub id, or a path as a string.")
    values.line("dataset", text)
    if not (is_path or text.endswith(ENDINGS) or _STEPS.search(text)):
        return text
    try:
        return _unmistakable(_below(_shortened(text)))
    except OSError:  # the working directory is gone
        return _unmistakable(os.path.normpath(text))


def _shortened(path: str) -> str:
    """Return a path without "." and double slashes, and without ".." if that is the same file."""
    shorter = os.path.normpath(path)
    if ".." in path.split("/") and _real(shorter) != _real(path):
        return path
    return shorter


def _below(path: str) -> str:
    """Return a path relative to the working directory if it lies in it."""
    here = os.path.realpath(os.curdir)
    folder, name = os.path.split(os.path.expanduser(path))
    real = os.path.realpath(folder)
    written = os.path.normpath(os.path.join(here, folder))  # keeps the names of links
    for spelling in (written, real):
        whole = os.path.normpath(os.path.join(spelling, name))
        if os.path.realpath(spelling) == real and (whole + "/").startswith(here.rstrip("/") + "/"):
            return os.path.relpath(whole, here)
    return path


def _real(path: str) -> str:
    return os.path.realpath(os.path.expanduser(path))


def _unmistakable(path: str) -> str:
    """Return a path with "./" in front if it is relative and would be read as a name without it."""
    if path.endswith(ENDINGS) or path.startswith(("/", "~", ".")):
        return path
    name = "/" not in path and path in importlib.import_module("attn_nlp.data.registry").SOURCES
    return f"./{path}" if name or _HUB_ID.fullmatch(path) else path
