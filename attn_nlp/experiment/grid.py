"""The cells of an experiment as axes and a base, before any of them is made.

Axes are independent of one another, so the cells that a condition picks, and whether two cells
belong to one entry of a table, follow from the points: a thousand and a thousand of them, not the
million cells. Cells that are skipped count as cells here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from attn_nlp.experiment.axes import Axis, ordered
from attn_nlp.experiment.cell import Cell, get


class Grid:
    """The base cell and the axes of an experiment.

    Raises:
      UserError: two axes vary one path.
    """

    def __init__(self, base: Cell, axes: Sequence[Axis]):
        self.base = base
        self.axes = ordered(axes)  # the outermost first
        self._positions: dict[str, dict[object, list[int]]] = {}

    def axis_of(self, path: str) -> Axis | None:
        """Return the axis that varies a path, or None."""
        return next((axis for axis in self.axes if path in axis.paths), None)

    def values(self, path: str) -> tuple[object, ...]:
        """Return the distinct values at a path."""
        axis = self.axis_of(path)
        return (get(self.base, path),) if axis is None else axis.values(path)

    def has(self, where: Mapping[str, object]) -> bool:
        """Return whether any cell has these settings."""
        fixed = all(
            get(self.base, path) == value
            for path, value in where.items()
            if self.axis_of(path) is None
        )
        return fixed and all(self._points(axis, where) for axis in self.axes)

    def clash(self, where: Mapping[str, object], apart: Collection[str]) -> list[str] | None:
        """Return the paths in which two cells differ that have these settings and agree in `apart`.

        It is None if there are no such cells.
        """
        for axis in reversed(self.axes):
            if len(axis.points) == 1 or set(axis.paths) <= {*apart, *where}:
                continue
            seen: dict[tuple, Mapping] = {}
            told = [path for path in axis.paths if path in apart]
            for at in self._points(axis, where):
                point = axis.points[at]
                other = seen.setdefault(tuple(point[path] for path in told), point)
                if other is not point:
                    return [path for path in axis.paths if point[path] != other[path]]
        return None

    def _points(self, axis: Axis, where: Mapping[str, object]) -> Sequence[int]:
        """Return the positions of the points of an axis that have these settings."""
        positions: Sequence[int] = range(len(axis.points))
        for path in axis.paths:
            if path in where:
                there = self._at(axis, path).get(where[path], [])
                both = {*positions} & {*there}
                positions = there if isinstance(positions, range) else sorted(both)
        return positions

    def _at(self, axis: Axis, path: str) -> dict[object, list[int]]:
        """Return the positions of the points by their value at a path."""
        if path not in self._positions:
            by_value = self._positions[path] = {}
            for at, point in enumerate(axis.points):
                by_value.setdefault(point[path], []).append(at)
        return self._positions[path]
