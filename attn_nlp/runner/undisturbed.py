"""What code of the user's finds in its process while a cell is trained, and what it leaves there.

Cells are trained one after another in one process, here or in a worker. What one sets for itself
must not become what the next one finds: shared generators begin at the cell's seed, and what no
identity knows of is refused (`watching.py`). A fit of the user's own begins with its file run anew;
after it the environment, the working directory and the settings of JAX are put back, what it prints
stays out of the table, and it can neither end the process nor hand on progress that nobody can
show. What it sets on the modules of other libraries is not seen.
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
from attn_nlp.result import plain
from attn_nlp.shapes import Misfit, fields, number, text
from attn_nlp.user_code import modules
from attn_nlp.user_code.loading import seeded
from attn_nlp.user_code.watching import watching

_PROGRESS = fields({"step": number(0), "steps": number(0), "note": text})


_fitted = 0  # the run of an experiment file whose own models have trained a cell here


@contextlib.contextmanager
def undisturbed(cell: Cell) -> Iterator[Cell]:
    """Inside, the cell is trained; afterwards no code of the user's has changed what others find.

    Yields:
      The cell, of the parts that its experiment file has registered when it was run anew.

    Raises:
      UserError: at the end, where it has used what no identity knows of, or what has changed.
    """
    codes = own_codes(cell)
    if not codes:
        yield cell
        return
    with contextlib.ExitStack() as stack:
        model = cell.choices["model"].part
        own = model.own_code if "fit" in model.hooks else None
        if own is not None and own.load is not None:
            cell = _begun_anew(cell, own.load.file)
            codes = own_codes(cell)
        stack.enter_context(seeded(cell.seed))
        stack.enter_context(watching(codes))
        for each in (_environment, _folder, _jax, _alive, _table_alone) if own else ():
            stack.enter_context(each())
        if own is not None and own.load is not None:
            stack.enter_context(_importable(own.load.name, own.load.file))
        yield cell
    for code in codes:
        code.check()


def _begun_anew(cell: Cell, file: str) -> Cell:
    """The cell, after its experiment file has been run again.

    What a model keeps in its modules between cells would otherwise make a cell depend on those that
    came before it in this process.
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
def _importable(name: str, file: str) -> Iterator[None]:
    """Let processes that a fit starts anew, and does not fork, import the experiment file.

    They are given the search path alone, on which neither that file nor its neighbors are.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = f"from attn_nlp.experiment.load import load_file\n\nload_file({file!r})\n"
        Path(folder, f"{name}.py").write_text(source, "utf-8")
        added = [folder, os.path.dirname(file)]
        sys.path += added
        try:
            yield
        finally:
            for each in (each for each in added if each in sys.path):
                del sys.path[len(sys.path) - 1 - sys.path[::-1].index(each)]  # the last one


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
      UserError: from the report, where it is given what cannot be shown.
    """

    def check(progress: Any) -> None:
        try:
            known = plain(progress, "progress")
            _PROGRESS(known, "progress")
            if known.keys().isdisjoint(("step", "note")):
                raise Misfit("progress", known, "a mapping with 'step', or with 'note'")
        except Misfit as error:
            raise UserError(f"{model} reports wrong progress: {error}.") from error
        report(known)

    return check
