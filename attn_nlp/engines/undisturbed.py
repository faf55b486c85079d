"""What the fit of a model of the user's finds in its process, and what it leaves there.

Cells are trained one after another in one process, here or in a worker. What a fit sets for itself
must not become what the next cell finds: the environment, the working directory and the settings of
JAX are put back, what it prints stays out of the table, and it can neither end the process nor hand
on progress that nobody can show. What it sets on the modules of other libraries is not seen.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attn_nlp.mistakes import Mistake
from attn_nlp.result import plain
from attn_nlp.shapes import Misfit, fields, number, text

_PROGRESS = fields({"step": number(0), "steps": number(0), "note": text})


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Inside, a model of the user's is fitted; afterwards the process is as it was before."""
    with _environment(), _folder(), _jax(), _alive(), _table_alone():
        yield


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        for name, value in before.items():
            if os.environ.get(name) != value:
                os.environ[name] = value


@contextlib.contextmanager
def _folder() -> Iterator[None]:
    try:
        before = os.open(".", os.O_RDONLY)  # also where it is moved or removed meanwhile
    except OSError:
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.fchdir(before)
        os.close(before)


@contextlib.contextmanager
def _jax() -> Iterator[None]:
    """Keep what decides the bits of every other cell, such as `jax_enable_x64`."""
    jax = sys.modules.get("jax")
    before = dict(jax.config.values) if jax else {}
    try:
        yield
    finally:
        for name, value in before.items():
            if jax and jax.config.values.get(name) != value:
                jax.config.update(name, value)


@contextlib.contextmanager
def _table_alone() -> Iterator[None]:
    """What is printed goes to stderr, also by what Python does not see; a table has stdout."""
    kept = None
    with contextlib.suppress(OSError, ValueError):  # one of them is closed
        sys.stdout.flush()
        kept = os.dup(1)
        os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)


@contextlib.contextmanager
def _alive() -> Iterator[None]:
    """Here `os._exit` is an exception: it would end all cells, and a run as if all were done."""
    leave, here = os._exit, (os.getpid(), threading.get_ident())

    def exit_fit(status: int) -> None:
        if (os.getpid(), threading.get_ident()) == here:
            raise SystemExit(f"os._exit({status}) in the middle of a run")
        leave(status)  # a child of the model's own, or whoever watches over this process

    os._exit = exit_fit  # type: ignore[assignment]
    try:
        yield
    finally:
        os._exit = leave


def checked(report: Callable[[Mapping], None], model: str) -> Callable[[Mapping], None]:
    """The report for a model of the user's, which fails in its own hands.

    Raises:
      Mistake: from the report, where it is given what cannot be shown.
    """

    def check(progress: Any) -> None:
        try:
            known = plain(progress, "progress")
            _PROGRESS(known, "progress")
            if known.keys().isdisjoint(("step", "note")):
                raise Misfit("progress", known, "a mapping with 'step', or with 'note'")
        except Misfit as error:
            raise Mistake(f"{model} reports wrong progress: {error}.") from error
        report(known)

    return check
