"""The trials of a tuned experiment: the best of k, and the score by setting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from attn_nlp.experiment.planned import TableSpec
from attn_nlp.experiment.tuning import Evaluation, evaluations, setting_of
from attn_nlp.figures.results.best_of import best_of
from attn_nlp.figures.results.chart import Chart, Line, Panel, Point
from attn_nlp.figures.results.missing import Missing
from attn_nlp.result.record import Record
from attn_nlp.tables.facts import facts_of
from attn_nlp.tables.grid import Column, Grid
from attn_nlp.tables.layout import PlannedEntry, lay_out
from attn_nlp.tables.quantities import quantity
from attn_nlp.tables.views.scores import column_labels

if TYPE_CHECKING:
    from attn_nlp.experiment import Resolved

LOST = 0.0  # the accuracy assigned to a trial that diverged or failed
_NOTE = "Validation accuracy, the mean over the tuning seeds; no trial read the test split."
_SHOWN = quantity("validation.accuracy")
Tried = list[tuple[Mapping[str, float], float | None]]  # drawn values, and the score or None


def tried(
    table: TableSpec, resolved: Resolved, records: Mapping[str, Record]
) -> Iterator[tuple[tuple, str, dict[str, Tried]]]:
    """Yield the trials of every row, one column of a table after another.

    Yields:
      (values of the column, its name, trials by the label of the row); a row has none until all
      its trials have finished.

    Raises:
      Missing: the experiment is not tuned.
    """
    if resolved.tuning is None:
        raise Missing("all rows have the same settings; give the experiment a budget of trials")
    layout, evaluated = lay_out(table, resolved), evaluations(resolved.tuning, records)
    facts = facts_of(layout, records)
    paths = tuple(table["columns"])
    for values in layout.columns:
        column = Column(values, column_labels(list(paths), values, facts), _SHOWN)
        rows = {
            row["label"]: _of_entry(
                layout.entry(number, values), resolved.tuning["space"], evaluated
            )
            for number, row in enumerate(table["rows"])
        }
        yield values, Grid("", "", paths, (), ()).name_of(column), rows


def _of_entry(
    planned: PlannedEntry, space: Mapping, evaluated: Mapping[str, Sequence[Evaluation]]
) -> Tried:
    """Return trials by number; if an entry has several settings, such as folds, their mean."""
    settings = dict.fromkeys(setting_of(cell["settings"], space) for cell in planned.cells.values())
    of_settings = [evaluated[setting] for setting in settings if setting in evaluated]
    if not of_settings or not all(trial.ended for trials in of_settings for trial in trials):
        return []
    merged: Tried = []
    for same in zip(*of_settings, strict=True):
        scores = [trial.validation for trial in same if trial.validation is not None]
        merged.append((same[0].values, fmean(scores) if len(scores) == len(same) else None))
    return merged


def found_by(table: TableSpec, resolved: Resolved, records: Mapping[str, Record]) -> Chart:
    """Return the expected best of k of every row's trials.

    Raises:
      Missing: the experiment is not tuned, or no row's trials have finished.
    """
    trials = {
        name: {
            label: [LOST if score is None else score for _, score in of_row]
            for label, of_row in rows.items()
        }
        for _, name, rows in tried(table, resolved, records)
    }
    reference = next((row["label"] for row in table["rows"] if row["reference"]), "")
    lost = sum(
        score is None
        for _, _, rows in tried(table, resolved, records)
        for of_row in rows.values()
        for _, score in of_row
    )
    counted = [f"Trials that diverged or failed count as {LOST:g}%: {lost}."] if lost else []
    return best_of(table["title"], trials, _SHOWN, reference=reference, notes=[_NOTE, *counted])


def by_setting(
    table: TableSpec, path: str, resolved: Resolved, records: Mapping[str, Record]
) -> Chart:
    """Return the score of every trial by the value drawn for one setting; the chosen is ringed.

    Args:
      table, resolved, records: as for `attn_nlp.tables.views.scores`, with the records of trials.
      path: a setting of the space, such as "learning_rate".

    Raises:
      Missing: the experiment is not tuned, or no row's trials have finished.
    """
    panels, lost = [], 0
    for values, name, rows in tried(table, resolved, records):
        lines = []
        for label, trials in rows.items():
            points = [
                Point(drawn[path], score * _SHOWN.scale)
                for drawn, score in trials
                if score is not None
            ]
            lost += len(trials) - len(points)
            best = max(points, key=lambda point: point.y, default=None)  # the first of equals
            ordered = tuple(sorted(points, key=lambda point: point.x))
            lines.append(Line(label, ordered, best))
        panels.append(Panel(values, name, tuple(lines)))
    if not any(line.points for panel in panels for line in panel.lines):
        raise Missing("no row has finished all its trials")
    return Chart(
        title=table["title"],
        subtitle=f"{_SHOWN.label} of the trials by {path}, {_SHOWN.unit}",
        axis=path,
        labels=tuple(row["label"] for row in table["rows"]),
        panels=tuple(panels),
        reference=next((row["label"] for row in table["rows"] if row["reference"]), ""),
        joined=False,
        named=False,
        notes=(
            f"{_NOTE} Ring: the trial that was chosen. Other settings were drawn too, so a higher "
            "point is not better because of this setting alone.",
            *([f"Not shown, since they diverged or failed: {lost}."] if lost else []),
        ),
    )
