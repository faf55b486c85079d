"""Axes: what an experiment varies, as data.

An axis is a list of settings. The cells are the product of the axes, with seeds outermost, so that
every row of a table has one run before any row has two.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from attn_nlp.errors import UserError, nearest
from attn_nlp.experiment import checks
from attn_nlp.experiment.cell import Cell, check_path, check_value, flatten
from attn_nlp.experiment.checks import MOST
from attn_nlp.parts import values as single
from attn_nlp.parts.values import shown


@dataclass(frozen=True)
class Axis:
    """Points, each of which gives settings by path; every point names the same paths."""

    points: tuple[Mapping[str, object], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", _checked(self.points, "Axis(...)"))

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths that the axis varies."""
        return tuple(self.points[0])

    def values(self, path: str) -> tuple[object, ...]:
        """Return the distinct values of one path, in order."""
        return tuple(dict.fromkeys(point[path] for point in self.points))


@dataclass(frozen=True)
class Skip:
    """Combinations that are not run, and the reason, which the table prints."""

    reason: str
    when: Mapping[str, tuple[object, ...]]

    def __post_init__(self) -> None:
        checks.check_fields(self, "skip(...)", {"reason": checks.line()})
        when = single.keyed(f"skip({self.reason!r}): when", self.when, "when={'heads': (1, 2)}")
        if not when:
            raise UserError(
                f"skip({self.reason!r}): when is empty; name the settings to leave out."
            )
        conditions = {}
        for path, value in when.items():
            check_path(path, "path in skip(...)")
            several = tuple(value) if single.is_several(value) else (value,)  # type: ignore[arg-type]
            if not several:
                raise UserError(f"skip({self.reason!r}): no value for {path}; give at least one.")
            conditions[path] = tuple(check_value(path, one) for one in several)
        object.__setattr__(self, "when", conditions)

    def covers(self, settings: Mapping[str, object]) -> bool:
        """Return whether the settings of a cell have one of the values at every path."""
        return all(settings[path] in values for path, values in self.when.items())


def vary(path: str, *values: object) -> Axis:
    """Run each of the values at a path.

    Raises:
      UserError: an unknown path, no value, a value twice, or a value that the field rejects.

    Example:
      >>> vary("heads", 1, 4).points
      ({'heads': 1}, {'heads': 4})
    """
    called = f"vary({shown(path)}, ...)"
    check_path(path, "axis")
    if len(values) == 1 and single.is_several(values[0]):
        raise UserError(
            f"vary({path!r}, {shown(values[0])}) has one value, a collection; did you mean "
            f"vary({path!r}, {single.spread(values[0])})?"
        )
    return _axis(_checked(({path: value} for value in values), called, len(values)))


def together(*points: Mapping[str, object]) -> Axis:
    """Vary several settings together: one axis whose points are the given mappings.

    Raises:
      UserError: points that name different paths, an unknown path, or a point twice.
    """
    if len(points) == 1 and single.is_several(points[0]) and not isinstance(points[0], Mapping):
        raise UserError(
            f"together({shown(points[0])}) has one point, a collection; did you mean "
            f"together(*{shown(points[0])})?"
        )
    return _axis(_checked(points, "together(...)", len(points)))


def _checked(
    points: Iterable[Mapping[str, object]], called: str, number: int | None = None
) -> tuple[Mapping[str, object], ...]:
    """Return points as an axis keeps them; `number` is how many there are, if it is known."""
    if number is None:
        points = checks.several(checks.anything(), "[{'heads': 1}]").read(called, points)  # type: ignore[assignment]
        number = len(points)  # type: ignore[arg-type]
    if number > MOST:
        raise UserError(f"{called} has {number:,} values; allowed: at most {MOST:,}.")
    if not number:
        raise UserError(f"{called} has no values; give at least one.")
    paths: list[str] | None = None
    checked, seen = [], set()
    for given in points:
        point = single.keyed(f"{called}: a point", given, "{'heads': 1, 'width': 8}")
        if paths is None:
            paths = [check_path(path, "axis") for path in point]
            if not paths:
                raise UserError(f"{called}: a point names no path; give settings by path.")
        elif list(point) != paths:
            raise UserError(
                f"{called}: every point must name the same paths in the same order; the first "
                f"names {', '.join(paths)}, another {', '.join(map(str, point))}."
            )
        point = normalized(point)
        key = tuple(point.values())
        if key in seen:
            raise UserError(f"{called}: {point} is listed twice.")
        seen.add(key)
        checked.append(point)
    return tuple(checked)


def _axis(points: Sequence[Mapping[str, object]]) -> Axis:
    """Return an axis of points that are already checked."""
    axis = object.__new__(Axis)
    object.__setattr__(axis, "points", tuple(points))
    return axis


def skip(reason: str, *, when: Mapping[str, object]) -> Skip:
    """Leave out combinations, for a reason that the table prints.

    Args:
      reason: why the combination cannot run, or adds nothing.
      when: values by path; several values, such as a tuple, match any of them.

    Raises:
      UserError: an unknown path, a value that its field rejects, or nothing named.
    """
    return Skip(reason, when)  # type: ignore[arg-type]


def normalized(point: Mapping[str, object]) -> dict[str, object]:
    """Return settings as a cell keeps them: 1 as 1.0 if a number may have a fraction."""
    return {path: check_value(path, value) for path, value in point.items()}


def ordered(axes: Sequence[Axis]) -> list[Axis]:
    """Return the axes from the outermost to the innermost: that of seeds, then the others in order.

    Raises:
      UserError: two axes vary one path.
    """
    for path, times in Counter(path for axis in axes for path in axis.paths).items():
        if times > 1:
            raise UserError(f"two axes vary {path!r}; put the values on one axis.")
    return sorted(axes, key=lambda axis: "seed" not in axis.paths)


def check_size(axes: Sequence[Axis]) -> None:
    """Reject more cells than can be planned, before they are made.

    Raises:
      UserError: naming the axes and their sizes.
    """
    sizes = [len(axis.points) for axis in axes]
    if prod(sizes) > MOST:
        named = ", ".join(
            f"{size:,} of {' with '.join(axis.paths)}"
            for axis, size in zip(axes, sizes, strict=True)
            if size > 1
        )
        raise UserError(
            f"the axes have {prod(sizes):,} combinations ({named}); allowed: at most {MOST:,}."
        )


def product(base: Cell, axes: tuple[Axis, ...]) -> Iterator[dict[str, object]]:
    """Return the settings of all cells, with the axis of seeds outermost and the others in order.

    They are not cells yet, since a combination that is not a valid cell may still be skipped.

    Raises:
      UserError: two axes vary one path.
    """
    outer, plain = ordered(axes), flatten(base)
    return (
        plain | {path: value for point in points for path, value in point.items()}
        for points in itertools.product(*(axis.points for axis in outer))
    )


def restrict(axes: tuple[Axis, ...], path: str, wanted: tuple[object, ...]) -> tuple[Axis, ...]:
    """Return the axes with only the points that have one of the wanted values at a path.

    Raises:
      UserError: no axis varies the path, or none of its points has a wanted value.
    """
    check_path(path, "axis")
    for position, axis in enumerate(axes):
        if path not in axis.paths:
            continue
        known = axis.values(path)
        for value in wanted:
            if value not in known:
                close = nearest(str(value), list(map(str, known)))
                raise UserError(
                    f"axis {path!r} has no value {value!r}; it has "
                    f"{', '.join(map(str, known))}."
                    + (f" Did you mean {close!r}?" if close else "")
                )
        kept = [point for point in axis.points if point[path] in wanted]
        return (*axes[:position], _axis(kept), *axes[position + 1 :])
    varied = [varied_path for axis in axes for varied_path in axis.paths]
    raise UserError(f"this experiment has no axis {path!r}; it has {', '.join(varied) or 'none'}.")


def replace_axis(axes: tuple[Axis, ...], axis: Axis) -> tuple[tuple[Axis, ...], bool]:
    """Return the axes with the axis of the same single path replaced, and whether there was one."""
    (path,) = axis.paths
    for position, other in enumerate(axes):
        if other.paths == (path,):
            return (*axes[:position], axis, *axes[position + 1 :]), True
        if path in other.paths:
            raise UserError(
                f"{path!r} varies together with {', '.join(p for p in other.paths if p != path)}; "
                f"use --only {path}=... to choose among its values."
            )
    return axes, False
