"""The caption: what a reader must know to believe a table, computed from what it shows."""

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
from attn_nlp.tables.layout import Layout, plural
from attn_nlp.tables.notes import Note, detail, short, warning
from attn_nlp.tables.states import plural_span, span


def caption(
    grid: Grid,
    table: TableSpec,
    layout: Layout,
    facts: Facts,
    records: Records,
    baselines: Sequence[Note] = (),
) -> tuple[Note, ...]:
    """The notes under a table, in the order in which a reader needs them."""
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
        *_carve(table, facts),
        *fold_notes(grid, table, layout, records),
        *data_notes(facts),
        *_repeats(grid, layout, records),
        *unfinished(grid),
        *_environments(layout, records),
    ]
    return tuple(notes)


def _repeats(grid: Grid, layout: Layout, records: Records) -> list[Note]:
    """Name the rows whose runs mostly gave the same answers, as where a seed decides nothing."""
    said = []
    for number, row in enumerate(grid.rows):
        for place, column in enumerate(layout.columns):
            of_row = layout.place(number, column)
            specs = () if row.kind == BASELINE or of_row.once else of_row.specs
            ended = zip(
                records.column("correct", specs), records.column("status", specs), strict=True
            )
            answers = [
                correct for correct, status in ended if correct is not None and status == "done"
            ]
            if len(answers) > 1 and len(set(answers)) <= len(answers) / 2:
                name = grid.name_of(grid.columns[place])
                said.append(
                    f"{row.label!r}{f' ({name})' if name else ''} {len(set(answers))} of "
                    f"{len(answers)}"
                )
    if not said:
        return []
    return [
        warning(
            f"Runs that differ in which test sentences they answer right: {', '.join(said)}. Runs "
            "that repeat one another are no replicates: intervals and verdicts of such rows claim "
            "too much."
        )
    ]


def _selection(table: TableSpec) -> list[Note]:
    notes = [detail("Of each run, the step with the best validation accuracy is the one tested.")]
    if table["value"].startswith("validation."):
        notes.append(
            warning("These validation numbers are optimistic: the same split chose the step.")
        )
    return notes


def _split_errors(grid: Grid, table: TableSpec, layout: Layout, facts: Facts) -> list[Note]:
    """The binomial error at the accuracy of the reference, or of the first row that has one."""
    split, metric = table["value"].split(".")
    if metric != "accuracy":
        return []
    notes = []
    rows = [*([grid.reference] if grid.reference else []), *grid.rows]
    for name in facts:
        errors, sizes = [], []
        for place, column in enumerate(layout.columns):
            own = layout.settings(column)
            if {str(each["dataset"]) for each in own} != {name}:
                continue
            met = sentences(facts, name, split, own)
            share = next(
                (
                    summary.mean
                    for row in rows
                    if row.kind != BASELINE and (summary := row.entries[place].summary)
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
                f"{facts.label(name)}: the {split} split's {plural_span(sizes, 'sentence')} alone "
                f"bring a standard error of {span(errors, '{:.1f}'.format)} points (95%: "
                f"{span(errors, lambda error: f'±{1.96 * error:.1f}')}) to every accuracy near the "
                "reference's, not included in ±."
            )
        )
    return notes


def _carve(table: TableSpec, facts: Facts) -> list[Note]:
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
        return [detail(f"Validation: {named}; drawn anew for every split_seed, which ± covers.")]
    return [
        detail(
            f"Validation: {named}; made once and held fixed, so that the intervals do not cover "
            "another carve."
        )
    ]


def _environments(layout: Layout, records: Records) -> list[Note]:
    """A warning where cells of one table ran on different devices or versions."""
    done = [
        provenance
        for place in layout.places.values()
        for status, provenance in zip(
            records.column("status", place.specs),
            records.column("provenance", place.specs),
            strict=True,
        )
        if status == "done"
    ]
    _, groups = grouped(done)
    if len(groups) < 2:
        return []
    named = "; ".join(
        f"{plural(count, 'cell')} with "
        + (", ".join(f"{name} {value}" for name, value in apart) or "less")
        for count, apart in groups
    )
    return [
        warning(f"Mixed environments: {named}. Pairs across them differ by more than the variant.")
    ]
