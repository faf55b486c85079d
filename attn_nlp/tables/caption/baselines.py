"""What a caption says about the floors: the rows below all others, which need no network."""

from __future__ import annotations

from collections import Counter

from attn_nlp.store.records import Records
from attn_nlp.tables.facts import Facts
from attn_nlp.tables.grid import FLOOR, Grid
from attn_nlp.tables.layout import Experiment, Layout, data_of

_ONE = "one deterministic run each"


def floor_notes(
    grid: Grid, layout: Layout, resolved: Experiment, records: Records, facts: Facts
) -> list[str]:
    """That the last rows are floors, what each of them chose on validation, and where none is."""
    if not resolved.floors:
        return []
    data = {column: floor_data(layout, column) for column in layout.columns}
    said = []
    if any(row.kind == FLOOR for row in grid.rows):
        many = any(len(each or ()) > 1 for each in data.values()) and not layout.folded
        runs = "one deterministic run on each split of the data, their mean" if many else _ONE
        said.append(f"The last rows are floors that need no network: {runs}, not compared.")
        said += _chosen(layout, resolved, records, facts)
    without = [c for c, each in zip(grid.columns, data.values(), strict=True) if each is None]
    if without:
        where = f" ({', '.join(map(grid.name_of, without))})" if grid.paths else ""
        said.append(f"No floor is shown where a column holds different data{where}.")
    return [" ".join(said)] if said else []


def floor_data(layout: Layout, column: tuple) -> set[tuple] | None:
    """The cuts of one dataset that every row of a column averages over, and its floors with them.

    None where the column has more than one dataset, or rows of different cuts.
    """
    by_row = [
        {data_of(settings) for settings in place.settings}
        for (_, where), place in layout.places.items()
        if where == column and place.settings
    ]
    every: set[tuple] = set().union(*by_row)
    one = len({dataset for dataset, *_ in every}) <= 1
    return every if one and all(each == every for each in by_row) else None


def _chosen(layout: Layout, resolved: Experiment, records: Records, facts: Facts) -> list[str]:
    """ "TF-IDF chose on validation: by characters, C = 10 (THUCNews); by words, C = 1 (MR)." """
    data = {data_of(each) for each in layout.settings()}
    chose: dict[str, dict[str, Counter]] = {}
    for floor in resolved.floors:
        record = records.get(floor["spec"]) or {}
        if data_of(floor["settings"]) in data and record.get("status") == "done":
            of_model = chose.setdefault(str(floor["settings"]["model"]), {})
            of_dataset = of_model.setdefault(str(floor["settings"]["dataset"]), Counter())
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
            said.append(f"{floor_label(model)[0]} chose on validation: {'; '.join(choices)}.")
    return said


def floor_label(name: str) -> tuple[str, str]:
    """Label and source of a floor."""
    from attn_nlp.errors import UserError
    from attn_nlp.parts import registry

    try:
        part = registry.find("model", name)
    except UserError:  # an old store may hold a floor that is gone
        return name, ""
    return part.label, part.cite
