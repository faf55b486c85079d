"""The import path of a worker: that of this process, without the working directory.

`python -c` and `python -m` put the working directory first, and any file there with the name of a
module would be run instead of the module: a copy of this package, a `json.py`. Workers start
without it, and receive the folders that this process really uses.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

PACKAGE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))


def for_workers(file: str | None) -> list[str]:
    """Return the folders that a worker imports from, in order, before those that Python adds.

    The working directory is included only if PYTHONPATH names it. The folder of the experiment file
    is not: `loading` finds modules there for the file itself, and nothing else may.

    Args:
      file: the experiment file, or None.
    """
    implied = {_real(os.curdir)}
    if file is not None:
        implied.add(_real(os.path.dirname(file) or os.curdir))
    implied -= {_real(folder) for folder in python_path()}
    given = [folder for folder in sys.path if isinstance(folder, str) and folder]
    folders = [_absolute(folder) for folder in given if _real(folder) not in implied]
    return list(dict.fromkeys([*folders, os.path.dirname(PACKAGE)]))


def python_path() -> list[str]:
    """Return the folders that $PYTHONPATH names, as absolute paths.

    An empty entry means the working directory, usually by accident: `$PYTHONPATH:folder` has one
    if the variable was not set. It is left out.
    """
    given = "" if sys.flags.ignore_environment else os.environ.get("PYTHONPATH", "")
    return [_absolute(entry) for entry in given.split(os.pathsep) if entry]


def put_last(file: str) -> None:
    """Search the folder of a file last when importing, unless PYTHONPATH names that folder."""
    folder = os.path.dirname(_absolute(file))
    if _real(folder) not in {_real(named) for named in python_path()}:
        others = [other for other in sys.path if _real(other) != _real(folder)]
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
