"""Whether the cells of a table that name one dataset were computed from the same rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from attn_nlp.experiment.data_key import data_key
from attn_nlp.experiment.planned import PlannedCell
from attn_nlp.store.records import Records
from attn_nlp.tables.facts import Facts
from attn_nlp.tables.layout import Layout, plural
from attn_nlp.tables.notes import Note, warning


def mixed_data(
    layout: Layout, baselines: Sequence[PlannedCell], facts: Facts, records: Records
) -> list[Note]:
    """A warning for each dataset whose cells met it in more than one state.

    Args:
      baselines: planned cells beside the table's own.
      records: with "fingerprint"; without it nothing is known and nothing is said.
    """
    found: dict[tuple, Counter[str | None]] = {}
    for place in layout.places.values():
        hashes = records.column("fingerprint", place.specs)
        if len(place.settings) == 1:  # these cells differ in nothing but their seed
            known = Counter(hashes)
            found.setdefault(data_key(place.settings[0]), Counter()).update(known)
            continue
        for cell, known in zip(place.cells.values(), hashes, strict=True):
            found.setdefault(data_key(cell["settings"]), Counter())[known] += 1
    specs = tuple(baseline["spec"] for baseline in baselines)
    for baseline, known in zip(baselines, records.column("fingerprint", specs), strict=True):
        if data_key(baseline["settings"]) in found:
            found[data_key(baseline["settings"])][known] += 1
    notes = []
    for (dataset, *_), counts in found.items():
        by_rows = [(known, count) for known, count in counts.most_common() if known]
        if len(by_rows) > 1:
            named = ", ".join(
                f"{plural(count, 'cell')} of {known[:12]}" for known, count in by_rows
            )
            notes.append(
                warning(
                    f"Mixed data: {facts.label(str(dataset))} had different rows when cells ran, "
                    f"by their fingerprints {named}. Numbers across them cannot be compared."
                )
            )
    return notes
