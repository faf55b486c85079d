"""Cells parsed once for each shape, with the names of their programs.

An experiment may have a million cells of few shapes. Whatever follows from the shape alone, such as
the parts, the sizes, the revisions and the compiled program, is worked out for one cell of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attn_nlp.experiment.cell import Cell, shape_of, unflatten
from attn_nlp.experiment.identity import canonical_json, spec_maker

_Specs = Callable[[Mapping[str, object], Sequence[int]], list[str]]


class Programs:
    """The cells, specs and programs of settings by their shape; see `shape_of`."""

    def __init__(self) -> None:
        self._cells: dict[tuple, Cell] = {}
        self._specs: dict[tuple, _Specs] = {}
        self._names: dict[tuple, tuple[str, str, Cell]] = {}

    def cell(self, settings: Mapping[str, Any]) -> Cell:
        """Return one cell of the shape; its own settings may differ in numbers and in its seed.

        Raises:
          UserError: no cell has these settings.
        """
        shape = shape_of(settings)
        if shape not in self._cells:
            self._cells[shape] = unflatten(settings)
        return self._cells[shape]

    def specs(self, settings: Mapping[str, Any], seeds: Sequence[int]) -> list[str]:
        """Return the specs of the settings under each of the seeds.

        Raises:
          UserError: no cell has these settings.
        """
        shape = shape_of(settings)
        if shape not in self._specs:
            self._specs[shape] = spec_maker(self.cell(settings))
        return self._specs[shape](settings, seeds)

    def of(self, settings: Mapping[str, Any]) -> tuple[str, str, Cell]:
        """Return the name of the program, the name of its pace, and one cell of the shape.

        The pace is that of the program for any number of steps.
        """
        shape = shape_of(settings)
        if shape not in self._names:
            cell = self.cell(settings)
            program = cell.program()
            paced = {path: value for path, value in program.items() if path != "steps"}
            self._names[shape] = (_digest(program), _digest(paced), cell)
        return self._names[shape]


def _digest(value: object) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]
