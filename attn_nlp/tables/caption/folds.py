"""What a caption says about folds: how they enter a number, and what they say by themselves.

Folds share their training rows, so that they are no replicates. A table pairs seeds, each by its
mean over folds; the spread over folds is stated apart, with its own correction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from attn_nlp.experiment.planned import TableSpec
from attn_nlp.stats.folds import Folds, over_folds
from attn_nlp.tables.facts import Facts
from attn_nlp.tables.grid import Grid, Quantity
from attn_nlp.tables.layout import Layout, Place, plural
from attn_nlp.tables.notes import Note, detail
from attn_nlp.tables.outcomes import number_at
from attn_nlp.tables.states import states_of
from attn_nlp.tables.text import number

HELD_OUT = "no official test"  # how a rule begins where train lends the test split
_FOLD = re.compile(r"\bfold \d+")


def test_notes(layout: Layout, facts: Facts) -> list[Note]:
    """How test came about where the dataset has none of its own; nothing of an official split."""
    rules: dict[str, list[str]] = {}
    for name, known in facts.items():
        here = [each for each in layout.settings() if str(each["dataset"]) == name]
        folds = {each.get("fold", 0) for each in here}
        for rule in rules_of(known, "test_rule", folds):
            if rule.startswith(HELD_OUT):
                rules.setdefault(rule, []).append(facts.label(name))
    said = [
        rule + (f" ({', '.join(labels)})" if len(facts) > 1 else "")
        for rule, labels in rules.items()
    ]
    return [detail(f"Test: {'; '.join(said)}.")] if said else []


def rules_of(known: Mapping, which: str, folds: Iterable[int] = ()) -> list[str]:
    """The rules, each once, by which a split of a dataset was made for the cells that met it.

    Args:
      known: of the dataset.
      which: "test_rule" or "validation_rule".
      folds: those planned, named together in a rule that has one; else those that have run.
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
    grid: Grid, table: TableSpec, layout: Layout, records: Mapping[str, dict]
) -> list[Note]:
    """The notes about folds; none for a table that is not averaged over them."""
    if not layout.folded:
        return []
    folds = {settings["fold"] for settings in layout.settings()}
    notes = [
        detail(
            f"Folds: the number of a seed is its mean over {plural(len(folds), 'fold')}, each "
            "tested by a model of its own, and pairs are pairs of seeds. A seed that lacks a fold "
            "counts as missing, with the reason. Sizes under the table are those of single folds."
        )
    ]
    quantity = grid.columns[0].quantity
    said = []
    for column in layout.columns:
        for row, known in enumerate(table["rows"]):
            found = _difference(layout, row, column, records, quantity.name)
            if found is not None:
                place = f" ({', '.join(map(str, column))})" if column else ""
                said.append(f"{known['label']!r}{place} {_text(found, quantity)}")
    if said:
        notes.append(
            detail(
                "Over folds, apart from ±: the same differences with a 95% interval over folds, "
                "seeds averaged first, by the corrected resampled t of Nadeau & Bengio (2003), "
                f"which allows for shared training rows: {'; '.join(said)}."
            )
        )
    return notes


def _text(found: Folds, quantity: Quantity) -> str:
    assert found.low is not None
    half = number(found.mean - found.low, quantity)
    return f"{number(found.mean, quantity, signed=True)} ±{half} ({plural(found.folds, 'fold')})"


def _difference(
    layout: Layout, row: int, column: tuple, records: Mapping[str, dict], value: str
) -> Folds | None:
    """A row against the reference over folds that both have; None where there are not two."""
    if layout.reference is None or row == layout.reference:
        return None
    variant = _by_fold(layout.place(row, column), records, value)
    reference = _by_fold(layout.place(layout.reference, column), records, value)
    differences = []
    for fold in sorted(variant.keys() & reference.keys()):
        seeds = variant[fold].keys() & reference[fold].keys()
        if seeds:
            pairs = [variant[fold][each] - reference[fold][each] for each in sorted(seeds)]
            differences.append(pairs)
    share = _test_share(layout.place(row, column), records)
    return over_folds(differences, share) if len(differences) > 1 and share else None


def _by_fold(
    place: Place, records: Mapping[str, dict], value: str
) -> dict[int, dict[tuple, float]]:
    """The numbers of a place by fold, and by what varies beside."""
    found: dict[int, dict[tuple, float]] = {}
    at = place.fold_at
    assert at is not None
    for key, cell in place.cells.items():
        record = records.get(cell["spec"])
        score = None if record is None else number_at(record, value)
        if record is not None and record["status"] == "done" and score is not None:
            found.setdefault(key[at], {})[(*key[:at], *key[at + 1 :])] = score
    return found


def _test_share(place: Place, records: Mapping[str, dict]) -> float | None:
    """Test rows over training rows, of all folds together; None where nothing has run."""
    test = train = 0
    for cell in place.cells.values():
        splits = ((records.get(cell["spec"]) or {}).get("data") or {}).get("splits", {})
        if splits.get("train", {}).get("rows") and splits.get("test", {}).get("rows"):
            test += splits["test"]["rows"]
            train += splits["train"]["rows"]
    return test / train if train else None
