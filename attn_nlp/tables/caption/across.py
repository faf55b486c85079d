"""Comparisons of the rows over all datasets of a table, each dataset a replicate."""

from __future__ import annotations

from attn_nlp.stats import across_datasets, against_reference
from attn_nlp.tables.attainable import p_text
from attn_nlp.tables.grid import BASELINE, Grid
from attn_nlp.tables.notes import Note, detail
from attn_nlp.wording import plural

FEWEST = 3  # datasets for which ranks are meaningful
_PATHS = ("dataset",)


def across_notes(grid: Grid, alpha: float = 0.05) -> list[Note]:
    """Return mean ranks, Friedman's test, and Wilcoxon tests against the reference, over datasets.

    Only for tables whose columns are datasets, at least `FEWEST`, and for rows with a number in
    all of them; empty if fewer than two rows have one.
    """
    rows = [
        row
        for row in grid.rows
        if row.kind != BASELINE and all(entry.summary is not None for entry in row.entries)
    ]
    if grid.paths != _PATHS or len(grid.columns) < FEWEST or len(rows) < 2:
        return []
    scores = {row.label: [e.summary.mean for e in row.entries if e.summary] for row in rows}
    names = [column.labels[0] for column in grid.columns]
    upward = grid.columns[0].quantity.higher_is_better
    across = across_datasets(scores, names, higher_is_better=upward)
    assert across.friedman is not None
    ranks = ", ".join(f"{across.variants[i]} {across.mean_ranks[i]:.2f}" for i in across.order)
    text = (
        f"Over the {plural(len(names), 'dataset')}, each a replicate with its mean over runs: mean "
        f"ranks {ranks}; Friedman's test in Iman and Davenport's form, "
        f"p {p_text(across.friedman.f_p)}"
    )
    reference = grid.reference
    if reference is None or reference.label not in scores:
        return [detail(text + ".")]
    compared = against_reference(scores, names, reference.label, higher_is_better=upward)
    apart = [
        f"{comparison.variant!r} ({comparison.wins} won, {comparison.ties} tied, "
        f"{comparison.losses} lost, p {p_text(comparison.p_holm)})"
        for comparison in compared
        if comparison.p_holm < alpha
    ]
    least = min(1.0, 2 * 0.5 ** len(names) * len(compared))
    return [
        detail(
            f"{text}; different from {reference.label!r} by Wilcoxon's exact test with Holm's "
            f"correction: {', '.join(apart) or 'none'} (the smallest possible p is "
            f"{p_text(least)}). This is a statement about datasets like these, however many runs "
            "there were."
        )
    ]
