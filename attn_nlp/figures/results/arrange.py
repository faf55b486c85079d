"""The arrangement of panels in rows, which share their limits."""

from __future__ import annotations

from collections.abc import Sequence

MOST = 3  # panels in a row


def arranged(columns: Sequence[Sequence[object]], most: int = MOST) -> list[list[int]]:
    """Return indices of panels by row: one outermost value together, at most `most` in a row.

    Panels of one row share their limits, so that they can be compared by eye.

    Example:
      >>> arranged([("a", 1), ("a", 2), ("b", 1)])
      [[0, 1], [2]]
      >>> arranged([("a",), ("b",), ("c",), ("d",)])
      [[0, 1, 2], [3]]
    """
    groups: dict[object, list[int]] = {}
    for index, column in enumerate(columns):
        groups.setdefault(column[0] if len(column) > 1 else None, []).append(index)
    return [
        group[start : start + most]
        for group in groups.values()
        for start in range(0, len(group), most)
    ]
