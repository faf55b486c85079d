"""Diverged runs: one stated rule, and what the table would say under the other.

A diverged run has no score. Leaving it out flatters variants that diverge; scoring it as zero would
punish every variant alike. So the table leaves it out and reports how many there are, and a
footnote says what mean and difference would be if it counted as the weakest baseline of its
dataset, or as the worst run of its own row if that is worse still. Runs that failed because of the
machine are only reported.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from attn_nlp.experiment.data_key import data_key
from attn_nlp.experiment.planned import PlannedCell
from attn_nlp.experiment.resolved import Resolved
from attn_nlp.result.record import Record
from attn_nlp.tables.grid import (
    BASELINE,
    DIVERGED,
    FAILED,
    MEASURED,
    PENDING,
    Counted,
    Entry,
    Grid,
    Quantity,
)
from attn_nlp.tables.layout import Layout
from attn_nlp.tables.notes import Note, warning
from attn_nlp.tables.outcomes import Outcomes, number_at
from attn_nlp.tables.text import missing_text, number
from attn_nlp.wording import plural

AllOutcomes = Mapping[tuple[int, tuple], Outcomes]


def with_diverged(
    layout: Layout,
    measured: AllOutcomes,
    resolved: Resolved,
    records: Mapping[str, Record],
    shown: Quantity,
) -> AllOutcomes:
    """Return the outcomes with a number for every diverged run; empty if none diverged.

    If the baselines of an entry have not run, its diverged runs stay without a number.
    """
    if not any(outcome.diverged for outcome in measured.values()):
        return {}
    worst = min if shown.higher_is_better else max
    baselines = _baselines(resolved, records, shown.name)
    filled = {}
    for where, outcome in measured.items():
        values = dict(outcome.values)
        for replicate in outcome.diverged:
            known = _known(baselines, layout.entry(*where).replicates()[replicate])
            if known:
                values[replicate] = worst([*known, *outcome.values.values()])
        filled[where] = dataclasses.replace(outcome, values=values)
    return filled


def _known(
    baselines: Mapping[tuple, Mapping[str, float]], cells: Sequence[PlannedCell]
) -> list[float]:
    """Return the number of every baseline on the data of some cells, averaged over folds."""
    data = [baselines.get(data_key(cell["settings"]), {}) for cell in cells]
    models = set.intersection(*(set(scores) for scores in data))
    return [sum(scores[model] for scores in data) / len(data) for model in sorted(models)]


def _baselines(
    resolved: Resolved, records: Mapping[str, Record], value: str
) -> dict[tuple, dict[str, float]]:
    """Return the numbers of all baselines, by data and model."""
    scores: dict[tuple, dict[str, float]] = {}
    for baseline in resolved.baselines:
        settings, record = baseline["settings"], records.get(baseline["spec"])
        if record is None or record["status"] != "done":
            continue
        if (score := number_at(record, value)) is not None:
            scores.setdefault(data_key(settings), {})[settings["model"]] = score
    return scores


def counted_sentence(counted: Counted, own: int, quantity: Quantity) -> str:
    """Return "with 1 diverged run counted as the weakest baseline: mean 68.2, ..."."""
    compared = counted.comparison
    parts = [f"mean {number(counted.summary.mean, quantity)}"] if own and counted.summary else []
    if compared is not None:
        difference = number(compared.difference.mean, quantity, signed=True)
        parts.append(f"difference {difference}, {compared.verdict}")
    whose = plural(own, "diverged run") if own else "the reference's diverged runs"
    return f"with {whose} counted as the weakest baseline: {', '.join(parts)}"


def unfinished(grid: Grid) -> list[Note]:
    """Return a warning with the number of cells without a number, and how diverged ones count."""
    entries = [entry for row in grid.rows if row.kind != BASELINE for entry in row.entries]
    planned = sum(entry.expected for entry in entries)
    states: dict[str, int] = {}
    for entry in entries:
        for state, count in entry.missing.items():
            states[state] = states.get(state, 0) + count
    if not states:
        return []
    done = planned - sum(states.values())
    text = f"{done:,} of {plural(planned, 'cell')} have a number; {missing_text(states)}."
    brief = text
    measured = any(entry.state == MEASURED for entry in entries)
    if set(states) - {PENDING} and measured:
        text += (
            " Means are over the runs that have a number. A difference leaves out every seed that "
            "either row lacks: fewer pairs, hence less power, a wider interval and a higher "
            "floor for p."
        )
        if {DIVERGED, FAILED} & set(states):
            text += (
                " A mean over the survivors flatters a row whose runs diverge, or fail because of "
                "the row itself."
            )
            brief += " Means over the survivors flatter rows whose runs diverge or fail."
    if DIVERGED in states:
        text += _rule(entries)
    return [warning(text, brief if brief != text else "")]


def _rule(entries: list[Entry]) -> str:
    if not any(entry.counted for entry in entries):
        return (
            " Once the baselines have run, footnotes say what would change if a diverged run "
            "counted as the weakest of them."
        )
    return (
        " Footnotes therefore also count a diverged run as the weakest baseline of its dataset, or "
        "as the worst run of its own row if that is worse, in the same family of comparisons."
    )
