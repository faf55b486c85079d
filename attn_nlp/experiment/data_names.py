"""One spelling for each dataset, since the name takes part in the identity of a cell.

In: what an experiment or the command line says. Out: a registered name or a Hub id as it is; a
path without what changes nothing, and relative to the working directory where it lies below, so
that `d.csv`, `./d.csv`, `sub/../d.csv` and `/data/d.csv` are one dataset in `/data`, and results
move to another machine with their files. A path to anywhere else stays absolute, or relative with
its `..` or `~`. Links are names of their own: only where a folder really is decides whether it lies
below the working directory, and `..` behind a link to a folder is left alone.

Only the text decides whether it is a path, never what happens to exist. So `./trec6` is not taken
for the registered `trec6`, and `./owner/name` keeps its `./`, as without it a Hub id is read.
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
    """The one spelling of a dataset.

    Raises:
      UserError: no text, or one that no message and no store could hold.

    Example:
      >>> spelled("sst2"), spelled("owner/name:config"), spelled("./a//d.csv")
      ('sst2', 'owner/name:config', 'a/d.csv')
    """
    value = values.plain(value)
    meant = isinstance(value, os.PathLike)  # a path, whatever it looks like
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str):
        raise UserError(f"dataset is {shown(value)}; give a name, a Hub id or a path as a text.")
    values.line("dataset", text)
    if not (meant or text.endswith(ENDINGS) or _STEPS.search(text)):
        return text
    try:
        return _unmistakable(_below(_shortened(text)))
    except OSError:  # the working directory is gone
        return _unmistakable(os.path.normpath(text))


def _shortened(path: str) -> str:
    """Without "." and double slashes; without ".." too, where that leads to the same place."""
    shorter = os.path.normpath(path)
    if ".." in path.split("/") and _real(shorter) != _real(path):
        return path
    return shorter


def _below(path: str) -> str:
    """Relative to the working directory where the path lies in it."""
    here = os.path.realpath(os.curdir)
    folder, name = os.path.split(os.path.expanduser(path))
    real = os.path.realpath(folder)
    written = os.path.normpath(os.path.join(here, folder))  # keeps the names of links
    for found in (written, real):
        whole = os.path.normpath(os.path.join(found, name))
        if os.path.realpath(found) == real and (whole + "/").startswith(here.rstrip("/") + "/"):
            return os.path.relpath(whole, here)
    return path


def _real(path: str) -> str:
    return os.path.realpath(os.path.expanduser(path))


def _unmistakable(path: str) -> str:
    """With "./" in front of a relative path that would be read as a name otherwise."""
    if path.endswith(ENDINGS) or path.startswith(("/", "~", ".")):
        return path
    name = "/" not in path and path in importlib.import_module("attn_nlp.data.registry").SOURCES
    return f"./{path}" if name or _HUB_ID.fullmatch(path) else path
