"""Errors that a user can correct: one clear sentence, never a traceback.

Every check of a setting, a file or a dataset raises `UserError`. The command line prints it as one
line and exits with status 2. Any other exception that reaches the command line is a bug in this
package and keeps its traceback. `UserError` is a `ValueError`, so callers of the library need not
know the class.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """An error that a user can correct: what was given, what is allowed, what to do."""


def nearest(given: str, known: Iterable[str]) -> str | None:
    """Return the known name most similar to the given one, or None if none is close.

    Example:
      >>> nearest("sofmax", ["sigmoid", "softmax"])
      'softmax'
    """
    by_lower = {name.lower(): name for name in known}
    matches = difflib.get_close_matches(given.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[matches[0]] if matches else None


def unknown(what: str, given: object, known: Iterable[str]) -> UserError:
    """Return the error for a name that is not among the known ones.

    Example:
      >>> print(unknown("normalizer", "sofmax", ["sigmoid", "softmax", "sparsemax"]))
      unknown normalizer 'sofmax'; known: sigmoid, softmax, sparsemax. Did you mean 'softmax'?
    """
    return UserError(f"unknown {what} {given!r}; {listed(given, known)}")


def listed(given: object, known: Iterable[str]) -> str:
    """Return the end of a message about a name: the known ones, and the nearest of them.

    Example:
      >>> listed("heds", ["heads", "scales"])
      "known: heads, scales. Did you mean 'heads'?"
    """
    names = sorted(known)
    close = nearest(str(given), names)
    hint = f" Did you mean {close!r}?" if close else ""
    return f"known: {', '.join(names) or 'none'}.{hint}"
