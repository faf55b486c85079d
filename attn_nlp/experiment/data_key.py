"""The data that a cell reads, by its settings.

Everything that compares cells by their data, from the plan to a warning below a table, uses these
keys. A field that was added after a cell was stored has its default.
"""

from __future__ import annotations

from collections.abc import Mapping

from attn_nlp.experiment.cell import PATHS

CUT = ("split_seed", "fold")  # decide how the rows of a dataset are split
ROWS = ("dataset", *CUT)  # decide which rows each split has
READING = ("tokens", "vocabulary", "length")  # decide the ids that a text becomes
DATA = (*ROWS, *READING)


def value_at(settings: Mapping[str, object], path: str) -> object:
    """Return the setting at a path, or its default if the settings lack it."""
    return settings.get(path, PATHS[path]["default"] if path in PATHS else None)


def data_key(settings: Mapping[str, object]) -> tuple[object, ...]:
    """Return the values at `ROWS`, which are equal for cells whose splits have the same rows.

    Example:
      >>> data_key({"dataset": "sst2", "split_seed": 3, "heads": 4})
      ('sst2', 3, 0)
    """
    return tuple([value_at(settings, path) for path in ROWS])


def reading_key(settings: Mapping[str, object]) -> tuple[object, ...]:
    """Return the values at `READING`, which are equal for cells that make the same ids of a text.

    Example:
      >>> reading_key({"dataset": "sst2", "tokens": "char", "length": 64})
      ('char', 8000, 64)
    """
    return tuple([value_at(settings, path) for path in READING])
