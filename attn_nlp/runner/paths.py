"""Where a worker imports from: what this process imports from, without the working directory.

`python -c` and `python -m` put the working directory before everything else, and whatever lies
there under the name of a module would be run in place of it: a copy of this package, a `json.py`.
Workers are started without that, and get the folders that this process really uses.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import attn_nlp

PACKAGE = os.path.dirname(os.path.realpath(attn_nlp.__file__))


def for_workers(file: str | None) -> list[str]:
    """The folders, in order, that a worker imports from, before those that Python adds itself.

    The working directory is among them where the user has said so by PYTHONPATH. The folder of the
    experiment file is not: `loading` finds what the file imports there, and nothing else does.

    Args:
      file: the experiment file.
    """
    implied = {_real(os.curdir)}
    if file is not None:
        implied.add(_real(os.path.dirname(file) or os.curdir))
    implied -= {_real(each) for each in python_path()}
    given = [each for each in sys.path if isinstance(each, str) and each]
    found = [_absolute(each) for each in given if _real(each) not in implied]
    return list(dict.fromkeys([*found, os.path.dirname(PACKAGE)]))


def python_path() -> list[str]:
    """The folders that $PYTHONPATH names, as absolute paths.

    An empty entry stands for the working directory, mostly by accident: `$PYTHONPATH:folder` has
    one where the variable was not set. It is left out.
    """
    given = "" if sys.flags.ignore_environment else os.environ.get("PYTHONPATH", "")
    return [_absolute(each) for each in given.split(os.pathsep) if each]


def put_last(file: str) -> None:
    """Import from the folder of a file only what is nowhere else, unless PYTHONPATH names it."""
    folder = os.path.dirname(_absolute(file))
    if _real(folder) not in {_real(each) for each in python_path()}:
        others = [each for each in sys.path if _real(each) != _real(folder)]
        if len(others) < len(sys.path):
            sys.path[:] = [*others, folder]


def _absolute(path: str) -> str:
    with suppress(FileNotFoundError):  # the working directory was deleted
        return os.path.abspath(path)
    return path


def _real(path: str) -> str:
    with suppress(FileNotFoundError):
        return os.path.realpath(path)
    return path
