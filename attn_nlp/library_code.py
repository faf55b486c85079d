"""A digest of the code of this package that decides results.

A part's revision is raised by hand when what it computes changes; a digest changes by itself, also
when somebody edits an installed copy or a fork. It describes where a result comes from, as versions
do, and is no part of the identity of a cell: most edits change no result, and which do, only a
person can say.

It is made of the source text without comments and docstrings. Read with one regular expression
rather than parsed, it takes some milliseconds and is the same in every version of Python.
"""

from __future__ import annotations

import functools
import hashlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

FACT = "code"  # its name in the provenance of a result
_ROOT = Path(__file__).parent
_awaited: dict[Path, tuple[int, int]] = {}  # files of the digest that were not imported by then
# What computes: from the text of a dataset to the numbers of a result.
DECIDING = (
    *("nn", "data", "train"),
    *("baselines", "metrics", "rng", "tallies"),
    *("parts/selection", "parts/sizes", "parts/hooks", "experiment/cell", "runner/train_job"),
)
# Of these packages what only speaks: sizes that are allowed, what is known of names, what is kept.
_SPEAKING = ("data/cache", "data/limits", "data/profile")
# Every way begins with its own letter, so that whatever else the source holds is skipped at once.
_TOKEN = re.compile(
    r'''"""(?:[^"\\]+|\\.|"(?!""))*"""'''
    r"""|"(?:[^"\\\n]+|\\.)*"|'(?:[^'\\\n]+|\\.)*'|\#[^\n]*""",
    re.DOTALL,
)


@functools.cache  # what this process has imported, or will import at once
def code_digest() -> str:
    """Twelve hexadecimal digits."""
    summed = hashlib.sha256()
    for file in deciding_files():
        name = file.relative_to(_ROOT).as_posix()
        if not _is_imported(file):
            _awaited[file] = _state(file)
        summed.update(f"{name}\n{without_texts(file.read_text('utf-8'))}\n".encode())
    return summed.hexdigest()[:12]


def is_mixed() -> bool:
    """Whether a file of the digest was imported after it, and had been edited by then.

    Most are imported when they are first needed, which may be hours after the digest was taken.
    """
    new = {file: _awaited.pop(file) for file in [*_awaited] if _is_imported(file)}
    return any(_state(file) != state for file, state in new.items())


def _is_imported(file: Path) -> bool:
    name = ".".join(file.relative_to(_ROOT.parent).with_suffix("").parts)
    return name.removesuffix(".__init__") in sys.modules


def _state(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_mtime_ns, found.st_size


def deciding_files() -> Iterator[Path]:
    """The files of the digest, in order."""
    for place in DECIDING:
        path = _ROOT / place
        for file in sorted(path.rglob("*.py")) or [path.with_suffix(".py")]:
            if file.relative_to(_ROOT).with_suffix("").as_posix() not in _SPEAKING:
                yield file


def without_texts(source: str) -> str:
    """Source without comments, docstrings and blank lines.

    A text in three quotes that begins a line, or is given as `doc=`, is taken for a docstring; the
    style of this package puts no other one there.
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
