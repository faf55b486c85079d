"""Ablations of attention on sentence classification."""

import os
import sys

__version__ = "0.1.0"


def _look_last_beside_the_script() -> None:
    """Python looks beside a script first: a `json.py` there must not become that of a library."""
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    folder = os.path.dirname(os.path.abspath(script)) if script else None
    if folder and sys.path and not sys.flags.safe_path and sys.path[0] == folder:
        sys.path.append(sys.path.pop(0))


_look_last_beside_the_script()
