"""From a table's definition and stored records to a `Grid`.

The family of a correction counts every comparison that the experiment declares, run or not, so
that a p value does not change while the table fills. Only replicates that both rows have are
compared. A replicate that failed or diverged is left out of the mean and counted beside it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from itertools import chain

from attn_nlp.experiment.data_key import data_key
from attn_nlp.experiment.planned import TableSpec
from attn_nlp.experiment.resolved import Resolved
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
from attn_nlp.tables.layout import Layout, Place, lay_out
from attn_nlp.tables.legend import legend
from attn_nlp.tables.outcomes import Outcomes, outcomes
from attn_nlp.tables.quantities import quantity


def build(table: TableSpec, resolved: Resolved, records: Mapping[str, dict]) -> Grid:
    """One table of a resolved experiment, from what the store holds.

    Args:
      table: an entry of `resolved.tables`.
      resolved: the experiment as plain data.
      records: stored records by spec. A spec that is not among them has not run.

    Returns:
      A `Grid`; the same for the same records, however often the run was interrupted.

    Raises:
      UserError: the table's value names no stored number.
    """
    shown, records = quantity(table["value"]), Records.of(records)
    layout = lay_out(table, resolved)
    facts = facts_of(layout, records)
    found = {where: outcomes(place, records, shown.name) for where, place in layout.places.items()}
    compared = _compared(table, layout, found, facts, shown)
    filled = with_diverged(layout, found, resolved, records, shown)
    recompared = _compared(table, layout, filled, facts, shown) if filled else {}
    rows = [
        GridRow(
            row["label"],
            row["cite"],
            REFERENCE if row["reference"] else ROW,
            tuple(
                _entry(
                    layout.place(number, column),
                    found.get((number, column)),
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
    """What a header prints: a dataset by its label, any other value as it is written."""
    return tuple(
        facts.label(str(value)) if path == "dataset" else str(value)
        for path, value in zip(paths, column, strict=True)
    )


def _compared(
    table: TableSpec,
    layout: Layout,
    found: Mapping[tuple[int, tuple], Outcomes],
    facts: Facts,
    shown: Quantity,
) -> dict[tuple[int, tuple], Comparison | None]:
    compared: dict[tuple[int, tuple], Comparison | None] = {}
    of_column = {
        column: margin_of(table, layout, column, facts, shown) for column in layout.columns
    }
    families = layout.families(table)
    differences = {where: _differences(*where, layout, found) for where in chain(*families)}
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
    row: int, column: tuple, layout: Layout, found: Mapping[tuple[int, tuple], Outcomes]
) -> list[float]:
    """Variant - reference of every replicate that both have."""
    assert layout.reference is not None
    variant, reference = found[row, column].values, found[layout.reference, column].values
    if list(variant) == list(reference):  # as where nothing is missing; no look-ups then
        pairs = zip(variant.values(), reference.values(), strict=True)
        return [ours - theirs for ours, theirs in pairs]
    return [variant[each] - reference[each] for each in variant if each in reference]


def margin_of(
    table: TableSpec, layout: Layout, column: tuple, facts: Facts, shown: Quantity
) -> float | None:
    """The declared margin of equivalence, or the default for the split that the value is of.

    Over several datasets the narrowest default counts. A loss has no default. A margin of less
    than one sentence of the split is none: no run can differ from another by so little.
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
    place: Place,
    found: Outcomes | None,
    comparison: Comparison | None,
    records: Records,
    shown: Quantity,
    counted: Counted | None = None,
    *,
    unpaired: str = "",
) -> Entry:
    if place.once:  # no interval comes of a number that is written several times
        place, counted = place.alone(), None
        found = outcomes(place, records, shown.name)
    expected = len(place.replicate_keys())
    if not expected:
        reason = "; ".join(dict.fromkeys(place.skipped))
        return Entry(SKIPPED if place.skipped else ABSENT, reason=reason)
    assert found is not None
    summary = summarize(list(found.values.values())) if found.values else None
    says = [found.sentence(expected)] if set(found.missing) - {PENDING} else []
    if comparison is not None and comparison.difference.n < len(found.values):
        says.append(
            f"its difference is over the {comparison.difference.n} shared with the reference"
        )
    if unpaired:
        says.append(unpaired)
    if counted == Counted(summary, comparison):
        counted = None  # neither the row nor its reference diverged, or no baseline has run
    if counted is not None:
        says.append(counted_sentence(counted, len(found.diverged), shown))
    says += [f"left out: {reason}" for reason in dict.fromkeys(place.skipped)]
    return Entry(
        state=MEASURED if found.values else found.state,
        expected=expected,
        summary=summary,
        comparison=comparison,
        missing=found.missing,
        reason="; ".join(says),
        parameters=_parameters(place, records),
        counted=counted,
    )


def _unpaired(row: int, column: tuple, layout: Layout) -> str:
    """Say why a row lacks a comparison with the reference; "" if it has one, or is a baseline."""
    place = layout.place(row, column)
    if layout.reference in (None, row) or place.once or layout.pairs(row, column):
        return ""
    if layout.place(layout.reference, column).cells:
        return "not compared: it shares no replicate with the reference"
    return "not compared: the reference has no cell in this column"


def _counted(filled: Outcomes | None, comparison: Comparison | None) -> Counted | None:
    """The entry with diverged runs counted; None where none has got a number by it."""
    if filled is None or not filled.values:
        return None
    return Counted(summarize(list(filled.values.values())), comparison)


def _parameters(place: Place, records: Records) -> tuple[int, int] | None:
    counts = [each for each in records.column("parameters", place.specs) if each is not None]
    return (min(counts), max(counts)) if counts else None


def baseline_rows(
    layout: Layout, resolved: Resolved, records: Mapping[str, dict], shown: Quantity
) -> list[GridRow]:
    """The honest baselines: one deterministic run on the data of a column, compared with nothing.

    Over folds or carves it is one run on each, and their mean.
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
            found = {
                (data_key(baseline["settings"]),): baseline
                for baseline in resolved.baselines
                if baseline["settings"]["model"] == name
                and data_key(baseline["settings"]) in (data[column] or ())
            }
            place = Place(cells=found, fold_at=0)
            entries.append(
                _entry(place, outcomes(place, records, shown.name), None, records, shown)
            )
        if any(entry.expected for entry in entries):
            rows.append(GridRow(*baseline_label(name), BASELINE, tuple(entries)))
    return rows


def with_footnotes(rows: list[GridRow]) -> tuple[list[GridRow], tuple[tuple[str, str], ...]]:
    """Letters for the reasons, the same reason under the same letter."""
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


def _letter(place: int) -> str:
    """a, b, ..., z, aa, ab, ..."""
    before, last = divmod(place, 26)
    return (_letter(before - 1) if before else "") + "abcdefghijklmnopqrstuvwxyz"[last]
