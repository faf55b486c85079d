"""The caption: what a reader must know to believe a table, computed from what it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attn_nlp.stats import binomial_error
from attn_nlp.stats.signflip import RESAMPLES, RNG_SEED
from attn_nlp.tables.facts import Facts, data_notes, label_of, sentences
from attn_nlp.tables.grid import FLOOR, MEASURED, PENDING, Column, Entry, Grid
from attn_nlp.tables.layout import Layout, plural, replicates
from attn_nlp.tables.stars import p_text, stars_of

_PROTOCOL = {
    "learning_rate": lambda value: f"learning rate {value:g}",
    "steps": lambda value: plural(value, "step"),
    "batch_size": lambda value: f"batches of {plural(value, 'sentence')}",
    "layers": lambda value: plural(value, "layer"),
    "width": lambda value: f"width {value}",
}


def caption(
    grid: Grid, table: Mapping, layout: Layout, facts: Facts, records: Mapping[str, dict]
) -> tuple[str, ...]:
    """The sentences under a table, in the order in which a reader needs them."""
    notes = [
        *([str(table["note"])] if table["note"] else []),
        _uncertainty(grid, table),
        *_comparison(grid, table, layout),
        *_margins(grid, table),
        *_identical(grid),
        *_floors(grid),
        _protocol(table, layout),
        *_selection(table),
        *_split_errors(grid, table, layout, facts),
        *_carve(table, facts),
        *data_notes(facts),
        *_unfinished(grid, table),
        *_environments(layout, records),
    ]
    return tuple(notes)


def _compared(grid: Grid) -> list[tuple[str, Column, Entry]]:
    return [
        (row.label, column, entry)
        for row in grid.rows
        for column, entry in zip(grid.columns, row.entries, strict=True)
        if entry.comparison
    ]


def _uncertainty(grid: Grid, table: Mapping) -> str:
    entries = [entry for row in grid.rows if row.kind != FLOOR for entry in row.entries]
    most = max((entry.expected for entry in entries), default=0)
    if most <= 1:
        return "One run for each number, so that no interval can be given."
    counts = {entry.summary.n for entry in entries if entry.summary}
    fewer = "" if counts <= {most} else ", fewer where a number says so"
    return (
        f"± is half of a 95% t interval over {replicates(table['over'], most)}{fewer}; it holds "
        "for each number by itself, not for all at once."
    )


def _comparison(grid: Grid, table: Mapping, layout: Layout) -> list[str]:
    baseline = grid.baseline
    families = stars_of(table, layout)
    if baseline is None or not families[0].comparisons:
        return []
    most = max(families, key=lambda each: each.comparisons)
    within = "the table" if table["family"] == "table" else "a column"
    sizes = sorted({each.comparisons for each in families})
    count = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    says = (
        f"The signed number is the difference from {baseline.label!r} in the same column, paired "
        f"over {_replicate(table['over'])}, in "
        f"{grid.columns[0].quantity.points or 'the same unit'}. Test: two-sided sign-flip "
        f"permutation of the paired differences, exact{_drawn(grid)}; Holm's correction over the "
        f"{count} comparison{'' if sizes == [1] else 's'} of {within}. The least p that "
        f"{replicates(table['over'], most.seeds)} can give is {p_text(most.least_p)}, after Holm "
        f"{p_text(most.least_p_holm)}"
    )
    if most.attainable:
        return [says + "."]
    return [
        f"{says}: nothing in such a family can be called better or worse here; at least "
        f"{replicates(table['over'], most.seeds_needed)} would be needed."
    ]


def _replicate(over: Sequence[str]) -> str:
    return "seeds" if list(over) == ["seed"] else " × ".join(over) or "single runs"


def _drawn(grid: Grid) -> str:
    if all(entry.comparison.exact for _, _, entry in _compared(grid) if entry.comparison):
        return ""
    return f" up to 20 pairs and from {RESAMPLES:,} random patterns (seed {RNG_SEED}) above"


def _margins(grid: Grid, table: Mapping) -> list[str]:
    """How large a difference counts as none, by column where columns differ."""
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
        if not _compared(grid):
            return []
        return [f"No margin of equivalence is declared for {quantity.label}; none is claimed."]
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
    return [
        f"Equivalent: two one-sided t tests, Holm-corrected in the same family, put the difference "
        f"inside ±{' and ±'.join(amounts)}, {source}. Seeds for a decision: the fewest with 80% "
        "power at Holm's strictest level, taking the observed mean and spread of the differences "
        "for the true ones; a rough guide."
    ]


def _identical(grid: Grid) -> list[str]:
    """Variants whose every pair is equal: most likely the same function."""
    same = [
        f"{label!r}" + (f" ({grid.name_of(column)})" if column.labels else "")
        for label, column, entry in _compared(grid)
        if entry.comparison
        and entry.comparison.difference.n > 1
        and entry.comparison.difference.sd == 0
        and entry.comparison.least_p == 1.0
    ]
    if not same:
        return []
    return [f"Scores identical to the baseline's in every pair: {', '.join(same)}."]


def _floors(grid: Grid) -> list[str]:
    if all(row.kind != FLOOR for row in grid.rows):
        return []
    return [
        "The last rows are floors that need no network: one deterministic run each, not compared."
    ]


def _protocol(table: Mapping, layout: Layout) -> str:
    every = layout.settings()
    same, differ = [], []
    for path, words in _PROTOCOL.items():
        values = list(dict.fromkeys(settings[path] for settings in every if path in settings))
        if len(values) == 1:
            same.append(words(values[0]))
        elif values:
            differ.append(path)
    fixed = [f"{path} = {value}" for path, value in table["where"].items() if path not in _PROTOCOL]
    says = f"Same settings for all rows ({', '.join(same)}); no row was tuned on its own"
    if differ:
        says += f"; varied in the table: {', '.join(differ)}"
    if "learning_rate" not in differ:
        says += "; the order of rows may depend on the learning rate"
    return says + "." + (f" All cells have {', '.join(fixed)}." if fixed else "")


def _selection(table: Mapping) -> list[str]:
    says = "Of each run, the step with the best validation accuracy is the one tested."
    if table["value"].startswith("validation."):
        says += " The same split chose it, so these validation numbers are optimistic."
    return [says]


def _split_errors(grid: Grid, table: Mapping, layout: Layout, facts: Facts) -> list[str]:
    """The binomial error at the accuracy of the baseline, or of the first row that has one."""
    split, metric = table["value"].split(".")
    if metric != "accuracy":
        return []
    notes = []
    for name in facts:
        size = sentences(facts, name, split)
        columns = [
            place
            for place, column in enumerate(layout.columns)
            if {str(each["dataset"]) for each in layout.settings(column)} == {name}
        ]
        rows = [*([grid.baseline] if grid.baseline else []), *grid.rows]
        share = next(
            (
                summary.mean
                for row in rows
                for place in columns
                if row.kind != FLOOR and (summary := row.entries[place].summary)
            ),
            None,
        )
        if size is None or share is None:
            continue
        error = 100 * binomial_error(share, size)
        notes.append(
            f"{label_of(facts, name)}: the {split} split's {plural(size, 'sentence')} alone bring "
            f"a standard error of {error:.1f} points (95%: ±{1.96 * error:.1f}) to every accuracy "
            "near the baseline's, not included in ±."
        )
    return notes


def _carve(table: Mapping, facts: Facts) -> list[str]:
    if not facts:
        return []
    rules: dict[str, list[str]] = {}
    for name, known in facts.items():
        rule = str(known.get("validation_rule") or "rule not recorded").rstrip(".")
        rules.setdefault(rule, []).append(label_of(facts, name))
    named = "; ".join(
        rule + (f" ({', '.join(labels)})" if len(rules) > 1 else "")
        for rule, labels in rules.items()
    )
    if "split_seed" in table["over"]:
        return [f"Validation: {named}; drawn anew for every split_seed, which ± covers."]
    return [
        f"Validation: {named}; made once and held fixed, so that the intervals do not cover "
        "another carve."
    ]


def _unfinished(grid: Grid, table: Mapping) -> list[str]:
    """How many cells have no number, over the whole table."""
    entries = [entry for row in grid.rows if row.kind != FLOOR for entry in row.entries]
    planned = sum(entry.expected for entry in entries)
    states: dict[str, int] = {}
    for entry in entries:
        for state, count in entry.missing.items():
            states[state] = states.get(state, 0) + count
    if not states:
        return []
    done = planned - sum(states.values())
    counts = ", ".join(f"{count} {state}" for state, count in states.items())
    says = f"{done:,} of {plural(planned, 'cell')} have a number; {counts}."
    if set(states) - {PENDING} and any(entry.state == MEASURED for entry in entries):
        says += " Means and differences leave these out, which flatters a variant that diverges."
    return [says]


def _environments(layout: Layout, records: Mapping[str, dict]) -> list[str]:
    """A warning where cells of one table ran on different devices or versions."""
    seen: dict[tuple, int] = {}
    for place in layout.places.values():
        for cell in place.cells.values():
            record = records.get(cell["spec"])
            if record is None or record["status"] != "done":
                continue
            flat = tuple(sorted(_flat(record.get("provenance") or {})))
            seen[flat] = seen.get(flat, 0) + 1
    if len(seen) < 2:
        return []
    common = set.intersection(*map(set, seen))
    groups = sorted(
        (
            -count,
            ", ".join(f"{name} {value}" for name, value in flat if (name, value) not in common),
        )
        for flat, count in seen.items()
    )
    named = "; ".join(f"{plural(-count, 'cell')} with {what or 'less'}" for count, what in groups)
    return [f"Mixed environments: {named}. Pairs across them differ by more than the variant."]


def _flat(provenance: Mapping) -> Sequence[tuple[str, str]]:
    """All that a record says of where it was computed, in texts that can be compared."""
    return [(name, str(value)) for name, value in provenance.items() if value not in (None, "")]
