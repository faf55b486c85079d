"""The trials of a tuned experiment: every trial as data, and the chosen ones as a table.

In: a resolved experiment and stored records. Only validation numbers are read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from math import floor, log10

from attn_nlp.errors import UserError
from attn_nlp.experiment.planned import SpanSpec, TableSpec
from attn_nlp.experiment.tuning import Evaluation, best, evaluations, setting_of
from attn_nlp.result.record import Record
from attn_nlp.stats import summarize
from attn_nlp.tables.caption.protocol import protocol
from attn_nlp.tables.facts import facts_of
from attn_nlp.tables.grid import (
    ABSENT,
    INNERMOST,
    MEASURED,
    PENDING,
    SKIPPED,
    Entry,
    Grid,
    Quantity,
)
from attn_nlp.tables.layout import PlannedEntry, lay_out, matches
from attn_nlp.tables.legend import legend
from attn_nlp.tables.notes import warning
from attn_nlp.tables.views import multi_quantity


def trials(
    table: TableSpec, resolved, records: Mapping[str, Record]
) -> dict[tuple[str, tuple], list[dict]]:
    """Return every trial of every entry of a table, for curves and figures.

    Args:
      table: an entry of `resolved.tables`.
      resolved: a tuned experiment.
      records: stored records by spec; those of the trials are read.

    Returns:
      {(row label, column values): [{"trial", "settings": {path: value}, "validation", "reason"}]},
      in the order of trial numbers. `validation` is the mean validation accuracy over the tuning
      seeds, or None if the trial lost (`reason` says why) or has not finished. For an entry that
      is tuned several times, such as once for every fold, the trials follow one another.

    Raises:
      UserError: the experiment is not tuned.
    """
    by_setting = _evaluated(resolved, records)
    return {
        (table["rows"][number]["label"], column): [
            {
                "trial": trial.trial,
                "settings": dict(trial.values),
                "validation": trial.validation,
                "reason": trial.reason,
            }
            for setting in settings
            for trial in by_setting[setting]
        ]
        for (number, column), settings in _tuned_settings(table, resolved).items()
    }


def tuning(table: TableSpec, resolved, records: Mapping[str, Record]) -> Grid:
    """Return the chosen trial of every row and column: number, values and validation accuracy.

    Args:
      table, resolved, records: as for `build`.

    Raises:
      UserError: the experiment is not tuned.
    """
    layout = lay_out(table, resolved)
    facts = facts_of(layout, records)
    by_setting, tuned_settings = _evaluated(resolved, records), _tuned_settings(table, resolved)
    quantities = [
        Quantity("trial", "trial", decimals=0, compared=False),
        *(
            Quantity(path, path, decimals=_decimals(span), compared=False)
            for path, span in resolved.tuning["space"].items()
        ),
        Quantity("validation", "validation %", scale=100.0, compared=False),
        Quantity("lost", "lost", decimals=0, compared=False),
    ]

    def entry(row: int, column: tuple, quantity: Quantity) -> Entry:
        tuned = [by_setting[setting] for setting in tuned_settings.get((row, column), ())]
        return _entry(layout.entry(row, column), tuned, quantity.name)

    rows = multi_quantity.rows(table, layout.columns, quantities, entry)
    grid = Grid(
        title=f"Trials chosen for {table['title']!r}",
        subtitle="means where an entry is tuned more than once",
        paths=(*table["columns"], INNERMOST),
        columns=multi_quantity.columns(table["columns"], layout.columns, facts, quantities),
        rows=tuple(rows),
        caption=(
            protocol(table, layout)[0],
            warning(
                "Validation accuracy is the mean of the chosen trial over the tuning seeds; it is "
                "optimistic, since it made the choice. Lost: trials that diverged or failed."
            ),
        ),
    )
    return dataclasses.replace(grid, legend=legend(grid))


def _evaluated(resolved, records: Mapping[str, Record]) -> dict[str, list[Evaluation]]:
    if resolved.tuning is None:
        raise UserError(
            f"experiment {resolved.name!r} is not tuned; give it tuning=Tuning(...) or --budget N."
        )
    return evaluations(resolved.tuning, records)


def _tuned_settings(table: TableSpec, resolved) -> dict[tuple[int, tuple], list[str]]:
    """Return the distinct tuned settings of every row and column; a baseline has no trials."""
    tuned: dict[tuple[int, tuple], list[str]] = {}
    for cell in resolved.tuning["cells"]:
        settings = cell["settings"]
        if cell["trial"] or not matches(settings, table["where"]):
            continue
        column = tuple(settings[path] for path in table["columns"])
        setting = setting_of(settings, resolved.tuning["space"])
        for number, row in enumerate(table["rows"]):
            if matches(settings, row["where"]):
                known = tuned.setdefault((number, column), [])
                known += [setting] if setting not in known else []
    return tuned


def _entry(planned: PlannedEntry, tuned: Sequence[Sequence[Evaluation]], name: str) -> Entry:
    chosen = []
    for trials_of in tuned:
        winner = best(trials_of)
        if winner is not None and all(trial.ended for trial in trials_of):
            lost = sum(trial.validation is None for trial in trials_of)
            known = {"trial": winner.trial, "validation": winner.validation, "lost": lost}
            chosen.append(float({**known, **winner.values}[name]))
    if chosen:
        return Entry(MEASURED, len(tuned), summarize(chosen))
    if planned.skipped and not planned.cells:
        return Entry(SKIPPED, reason="; ".join(dict.fromkeys(planned.skipped)))
    return Entry(PENDING if tuned else ABSENT, len(tuned))


def _decimals(span: SpanSpec) -> int:
    """Return enough decimals for three significant digits of the smallest likely value."""
    least = span["low"] if span["low"] > 0 else span["high"] / 10
    return max(0, 2 - floor(log10(least)))
