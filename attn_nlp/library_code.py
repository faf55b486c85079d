"""Compute a digest of the code of this package that decides results.

The revision of a part is raised by hand when its results change. A digest changes by itself, even
if someone edits an installed copy or a fork. Like a version, it describes where a result comes
from, and is not part of the identity of a cell: most edits change no result, and only a person can
tell which do.

It covers the source text without comments and docstrings. Reading that with one regular expression
instead of a parser takes only milliseconds and gives the same in every version of Python.
"""

from __future__ import annotations

import functools
import hashlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

VERSION = "0.1.0"  # of the release; see the changelog
FACT = "code"  # its name in the provenance of a result
_ROOT = Path(__file__).parent
_awaited: dict[Path, tuple[int, int]] = {}  # files that were not imported when it was computed
# Code that computes anything between the text of a dataset and the numbers of a result.
DECIDING = (
    *("nn", "data", "train"),
    *("baselines", "metrics", "rng", "result/tallies"),
    *("parts/selection", "parts/sizes", "parts/hooks", "experiment/cell", "runner/train_job"),
)
# Modules of these packages that decide no result: limits, facts for tables, caches.
_SILENT = ("data/cache", "data/limits", "data/profile")
# Every alternative begins with another character, so that all other text is skipped quickly.
_TOKEN = re.compile(
    r'''"""(?:[^"\\]+|\\.|"(?!""))*"""'''
    r"""|"(?:[^"\\\n]+|\\.)*"|'(?:[^'\\\n]+|\\.)*'|\#[^\n]*""",
    re.DOTALL,
)


@functools.cache  # for the code that this process has imported, or will soon import
def code_digest() -> str:
    """Return the digest, twelve hexadecimal digits."""
    sha256 = hashlib.sha256()
    for file in deciding_files():
        name = file.relative_to(_ROOT).as_posix()
        if not _is_imported(file):
            _awaited[file] = _state(file)
        sha256.update(f"{name}\n{without_texts(file.read_text('utf-8'))}\n".encode())
    return sha256.hexdigest()[:12]


def is_mixed() -> bool:
    """Return whether a file was edited after the digest was computed and before it was imported.

    Most files are imported when they are first needed, which may be hours later.
    """
    new = {file: _awaited.pop(file) for file in [*_awaited] if _is_imported(file)}
    return any(_state(file) != state for file, state in new.items())


def _is_imported(file: Path) -> bool:
    name = ".".join(file.relative_to(_ROOT.parent).with_suffix("").parts)
    return name.removesuffix(".__init__") in sys.modules


def _state(file: Path) -> tuple[int, int]:
    state = file.stat()
    return state.st_mtime_ns, state.st_size


def deciding_files() -> Iterator[Path]:
    """Yield the files that the digest covers, in order."""
    for name in DECIDING:
        path = _ROOT / name
        for file in sorted(path.rglob("*.py")) or [path.with_suffix(".py")]:
            if file.relative_to(_ROOT).with_suffix("").as_posix() not in _SILENT:
                yield file


def without_texts(source: str) -> str:
    """Return source without comments, docstrings and blank lines.

    A triple-quoted string that begins a line, or is given as `doc=`, is taken for a docstring; this
    package has no others in these positions.
    """

    kept, end = [], 0
    for match in _TOKEN.finditer(source):
        start = begin = match.start()
        if not match[0].startswith("#"):
            if not match[0].startswith('"""'):
                continue
            while begin > max(end, start - 2) and source[begin - 1] in "rRbBuUfF":
                begin -= 1
            if source[source.rfind("\n", 0, begin) + 1 : begin].strip() not in ("", "doc="):
                continue
        kept.append(source[end:begin])
        end = match.end()
    lines = "".join([*kept, source[end:]]).splitlines()
    return "\n".join(line.rstrip() for line in lines if line.strip())
