"""Reliability diagram: whether a model that is 80 % sure is right 80 % of the time."""

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
    """One run on one split: how sure it was of each sentence, and whether it was right.

    Attributes:
      sure: (N,) probability of the predicted class, in [0, 1].
      right: (N,) bool.
    """

    sure: np.ndarray
    right: np.ndarray


def calibrations(
    table: TableSpec, resolved: Resolved, records: Mapping[str, dict]
) -> Iterator[tuple[str, dict[str, list[Run]]]]:
    """The runs of every row, column after column of a table.

    Args:
      table, resolved: as for `attn_nlp.tables.views.scores`.
      records: stored records with the columns "confidences", "predictions" and "gold".

    Yields:
      (what the column is called, runs by the label of the row); rows without a run are left
      out, and so are runs with a confidence that was not finite.
    """
    layout = lay_out(table, resolved)
    facts = facts_of(layout, records)
    paths = tuple(table["columns"])
    for values in layout.columns:
        labels = column_labels(list(paths), values, facts)
        column = Column(values, labels, quantity("test.accuracy"))
        rows = {
            row["label"]: [
                Run(np.array(record["confidences"]), np.array(record["predictions"]) == gold)
                for cell in layout.place(place, values).cells.values()
                if (record := records.get(cell["spec"]))
                and record["status"] == "done"
                and record.get("confidences")
                and None not in record["confidences"]  # stored for one that was not finite
                and (gold := record.get("gold"))
            ]
            for place, row in enumerate(table["rows"])
        }
        name = Grid("", "", paths, (), ()).name_of(column)
        yield name, {label: runs for label, runs in rows.items() if runs}


def reliability(title: str, subtitle: str, rows: Mapping[str, Sequence[Run]]) -> Figure:
    """A panel for every row: the share right by confidence, in bins of equal width.

    Args:
      title, subtitle: of the table, and its column.
      rows: by label the runs whose sentences are pooled.

    Returns:
      The figure, in percent. The title of a panel has the mean of the runs' calibration errors,
      which is what a table of "test.ece" shows; that of the pool would be smaller.

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
            [f"{label}: ECE {_error(rows[label])} %" for label in labels[start : start + MOST]],
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
    found = [100 * calibration_error(run.sure, run.right) for run in runs]
    return f"{np.mean(found):.1f}"


def _draw(axes: Axes, runs: Sequence[Run]) -> None:
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    for which in ("x", "y"):
        ticks(axes, which, [0, 25, 50, 75, 100])
    axes.grid(color=GRID, linewidth=0.5)
    axes.plot([0, 100], [0, 100], color=GRAY, linewidth=0.9, dashes=(5, 3), label="diagonal")
    pooled = binned(
        np.concatenate([run.sure for run in runs]), np.concatenate([run.right for run in runs])
    )
    count = sum(each.count for each in pooled)
    for each in pooled:
        if each.accuracy is None or each.confidence is None:
            continue
        rare = each.count < RARE * count
        axes.bar(
            100 * each.low,
            100 * each.accuracy,
            width=100 * (each.high - each.low),
            align="edge",
            facecolor="white" if rare else FULL,
            edgecolor=INK,
            linewidth=0.7,
            linestyle=(0, (1, 1)) if rare else "-",
            zorder=1.5,
        )
        axes.plot(
            [100 * each.confidence],
            [100 * each.accuracy],
            color=INK,
            marker="o",
            markersize=2.2,
            clip_on=False,
            zorder=3,
        )


def _notes(rows: Mapping[str, Sequence[Run]]) -> list[str]:
    counts = {len(runs) for runs in rows.values()}
    most = f"{max(counts)}" if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
    sizes = {run.sure.size for runs in rows.values() for run in runs}
    sentences = " or ".join(f"{size:,}" for size in sorted(sizes))
    return [
        f"{BINS} bins of equal width; sentences of all runs pooled ({most} runs on {sentences} "
        "sentences). Dot: mean confidence in the bin; on the dashed line a model is as often right "
        f"as it is sure. Hollow: fewer than {100 * RARE:g} % of the sentences. ECE: expected "
        "calibration error, the mean over runs."
    ]
