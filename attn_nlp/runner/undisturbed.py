"""Keep the user's code in one cell from changing what the next cell in the process computes.

Cells are trained one after another in one process. Shared random generators start at the cell's
seed, and uses of data that no identity covers are rejected (`watching.py`). Before a `fit` of the
user's is called, its file is run again; afterward the environment variables, the working directory
and the settings of JAX are restored. What it prints stays out of the table, and it can neither end
the process nor report progress that cannot be shown. Changes that it makes to modules of other
libraries are not noticed.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from attn_nlp.errors import UserError
from attn_nlp.experiment.cell import Cell, flatten, unflatten
from attn_nlp.experiment.load import load_file
from attn_nlp.experiment.own_parts import own_codes
from attn_nlp.result.schema import plain
from attn_nlp.result.shapes import Misfit, fields, number, text
from attn_nlp.user_code import modules
from attn_nlp.user_code.loading import seeded
from attn_nlp.user_code.watching import watching

_PROGRESS = fields({"step": number(0), "steps": number(0), "note": text})


_fitted = 0  # the number of the run of an experiment file whose model was last trained here


@contextlib.contextmanager
def undisturbed(cell: Cell) -> Iterator[Cell]:
    """Train a cell within the block so that the user's code leaves the process unchanged.

    Yields:
      The cell, with the parts that its experiment file registered when it was run again.

    Raises:
      UserError: at the end, if its code has used something that no identity covers, or that has
        changed.
    """
    codes = own_codes(cell)
    if not codes:
        yield cell
        return
    with contextlib.ExitStack() as stack:
        model = cell.choices["model"].part
        own = model.own_code if "fit" in model.hooks else None
        if own is not None and own.load is not None:
            cell = _reloaded(cell, own.load.file)
            codes = own_codes(cell)
        stack.enter_context(seeded(cell.seed))
        stack.enter_context(watching(codes))
        for keeping in (_environment, _folder, _jax, _alive, _stdout) if own else ():
            stack.enter_context(keeping())
        if own is not None and own.load is not None:
            stack.enter_context(_importable(own.load.name, own.load.file))
        yield cell
    for code in codes:
        code.check()


def _reloaded(cell: Cell, file: str) -> Cell:
    """Run the experiment file again if a model of it was trained here, and return its cell.

    Otherwise the state that a model keeps in its modules would make a cell depend on the cells that
    were trained before it in this process.
    """
    global _fitted
    if _fitted == modules.runs:
        load_file(file)
        cell = unflatten(flatten(cell))
    _fitted = modules.runs
    return cell


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
        before = os.open(".", os.O_RDONLY)  # works even if it is moved or removed meanwhile
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
def _importable(name: str, file: str) -> Iterator[None]:
    """Let processes that a `fit` spawns rather than forks import the experiment file.

    They inherit only the search path, which contains neither that file nor its neighbors.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = f"from attn_nlp.experiment.load import load_file\n\nload_file({file!r})\n"
        Path(folder, f"{name}.py").write_text(source, "utf-8")
        added = [folder, os.path.dirname(file)]
        sys.path += added
        try:
            yield
        finally:
            for entry in (entry for entry in added if entry in sys.path):
                del sys.path[len(sys.path) - 1 - sys.path[::-1].index(entry)]  # the last one


@contextlib.contextmanager
def _jax() -> Iterator[None]:
    """Restore settings that decide the bits of all other cells, such as `jax_enable_x64`."""
    jax = sys.modules.get("jax")
    before = dict(jax.config.values) if jax else {}
    try:
        yield
    finally:
        for name, value in before.items():
            if jax and jax.config.values.get(name) != value:
                jax.config.update(name, value)


@contextlib.contextmanager
def _stdout() -> Iterator[None]:
    """Send everything printed, even by code in C, to stderr, since stdout is for the table."""
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
    """Make `os._exit` raise; otherwise it would end the whole run as if every cell were done."""
    leave, here = os._exit, (os.getpid(), threading.get_ident())

    def exit_fit(status: int) -> None:
        if (os.getpid(), threading.get_ident()) == here:
            raise SystemExit(f"os._exit({status}) in the middle of a run")
        leave(status)  # in a child process of the model's, or a thread that watches this process

    os._exit = exit_fit  # type: ignore[assignment]
    try:
        yield
    finally:
        os._exit = leave


def checked(report: Callable[[Mapping], None], model: str) -> Callable[[Mapping], None]:
    """Return a `report` for a model of the user's that checks what it is given.

    The returned function raises `UserError` for progress that cannot be shown.
    """

    def check(progress: Any) -> None:
        try:
            told = plain(progress, "progress")
            _PROGRESS(told, "progress")
            if told.keys().isdisjoint(("step", "note")):
                raise Misfit("progress", told, "a mapping with 'step', or with 'note'")
        except Misfit as error:
            raise UserError(f"{model} reports wrong progress: {error}.") from error
        report(told)

    return check
