"""The caption: everything a reader needs to trust a table, computed from what it shows."""

from __future__ import annotations

from collections.abc import Sequence

from attn_nlp.experiment.planned import TableSpec
from attn_nlp.stats import binomial_error
from attn_nlp.store.records import Records
from attn_nlp.tables.caption.across import across_notes
from attn_nlp.tables.caption.claims import claims
from attn_nlp.tables.caption.diverged import unfinished
from attn_nlp.tables.caption.environments import grouped
from attn_nlp.tables.caption.folds import fold_notes, rules_of, test_notes
from attn_nlp.tables.caption.over_sentences import sentence_notes
from attn_nlp.tables.caption.protocol import protocol
from attn_nlp.tables.facts import Facts, data_notes, sentences
from attn_nlp.tables.grid import BASELINE, Grid
from attn_nlp.tables.layout import Layout
from attn_nlp.tables.notes import Note, detail, short, warning
from attn_nlp.wording import plural, plural_span, span


def caption(
    grid: Grid,
    table: TableSpec,
    layout: Layout,
    facts: Facts,
    records: Records,
    baselines: Sequence[Note] = (),
) -> tuple[Note, ...]:
    """Return the notes below a table, in the order in which a reader needs them."""
    notes = [
        *([short(str(table["note"]))] if table["note"] else []),
        *claims(grid, table, layout, facts),
        *baselines,
        *protocol(table, layout),
        *_selection(table),
        *_split_errors(grid, table, layout, facts),
        *sentence_notes(grid),
        *across_notes(grid),
        *test_notes(layout, facts),
        *_validation(table, facts),
        *fold_notes(grid, table, layout, records),
        *data_notes(facts),
        *_repeats(grid, layout, records),
        *unfinished(grid),
        *_environments(layout, records),
    ]
    return tuple(notes)


def _repeats(grid: Grid, layout: Layout, records: Records) -> list[Note]:
    """Warn about rows whose runs mostly gave the same answers, as when the seed has no effect."""
    texts = []
    for number, row in enumerate(grid.rows):
        for index, column in enumerate(layout.columns):
            of_row = layout.entry(number, column)
            specs = () if row.kind == BASELINE or of_row.once else of_row.specs
            ended = zip(
                records.column("correct", specs), records.column("status", specs), strict=True
            )
            answers = [
                correct for correct, status in ended if correct is not None and status == "done"
            ]
            if len(answers) > 1 and len(set(answers)) <= len(answers) / 2:
                name = grid.name_of(grid.columns[index])
                texts.append(
                    f"{row.label!r}{f' ({name})' if name else ''} {len(set(answers))} of "
                    f"{len(answers)} runs"
                )
    if not texts:
        return []
    return [
        warning(
            f"Distinct prediction patterns: {', '.join(texts)}. Runs that get the same test "
            "sentences right are not replicates: intervals and verdicts of such rows are "
            "overconfident."
        )
    ]


def _selection(table: TableSpec) -> list[Note]:
    notes = [detail("Each run is tested at its step with the best validation accuracy.")]
    if table["value"].startswith("validation."):
        notes.append(
            warning("These validation numbers are optimistic: the same split chose the step.")
        )
    return notes


def _split_errors(grid: Grid, table: TableSpec, layout: Layout, facts: Facts) -> list[Note]:
    """Return the binomial error at the accuracy of the reference, or of the first row with one."""
    split, metric = table["value"].split(".")
    if metric != "accuracy":
        return []
    notes = []
    rows = [*([grid.reference] if grid.reference else []), *grid.rows]
    for name in facts:
        errors, sizes = [], []
        for index, column in enumerate(layout.columns):
            own = layout.settings(column)
            if {str(settings["dataset"]) for settings in own} != {name}:
                continue
            met = sentences(facts, name, split, own)
            share = next(
                (
                    summary.mean
                    for row in rows
                    if row.kind != BASELINE and (summary := row.entries[index].summary)
                ),
                None,
            )
            if share is not None:
                sizes += met
                errors += [100 * binomial_error(share, size) for size in met]
        if not errors:
            continue
        notes.append(
            detail(
                f"{facts.label(name)}: the {plural_span(sizes, f'{split} sentence')} alone give "
                f"every accuracy near the reference's a standard error of "
                f"{span(errors, '{:.1f}'.format)} points (95%: "
                f"{span(errors, lambda error: f'±{1.96 * error:.1f}')}), which ± does not include."
            )
        )
    return notes


def _validation(table: TableSpec, facts: Facts) -> list[Note]:
    if not facts:
        return []
    rules: dict[str, list[str]] = {}
    for name, known in facts.items():
        for rule in rules_of(known, "validation_rule") or ["rule not recorded"]:
            rules.setdefault(rule, []).append(facts.label(name))
    named = "; ".join(
        rule + (f" ({', '.join(labels)})" if len(rules) > 1 else "")
        for rule, labels in rules.items()
    )
    if "split_seed" in table["over"]:
        return [detail(f"Validation: {named}; drawn again for every split_seed, which ± covers.")]
    return [
        detail(
            f"Validation: {named}; drawn once and held fixed, so the intervals do not cover "
            "another draw."
        )
    ]


def _environments(layout: Layout, records: Records) -> list[Note]:
    """Return a warning if cells of one table ran on different devices or versions."""
    done = [
        provenance
        for planned in layout.entries.values()
        for status, provenance in zip(
            records.column("status", planned.specs),
            records.column("provenance", planned.specs),
            strict=True,
        )
        if status == "done"
    ]
    _, groups = grouped(done)
    if len(groups) < 2:
        return []
    named = "; ".join(
        f"{plural(count, 'cell')} with "
        + (", ".join(f"{name} {value}" for name, value in apart) or "less recorded")
        for count, apart in groups
    )
    return [
        warning(f"Mixed environments: {named}. Pairs across them differ in more than the variant.")
    ]
