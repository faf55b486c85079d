"""The progress of a run started from Python: a bar in a notebook, or nothing."""

from __future__ import annotations

import html
import sys
from collections.abc import Callable

from attn_nlp.errors import UserError
from attn_nlp.runner.progress import Progress

_UPDATE_SECONDS = 0.5


def chosen(progress: bool | str) -> Callable[..., Progress]:
    """Return the class that shows the progress of a run.

    Args:
      progress: "auto" for a bar in a terminal or a notebook and nothing elsewhere; True for that
        bar, and lines elsewhere; False for nothing.

    Raises:
      UserError: any other value.
    """
    if progress not in ("auto", True, False):
        raise UserError(f"progress is {progress!r}; give 'auto', True or False.")
    if progress is False:
        return Quiet
    if in_notebook():
        return Bar
    terminal = sys.stderr is not None and sys.stderr.isatty()
    return Progress if progress is True or terminal else Quiet


def in_notebook() -> bool:
    """Tell whether this process is the kernel of a notebook."""
    shell = sys.modules.get("IPython")
    return shell is not None and getattr(shell.get_ipython(), "kernel", None) is not None


def is_interactive() -> bool:
    """Tell whether this process is an interactive session, which a run must not end."""
    return in_notebook() or hasattr(sys, "ps1") or bool(sys.flags.interactive)


class Quiet(Progress):
    """Progress that shows nothing but warnings and notes."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def tick(self) -> None:
        """Show nothing."""


class Bar(Quiet):
    """Progress as a bar below the cell of a notebook."""

    def __enter__(self) -> Progress:
        from IPython import display

        self._html = display.HTML
        self._display = display.display(self._html(self._bar()), display_id=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._now.clear()
        self._update()

    def tick(self) -> None:
        """Update the bar, at most twice a second."""
        if self._clock() - self._last >= _UPDATE_SECONDS:
            self._last = self._clock()
            self._update()

    def _update(self) -> None:
        if self._display is not None:
            self._display.update(self._html(self._bar()))

    def _bar(self) -> str:
        done = self._before + self._finished
        told = html.escape(self.line())
        return f'<progress max="{self._total}" value="{done}" aria-label="cells"></progress> {told}'
