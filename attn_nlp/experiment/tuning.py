"""The tuned protocol: the same trials for every row on validation, then the choice on fresh seeds.

A *setting* to be tuned is a cell without its seed. Every setting has the same `budget` of trials;
trial t has the same values for all of them, drawn from one declared space. A trial is trained on
the tuning seeds, never reads the test split, and is evaluated by its mean validation accuracy. The
best one is then run on the seeds of the experiment, which no trial has used.

A resolved experiment lists the trials as cells. Its own cells have no spec until the trials have
ended, since their values are not known before; `settle` fills them in from stored records alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import exp, log

from attn_nlp.errors import UserError
from attn_nlp.experiment import checks
from attn_nlp.experiment.axes import Axis
from attn_nlp.experiment.cell import PATHS, check_path, check_value, unflatten
from attn_nlp.experiment.checks import MOST
from attn_nlp.experiment.identity import canonical_json, is_baseline, specs_of
from attn_nlp.experiment.planned import (
    ProtocolSpec,
    Settings,
    SkippedCell,
    TableSpec,
    TrialCell,
    TuningSpec,
)
from attn_nlp.experiment.resolved import Family, Resolved
from attn_nlp.experiment.table import Table
from attn_nlp.parts import values
from attn_nlp.parts.values import shown
from attn_nlp.result.record import Record
from attn_nlp.rng import Stream

DIGITS = 3  # significant ones of a drawn value, so that it can be printed as it is
MOST_TRIALS = 10_000  # of each setting
RULE = "the best mean validation accuracy, the lowest number among equals"


@dataclass(frozen=True)
class Span:
    """An interval from which the values of one setting are drawn."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        called = "log_uniform" if values.flag("Span(...): log", self.log) else "uniform"
        for name in ("low", "high"):
            kept = values.number(
                f"{called}(...): {name}", getattr(self, name), -values.LARGEST, values.LARGEST
            )
            object.__setattr__(self, name, kept)
        if self.low >= self.high:
            raise UserError(
                f"{called}({self.low:g}, {self.high:g}) is not an interval; give the lower end "
                "first, then the higher."
            )
        if self.log and self.low <= 0:
            raise UserError(
                f"{called}({self.low:g}, {self.high:g}) has no logarithm at its low end; give one "
                "above 0."
            )

    def at(self, share: float) -> float:
        """Return the value at a share of the way from low to high, to three significant digits.

        Example:
          >>> uniform(0.0, 0.5).at(0.25), log_uniform(1e-4, 1e-2).at(0.5)
          (0.125, 0.001)
        """
        if self.log:
            value = exp(log(self.low) + share * (log(self.high) - log(self.low)))
        else:
            value = self.low + share * (self.high - self.low)
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)

    @property
    def text(self) -> str:
        """The interval in words, for a caption."""
        return f"{'log-uniform' if self.log else 'uniform'} from {self.low:g} to {self.high:g}"


def uniform(low: float, high: float) -> Span:
    """Return a span whose values are spread evenly."""
    return Span(low, high)


def log_uniform(low: float, high: float) -> Span:
    """Return a span whose values are spread evenly on a logarithmic scale."""
    return Span(low, high, log=True)


SPACE: Mapping[str, Span] = {
    "learning_rate": log_uniform(1e-4, 1e-2),
    "weight_decay": log_uniform(1e-4, 1e-1),
    "dropout": uniform(0.0, 0.5),
}


_SPAN = checks.made_by(Span, "its ends: log_uniform(1e-4, 1e-2) or uniform(0, 0.5)")
_TUNING = {
    "budget": checks.whole(1, MOST_TRIALS),
    "space": checks.settings("space={'learning_rate': log_uniform(1e-4, 1e-2)}"),
    "seeds": checks.several(checks.anything(), "seeds=[1000, 1001]"),
}


@dataclass(frozen=True)
class Tuning:
    """How every row is tuned.

    Args:
      budget: trials of each setting.
      space: spans by path; numeric settings only, so that all trials of a setting share a program.
      seeds: the seeds of the trials, none of them a seed of the experiment.
    """

    budget: int = 16
    space: Mapping[str, Span] = field(default_factory=lambda: SPACE)
    seeds: Sequence[int] = (1000, 1001)

    def __post_init__(self) -> None:
        checks.check_fields(self, "Tuning(...)", _TUNING)
        numeric = [path for path, info in PATHS.items() if "numeric" in info]
        if not self.space or not self.seeds:
            raise UserError("tuning needs a space and seeds; give at least one of each.")
        for path, span in self.space.items():
            if check_path(path, "path in a tuning space") not in numeric:
                raise UserError(
                    f"{path!r} shapes the program and cannot be tuned in one; the space may have "
                    f"{', '.join(numeric)}."
                )
            _SPAN.read(f"Tuning(...): space[{path!r}]", span)
            check_value(path, span.low)
            check_value(path, span.high)
        seeds = tuple(check_value("seed", seed) for seed in self.seeds)
        if len({*seeds}) < len(seeds):
            raise UserError(
                f"Tuning(...): a seed is listed twice in {shown(seeds)}; list each once."
            )
        object.__setattr__(self, "seeds", seeds)

    def draws(self, name: str) -> list[dict[str, float]]:
        """Return the values of every trial, by the experiment's name; a larger budget adds more."""
        return [
            {
                path: span.at(Stream(0, f"{name}/tuning/{trial}/{path}").uniform())
                for path, span in self.space.items()
            }
            for trial in range(self.budget)
        ]


def without_tuned(
    axes: Sequence[Axis], tables: Sequence[Table], tuning: Tuning
) -> tuple[tuple[Axis, ...], tuple[Table, ...]]:
    """Return axes and tables without the paths that are tuned, which the trials replace.

    Raises:
      UserError: such a path varies together with others, or a row or a table is about it.
    """
    tuned = set(tuning.space)
    kept = []
    for axis in axes:
        both = tuned & set(axis.paths)
        if both and len(axis.paths) > 1:
            raise UserError(
                f"{min(both)!r} is tuned and varies together with other settings; leave it out of "
                "the space of tuning=Tuning(space=...)."
            )
        if not both:
            kept.append(axis)
    return tuple(kept), tuple(_without_paths(table, tuned) for table in tables)


def _without_paths(table: Table, tuned: set[str]) -> Table:
    columns = (table.columns,) if isinstance(table.columns, str) else tuple(table.columns)
    rows = [table.rows] if isinstance(table.rows, str) else [p for r in table.rows for p in r.where]
    about = tuned & {*rows, *table.where}
    if about:
        raise UserError(
            f"table {table.title!r} is about {min(about)!r}, which the trials choose; leave it "
            "out of the space of tuning=Tuning(space=...)."
        )
    return dataclasses.replace(
        table,
        columns=tuple(path for path in columns if path not in tuned),
        over=tuple(path for path in table.over if path not in tuned),
        each=None if table.each in tuned else table.each,
    )


def with_trials(resolved: Resolved, tuning: Tuning) -> Resolved:
    """Return the resolved experiment with its trials as cells, and its own cells open.

    Raises:
      UserError: a seed of the experiment is a tuning seed.
    """
    shared = {*chain.from_iterable(family.seeds for family in resolved.families)}
    shared &= {*tuning.seeds}
    if shared:
        raise UserError(
            f"seed {min(shared)} is a seed of the experiment and of its trials; choose other "
            "seeds for one of them, so that what was chosen on a seed is not tested on it."
        )
    draws = tuning.draws(resolved.name)
    by_setting: dict[str, Settings | None] = {}  # None for a baseline, which has nothing to tune
    families = []
    for family in resolved.families:
        setting = setting_of(family.settings, tuning.space)
        if setting not in by_setting:
            fixed = is_baseline(resolved.programs.cell(family.settings))
            by_setting[setting] = None if fixed else family.settings
        if by_setting[setting] is not None:
            family = dataclasses.replace(family, specs=(None,) * len(family.seeds))
        families.append(family)
    tuned = sum(settings is not None for settings in by_setting.values())
    count = tuning.budget * tuned * len(tuning.seeds)
    if count > MOST:
        raise UserError(
            f"{tuning.budget:,} trials of each of {tuned:,} settings on {len(tuning.seeds):,} "
            f"seeds are {count:,} cells; allowed: at most {MOST:,}."
        )
    chosen = [
        (number, {**settings, **draw, "trial": True})
        for number, draw in enumerate(draws)
        for settings in by_setting.values()
        if settings is not None
    ]
    specs = [resolved.programs.specs(settings, tuning.seeds) for _, settings in chosen]
    listed: list[TrialCell] = [
        {"spec": by_seed[at], "settings": {**settings, "seed": seed}, "trial": number}
        for at, seed in enumerate(tuning.seeds)
        for by_seed, (number, settings) in zip(specs, chosen, strict=True)
    ]
    protocol: ProtocolSpec = {
        "budget": tuning.budget,
        "space": {
            path: {"low": span.low, "high": span.high, "log": span.log}
            for path, span in tuning.space.items()
        },
        "seeds": list(tuning.seeds),
    }
    trials: TuningSpec = {**protocol, "draws": draws, "cells": listed}
    tables: list[TableSpec] = [{**table, "tuning": protocol} for table in resolved.tables]
    return dataclasses.replace(
        resolved, families=tuple(families), tables=tuple(tables), tuning=trials
    )


def setting_of(settings: Mapping[str, object], space: Mapping[str, object]) -> str:
    """Return what is tuned together: a cell without its seed and without what the trials choose."""
    apart = {"seed", "trial", *space}
    return canonical_json({path: v for path, v in settings.items() if path not in apart})


@dataclass(frozen=True)
class Evaluation:
    """The outcome of one trial of one setting.

    Attributes:
      trial: its number.
      values: the drawn values by path.
      validation: mean validation accuracy over the tuning seeds; None if it lost, or while it has
        not ended.
      ended: whether it has a record for every tuning seed.
      reason: why it lost, or "".
    """

    trial: int
    values: Mapping[str, float]
    validation: float | None
    ended: bool
    reason: str = ""


def evaluations(tuning: TuningSpec, records: Mapping[str, Record]) -> dict[str, list[Evaluation]]:
    """Return the trials of every setting, by `setting_of`, in the order of their numbers.

    A trial that diverged or failed on any of its seeds loses: it has no validation accuracy.

    Args:
      tuning: `Resolved.tuning`.
      records: stored records by spec, with status, reason and validation.
    """
    runs: dict[str, dict[int, list[Mapping | None]]] = {}
    for cell in tuning["cells"]:
        of_setting = runs.setdefault(setting_of(cell["settings"], tuning["space"]), {})
        of_setting.setdefault(cell["trial"], []).append(records.get(cell["spec"]))
    return {
        setting: [
            _evaluate(number, tuning["draws"][number], by_number[number])
            for number in sorted(by_number)
        ]
        for setting, by_number in runs.items()
    }


def _evaluate(
    number: int, values: Mapping[str, float], runs: Sequence[Mapping | None]
) -> Evaluation:
    known = [record for record in runs if record is not None]
    lost = next((record for record in known if record["status"] != "done"), None)
    ended = len(known) == len(runs)
    if lost is not None:
        return Evaluation(
            number, values, None, ended, f"{lost['status']}: {lost.get('reason') or ''}"
        )
    if not ended:
        return Evaluation(number, values, None, False)
    mean = sum(record["validation"]["accuracy"] for record in known) / len(known)
    return Evaluation(number, values, mean, True)


def best(trials: Sequence[Evaluation]) -> Evaluation | None:
    """Return the trial with the best mean validation accuracy, the first of equals, or None."""
    scored = [trial for trial in trials if trial.validation is not None]
    return max(scored, key=lambda trial: (trial.validation, -trial.trial), default=None)


def settle(resolved: Resolved, records: Mapping[str, Record]) -> Resolved:
    """Return the experiment with the values that the trials chose, if all trials of a cell ended.

    A cell whose trials all lost is skipped, with the reason. Only validation numbers are read, and
    a cell that is already settled stays unchanged.

    Args:
      resolved: as `with_trials` made it, or as it was settled before.
      records: stored records of the trials.
    """
    if resolved.tuning is None or not resolved.open:
        return resolved
    by_setting = evaluations(resolved.tuning, records)
    families, unsettled = [], []
    for family in resolved.families:
        trials = by_setting.get(setting_of(family.settings, resolved.tuning["space"]), [])
        if None not in family.specs or not all(trial.ended for trial in trials):
            families.append(family)
            continue
        chosen = best(trials)
        if chosen is None:
            reason = f"all {len(trials)} trials were lost; the first {trials[0].reason}"
            unsettled.append([(cell, reason) for cell in family.cells])
            continue
        settings = {**family.settings, **chosen.values}
        try:
            specs = specs_of(unflatten(settings), family.seeds)
        except UserError:  # a part of a file that is not read now; the run that trains it knows it
            families.append(family)
            continue
        lost = sum(trial.validation is None for trial in trials)
        families.append(Family(settings, family.seeds, tuple(specs), chosen.trial, lost))
    skipped: list[SkippedCell] = [
        {"settings": cell["settings"], "reason": reason}
        for cell, reason in chain.from_iterable(zip(*unsettled, strict=True))
    ]
    return dataclasses.replace(
        resolved, families=tuple(families), skipped=(*resolved.skipped, *skipped)
    )
