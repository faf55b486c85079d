"""The part of a caption about statistics: intervals, tests, power and margins."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from attn_nlp.experiment.planned import TableSpec
from attn_nlp.stats import (
    default_margin,
    detectable_effect,
    equivalence_attainable,
    resolves,
    seeds_for_equivalence,
)
from attn_nlp.stats.signflip import RESAMPLES, RNG_SEED
from attn_nlp.tables.attainable import attainable_of, p_text
from attn_nlp.tables.facts import Facts, sizes_of
from attn_nlp.tables.grid import BASELINE, Column, Entry, Grid
from attn_nlp.tables.layout import Layout, replicates
from attn_nlp.tables.notes import Note, detail, short, warning
from attn_nlp.wording import plural

_NAMED = 6  # families whose power is given one by one


def claims(grid: Grid, table: TableSpec, layout: Layout, facts: Facts) -> list[Note]:
    """Return the notes on intervals, tests, power and margins, on which every mark rests."""
    return [
        *_uncertainty(grid, table),
        *_comparison(grid, table, layout),
        *_power(grid, table, layout),
        *_margins(grid, table, layout),
        *_unresolved(grid, table, layout, facts),
        *_without_spread(grid),
    ]


def _compared(grid: Grid) -> list[tuple[str, Column, Entry]]:
    return [
        (row.label, column, entry)
        for row in grid.rows
        for column, entry in zip(grid.columns, row.entries, strict=True)
        if entry.comparison
    ]


def _uncertainty(grid: Grid, table: TableSpec) -> list[Note]:
    entries = [entry for row in grid.rows if row.kind != BASELINE for entry in row.entries]
    most = max((entry.expected for entry in entries), default=0)
    if most <= 1:
        return [short("One run per number, so no interval can be given.")]
    counts = {entry.summary.n for entry in entries if entry.summary}
    fewer = "" if counts <= {most} else " (fewer where noted)"
    over, split = replicates(table["over"], most), table["value"].split(".")[0]
    notes = [
        short(
            f"± is half of a 95% t interval over {over}{fewer}; it is pointwise, not simultaneous.",
            f"±: half of a 95% t interval over {over}{' (or fewer)' if fewer else ''}, conditional "
            f"on this {split} set.",
        )
    ]
    if "seed" not in table["over"]:
        notes.append(
            warning(
                "Each number comes from one seed; other initial weights, batches and dropout may "
                "give a different table."
            )
        )
    return notes


def _comparison(grid: Grid, table: TableSpec, layout: Layout) -> list[Note]:
    reference = grid.reference
    families = attainable_of(table, layout)
    if reference is None or not families[0].comparisons:
        return []
    most = max(families, key=lambda family: family.comparisons)
    within = "the table" if table["family"] == "table" else "a column"
    sizes = sorted({family.comparisons for family in families})
    count = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    text = (
        f"The signed number is the difference from {reference.label!r} in the same column, paired "
        f"over {_replicate(table['over'])}, in "
        f"{grid.columns[0].quantity.points or 'the same unit'}. Test: two-sided sign-flip "
        f"permutation test of the paired differences, exact{_drawn(grid)}; Holm's correction over "
        f"the {count} comparison{'' if sizes == [1] else 's'} of {within}. The smallest p "
        f"that {replicates(table['over'], most.seeds)} can give is {p_text(most.least_p)}, or "
        f"{p_text(most.least_p_holm)} after Holm."
    )
    brief = (
        f"Differences from the reference: sign-flip test paired over {_replicate(table['over'])}, "
        f"Holm over {count} test{'' if sizes == [1] else 's'} "
        f"{'in the table' if table['family'] == 'table' else 'per column'}."
    )
    if most.attainable:
        return [short(text, brief)]
    needed = replicates(table["over"], most.seeds_needed)
    return [
        short(text, brief),
        warning(
            f"With {plural(most.comparisons, 'comparison')} and "
            f"{replicates(table['over'], most.seeds)} no difference can reach significance; that "
            f"takes at least {needed}."
        ),
    ]


def _replicate(over: Sequence[str]) -> str:
    over = [path for path in over if path != "fold"]
    return "seeds" if over == ["seed"] else " × ".join(over) or "single runs"


def _drawn(grid: Grid) -> str:
    if all(entry.comparison.exact for _, _, entry in _compared(grid) if entry.comparison):
        return ""
    return f" up to 20 pairs and from {RESAMPLES:,} random patterns (seed {RNG_SEED}) above"


def _power(grid: Grid, table: TableSpec, layout: Layout) -> list[Note]:
    """Return the differences that the planned replicates detect, given the table's own spread."""
    if grid.reference is None:
        return []
    quantity = grid.columns[0].quantity
    detectable = []
    for family, least in zip(layout.families(table), attainable_of(table, layout), strict=False):
        spread = _spread(
            grid.rows[row].entries[layout.columns.index(column)] for row, column in family
        )
        effect = detectable_effect(least.seeds, least.comparisons)
        if spread is None or effect is None:
            continue
        column = grid.columns[layout.columns.index(family[0][1])]
        where = "" if table["family"] == "table" else grid.name_of(column)
        detectable.append((least, where, spread * quantity.scale, effect * spread * quantity.scale))
    if not detectable:
        return []
    decimals, unit = quantity.decimals + 1, quantity.points or "of the same unit"
    texts = [
        f"{replicates(table['over'], least.seeds)} detect {detected:.{decimals}f} {unit} in a "
        f"family of {least.comparisons} if paired differences have a standard deviation of "
        f"{spread:.{decimals}f}" + (f" ({where})" if where else "")
        for least, where, spread, detected in detectable
    ]
    if len(texts) > _NAMED:
        least, *_, most = sorted(detectable, key=lambda family: family[-1])
        texts = [
            f"differences from {least[-1]:.{decimals}f} {unit} ({least[1]}, paired standard "
            f"deviation {least[2]:.{decimals}f}) to {most[-1]:.{decimals}f} ({most[1]}, "
            f"{most[2]:.{decimals}f}) are detected"
        ]
    return [
        detail(
            f"Power: with probability .8, {'; '.join(texts)}. The standard deviation is the root "
            "mean square over the table's own paired differences, which are assumed to be normal "
            "with exactly that deviation; no other difference in the family needs to be real. "
            "Effect sizes (d_z with a 95% interval, rank-biserial) are in CSV and JSON."
        )
    ]


def _spread(entries: Iterable[Entry]) -> float | None:
    """Return the root mean square of the deviations of paired differences, or None if all are 0."""
    squares = [
        entry.comparison.difference.sd**2
        for entry in entries
        if entry.comparison and entry.comparison.difference.sd
    ]
    return math.sqrt(math.fsum(squares) / len(squares)) if squares else None


def _margins(grid: Grid, table: TableSpec, layout: Layout) -> list[Note]:
    """Return how large a difference counts as none, by column if columns differ."""
    quantity = grid.columns[0].quantity
    by_margin: dict[float, list[str]] = {}
    for _, column, entry in _compared(grid):
        if entry.comparison and entry.comparison.margin is not None:
            names = by_margin.setdefault(entry.comparison.margin, [])
            at = grid.paths.index("dataset") if "dataset" in grid.paths else None
            name = grid.name_of(column) if at is None else column.labels[at]
            if name not in names:
                names.append(name)
    if not by_margin:
        if not _compared(grid) or table["margin"] is not None or quantity.unit == "%":
            return []
        text = f"No margin of equivalence is declared for {quantity.label}, so none is claimed."
        return [detail(text)]
    amounts = [
        f"{margin * quantity.scale:g} {quantity.points}"
        + (f" ({', '.join(names)})" if len(by_margin) > 1 else "")
        for margin, names in by_margin.items()
    ]
    source = (
        "declared with the table"
        if table["margin"] is not None
        else "the default for a split of that size"
    )
    most = max(attainable_of(table, layout), key=lambda family: family.comparisons)
    fewest = replicates(table["over"], seeds_for_equivalence(most.comparisons))
    text = (
        "Equivalent: two one-sided t tests, Holm-corrected in the same family, put the difference "
        f"inside ±{' and ±'.join(amounts)}, {source}; claimed only with {fewest} or more. Seeds "
        "for a decision: the fewest with 80% power at Holm's strictest level, treating the "
        "observed mean and spread of the differences as the true ones; a rough guide."
    )
    if equivalence_attainable(most.seeds, most.comparisons):
        return [detail(text)]
    return [
        detail(text),
        warning(
            f"With {plural(most.comparisons, 'comparison')} and "
            f"{replicates(table['over'], most.seeds)} nothing can be called equivalent; that takes "
            f"at least {fewest}."
        ),
    ]


def _unresolved(grid: Grid, table: TableSpec, layout: Layout, facts: Facts) -> list[Note]:
    """Warn about margins smaller than one sentence, within which nothing is called equivalent."""
    quantity = grid.columns[0].quantity
    if quantity.unit != "%":
        return []
    split = quantity.name.split(".")[0]
    texts: dict[str, None] = {}
    for column in dict.fromkeys(column for _, column, _ in _compared(grid)):
        sizes = sizes_of(layout, column.values, facts, quantity)
        margin = table["margin"] or min(map(default_margin, sizes), default=None)
        if margin is None or all(resolves(size, margin) for size in sizes):
            continue
        name = f" ({grid.name_of(column)})" if column.labels else ""
        texts[
            f"{margin * quantity.scale:g} {quantity.points}, less than one of the "
            f"{min(sizes):,} {split} sentences{name}"
        ] = None
    if not texts:
        return []
    return [warning(f"No equivalence is claimed within {'; '.join(texts)}.")]


def _without_spread(grid: Grid) -> list[Note]:
    """Warn about variants whose pairs all show the same difference, which decides nothing."""
    same, shifted = [], []
    for label, column, entry in _compared(grid):
        compared = entry.comparison
        if compared and compared.difference.n > 1 and not compared.spreads:
            name = f"{label!r}" + (f" ({grid.name_of(column)})" if column.labels else "")
            (same if compared.least_p == 1.0 else shifted).append(name)
    notes = []
    if same:
        text = f"Scores identical to the reference's in every pair: {', '.join(same)}"
        notes.append(
            warning(
                f"{text}. Without any spread nothing is called equivalent: either they compute the "
                "same function, or neither has learned to tell the classes apart.",
                f"{text}; they are not called equivalent.",
            )
        )
    if shifted:
        text = f"The same difference in every pair: {', '.join(shifted)}"
        notes.append(
            warning(
                f"{text}. A difference that never varies cannot be tested, so nothing is called "
                "better or worse.",
                f"{text}; it cannot be tested.",
            )
        )
    return notes
