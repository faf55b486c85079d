"""Checks and warnings of every way to run an experiment, before anything is trained."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from attn_nlp.errors import UserError

if TYPE_CHECKING:
    from attn_nlp.experiment import Resolved
    from attn_nlp.store import Store


def check_workers(workers: int | None, in_process: bool) -> None:
    """Check how a run is to train; for one in this process, settle its environment.

    Call it before the experiment file is read, since that may import libraries that read the
    environment once.

    Args:
      workers: the requested number of worker processes, or None.
      in_process: whether to train in this process.

    Raises:
      UserError: `workers` is less than 1, or is given together with `in_process`; or a library has
        already read other environment variables in this process.
    """
    from attn_nlp.runner.environment import settle

    if workers is not None and (type(workers) is not int or workers < 1):
        raise UserError(f"workers is {workers!r}; give an integer, at least 1.")
    if in_process:
        if workers:
            raise UserError(
                "a run in this process has no workers; leave out --workers (in Python: workers)."
            )
        settle()


def check_store(path: Path, resolved: Resolved) -> None:
    """Reject a store that is part of the data of its own experiment, which writing would change.

    Args:
      path: the file of the store, which need not exist.
      resolved: the experiment.

    Raises:
      UserError: naming the dataset.
    """
    if data := dataset_at(path, resolved):
        raise UserError(f"store {path} {data}; choose another --store, outside of it.")


def dataset_at(path: Path, resolved: Resolved) -> str:
    """Return how a path belongs to a dataset of an experiment, or "" if it belongs to none.

    Returns:
      The end of a sentence, such as "is a file of dataset 'reviews'".
    """
    real = Path(os.path.realpath(path))
    for name, data in _local_data(resolved):
        if real == Path(os.path.realpath(data)) or same_file(path, data):
            return f"is dataset {name!r}"
        if data.is_dir():
            if Path(os.path.realpath(data)) in real.parents:
                return f"is in the folder of dataset {name!r}"
            if os.path.exists(path) and any(same_file(path, file) for file in data.rglob("*")):
                return f"is a file of dataset {name!r}"
    return ""


def same_file(one: Path, other: Path) -> bool:
    """Return whether two paths lead to one file, whatever their names; False if one is missing."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def code_warnings(store: Store, resolved: Resolved) -> list[str]:
    """Return sentences about stored cells of an experiment that other code has computed."""
    from attn_nlp.runner.other_code import other_code

    return other_code(store, store.settled(resolved).wanted).sentences


def _local_data(resolved: Resolved) -> Iterator[tuple[str, Path]]:
    """Yield the name and the path of every dataset that is read from this machine."""
    from attn_nlp.data.loading import data_path

    for name in dict.fromkeys(str(cell["settings"]["dataset"]) for cell in resolved.cells):
        path = data_path(name)
        if path is not None:
            yield name, path
