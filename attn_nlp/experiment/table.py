"""A table as an experiment asks for it: rows against columns of one number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from attn_nlp.errors import UserError
from attn_nlp.experiment import checks
from attn_nlp.experiment.checks import Kind
from attn_nlp.wording import without_format_characters

METRICS = ("accuracy", "macro_f1", "matthews", "f1", "loss", "ece")
VALUES = tuple(f"{split}.{metric}" for split in ("test", "validation") for metric in METRICS)
_FAMILIES = ("column", "table")

_ROW = {
    "where": checks.settings("where={'heads': 4}"),
    "cite": checks.line(empty=True),
    "reference": checks.flag(),
}


@dataclass(frozen=True)
class Row:
    """One row of a table: a label and the cells that it shows.

    Args:
      label: what the table prints.
      where: settings by path that pick the row's cells.
      cite: authors and year.
      reference: whether the other rows are compared with this one.
    """

    label: str
    where: Mapping[str, object]
    cite: str = ""
    reference: bool = False

    def __post_init__(self) -> None:
        checks.check_fields(self, "Row(...)", {"label": checks.line()})
        checks.check_fields(self, f"row {self.label!r}", _ROW)


_TABLE: dict[str, Kind] = {
    "rows": checks.path_or(
        checks.several(
            checks.made_by(
                Row,
                "Row('label', {'heads': 4})",
                str="give a Row, or a single path for a row of every value: rows='heads'.",
                dict="give it a label: Row('label', {'heads': 4}).",
            ),
            "rows=[Row(...)]",
            alone=Row,
        )
    ),
    "columns": checks.path_or(
        checks.several(
            checks.path(),
            "columns=['dataset', 'heads']",
            NoneType="give a path, several, or () for a single column.",
        )
    ),
    "where": checks.settings("where={'heads': 4}"),
    "each": checks.maybe(checks.path()),
    "over": checks.several(
        checks.path(), "over=['seed']", NoneType="give () to average over nothing."
    ),
    "value": checks.one_of(*VALUES),
    "margin": checks.maybe(checks.above_zero()),
    "family": checks.one_of(*_FAMILIES),
    "note": checks.sentence(),
    "reference": checks.anything(),
}


@dataclass(frozen=True)
class Table:
    """Rows against columns of one number.

    Rows, `columns`, `where`, `each` and `over` together name every axis; only `over` is averaged.

    Args:
      title: printed above it.
      rows: `Row`s, or one path of an axis: a row for every value, with the label and the source
        of the part if it names one.
      reference: of such a path, the value that the others are compared with.
      columns: a path, or several for columns under columns; () for a single column.
      where: settings by path that hold for the whole table.
      each: a path; one table for each of its values.
      over: the path or paths averaged over; the replicate of the statistics.
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
    over: str | Sequence[str] = ("seed",)
    value: str = "test.accuracy"
    margin: float | None = None
    family: str = "column"
    note: str = ""
    reference: object = None

    def __post_init__(self) -> None:
        checks.check_fields(self, "Table(...)", {"title": checks.line()})
        if isinstance(self.over, str):
            object.__setattr__(self, "over", (self.over,))
        where = f"table {self.title!r}"
        checks.check_fields(self, where, _TABLE)
        if self.margin is not None and self.margin >= 1 and not self.value.endswith(".loss"):
            raise UserError(
                f"{where}: margin is {self.margin:g}; {self.value} is a share, so give a share: "
                "0.02 is 2 points."
            )
        if isinstance(self.rows, str):
            return
        if self.reference is not None:
            raise UserError(f"{where}: reference= goes with rows= of one path; mark a Row instead.")
        if not self.rows:
            raise UserError(f"{where} has no rows; give at least one.")
        seen = (without_format_characters(row.label).split() for row in self.rows)
        label, times = Counter(map(" ".join, seen)).most_common(1)[0]
        if times > 1:
            raise UserError(f"{where} has two rows {label!r}; give them different labels.")
        if sum(row.reference for row in self.rows) > 1:
            raise UserError(f"{where} has more than one reference row; keep one.")
