"""Warnings about cells that name the same dataset but were computed from different rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from attn_nlp.experiment.data_key import data_key
from attn_nlp.experiment.planned import PlannedCell
from attn_nlp.store.records import Records
from attn_nlp.tables.facts import Facts
from attn_nlp.tables.layout import Layout
from attn_nlp.tables.notes import Note, warning
from attn_nlp.wording import plural


def mixed_data(
    layout: Layout, baselines: Sequence[PlannedCell], facts: Facts, records: Records
) -> list[Note]:
    """Return a warning for each dataset that had different rows for different cells.

    Args:
      baselines: planned cells in addition to the table's own.
      records: with "fingerprint"; without it nothing is known, and there is no warning.
    """
    fingerprints: dict[tuple, Counter[str | None]] = {}
    for planned in layout.entries.values():
        hashes = records.column("fingerprint", planned.specs)
        if len(planned.settings) == 1:  # these cells differ only in their seed
            known = Counter(hashes)
            fingerprints.setdefault(data_key(planned.settings[0]), Counter()).update(known)
            continue
        for cell, known in zip(planned.cells.values(), hashes, strict=True):
            fingerprints.setdefault(data_key(cell["settings"]), Counter())[known] += 1
    specs = tuple(baseline["spec"] for baseline in baselines)
    for baseline, known in zip(baselines, records.column("fingerprint", specs), strict=True):
        if data_key(baseline["settings"]) in fingerprints:
            fingerprints[data_key(baseline["settings"])][known] += 1
    notes = []
    for (dataset, *_), counts in fingerprints.items():
        by_rows = [(known, count) for known, count in counts.most_common() if known]
        if len(by_rows) > 1:
            named = ", ".join(
                f"{plural(count, 'cell')} of {known[:12]}" for known, count in by_rows
            )
            notes.append(
                warning(
                    f"Mixed data: {facts.label(str(dataset))} had different rows when cells ran; "
                    f"by fingerprint, {named}. Numbers cannot be compared across them."
                )
            )
    return notes
