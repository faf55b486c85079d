"""The part of a caption about baselines: the rows below all others, not neural networks."""

from __future__ import annotations

from collections import Counter

from attn_nlp.experiment.data_key import data_key
from attn_nlp.experiment.resolved import Resolved
from attn_nlp.store.records import Records
from attn_nlp.tables.facts import Facts
from attn_nlp.tables.grid import BASELINE, Grid
from attn_nlp.tables.layout import Layout
from attn_nlp.tables.notes import Note, detail

_ONE = "one deterministic run each"


def baseline_notes(
    grid: Grid, layout: Layout, resolved: Resolved, records: Records, facts: Facts
) -> list[Note]:
    """Return a note on the baselines, their choices on validation, and the columns without any."""
    if not resolved.baselines:
        return []
    data = {column: baseline_data(layout, column) for column in layout.columns}
    sentences = []
    if any(row.kind == BASELINE for row in grid.rows):
        many = any(len(cuts or ()) > 1 for cuts in data.values()) and not layout.folded
        runs = "the mean of one deterministic run on each split of the data" if many else _ONE
        sentences.append(
            f"The last rows are baselines without a neural network: {runs}, not compared."
        )
        sentences += _chosen(layout, resolved, records, facts)
    without = [c for c, cuts in zip(grid.columns, data.values(), strict=True) if cuts is None]
    if without:
        where = f" ({', '.join(map(grid.name_of, without))})" if grid.paths else ""
        sentences.append(f"No baseline is shown for columns that mix different data{where}.")
    return [detail(" ".join(sentences))] if sentences else []


def baseline_data(layout: Layout, column: tuple) -> set[tuple] | None:
    """Return the splits of one dataset that every row of a column, and its baselines, average over.

    Returns:
      One `data_key` for each split; None if the column has more than one dataset, or rows
      on different splits.
    """
    by_row = [
        {data_key(settings) for settings in planned.settings}
        for (_, where), planned in layout.entries.items()
        if where == column and planned.settings
    ]
    all_cuts: set[tuple] = set().union(*by_row)
    one = len({dataset for dataset, *_ in all_cuts}) <= 1
    return all_cuts if one and all(cuts == all_cuts for cuts in by_row) else None


def _chosen(layout: Layout, resolved: Resolved, records: Records, facts: Facts) -> list[str]:
    """Return sentences such as "TF-IDF chose on validation: by characters, C = 10 (THUCNews)."."""
    data = {data_key(settings) for settings in layout.settings()}
    chose: dict[str, dict[str, Counter]] = {}
    for baseline in resolved.baselines:
        record = records.get(baseline["spec"]) or {}
        if data_key(baseline["settings"]) in data and record.get("status") == "done":
            of_model = chose.setdefault(str(baseline["settings"]["model"]), {})
            of_dataset = of_model.setdefault(str(baseline["settings"]["dataset"]), Counter())
            of_dataset[str(record.get("reason") or "")] += 1
    sentences = []
    for model, by_dataset in chose.items():
        by_choice: dict[str, list[str]] = {}
        for name, counts in by_dataset.items():
            for what, times in counts.items() if any(counts) else ():
                more = f", {times} of {counts.total()} folds or splits" if len(counts) > 1 else ""
                by_choice.setdefault(what, []).append(facts.label(name) + more)
        by_choice.pop("", None)
        if by_choice:
            one = len(by_dataset) == 1 and len(by_choice) == 1
            choices = [
                what + ("" if one else f" ({'; '.join(on)})") for what, on in by_choice.items()
            ]
            sentences.append(
                f"{baseline_label(model)[0]} chose on validation: {'; '.join(choices)}."
            )
    return sentences


def baseline_label(name: str) -> tuple[str, str]:
    """Return the label and the source of a baseline."""
    from attn_nlp.errors import UserError
    from attn_nlp.parts import registry

    try:
        part = registry.find("model", name)
    except UserError:  # an old store may hold a baseline that is gone
        return name, ""
    return part.label, part.cite
