"""Reliability diagram: how often a model that is 80% confident is right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attn_nlp.experiment.planned import TableSpec
from attn_nlp.experiment.resolved import Resolved
from attn_nlp.figures.library import settings
from attn_nlp.figures.render import GRAY, INK
from attn_nlp.figures.results.arrange import MOST
from attn_nlp.figures.results.missing import Missing
from attn_nlp.figures.results.sheet import GRID, Sheet, ticks
from attn_nlp.metrics import BINS, calibration_error
from attn_nlp.metrics import reliability as binned
from attn_nlp.result.record import Record
from attn_nlp.tables.facts import facts_of
from attn_nlp.tables.grid import Column, Grid
from attn_nlp.tables.layout import lay_out
from attn_nlp.tables.quantities import quantity
from attn_nlp.tables.views.scores import column_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RARE = 0.01  # of the sentences; a bar of fewer is drawn hollow
FULL = "#9ecae8"
_SIDE = 118.0  # of a panel, in points


@dataclass(frozen=True)
class Run:
    """One run on one split: its confidence in each sentence, and whether it was right.

    Attributes:
      confidence: (N,) probability of the predicted class, in [0, 1].
      right: (N,) bool.
    """

    confidence: np.ndarray
    right: np.ndarray


def calibrations(
    table: TableSpec, resolved: Resolved, records: Mapping[str, Record]
) -> Iterator[tuple[str, dict[str, list[Run]]]]:
    """Yield the runs of every row, one column of a table after another.

    Args:
      table, resolved: as for `attn_nlp.tables.views.scores`.
      records: stored records with the columns "confidences", "predictions" and "gold".

    Yields:
      (name of the column, runs by the label of the row); rows without a run are left out, and so
      are runs with a confidence that was not finite.
    """
    layout = lay_out(table, resolved)
    facts = facts_of(layout, records)
    paths = tuple(table["columns"])
    for values in layout.columns:
        labels = column_labels(list(paths), values, facts)
        column = Column(values, labels, quantity("test.accuracy"))
        rows = {
            row["label"]: [
                Run(np.array(confidences), np.array(record["predictions"]) == gold)
                for cell in layout.entry(number, values).cells.values()
                if (record := records.get(cell["spec"]))
                and record["status"] == "done"
                and (confidences := record.get("confidences"))
                and None not in confidences  # stored for one that was not finite
                and (gold := record.get("gold"))
            ]
            for number, row in enumerate(table["rows"])
        }
        name = Grid("", "", paths, (), ()).name_of(column)
        yield name, {label: runs for label, runs in rows.items() if runs}


def reliability(title: str, subtitle: str, rows: Mapping[str, Sequence[Run]]) -> Figure:
    """Draw a panel for every row: the share of right answers by confidence, in equal bins.

    Args:
      title, subtitle: of the table, and its column.
      rows: the runs whose sentences are pooled, by label.

    Returns:
      The figure, in percent. The title of a panel has the mean of the runs' calibration errors,
      as in a table of "test.ece"; the error of the pooled sentences would be smaller.

    Raises:
      Missing: no run kept its confidences.
    """
    rows = {label: runs for label, runs in rows.items() if len(runs)}
    if not rows:
        raise Missing("no finished run kept its confidences by sentence")
    sheet = Sheet(f"Reliability diagram. {title}: {subtitle}.")
    sheet.head(title, ", ".join(filter(None, [subtitle, "share right by confidence, %"])))
    labels = list(rows)
    for start in range(0, len(labels), MOST):
        sheet.row(
            [f"{label}: ECE {_error(rows[label])}%" for label in labels[start : start + MOST]],
            left=24.0,
            height=_SIDE,
            widest=_SIDE,
            between=32.0,
            slots=MOST,
            axis="confidence, %",
        )
    sheet.notes(_notes(rows))
    figure, panels = sheet.figure()
    with settings():
        for axes, runs in zip(panels, rows.values(), strict=True):
            _draw(axes, runs)
    return figure


def _error(runs: Sequence[Run]) -> str:
    errors = [100 * calibration_error(run.confidence, run.right) for run in runs]
    return f"{np.mean(errors):.1f}"


def _draw(axes: Axes, runs: Sequence[Run]) -> None:
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    for which in ("x", "y"):
        ticks(axes, which, [0, 25, 50, 75, 100])
    axes.grid(color=GRID, linewidth=0.5)
    axes.plot([0, 100], [0, 100], color=GRAY, linewidth=0.9, dashes=(5, 3), label="diagonal")
    pooled = binned(
        np.concatenate([run.confidence for run in runs]),
        np.concatenate([run.right for run in runs]),
    )
    count = sum(bar.count for bar in pooled)
    for bar in pooled:
        if bar.accuracy is None or bar.confidence is None:
            continue
        rare = bar.count < RARE * count
        axes.bar(
            100 * bar.low,
            100 * bar.accuracy,
            width=100 * (bar.high - bar.low),
            align="edge",
            facecolor="white" if rare else FULL,
            edgecolor=INK,
            linewidth=0.7,
            linestyle=(0, (1, 1)) if rare else "-",
            zorder=1.5,
        )
        axes.plot(
            [100 * bar.confidence],
            [100 * bar.accuracy],
            color=INK,
            marker="o",
            markersize=2.2,
            clip_on=False,
            zorder=3,
        )


def _notes(rows: Mapping[str, Sequence[Run]]) -> list[str]:
    counts = {len(runs) for runs in rows.values()}
    most = f"{max(counts)}" if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
    sizes = {run.confidence.size for runs in rows.values() for run in runs}
    sentences = " or ".join(f"{size:,}" for size in sorted(sizes))
    return [
        f"{BINS} bins of equal width; sentences of all runs pooled ({most} runs on {sentences} "
        "sentences). Dot: mean confidence in the bin; on the dashed line a model is right as often "
        f"as it is confident. Hollow: fewer than {100 * RARE:g}% of the sentences. ECE: expected "
        "calibration error, the mean over runs."
    ]
