"""matplotlib with its own defaults, whatever settings a user has for it.

matplotlib reads a file `matplotlibrc` in the working directory, another that `MATPLOTLIBRC` names
or that is in the user's folder, and `MPLBACKEND`. Those are for the user's own plots: here they
would change what a figure shows, and some of them may start LaTeX or end in an error.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from attn_nlp.figures.fonts import quiet

# Characters at their true widths: fitted to pixels they would be wider than measured.
_SETTINGS: dict[str, Any] = {
    "svg.hashsalt": "attn_nlp",
    "svg.fonttype": "path",
    "text.hinting": "none",
    "text.parse_math": False,
}


def load() -> None:
    """Import matplotlib without the user's settings, unless it is already imported.

    For commands. A Python program that draws figures imports matplotlib as it likes; its settings
    apply to its own plots, also after a figure of this package (`settings`).
    """
    spec = None if "matplotlib" in sys.modules else find_spec("matplotlib")
    if spec is None or spec.origin is None:
        return
    backend = os.environ.pop("MPLBACKEND", None)
    before = os.open(".", getattr(os, "O_PATH", os.O_RDONLY))  # its path may no longer exist
    try:
        # matplotlib looks in the working directory first: here it finds its own settings.
        os.chdir(Path(spec.origin).parent / "mpl-data")
        importlib.import_module("matplotlib")
    finally:
        os.fchdir(before)
        os.close(before)
        if backend is not None:
            os.environ["MPLBACKEND"] = backend


@contextmanager
def settings() -> Iterator[None]:
    """Use matplotlib's defaults and our changes to them while a figure is drawn or measured."""
    import matplotlib

    now: Any = matplotlib.rcParams
    wanted = {**matplotlib.rcParamsDefault, **_SETTINGS}
    del wanted["backend"]  # not needed here, and reading it would start one
    changed: Any = {name: value for name, value in wanted.items() if now[name] != value}
    with matplotlib.rc_context(changed), quiet():
        yield
