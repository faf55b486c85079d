"""The benefit of tuning: the expected best validation score of k trials, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attn_nlp.figures.results.chart import Chart, Line, Panel, Point
from attn_nlp.figures.results.missing import Missing
from attn_nlp.stats.best_of import expected_best
from attn_nlp.tables.grid import Quantity


def best_of(
    title: str,
    trials: Mapping[str, Mapping[str, Sequence[float]]],
    shown: Quantity,
    *,
    reference: str = "",
    notes: Sequence[str] = (),
) -> Chart:
    """Return the expected best of k of a row's trials, for every k up to all of them.

    Args:
      title: of the table.
      trials: the validation score of every trial, as stored, by the title of the panel and the
        label of the row. Rows without one are left out.
      shown: the quantity of the scores.
      reference: the label of the row that is drawn thicker.
      notes: sentences about the trials, such as the space they were drawn from.

    Raises:
      Missing: no row has two trials.
    """
    labels = dict.fromkeys(label for rows in trials.values() for label in rows)
    panels = []
    for index, (name, rows) in enumerate(trials.items()):
        lines = []
        for label in labels:
            values = rows.get(label, ())
            best = expected_best(values, higher_is_better=shown.higher_is_better) if values else []
            points = tuple(Point(k, score * shown.scale) for k, score in enumerate(best, 1))
            lines.append(Line(label, points))
        panels.append(Panel((index,), name, tuple(lines)))
    if all(len(line.points) < 2 for panel in panels for line in panel.lines):
        raise Missing("no row has two finished trials to choose from")
    return Chart(
        title=title,
        subtitle=f"expected best {shown.label}" + (f", {shown.unit}" if shown.unit else ""),
        axis="trials",
        labels=tuple(labels),
        panels=tuple(panels),
        reference=reference,
        band=True,
        notes=(
            "Mean of the best trial over all sets of that many of a row's trials; the last point "
            "is the trial that was chosen. Other trials would give a different curve.",
            *notes,
        ),
    )
