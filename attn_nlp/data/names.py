"""Show names of files and columns in messages.

A name may contain bytes that are not UTF-8, terminal escapes, line breaks, or thousands of
characters.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

LONGEST = 80  # characters of one name
MOST = 12  # names in one list


def shown(name: str | Path) -> str:
    """Return a name in printable characters, shortened in the middle.

    Example:
      >>> print(shown("a" + chr(27) + "[1m.csv"))
      a\\x1b[1m.csv
    """
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(name))
    half = LONGEST // 2
    return line if len(line) <= LONGEST else f"{line[:half]}...{line[-half:]}"


def listed(names: Iterable[str]) -> str:
    """Return names as one list, at most the first dozen; "none" if there are none."""
    every = [shown(name) for name in names]
    more = f" and {len(every) - MOST} more" if len(every) > MOST else ""
    return ", ".join(every[:MOST]) + more or "none"
