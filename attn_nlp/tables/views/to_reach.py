"""What it takes to reach an accuracy: steps, seconds and operations of training.

In: a table's definition and records with their history. A run reaches a validation accuracy at the
first look that shows it, so that the answer is no finer than `evaluate_every`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from attn_nlp.experiment.planned import Settings, TableSpec
from attn_nlp.experiment.resolved import Resolved
from attn_nlp.stats import summarize
from attn_nlp.tables.facts import facts_of
from attn_nlp.tables.grid import (
    ABSENT,
    INNERMOST,
    MEASURED,
    NEVER,
    PENDING,
    SKIPPED,
    WITHOUT,
    Entry,
    Grid,
    Quantity,
)
from attn_nlp.tables.layout import Place, lay_out
from attn_nlp.tables.legend import legend
from attn_nlp.tables.notes import detail, short
from attn_nlp.tables.outcomes import number_at, outcomes
from attn_nlp.tables.views import multi_quantity
from attn_nlp.tables.views.cost import worked_out

BACKWARD = 2  # a backward pass costs about two forward ones

_QUANTITIES = (
    Quantity("reached", "reached", decimals=0, compared=False),
    Quantity("ended", "of runs", decimals=0, compared=False),
    Quantity("reached.steps", "steps", decimals=0, compared=False),
    Quantity("reached.seconds", "seconds", decimals=1, compared=False),
    Quantity("reached.flops", "GFLOPs", scale=1e-9, decimals=1, compared=False),
)


def to_reach(
    table: TableSpec, resolved: Resolved, records: Mapping[str, dict], accuracy: float
) -> Grid:
    """Steps, seconds and operations until the validation accuracy is first at least some value.

    Args:
      table, resolved: as for `build`.
      records: as for `build`, with `history`.
      accuracy: the target, in (0, 1].

    Returns:
      A `Grid` whose innermost header level is the quantity. The mean is over the runs that got
      there; a run that never did is counted beside it.
    """
    layout = lay_out(table, resolved)
    facts = facts_of(layout, records)
    records, _ = worked_out(layout, records)
    for place in layout.places.values():
        for cell in place.cells.values():
            record = records.get(cell["spec"])
            if record is not None:
                found = _reached(cell["settings"], record, accuracy)
                records[cell["spec"]] = {**record, "reached": found}
    rows = multi_quantity.rows(
        table,
        layout.columns,
        _QUANTITIES,
        lambda row, column, each: _entry(layout.place(row, column), records, each.name),
    )
    grid = Grid(
        title=f"To reach {accuracy:.1%} in {table['title']!r}",
        subtitle="validation accuracy, means over the runs that got there",
        paths=(*table["columns"], INNERMOST),
        columns=multi_quantity.columns(table["columns"], layout.columns, facts, _QUANTITIES),
        rows=tuple(rows),
        caption=(
            short(
                "Counted to the first look at the validation split that shows the accuracy. Means "
                "are over the runs that reached it, which flatters a row of which few do."
            ),
            detail(
                "Seconds: the share of a run's measured training time that its steps are of all, "
                "compiling left out; another machine takes others. GFLOPs: thousands of millions "
                f"of operations, 1 + {BACKWARD} forward passes for every sentence of a batch, at "
                "the mean length of the training sentences; without the optimizer and the looks."
            ),
        ),
    )
    return dataclasses.replace(grid, legend=legend(grid))


def _reached(settings: Settings, record: Mapping, accuracy: float) -> dict[str, float] | None:
    """Steps, seconds and operations of one run; None where it never got there."""
    looks = record.get("history") or []  # of a model of one's own it may say anything, anyhow
    steps = min(
        (
            step
            for each in looks
            if isinstance(each, Mapping)
            and (score := number_at(each, "validation_accuracy")) is not None
            and score >= accuracy
            and (step := number_at(each, "step")) is not None
        ),
        default=None,
    )
    if steps is None:
        return None
    found = {"steps": steps}
    if record.get("wall_seconds") is not None and steps <= settings["steps"]:
        training = record["wall_seconds"] - (record.get("compile_seconds") or 0.0)
        found["seconds"] = max(0.0, training) * steps / settings["steps"]
    if record.get("forward_flops"):
        each = (1 + BACKWARD) * record["forward_flops"]
        found["flops"] = float(each * settings["batch_size"] * steps)
    return found


def _entry(place: Place, records: Mapping[str, dict], value: str) -> Entry:
    expected = len(place.replicates())
    if not expected:
        return Entry(SKIPPED if place.skipped else ABSENT)
    ended = outcomes(place, records, "reached.steps")
    never = ended.missing.get(WITHOUT, 0)
    if value in ("reached", "ended"):
        reached = len(ended.values)
        if not reached + never:
            return Entry(ended.state, expected, missing=ended.missing)
        count = float(reached if value == "reached" else reached + never)
        return Entry(MEASURED, expected, summarize([count]))
    found = outcomes(place, records, value)
    missing = {}
    for state, count in found.missing.items():
        each = {NEVER: never, WITHOUT: count - never} if state == WITHOUT else {state: count}
        missing |= {state: count for state, count in each.items() if count}
    numbers, state = list(found.values.values()), found.state if found.missing else MEASURED
    if state != PENDING:  # what a run that ended says goes before what became of the others
        state = WITHOUT if WITHOUT in missing else NEVER if never else state
    return Entry(
        state=MEASURED if numbers else state,
        expected=expected,
        summary=summarize(numbers) if numbers else None,
        missing=missing,
    )
