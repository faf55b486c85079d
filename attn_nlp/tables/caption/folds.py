"""The part of a caption about folds: how they enter a number, and how numbers vary over them.

Folds share their training rows, so they are not replicates. A table pairs seeds, each by its mean
over folds; the spread over folds is stated separately, with a correction of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from attn_nlp.experiment.planned import TableSpec
from attn_nlp.result.record import Record
from attn_nlp.stats.folds import Folds, over_folds
from attn_nlp.tables.facts import Facts
from attn_nlp.tables.grid import Grid, Quantity
from attn_nlp.tables.layout import Layout, PlannedEntry
from attn_nlp.tables.notes import Note, detail
from attn_nlp.tables.outcomes import number_at
from attn_nlp.tables.states import states_of
from attn_nlp.tables.text import number
from attn_nlp.wording import plural

HELD_OUT = "no official test"  # how a rule begins if the test split was taken from train
_FOLD = re.compile(r"\bfold \d+")


def test_notes(layout: Layout, facts: Facts) -> list[Note]:
    """Return how test was made if the dataset has none of its own; empty for official splits."""
    rules: dict[str, list[str]] = {}
    for name, known in facts.items():
        here = [settings for settings in layout.settings() if str(settings["dataset"]) == name]
        folds = {settings.get("fold", 0) for settings in here}
        for rule in rules_of(known, "test_rule", folds):
            if rule.startswith(HELD_OUT):
                rules.setdefault(rule, []).append(facts.label(name))
    texts = [
        rule + (f" ({', '.join(labels)})" if len(facts) > 1 else "")
        for rule, labels in rules.items()
    ]
    return [detail(f"Test: {'; '.join(texts)}.")] if texts else []


def rules_of(known: Mapping, which: str, folds: Iterable[int] = ()) -> list[str]:
    """Return the distinct rules that produced the split these cells use.

    Args:
      known: facts about the dataset.
      which: "test_rule" or "validation_rule".
      folds: the planned folds, listed together in a rule that names a fold; by default those
        that have run.
    """
    states = states_of(known)
    named = sorted(set(folds) or {state.rows[-1] for state in states if state.rows})
    rules = {}
    for state in states:
        rule = str(state.data.get(which) or "").rstrip(".")
        if len(named) > 1:
            rule = _FOLD.sub(f"folds {', '.join(map(str, named))}", rule)
        rules |= {rule: None} if rule else {}
    return list(rules)


def fold_notes(
    grid: Grid, table: TableSpec, layout: Layout, records: Mapping[str, Record]
) -> list[Note]:
    """Return the notes about folds; none for a table that is not averaged over them."""
    if not layout.folded:
        return []
    folds = {settings["fold"] for settings in layout.settings()}
    notes = [
        detail(
            f"Folds: a seed's number is its mean over {plural(len(folds), 'fold')}, each tested by "
            "a model of its own, and pairs are pairs of seeds. A seed that lacks a fold counts as "
            "missing, with the reason. Sizes below the table are those of single folds."
        )
    ]
    quantity = grid.columns[0].quantity
    texts = []
    for column in layout.columns:
        for row, known in enumerate(table["rows"]):
            difference = _difference(layout, row, column, records, quantity.name)
            if difference is not None:
                where = f" ({', '.join(map(str, column))})" if column else ""
                texts.append(f"{known['label']!r}{where} {_text(difference, quantity)}")
    if texts:
        notes.append(
            detail(
                "Over folds, apart from ±: the same differences with a 95% interval over folds, "
                "seeds averaged first, by the corrected resampled t of Nadeau & Bengio (2003), "
                f"which allows for shared training rows: {'; '.join(texts)}."
            )
        )
    return notes


def _text(difference: Folds, quantity: Quantity) -> str:
    assert difference.low is not None
    half = number(difference.mean - difference.low, quantity)
    mean = number(difference.mean, quantity, signed=True)
    return f"{mean} ±{half} ({plural(difference.folds, 'fold')})"


def _difference(
    layout: Layout, row: int, column: tuple, records: Mapping[str, Record], value: str
) -> Folds | None:
    """Compare a row with the reference over the folds that both have; None for fewer than two."""
    if layout.reference is None or row == layout.reference:
        return None
    variant = _by_fold(layout.entry(row, column), records, value)
    reference = _by_fold(layout.entry(layout.reference, column), records, value)
    differences = []
    for fold in sorted(variant.keys() & reference.keys()):
        seeds = variant[fold].keys() & reference[fold].keys()
        if seeds:
            pairs = [variant[fold][seed] - reference[fold][seed] for seed in sorted(seeds)]
            differences.append(pairs)
    share = _test_share(layout.entry(row, column), records)
    return over_folds(differences, share) if len(differences) > 1 and share else None


def _by_fold(
    planned: PlannedEntry, records: Mapping[str, Record], value: str
) -> dict[int, dict[tuple, float]]:
    """Return the numbers of an entry by fold, and by everything else that varies."""
    by_fold: dict[int, dict[tuple, float]] = {}
    at = planned.fold_at
    assert at is not None
    for key, cell in planned.cells.items():
        record = records.get(cell["spec"])
        score = None if record is None else number_at(record, value)
        if record is not None and record["status"] == "done" and score is not None:
            by_fold.setdefault(key[at], {})[(*key[:at], *key[at + 1 :])] = score
    return by_fold


def _test_share(planned: PlannedEntry, records: Mapping[str, Record]) -> float | None:
    """Return test rows over training rows, of all folds together, or None if nothing has run."""
    test = train = 0
    for cell in planned.cells.values():
        splits = ((records.get(cell["spec"]) or {}).get("data") or {}).get("splits", {})
        if splits.get("train", {}).get("rows") and splits.get("test", {}).get("rows"):
            test += splits["test"]["rows"]
            train += splits["train"]["rows"]
    return test / train if train else None
