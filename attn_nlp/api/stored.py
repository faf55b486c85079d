"""The stored results of earlier runs, for reading."""

from __future__ import annotations

import os
from pathlib import Path

from attn_nlp.api.results import Results, check_store, read_existing
from attn_nlp.errors import UserError
from attn_nlp.store import results as stored


def path_of(store: str | Path | None) -> Path:
    """Return the given path, or that of $ATTN_NLP_STORE, or the default."""
    if not isinstance(store, str | os.PathLike | None):
        raise UserError(f"store is {store!r}; give the path of a file.")
    return Path(store or os.environ.get("ATTN_NLP_STORE") or stored.DEFAULT_PATH)


class Store:
    """The experiments in a store, for reading.

    Args:
      path: the file; by default $ATTN_NLP_STORE, or runs/attn_nlp.sqlite.

    Raises:
      UserError: there is no such file.

    Example:
      >>> Store("nowhere.sqlite")
      Traceback (most recent call last):
      ...
      attn_nlp.errors.UserError: there is no store nowhere.sqlite; give the path of an existing \
one.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        given = path_of(path)
        check_store(given)
        self.path = given.absolute()

    @property
    def experiments(self) -> list[str]:
        """Names of the experiments, in alphabetical order.

        Raises:
          StoreError: the file is not a store, is damaged, or is newer than this package.
        """
        with read_existing(self.path) as store:
            return [name for name, _ in store.names()]

    def results(self, name: str) -> Results:
        """Return the results of an experiment as it was last run under that name.

        Raises:
          UserError: no such experiment; the message names the nearest.
          StoreError: the file is not a store, is damaged, or is newer than this package.
        """
        with read_existing(self.path) as store:
            return Results(store.experiment(name), self.path)

    def __repr__(self) -> str:
        return f"<Store {self.path}: {', '.join(self.experiments) or 'no experiment yet'}>"
