"""A table as plain data, from which every format is written.

Numbers are in full precision and in the unit in which they are stored; text is as the user wrote
it. A format only escapes, rounds and aligns, so that all of them say the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from attn_nlp.stats import Comparison, McNemar, Summary, TwoWay
from attn_nlp.tables.notes import Note, warning

MEASURED, PENDING, ABSENT = "measured", "not run yet", "absent"
FAILED, DIVERGED, SKIPPED, WITHOUT = "failed", "diverged", "skipped", "without the value"
NEVER = "never"  # ran, and did not reach the target
ROW, REFERENCE, BASELINE = "row", "reference", "baseline"
INNERMOST = "mean per run"  # what the header of a cost table calls its quantities


@dataclass(frozen=True)
class Quantity:
    """A number that a table can show, and how it is printed.

    Attributes:
      name: the address of the number in a record, such as "test.accuracy".
      label: what is printed next to the title.
      unit: "%" or another unit; "" for a bare number.
      points: the unit of a difference.
      scale: factor by which the stored number is multiplied when printed.
      decimals: of the printed number; one rule for means, intervals and differences.
      higher_is_better: False for a loss.
      compared: True if differences are tested; those of measured costs are not.
    """

    name: str
    label: str
    unit: str = ""
    points: str = ""
    scale: float = 1.0
    decimals: int = 1
    higher_is_better: bool = True
    compared: bool = True


@dataclass(frozen=True)
class Column:
    """One column: its value and label at every level of the header, from the outermost."""

    values: tuple[object, ...]
    labels: tuple[str, ...]
    quantity: Quantity


@dataclass(frozen=True)
class Counted:
    """An entry as it would be if diverged runs had a score; see `tables/caption/diverged.py`.

    Attributes:
      summary: over all runs that then have a number.
      comparison: with the reference, whose diverged runs are counted in the same way.
    """

    summary: Summary | None
    comparison: Comparison | None


@dataclass(frozen=True)
class Entry:
    """The entry of one row in one column.

    Attributes:
      state: `MEASURED`, or why there is no number: `PENDING`, `FAILED`, `DIVERGED`, `SKIPPED`,
        `WITHOUT`, or `ABSENT` if the experiment has no such cell.
      expected: replicates that the experiment plans.
      summary: of the replicates that have a number, or None if none has.
      comparison: with the reference of the column, or None if there is none.
      missing: replicates without a number, by state.
      reason: why they are missing, as a sentence; "" if there is nothing to say.
      footnote: the letter of the footnote with the reason; "" for none.
      parameters: fewest and most of the replicates, or None if unknown.
      counted: the same with diverged runs counted, or None if that changes nothing.
      sentences: the comparison with test sentences drawn again, or None if predictions are not
        available. See `tables/caption/over_sentences.py`.
    """

    state: str
    expected: int = 0
    summary: Summary | None = None
    comparison: Comparison | None = None
    missing: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""
    footnote: str = ""
    parameters: tuple[int, int] | None = None
    counted: Counted | None = None
    sentences: TwoWay | McNemar | None = None


@dataclass(frozen=True)
class GridRow:
    """One line: a label, a source, and an entry for every column."""

    label: str
    cite: str
    kind: str  # ROW, REFERENCE or BASELINE
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Grid:
    """A finished table.

    Attributes:
      title: the heading.
      subtitle: the quantity and its unit.
      paths: the names of the levels of the header, from the outermost.
      columns: in printed order; columns of one outermost value are next to one another.
      rows: in printed order; baselines last.
      legend: (mark, meaning) for the marks that appear.
      footnotes: (letter, text).
      caption: the notes below it, one statement each.
    """

    title: str
    subtitle: str
    paths: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[GridRow, ...]
    legend: tuple[tuple[str, str], ...] = ()
    footnotes: tuple[tuple[str, str], ...] = ()
    caption: tuple[Note, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """The sentences of the full caption."""
        return tuple(note.text for note in self.caption)

    def with_warnings(self, sentences: Iterable[str]) -> Grid:
        """Return the same table with further warnings in its caption."""
        warnings = tuple(warning(sentence[:1].upper() + sentence[1:]) for sentence in sentences)
        return dataclasses.replace(self, caption=(*self.caption, *warnings))

    def name_of(self, column: Column) -> str:
        """Return a column in one line: "SST-2, heads 4"; "" if there is only one."""
        return ", ".join(
            label if path in ("dataset", INNERMOST) else f"{path} {label}"
            for path, label in zip(self.paths, column.labels, strict=True)
        )

    def groups(self, level: int, block: Sequence[int] | None = None) -> list[tuple[int, int]]:
        """Return the groups of columns that share the header down to a level.

        Args:
          level: of the header, 0 for the outermost.
          block: indices of the columns that are shown; all of them if None.

        Returns:
          (first, last) for each group, as indices into `block`.
        """
        shown = [
            self.columns[at].values for at in (range(len(self.columns)) if block is None else block)
        ]
        runs: list[tuple[int, int]] = []
        for index, values in enumerate(shown):
            if index and values[: level + 1] == shown[index - 1][: level + 1]:
                runs[-1] = (runs[-1][0], index)
            else:
                runs.append((index, index))
        return runs

    @property
    def reference(self) -> GridRow | None:
        """The row that the others are compared with."""
        return next((row for row in self.rows if row.kind == REFERENCE), None)
