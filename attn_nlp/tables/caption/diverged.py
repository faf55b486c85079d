"""Diverged runs: a stated rule, and what the table would say under the other one.

A diverged run has no score. Leaving it out flatters whatever diverges, counting it as nothing would
punish every variant alike; so the table leaves it out and counts it, and a footnote says what mean
and difference would be if it counted as the weakest baseline of its dataset, or as the worst run of
its own row where that is worse still. Runs that failed for reasons of the machine are only counted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from attn_nlp.experiment.data_key import data_key
from attn_nlp.experiment.planned import PlannedCell
from attn_nlp.experiment.resolved import Resolved
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
from attn_nlp.tables.layout import Layout, plural
from attn_nlp.tables.notes import Note, warning
from attn_nlp.tables.outcomes import Outcomes, number_at
from attn_nlp.tables.text import missing_text, number

Places = Mapping[tuple[int, tuple], Outcomes]


def with_diverged(
    layout: Layout,
    found: Places,
    resolved: Resolved,
    records: Mapping[str, dict],
    shown: Quantity,
) -> Places:
    """The outcomes with a number for every diverged run; empty where none diverged.

    A place whose baselines have not run keeps its diverged runs without a number.
    """
    if not any(outcome.diverged for outcome in found.values()):
        return {}
    worst = min if shown.higher_is_better else max
    baselines = _baselines(resolved, records, shown.name)
    filled = {}
    for where, outcome in found.items():
        values = dict(outcome.values)
        for replicate in outcome.diverged:
            known = _known(baselines, layout.place(*where).replicates()[replicate])
            if known:
                values[replicate] = worst([*known, *outcome.values.values()])
        filled[where] = dataclasses.replace(outcome, values=values)
    return filled


def _known(
    baselines: Mapping[tuple, Mapping[str, float]], cells: Sequence[PlannedCell]
) -> list[float]:
    """The number of every baseline on the data of some cells, its mean over folds."""
    data = [baselines.get(data_key(cell["settings"]), {}) for cell in cells]
    models = set.intersection(*(set(each) for each in data))
    return [sum(each[model] for each in data) / len(data) for model in sorted(models)]


def _baselines(
    resolved: Resolved, records: Mapping[str, dict], value: str
) -> dict[tuple, dict[str, float]]:
    """The numbers of all baselines by their data and model."""
    found: dict[tuple, dict[str, float]] = {}
    for baseline in resolved.baselines:
        settings, record = baseline["settings"], records.get(baseline["spec"])
        if record is None or record["status"] != "done":
            continue
        if (score := number_at(record, value)) is not None:
            found.setdefault(data_key(settings), {})[settings["model"]] = score
    return found


def counted_sentence(counted: Counted, own: int, quantity: Quantity) -> str:
    """What a footnote adds: "its 1 diverged counted as the weakest baseline: mean 68.2, ..."."""
    compared = counted.comparison
    says = [f"mean {number(counted.summary.mean, quantity)}"] if own and counted.summary else []
    if compared is not None:
        difference = number(compared.difference.mean, quantity, signed=True)
        says.append(f"difference {difference}, {compared.verdict}")
    whose = f"{own} diverged" if own else "the reference's diverged"
    return f"with {whose} counted as the weakest baseline: {', '.join(says)}"


def unfinished(grid: Grid) -> list[Note]:
    """How many cells have no number, over the whole table, and what is made of diverged ones."""
    entries = [entry for row in grid.rows if row.kind != BASELINE for entry in row.entries]
    planned = sum(entry.expected for entry in entries)
    states: dict[str, int] = {}
    for entry in entries:
        for state, count in entry.missing.items():
            states[state] = states.get(state, 0) + count
    if not states:
        return []
    done = planned - sum(states.values())
    says = f"{done:,} of {plural(planned, 'cell')} have a number; {missing_text(states)}."
    brief = says
    measured = any(entry.state == MEASURED for entry in entries)
    if set(states) - {PENDING} and measured:
        says += (
            " A mean is over the runs that have a number. A difference leaves out every seed that "
            "either row lacks: fewer pairs, so less power, a wider interval and a larger least p."
        )
        if {DIVERGED, FAILED} & set(states):
            says += (
                " A mean over the survivors flatters a row whose runs diverge, or fail for a "
                "reason of its own."
            )
            brief += " Means over the survivors flatter rows whose runs diverge or fail."
    if DIVERGED in states:
        says += _rule(entries)
    return [warning(says, brief if brief != says else "")]


def _rule(entries: list[Entry]) -> str:
    if not any(entry.counted for entry in entries):
        return (
            " What a diverged run would change as the weakest baseline is said once the baselines "
            "have run."
        )
    return (
        " Therefore footnotes also count a diverged run as the weakest baseline of its dataset, or "
        "as the worst run of its own row where that is worse, in the same family of comparisons."
    )
