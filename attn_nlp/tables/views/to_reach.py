"""The training that it takes to reach an accuracy: steps, seconds and operations.

In: a table's definition and records with their history. A run reaches a validation accuracy at the
first evaluation that shows it, so the answer is no finer than `evaluate_every`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from attn_nlp.experiment.planned import Settings, TableSpec
from attn_nlp.experiment.resolved import Resolved
from attn_nlp.result.record import Record
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
from attn_nlp.tables.layout import PlannedEntry, lay_out
from attn_nlp.tables.legend import legend
from attn_nlp.tables.notes import detail, short
from attn_nlp.tables.outcomes import number_at, outcomes
from attn_nlp.tables.views import multi_quantity
from attn_nlp.tables.views.cost import Priced, worked_out

BACKWARD = 2  # a backward pass costs about two forward ones

_QUANTITIES = (
    Quantity("reached", "reached", decimals=0, compared=False),
    Quantity("ended", "of runs", decimals=0, compared=False),
    Quantity("reached.steps", "steps", decimals=0, compared=False),
    Quantity("reached.seconds", "seconds", decimals=1, compared=False),
    Quantity("reached.flops", "GFLOPs", scale=1e-9, decimals=1, compared=False),
)


def to_reach(
    table: TableSpec, resolved: Resolved, records: Mapping[str, Record], accuracy: float
) -> Grid:
    """Return steps, seconds and operations until validation accuracy first reaches a target.

    Args:
      table, resolved: as for `build`.
      records: as for `build`, with `history`.
      accuracy: the target, in (0, 1].

    Returns:
      A `Grid` whose innermost header level is the quantity. The mean is over the runs that reached
      the target; runs that never did are counted next to it.
    """
    layout = lay_out(table, resolved)
    facts = facts_of(layout, records)
    priced, _ = worked_out(layout, records)
    for planned in layout.entries.values():
        for cell in planned.cells.values():
            record = priced.get(cell["spec"])
            if record is not None:
                record["reached"] = _reached(cell["settings"], record, accuracy)
    rows = multi_quantity.rows(
        table,
        layout.columns,
        _QUANTITIES,
        lambda row, column, quantity: _entry(layout.entry(row, column), priced, quantity.name),
    )
    grid = Grid(
        title=f"To reach {accuracy:.1%} in {table['title']!r}",
        subtitle="validation accuracy, means over the runs that reached it",
        paths=(*table["columns"], INNERMOST),
        columns=multi_quantity.columns(table["columns"], layout.columns, facts, _QUANTITIES),
        rows=tuple(rows),
        caption=(
            short(
                "Counted to the first evaluation on the validation split that shows the accuracy. "
                "Means are over the runs that reached it, which flatters a row in which few do."
            ),
            detail(
                "Seconds: a run's measured training time without compilation, in proportion to its "
                "steps; other machines take longer or shorter. GFLOPs: billions of operations, "
                f"1 + {BACKWARD} forward passes for every sentence of a batch, at the mean length "
                "of the training sentences; without the optimizer and the evaluations."
            ),
        ),
    )
    return dataclasses.replace(grid, legend=legend(grid))


def _reached(settings: Settings, record: Priced, accuracy: float) -> dict[str, float] | None:
    """Return steps, seconds and operations of one run, or None if it never reached the target."""
    evaluations = record.get("history") or []  # a user's own model may have stored anything here
    steps = min(
        (
            step
            for evaluation in evaluations
            if isinstance(evaluation, Mapping)
            and (score := number_at(evaluation, "validation_accuracy")) is not None
            and score >= accuracy
            and (step := number_at(evaluation, "step")) is not None
        ),
        default=None,
    )
    if steps is None:
        return None
    reached = {"steps": steps}
    seconds = record.get("wall_seconds")
    if seconds is not None and steps <= settings["steps"]:
        training = seconds - (record.get("compile_seconds") or 0.0)
        reached["seconds"] = max(0.0, training) * steps / settings["steps"]
    if forward := record.get("forward_flops"):
        per_sentence = (1 + BACKWARD) * forward
        reached["flops"] = float(per_sentence * settings["batch_size"] * steps)
    return reached


def _entry(planned: PlannedEntry, records: Mapping[str, Record], value: str) -> Entry:
    expected = len(planned.replicates())
    if not expected:
        return Entry(SKIPPED if planned.skipped else ABSENT)
    ended = outcomes(planned, records, "reached.steps")
    never = ended.missing.get(WITHOUT, 0)
    if value in ("reached", "ended"):
        reached = len(ended.values)
        if not reached + never:
            return Entry(ended.state, expected, missing=ended.missing)
        count = float(reached if value == "reached" else reached + never)
        return Entry(MEASURED, expected, summarize([count]))
    outcome = outcomes(planned, records, value)
    missing = {}
    for state, count in outcome.missing.items():
        by_state = {NEVER: never, WITHOUT: count - never} if state == WITHOUT else {state: count}
        missing |= {state: count for state, count in by_state.items() if count}
    numbers, state = list(outcome.values.values()), outcome.state if outcome.missing else MEASURED
    if state != PENDING:  # the state of finished runs takes precedence
        state = WITHOUT if WITHOUT in missing else NEVER if never else state
    return Entry(
        state=MEASURED if numbers else state,
        expected=expected,
        summary=summarize(numbers) if numbers else None,
        missing=missing,
    )
