"""A table as it is asked for: rows against columns of one number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """One line of a table: a label and the cells it stands for.

    Args:
      label: what the table prints.
      where: settings by path that pick the row's cells.
      cite: authors and year.
      baseline: whether the other rows are compared with this one.
    """

    label: str
    where: Mapping[str, object]
    cite: str = ""
    baseline: bool = False


@dataclass(frozen=True)
class Table:
    """Rows against columns of one number.

    Rows, `columns`, `where`, `each` and `over` together name every axis; only `over` is averaged.

    Args:
      title: what stands above it.
      rows: `Row`s, or one path of an axis: a row for every value, with the label and the source
        of the part where it names one.
      baseline: of such a path, the value that the others are compared with.
      columns: a path, or several for columns under columns; () for a single column.
      where: settings by path that hold for the whole table.
      each: a path; one table for each of its values.
      over: the paths averaged over; the replicate of the statistics.
      value: "test.accuracy" or another stored number, such as "validation.accuracy".
      margin: largest difference, in the unit of the value, that counts as none; by default
        0.005, 0.01 or 0.02 by the size of the test split.
      family: "column" or "table": which comparisons share one Holm correction.
      note: a sentence for the caption.
    """

    title: str
    rows: Sequence[Row] | str
    columns: str | Sequence[str] = ()
    where: Mapping[str, object] = field(default_factory=dict)
    each: str | None = None
    over: Sequence[str] = ("seed",)
    value: str = "test.accuracy"
    margin: float | None = None
    family: str = "column"
    note: str = ""
    baseline: object = None
