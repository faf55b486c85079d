"""Score against cost: which rows are worth what they cost."""

from __future__ import annotations

from attn_nlp.figures.results.chart import Chart, Line, Panel, Point
from attn_nlp.figures.results.missing import Missing
from attn_nlp.tables.grid import BASELINE, Grid

AXES = {
    "forward_flops": "millions of operations, one forward pass over one sentence",
    "wall_seconds": "seconds of one run, compiling included",
}


def pareto(grid: Grid, cost: Grid, of: str = "forward_flops") -> Chart:
    """Return the score of every row against its cost, with one panel for every column.

    Args:
      grid: a table of scores; see `attn_nlp.tables.views.scores`.
      cost: of the same table; see `attn_nlp.tables.views.cost`.
      of: "forward_flops" or "wall_seconds".

    Returns:
      A chart of one point per row. The front is that of the means: a point on it need not differ
      from a point off it by more than their intervals.

    Raises:
      Missing: no row has both numbers.
    """
    quantity = grid.columns[0].quantity
    measured = next(c.quantity for c in cost.columns if c.quantity.name == of)
    at = {c.values[:-1]: index for index, c in enumerate(cost.columns) if c.quantity.name == of}
    panels: list[Panel] = []
    unpriced: dict[str, None] = {}
    for index, column in enumerate(grid.columns):
        lines, baselines = [], []
        for row, priced in zip(grid.rows, cost.rows, strict=True):
            score = row.entries[index].summary
            price = priced.entries[at[column.values]].summary
            if score is not None and row.kind == BASELINE:
                baselines.append((row.label, score.mean * quantity.scale))
            elif score is not None and price is not None:
                low, high = (
                    None if e is None else e * quantity.scale for e in (score.low, score.high)
                )
                x, y = price.mean * measured.scale, score.mean * quantity.scale
                lines.append(Line(row.label, (Point(x, y, low, high),)))
            elif score is not None:
                unpriced[row.label] = None
        panels.append(Panel(column.values, grid.name_of(column), tuple(lines), tuple(baselines)))
    if not any(panel.lines for panel in panels):
        raise Missing(f"no finished run has both {quantity.label} and {measured.label}")
    return Chart(
        title=grid.title,
        subtitle=f"{grid.subtitle}, against cost",
        axis=AXES[of],
        labels=tuple(row.label for row in grid.rows if row.kind != BASELINE),
        panels=tuple(panels),
        reference=grid.reference.label if grid.reference else "",
        named=False,
        front=True,
        upward=quantity.higher_is_better,
        notes=(
            "Filled and joined: the front, rows that no other row beats in cost and mean score at "
            "once. Bar: interval of the mean; within it the front may differ. Each panel has its "
            "own horizontal scale.",
            *(
                [f"Not drawn, their {measured.label} unknown: {', '.join(unpriced)}."]
                if unpriced
                else []
            ),
        ),
    )
