"""The kinds of figures, and all figures that an experiment's stored results allow."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attn_nlp.errors import UserError, unknown
from attn_nlp.figures.results.calibration import calibrations, reliability
from attn_nlp.figures.results.chart import draw
from attn_nlp.figures.results.forest import forest
from attn_nlp.figures.results.missing import Missing
from attn_nlp.figures.results.pareto import pareto
from attn_nlp.figures.results.ranks import critical_difference, ranked
from attn_nlp.figures.results.series import axes_of, check_axis, curves, sweep, swept
from attn_nlp.figures.results.trials import by_setting, found_by
from attn_nlp.result.record import Record
from attn_nlp.tables import Grid, build, cost
from attn_nlp.tables.layout import once_each

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from attn_nlp.experiment import Resolved

# The columns of a record that every figure reads.
_SMALL = (
    *("status", "reason", "validation", "test", "data", "provenance", "fingerprint"),
    *("parameters", "wall_seconds", "compile_seconds", "peak_bytes"),
)
Records = Mapping[str, Record]


@dataclass(frozen=True)
class Drawn:
    """A figure.

    Attributes:
      name: of its files, unique among the figures of the experiment; also usable as an id.
      kind: one of `KINDS`.
      title: of the table that it shows.
      figure: the matplotlib figure; its label describes it.
    """

    name: str
    kind: str
    title: str
    figure: Figure


@dataclass(frozen=True)
class Absent:
    """A figure that cannot be drawn, and why, in a clause without a full stop."""

    name: str
    kind: str
    title: str
    reason: str


# The name of one figure of a kind, its title, and the function that draws it.
Made = tuple[str, str, Callable[[], "Figure"]]


@dataclass(frozen=True)
class Kind:
    """A kind of figure: what it shows, its figures of an experiment, the large columns it reads."""

    shows: str
    figures: Callable[[Resolved, Records, str | None], Iterator[Made]]
    reads: tuple[str, ...] = ()


def check_kinds(kinds: Sequence[str]) -> None:
    """Reject unknown kinds.

    Raises:
      UserError: an unknown kind; the message names the nearest.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise unknown("kind of figure", kind, KINDS)


def figures_of(
    resolved: Resolved,
    records: Records,
    kinds: Sequence[str] | None = None,
    axis: str | None = None,
) -> Iterator[Drawn | Absent]:
    """Yield every figure of an experiment, or the reason why it cannot be drawn.

    Args:
      resolved: a resolved experiment.
      records: stored records with `COLUMNS`, by spec.
      kinds: some of `KINDS`; all of them by default.
      axis: the setting to sweep over; by default every numeric one that varies.

    Raises:
      UserError: an unknown kind, or an axis that the experiment does not have.
    """
    check_kinds(kinds or ())
    if axis is not None:
        check_axis(resolved, axis)
    for kind in kinds or KINDS:
        figures = list(KINDS[kind].figures(resolved, records, axis))
        names = [name for name, _, _ in figures]
        for index, (name, title, figure) in enumerate(figures):
            if names.count(name) > 1:
                name = f"{name}-{names[: index + 1].count(name)}"
            try:
                yield Drawn(name, kind, title, figure())
            except (Missing, UserError) as error:  # such as two cells for one point of a sweep
                yield Absent(name, kind, title, str(error).removesuffix("."))


def _forests(resolved: Resolved, records: Records, axis: str | None) -> Iterator[Made]:
    for table in resolved.tables:
        yield "forest", table["title"], lambda t=table: forest(build(t, resolved, records))


def _curves(resolved: Resolved, records: Records, axis: str | None) -> Iterator[Made]:
    for table in once_each(resolved.tables):
        yield "curves", table["title"], lambda t=table: draw(curves(t, resolved, records))


def _sweeps(resolved: Resolved, records: Records, axis: str | None) -> Iterator[Made]:
    seen = set()
    for table in resolved.tables:
        for path in axes_of(resolved, table):
            same = swept(table, path)
            text = json.dumps(same, sort_keys=True)
            if axis not in (None, path) or text in seen:
                continue
            seen.add(text)
            yield (
                f"sweep-{path.replace('.', '-')}",
                same["title"],
                lambda t=table, p=path: draw(sweep(t, p, resolved, records)),
            )
    if not seen:
        yield "sweep", resolved.name, _none_to_sweep


def _none_to_sweep() -> Figure:
    raise Missing("no numeric setting of the experiment takes two values")


def _paretos(of: str, name: str) -> Callable[[Resolved, Records, str | None], Iterator[Made]]:
    def figures(resolved: Resolved, records: Records, axis: str | None) -> Iterator[Made]:
        for table in resolved.tables:
            yield (
                name,
                table["title"],
                lambda t=table: draw(
                    pareto(build(t, resolved, records), cost(t, resolved, records), of)
                ),
            )

    return figures


def _ranks(resolved: Resolved, records: Records, axis: str | None) -> Iterator[Made]:
    for table in resolved.tables:
        yield "ranks", table["title"], lambda t=table: _rank(build(t, resolved, records))


def _rank(grid: Grid) -> Figure:
    return critical_difference(grid.title, grid.columns[0].quantity.label, ranked(grid))


def _reliability(resolved: Resolved, records: Records, axis: str | None) -> Iterator[Made]:
    for table in once_each(resolved.tables):
        for column, rows in calibrations(table, resolved, records):
            yield (
                "reliability",
                table["title"],
                lambda t=table["title"], c=column, r=rows: reliability(t, c, r),
            )


def _best_of(resolved: Resolved, records: Records, axis: str | None) -> Iterator[Made]:
    for table in resolved.tables:
        yield "best-of", table["title"], lambda t=table: draw(found_by(t, resolved, records))


def _trials(resolved: Resolved, records: Records, axis: str | None) -> Iterator[Made]:
    space = resolved.tuning["space"] if resolved.tuning else {"": {}}
    for table in resolved.tables:
        for path in space:
            yield (
                f"trials-{path.replace('.', '-')}".rstrip("-"),
                table["title"],
                lambda t=table, p=path: draw(by_setting(t, p, resolved, records)),
            )


KINDS: dict[str, Kind] = {
    "forest": Kind("paired differences from the reference, intervals and margin", _forests),
    "curves": Kind("validation scores by step", _curves, ("history",)),
    "sweep": Kind("the value by a numeric setting, such as the learning rate", _sweeps),
    "pareto": Kind("the value against operations", _paretos("forward_flops", "pareto")),
    "seconds": Kind("the value against seconds of a run", _paretos("wall_seconds", "seconds")),
    "best-of": Kind("the best validation score that k trials are expected to find", _best_of),
    "trials": Kind("validation scores of trials by the value drawn for a setting", _trials),
    "ranks": Kind("mean ranks over datasets and their critical difference", _ranks),
    "reliability": Kind(
        "the share of right answers by confidence",
        _reliability,
        ("confidences", "predictions", "gold"),
    ),
}


def columns(kinds: Sequence[str] = tuple(KINDS)) -> tuple[str, ...]:
    """Return the columns of a record that figures of some kinds read."""
    return (*_SMALL, *dict.fromkeys(name for kind in kinds for name in KINDS[kind].reads))


COLUMNS = columns()
