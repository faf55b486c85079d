"""The cost of the rows of a table: partly measured, and therefore in a separate table.

Seconds and bytes differ from run to run, so they would change a result table after a resume.
Operations and state are computed (`experiment/costs.py`) for the cells that have run, at the mean
length of their training sentences.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

from attn_nlp.errors import UserError
from attn_nlp.experiment import costs
from attn_nlp.experiment.cell import unflatten
from attn_nlp.experiment.planned import Settings, TableSpec
from attn_nlp.experiment.resolved import Resolved
from attn_nlp.result.record import Record
from attn_nlp.stats import summarize
from attn_nlp.tables.facts import Facts, facts_of
from attn_nlp.tables.grid import (
    ABSENT,
    DIVERGED,
    FAILED,
    INNERMOST,
    MEASURED,
    SKIPPED,
    Entry,
    Grid,
    GridRow,
    Quantity,
)
from attn_nlp.tables.layout import Layout, PlannedEntry, lay_out
from attn_nlp.tables.legend import legend
from attn_nlp.tables.notes import Note, detail, short, warning
from attn_nlp.tables.outcomes import outcomes
from attn_nlp.tables.states import by_reading, split_values
from attn_nlp.tables.views import multi_quantity
from attn_nlp.tables.views.scores import baseline_rows, with_footnotes
from attn_nlp.wording import span

COSTS = (
    Quantity("wall_seconds", "seconds", decimals=1, compared=False),
    Quantity("compile_seconds", "compiling", decimals=1, compared=False),
    Quantity("peak_bytes", "peak MiB", scale=2.0**-20, decimals=0, compared=False),
    Quantity("parameters", "parameters", decimals=0, compared=False),
    Quantity("forward_flops", "MFLOPs", scale=1e-6, decimals=2, compared=False),
    Quantity("state", "state", decimals=0, compared=False),
)


class Priced(Record, total=False):
    """A record with what follows from it.

    Attributes:
      forward_flops: of one forward pass over one sentence, or None if a part declares none.
      state: numbers kept to answer one more query about that sentence.
      reached: steps, seconds and operations until a target was reached, or None.
    """

    forward_flops: float | None
    state: float
    reached: dict[str, float] | None


def cost(table: TableSpec, resolved: Resolved, records: Mapping[str, Record]) -> Grid:
    """Return seconds, compilation, memory, parameters, operations and state of every entry.

    Args:
      table, resolved, records: as for `build`.

    Returns:
      A `Grid` whose innermost header level is the quantity; nothing is compared in it.
    """
    layout = lay_out(table, resolved)
    facts = facts_of(layout, records)
    priced, uncounted = worked_out(layout, records)
    rows = multi_quantity.rows(
        table,
        layout.columns,
        COSTS,
        lambda row, column, quantity: _entry(layout.entry(row, column), priced, quantity.name),
    )
    by_quantity = [baseline_rows(layout, resolved, priced, quantity) for quantity in COSTS]
    for same in zip(*by_quantity, strict=True):
        entries = [
            entry for column in zip(*(row.entries for row in same), strict=True) for entry in column
        ]
        rows.append(GridRow(same[0].label, same[0].cite, same[0].kind, tuple(map(_bare, entries))))
    rows, footnotes = with_footnotes(rows)
    grid = Grid(
        title=f"Cost of {table['title']!r}",
        subtitle="means over runs",
        paths=(*table["columns"], INNERMOST),
        columns=multi_quantity.columns(table["columns"], layout.columns, facts, COSTS),
        rows=tuple(rows),
        footnotes=footnotes,
        caption=(
            short(
                "Measured on the machine that ran the cells; running again gives different seconds."
            ),
            detail(
                "Compilation counts toward the cell that compiled; cells that share a program "
                "compile it once."
            ),
            short(
                "Peak MiB: what the compiled training program holds at once, as XLA counts it; the "
                "process around it, with its libraries and its data, needs a few hundred more.",
                "Peak MiB: what the compiled training program holds at once; its process needs "
                "more.",
            ),
            *_counting(facts, uncounted),
        ),
    )
    return dataclasses.replace(grid, legend=legend(grid))


def worked_out(
    layout: Layout, records: Mapping[str, Record]
) -> tuple[dict[str, Priced], list[str]]:
    """Return records with operations and state, and the labels of parts that declare none."""
    priced: dict[str, Priced] = {spec: Priced(**record) for spec, record in records.items()}
    known, uncounted = {}, {}
    for planned in layout.entries.values():
        for cell in planned.cells.values():
            record = records.get(cell["spec"])
            if record is None:
                continue
            settings = cell["settings"]
            length = _mean_length([record.get("data") or {}])
            same = json.dumps([{**settings, "seed": 0}, length], sort_keys=True)
            if same not in known:
                known[same] = _costs_of(settings, record, max(length, default=None))
            costs_of, silent = known[same]
            uncounted |= dict.fromkeys(silent)
            priced[cell["spec"]].update(costs_of)
    return priced, list(uncounted)


def _costs_of(settings: Settings, record: Record, mean: int | None) -> tuple[dict, list[str]]:
    """Return operations and state of a cell; empty if one of its parts is not available."""
    try:
        cell = unflatten(settings)
    except UserError:  # a part from a file that was not loaded for this table
        return {}, []
    tokens = cell.length if mean is None else min(cell.length, mean)
    splits = (record.get("data") or {}).get("splits", {})
    classes = len(splits.get("train", {}).get("class_counts", [0, 0]))
    silent = [part.label for part in costs.uncounted(cell)]
    computed = {
        # Without a part's own operations the sum would make it look cheaper than it is.
        "forward_flops": None if silent else costs.flops(cell, tokens, classes) or None,
        "state": costs.state(cell, tokens),
    }
    return computed, silent


def _mean_length(data: list[Mapping]) -> list[int]:
    """Return the mean length of a training sentence in tokens, of every state that has it."""
    return [max(1, round(mean)) for mean in split_values(data, "train", "mean_length")]


def _mean_text(data: list[Mapping]) -> str:
    means = _mean_length(data)
    return span(means, str) if means else ""


def _counting(facts: Facts, uncounted: list[str]) -> list[Note]:
    """Return the notes on how operations and state are counted, and at which length."""
    known, unknown, varied = [], [], False
    for name, of_name in facts.items():
        for mean, where in by_reading(of_name, _mean_text):
            words = [facts.label(name), *filter(None, [mean, where])]
            (known if mean else unknown).append(" ".join(words))
            varied |= bool(where)
    lengths = []
    if known:
        listed = f"in tokens: {', '.join(known)}" if varied else f"{', '.join(known)} tokens"
        lengths.append(f"the mean of the training sentences ({listed}), at most the cell's")
    if unknown:
        lengths.append(f"the cell's where no mean is stored ({', '.join(unknown)})")
    notes = [
        short(
            "MFLOPs: millions of operations of one forward pass over one sentence, a "
            "multiplication and an addition counted as two, computed from the formulas. State: "
            "numbers kept to answer one more query about that sentence.",
            "MFLOPs: one forward pass over one sentence. State: numbers kept to answer one more "
            "query.",
        )
    ]
    if lengths:
        notes.append(detail(f"Length counted: {'; '.join(lengths)}."))
    if uncounted:
        notes.append(
            warning(
                f"No operations are given for rows with {', '.join(uncounted)}, which declare "
                "none; flops= in the registration of a part declares them."
            )
        )
    return notes


def _entry(planned: PlannedEntry, records: Mapping[str, Record], value: str) -> Entry:
    if not planned.cells:
        reason = "; ".join(dict.fromkeys(planned.skipped))
        return Entry(SKIPPED if planned.skipped else ABSENT, reason=reason)
    outcome = outcomes(planned, records, value)
    numbers = list(outcome.values.values())
    bad = set(outcome.missing) & {FAILED, DIVERGED}
    return Entry(
        state=MEASURED if numbers else outcome.state,
        expected=len(planned.replicates()),
        summary=summarize(numbers) if numbers else None,
        missing=outcome.missing,
        reason=outcome.sentence(len(planned.replicates())) if bad else "",
    )


def _bare(entry: Entry) -> Entry:
    return Entry(entry.state, entry.expected, entry.summary, missing=entry.missing)
