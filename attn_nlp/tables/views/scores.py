"""From a table's definition and stored records to a `Grid`.

The family of a correction counts every comparison that the experiment declares, run or not, so
that a p value does not change while the table fills. Only replicates that both rows have are
compared. A replicate that failed or diverged is left out of the mean and counted next to it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from itertools import chain

from attn_nlp.experiment.data_key import data_key
from attn_nlp.experiment.planned import TableSpec
from attn_nlp.experiment.resolved import Resolved
from attn_nlp.result.record import Record
from attn_nlp.stats import (
    Comparison,
    compare,
    default_margin,
    flips_of,
    resolves,
    summarize,
)
from attn_nlp.store.records import Records
from attn_nlp.tables.caption.baselines import baseline_data, baseline_label, baseline_notes
from attn_nlp.tables.caption.caption import caption
from attn_nlp.tables.caption.diverged import counted_sentence, with_diverged
from attn_nlp.tables.caption.mixed_data import mixed_data
from attn_nlp.tables.caption.over_sentences import with_sentences
from attn_nlp.tables.facts import Facts, facts_of, sizes_of
from attn_nlp.tables.grid import (
    ABSENT,
    BASELINE,
    MEASURED,
    PENDING,
    REFERENCE,
    ROW,
    SKIPPED,
    Column,
    Counted,
    Entry,
    Grid,
    GridRow,
    Quantity,
)
from attn_nlp.tables.layout import Layout, PlannedEntry, lay_out
from attn_nlp.tables.legend import legend
from attn_nlp.tables.outcomes import Outcomes, outcomes
from attn_nlp.tables.quantities import quantity


def build(table: TableSpec, resolved: Resolved, records: Mapping[str, Record]) -> Grid:
    """Return one table of a resolved experiment, from stored records.

    Args:
      table: an entry of `resolved.tables`.
      resolved: the experiment as plain data.
      records: stored records by spec; a spec that is not among them has not run.

    Returns:
      A `Grid`; the same for the same records, however often the run was interrupted.

    Raises:
      UserError: the table's value names no stored number.
    """
    shown, records = quantity(table["value"]), Records.of(records)
    layout = lay_out(table, resolved)
    facts = facts_of(layout, records)
    measured = {
        where: outcomes(planned, records, shown.name) for where, planned in layout.entries.items()
    }
    compared = _compared(table, layout, measured, facts, shown)
    filled = with_diverged(layout, measured, resolved, records, shown)
    recompared = _compared(table, layout, filled, facts, shown) if filled else {}
    rows = [
        GridRow(
            row["label"],
            row["cite"],
            REFERENCE if row["reference"] else ROW,
            tuple(
                _entry(
                    layout.entry(number, column),
                    measured.get((number, column)),
                    compared.get((number, column)),
                    records,
                    shown,
                    _counted(filled.get((number, column)), recompared.get((number, column))),
                    unpaired=_unpaired(number, column, layout),
                )
                for column in layout.columns
            ),
        )
        for number, row in enumerate(table["rows"])
    ]
    rows = with_sentences(rows, layout, records, shown.name)
    rows += baseline_rows(layout, resolved, records, shown)
    rows, footnotes = with_footnotes(rows)
    grid = Grid(
        title=table["title"],
        subtitle=f"{shown.label}, {shown.unit}" if shown.unit else shown.label,
        paths=tuple(table["columns"]),
        columns=tuple(
            Column(column, column_labels(table["columns"], column, facts), shown)
            for column in layout.columns
        ),
        rows=tuple(rows),
        footnotes=footnotes,
    )
    baselines = baseline_notes(grid, layout, resolved, records, facts)
    return dataclasses.replace(
        grid,
        legend=legend(grid),
        caption=(
            *caption(grid, table, layout, facts, records, baselines),
            *mixed_data(layout, resolved.baselines, facts, records),
        ),
    )


def column_labels(paths: list[str], column: tuple, facts: Facts) -> tuple[str, ...]:
    """Return what a header prints: a dataset by its label, any other value as it is."""
    return tuple(
        facts.label(str(value)) if path == "dataset" else str(value)
        for path, value in zip(paths, column, strict=True)
    )


def _compared(
    table: TableSpec,
    layout: Layout,
    measured: Mapping[tuple[int, tuple], Outcomes],
    facts: Facts,
    shown: Quantity,
) -> dict[tuple[int, tuple], Comparison | None]:
    compared: dict[tuple[int, tuple], Comparison | None] = {}
    of_column = {
        column: margin_of(table, layout, column, facts, shown) for column in layout.columns
    }
    families = layout.families(table)
    differences = {where: _differences(*where, layout, measured) for where in chain(*families)}
    flips = dict(zip(differences, flips_of(list(differences.values())), strict=True))
    for family in families:
        results = compare(
            [differences[where] for where in family],
            [of_column[column] for _, column in family],
            higher_is_better=shown.higher_is_better,
            flips=[flips[where] for where in family],
        )
        compared |= dict(zip(family, results, strict=True))
    return compared


def _differences(
    row: int, column: tuple, layout: Layout, measured: Mapping[tuple[int, tuple], Outcomes]
) -> list[float]:
    """Return variant - reference for every replicate that both have."""
    assert layout.reference is not None
    variant, reference = measured[row, column].values, measured[layout.reference, column].values
    if list(variant) == list(reference):  # as if nothing is missing: no lookups needed
        pairs = zip(variant.values(), reference.values(), strict=True)
        return [ours - theirs for ours, theirs in pairs]
    return [
        variant[replicate] - reference[replicate] for replicate in variant if replicate in reference
    ]


def margin_of(
    table: TableSpec, layout: Layout, column: tuple, facts: Facts, shown: Quantity
) -> float | None:
    """Return the declared margin of equivalence, or the default for the split of the value.

    For several datasets the narrowest default counts. A loss has no default. A margin smaller than
    one sentence of the split is None: no run can differ from another by so little.
    """
    sizes = sizes_of(layout, column, facts, shown)
    margin = table["margin"]
    if shown.unit != "%":
        return margin
    if margin is None:
        margin = min(map(default_margin, sizes), default=None)
    if margin is not None and not all(resolves(size, margin) for size in sizes):
        return None
    return margin


def _entry(
    planned: PlannedEntry,
    outcome: Outcomes | None,
    comparison: Comparison | None,
    records: Records,
    shown: Quantity,
    counted: Counted | None = None,
    *,
    unpaired: str = "",
) -> Entry:
    if planned.once:  # one number written several times has no interval
        planned, counted = planned.alone(), None
        outcome = outcomes(planned, records, shown.name)
    expected = len(planned.replicate_keys())
    if not expected:
        reason = "; ".join(dict.fromkeys(planned.skipped))
        return Entry(SKIPPED if planned.skipped else ABSENT, reason=reason)
    assert outcome is not None
    summary = summarize(list(outcome.values.values())) if outcome.values else None
    reasons = [outcome.sentence(expected)] if set(outcome.missing) - {PENDING} else []
    if comparison is not None and comparison.difference.n < len(outcome.values):
        reasons.append(
            f"its difference is over the {comparison.difference.n} shared with the reference"
        )
    if unpaired:
        reasons.append(unpaired)
    if counted == Counted(summary, comparison):
        counted = None  # neither the row nor its reference diverged, or no baseline has run
    if counted is not None:
        reasons.append(counted_sentence(counted, len(outcome.diverged), shown))
    reasons += [f"left out: {reason}" for reason in dict.fromkeys(planned.skipped)]
    return Entry(
        state=MEASURED if outcome.values else outcome.state,
        expected=expected,
        summary=summary,
        comparison=comparison,
        missing=outcome.missing,
        reason="; ".join(reasons),
        parameters=_parameters(planned, records),
        counted=counted,
    )


def _unpaired(row: int, column: tuple, layout: Layout) -> str:
    """Say why a row lacks a comparison with the reference; "" if it has one, or is a baseline."""
    planned = layout.entry(row, column)
    if layout.reference in (None, row) or planned.once or layout.pairs(row, column):
        return ""
    if layout.entry(layout.reference, column).cells:
        return "not compared: it shares no replicate with the reference"
    return "not compared: the reference has no cell in this column"


def _counted(filled: Outcomes | None, comparison: Comparison | None) -> Counted | None:
    """Return the entry with diverged runs counted, or None if that gives it no number."""
    if filled is None or not filled.values:
        return None
    return Counted(summarize(list(filled.values.values())), comparison)


def _parameters(planned: PlannedEntry, records: Records) -> tuple[int, int] | None:
    counts = [count for count in records.column("parameters", planned.specs) if count is not None]
    return (min(counts), max(counts)) if counts else None


def baseline_rows(
    layout: Layout, resolved: Resolved, records: Mapping[str, Record], shown: Quantity
) -> list[GridRow]:
    """Return the baselines: one deterministic run on the data of a column, compared with nothing.

    Over several folds or splits it is the mean of one run on each.
    """
    records = Records.of(records)
    names = list(
        dict.fromkeys(str(baseline["settings"]["model"]) for baseline in resolved.baselines)
    )
    data = {column: baseline_data(layout, column) for column in layout.columns}
    rows = []
    for name in names:
        entries = []
        for column in layout.columns:
            cells = {
                (data_key(baseline["settings"]),): baseline
                for baseline in resolved.baselines
                if baseline["settings"]["model"] == name
                and data_key(baseline["settings"]) in (data[column] or ())
            }
            planned = PlannedEntry(cells=cells, fold_at=0)
            entries.append(
                _entry(planned, outcomes(planned, records, shown.name), None, records, shown)
            )
        if any(entry.expected for entry in entries):
            rows.append(GridRow(*baseline_label(name), BASELINE, tuple(entries)))
    return rows


def with_footnotes(rows: list[GridRow]) -> tuple[list[GridRow], tuple[tuple[str, str], ...]]:
    """Return the rows with footnote letters, and (letter, reason); equal reasons share a letter."""
    letters: dict[str, str] = {}
    for row in rows:
        for entry in row.entries:
            if entry.reason and entry.reason not in letters:
                letters[entry.reason] = _letter(len(letters))
    lettered = [
        dataclasses.replace(
            row,
            entries=tuple(
                dataclasses.replace(entry, footnote=letters.get(entry.reason, ""))
                for entry in row.entries
            ),
        )
        for row in rows
    ]
    return lettered, tuple((letter, reason) for reason, letter in letters.items())


def _letter(index: int) -> str:
    """Return a, b, ..., z, aa, ab, ... for 0, 1, ..."""
    before, last = divmod(index, 26)
    return (_letter(before - 1) if before else "") + "abcdefghijklmnopqrstuvwxyz"[last]
