"""What a user can put right: one clear sentence, never a traceback.

Every check of a setting, a file or a dataset raises `UserError`. The command line prints it as one
line and exits with status 2; any other exception that reaches the command line is a fault in this
package and keeps its traceback. `UserError` is a `ValueError`, so that library callers need not
know the class.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A user's mistake: what was given, what is allowed, what to do."""


def nearest(given: str, known: Iterable[str]) -> str | None:
    """The known name most like the given one, or None where nothing is close.

    Example:
      >>> nearest("sofmax", ["sigmoid", "softmax"])
      'softmax'
    """
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(given.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def unknown(what: str, given: object, known: Iterable[str]) -> UserError:
    """The error for a name that is not among the known ones.

    Example:
      >>> print(unknown("normalizer", "sofmax", ["sigmoid", "softmax", "sparsemax"]))
      unknown normalizer 'sofmax'; known: sigmoid, softmax, sparsemax. Did you mean 'softmax'?
    """
    names = sorted(known)
    message = f"unknown {what} {given!r}; known: {', '.join(names) or 'none'}."
    close = nearest(str(given), names)
    return UserError(message + (f" Did you mean {close!r}?" if close else ""))
