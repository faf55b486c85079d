"""What earlier runs have stored, for reading."""

from __future__ import annotations

import os
from pathlib import Path

from attn_nlp.api.results import Results, check_store
from attn_nlp.store import results as stored


def path_of(store: str | Path | None) -> Path:
    """The path that is given, that $ATTN_NLP_STORE names, or the usual one."""
    return Path(store or os.environ.get("ATTN_NLP_STORE") or stored.DEFAULT_PATH)


class Store:
    """The experiments in a store, for reading.

    Args:
      path: the file; by default what $ATTN_NLP_STORE says, or runs/attn_nlp.sqlite.

    Raises:
      UserError: there is no such file.

    Example:
      >>> Store("nowhere.sqlite")
      Traceback (most recent call last):
      ...
      attn_nlp.errors.UserError: there is no store nowhere.sqlite; give the path of one that a run \
has made.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = path_of(path)
        check_store(self.path)

    @property
    def experiments(self) -> list[str]:
        """Names of the experiments, in alphabetical order.

        Raises:
          StoreError: the file is no store, newer than this package or damaged.
        """
        with stored.Store.read(self.path) as store:
            return [name for name, _ in store.names()]

    def results(self, name: str) -> Results:
        """The results of an experiment as it was last run under that name.

        Raises:
          UserError: no such experiment; the message names the nearest.
          StoreError: the file is no store, newer than this package or damaged.
        """
        with stored.Store.read(self.path) as store:
            return Results(store.experiment(name), self.path)

    def __repr__(self) -> str:
        return f"<Store {self.path}: {', '.join(self.experiments) or 'no experiment yet'}>"
