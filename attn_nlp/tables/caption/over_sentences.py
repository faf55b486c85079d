"""The effect of other test sentences on a difference, from the stored predictions.

The intervals of a table are over seeds, conditional on the test set. If a store holds predictions
and labels, every comparison is also tested with the sentences drawn again: over seeds and sentences
if there are several runs, by McNemar's test if there is one. Records that were read without their
predictions, or that cover several test splits, leave a table as it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from attn_nlp.stats import McNemar, TwoWay, mcnemar, right, two_way
from attn_nlp.stats.sentences import RESAMPLES, RNG_SEED
from attn_nlp.store.records import Records
from attn_nlp.tables.attainable import p_text
from attn_nlp.tables.grid import BASELINE, Grid, GridRow
from attn_nlp.tables.layout import Layout, PlannedEntry
from attn_nlp.tables.notes import Note, detail, warning
from attn_nlp.tables.text import SIGNIFICANT

VALUE = "test.accuracy"  # the only number that is a mean over sentences with stored terms
COLUMNS = ("correct", "gold")  # that a record needs in addition to those of any table
_NAMED = 6


def with_sentences(
    rows: Sequence[GridRow], layout: Layout, records: Records, value: str
) -> list[GridRow]:
    """Return the rows, with `Entry.sentences` wherever an entry is compared with the reference."""
    if value != VALUE or layout.reference is None:
        return list(rows)
    answered = {where: _answered(planned, records) for where, planned in layout.entries.items()}
    tested = []
    for number, row in enumerate(rows):
        entries = list(row.entries)
        for at, column in enumerate(layout.columns):
            if entries[at].comparison is not None:
                pair = answered[number, column], answered[layout.reference, column]
                entries[at] = dataclasses.replace(entries[at], sentences=_tested(*pair))
        tested.append(dataclasses.replace(row, entries=tuple(entries)))
    return tested


@dataclass(frozen=True)
class _Answered:
    """The answers of the finished runs of an entry.

    Attributes:
      rows: the replicates in their order, each with its row of `right`, or None if there are no
        predictions for these labels.
      gold: the labels of the test split.
      right: (runs, sentences) array of bool, or None if no run is known.
    """

    rows: Mapping[tuple, int | None]
    gold: Sequence[int]
    right: Any


def _answered(planned: PlannedEntry, records: Records) -> _Answered:
    """Return the answers of the runs that are done, sentence by sentence."""
    columns = [records.column(name, planned.specs) for name in ("status", *COLUMNS)]
    runs = zip(planned.cells, *columns, strict=True)
    done = [(replicate, *known) for replicate, status, *known in runs if status == "done"]
    gold = next((own for *_, own in done if own), ())
    rows: dict[tuple, int | None] = {}
    answers = []
    for replicate, correct, own in done:
        # Labels that cells share are one object; comparing them one by one would take seconds.
        known = correct is not None and (own is gold or own == gold)
        rows[replicate] = len(answers) if known else None
        answers += [correct] if known else []
    return _Answered(rows, gold, right(answers, len(gold)) if answers else None)


def _tested(variant: _Answered, reference: _Answered) -> TwoWay | McNemar | None:
    """Test both rows' runs of the replicates that they share, sentence by sentence."""
    if variant.right is None or reference.right is None or variant.gold != reference.gold:
        return None
    shared = [replicate for replicate in variant.rows if replicate in reference.rows]
    rows = [[answered.rows[replicate] for replicate in shared] for answered in (variant, reference)]
    if not shared or None in rows[0] or None in rows[1]:
        return None
    # All runs in their order are used without a copy, which would take as long as the test.
    ours, theirs = (
        answered.right if chosen == list(range(len(answered.right))) else answered.right[chosen]
        for answered, chosen in zip((variant, reference), rows, strict=True)
    )
    return mcnemar(ours[0], theirs[0]) if len(shared) == 1 else two_way(ours, theirs)


def sentence_notes(grid: Grid) -> list[Note]:
    """Return the notes of a caption about other test sentences."""
    tested = [
        (f"{row.label!r}" + (f" ({grid.name_of(column)})" if column.labels else ""), entry)
        for row in grid.rows
        if row.kind != BASELINE
        for column, entry in zip(grid.columns, row.entries, strict=True)
        if entry.sentences is not None
    ]
    both = [(name, e) for name, e in tested if isinstance(e.sentences, TwoWay)]
    single = [(name, e.sentences) for name, e in tested if isinstance(e.sentences, McNemar)]
    return [*(_two_way(both) if both else []), *(_mcnemar(single) if single else [])]


def _two_way(tested: list) -> list[Note]:
    wider = [
        (sentences.high - sentences.low) / (2 * half)
        for _, entry in tested
        if (sentences := entry.sentences).low is not None
        and (half := entry.comparison.difference.half_width)
    ]
    text = (
        "± does not cover another draw of test sentences. With errors clustered by seed and by "
        "sentence, the 95% intervals of the differences are "
    )
    amounts = sorted({f"{factor:.1f}" for factor in wider}, key=float)
    if not amounts:
        text += "of zero width, like those above"
    else:
        text += f"{amounts[0]} to {amounts[-1]}" if len(amounts) > 1 else amounts[0]
        text += " times as wide"
    starred = [(name, e.sentences) for name, e in tested if e.comparison.verdict in SIGNIFICANT]
    lost = [
        name
        for name, sentences in starred
        if sentences.low is None or sentences.low <= 0 <= sentences.high
    ]
    if lost:
        text += f"; of those found better or worse, these then include zero: {', '.join(lost)}"
    elif starred:
        text += "; of those found better or worse, none then includes zero"
    text += (
        ". They are in CSV and JSON, next to those of a paired bootstrap over seeds and "
        f"sentences ({RESAMPLES:,} resamples, seed {RNG_SEED})."
    )
    if not lost:
        return [detail(text)]
    return [
        warning(
            text,
            "Found better or worse, but with another draw of test sentences the interval includes "
            f"zero: {', '.join(lost)}.",
        )
    ]


def _mcnemar(tested: list[tuple[str, McNemar]]) -> list[Note]:
    named = [
        f"{name} {p_text(test.p)} ({test.only_variant} to {test.only_reference} sentences)"
        for name, test in tested[:_NAMED]
    ]
    if len(tested) > _NAMED:
        named.append("the others in CSV and JSON")
    return [
        detail(
            "One run of each row, compared sentence by sentence as two fixed models, whatever "
            f"other seeds would do (exact McNemar p, not corrected): {'; '.join(named)}."
        )
    ]
