"""What a caption says about the baselines: the rows below all others, which need no network."""

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
    """Say that the last rows are baselines, what each chose on validation, and where none is."""
    if not resolved.baselines:
        return []
    data = {column: baseline_data(layout, column) for column in layout.columns}
    said = []
    if any(row.kind == BASELINE for row in grid.rows):
        many = any(len(each or ()) > 1 for each in data.values()) and not layout.folded
        runs = "one deterministic run on each split of the data, their mean" if many else _ONE
        said.append(f"The last rows are baselines that need no network: {runs}, not compared.")
        said += _chosen(layout, resolved, records, facts)
    without = [c for c, each in zip(grid.columns, data.values(), strict=True) if each is None]
    if without:
        where = f" ({', '.join(map(grid.name_of, without))})" if grid.paths else ""
        said.append(f"No baseline is shown where a column holds different data{where}.")
    return [detail(" ".join(said))] if said else []


def baseline_data(layout: Layout, column: tuple) -> set[tuple] | None:
    """The cuts of one dataset that every row of a column averages over, and its baselines with
    them.

    None where the column has more than one dataset, or rows of different cuts.
    """
    by_row = [
        {data_key(settings) for settings in place.settings}
        for (_, where), place in layout.places.items()
        if where == column and place.settings
    ]
    every: set[tuple] = set().union(*by_row)
    one = len({dataset for dataset, *_ in every}) <= 1
    return every if one and all(each == every for each in by_row) else None


def _chosen(layout: Layout, resolved: Resolved, records: Records, facts: Facts) -> list[str]:
    """ "TF-IDF chose on validation: by characters, C = 10 (THUCNews); by words, C = 1 (MR)." """
    data = {data_key(each) for each in layout.settings()}
    chose: dict[str, dict[str, Counter]] = {}
    for baseline in resolved.baselines:
        record = records.get(baseline["spec"]) or {}
        if data_key(baseline["settings"]) in data and record.get("status") == "done":
            of_model = chose.setdefault(str(baseline["settings"]["model"]), {})
            of_dataset = of_model.setdefault(str(baseline["settings"]["dataset"]), Counter())
            of_dataset[str(record.get("reason") or "")] += 1
    said = []
    for model, by_dataset in chose.items():
        told: dict[str, list[str]] = {}
        for name, counts in by_dataset.items():
            for what, times in counts.items() if any(counts) else ():
                more = f", {times} of {counts.total()} folds or carves" if len(counts) > 1 else ""
                told.setdefault(what, []).append(facts.label(name) + more)
        told.pop("", None)
        if told:
            one = len(by_dataset) == 1 and len(told) == 1
            choices = [what + ("" if one else f" ({'; '.join(on)})") for what, on in told.items()]
            said.append(f"{baseline_label(model)[0]} chose on validation: {'; '.join(choices)}.")
    return said


def baseline_label(name: str) -> tuple[str, str]:
    """Label and source of a baseline."""
    from attn_nlp.errors import UserError
    from attn_nlp.parts import registry

    try:
        part = registry.find("model", name)
    except UserError:  # an old store may hold a baseline that is gone
        return name, ""
    return part.label, part.cite
