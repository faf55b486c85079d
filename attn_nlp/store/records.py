"""Stored records, kept column by column as they are read.

Of a hundred thousand cells a table wants a few columns, whole; making as many dictionaries first
takes longer than reading the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from attn_nlp.result.record import Record


class Records(Mapping[str, Record]):
    """Records by spec. One alone is made when it is asked for; its values are for reading only."""

    def __init__(self, columns: Mapping[str, Sequence]) -> None:
        """Of columns of equal length, "spec" among them."""
        # None at the end, where the row of an unknown spec is.
        self._columns = {name: (*values, None) for name, values in columns.items()}
        self._rows = {spec: row for row, spec in enumerate(columns["spec"])}
        self._found: dict[int, tuple[tuple[str, ...], list[int]]] = {}

    @classmethod
    def of(cls, records: Mapping[str, Record]) -> Records:
        """The same records by column; a value that one of them lacks is None."""
        if isinstance(records, Records):
            return records
        names = {name: None for record in records.values() for name in record if name != "spec"}
        columns = {name: [record.get(name) for record in records.values()] for name in names}
        return cls({"spec": list(records), **columns})

    def column(self, name: str, specs: tuple[str, ...]) -> list:
        """The values of some cells in one column; None where a cell or the column is unknown."""
        values = self._columns.get(name)
        if values is None:
            return [None] * len(specs)
        # The same cells are asked for in one column after another. What is kept keeps its id.
        if id(specs) not in self._found:
            self._found[id(specs)] = specs, [self._rows.get(spec, -1) for spec in specs]
        return [values[row] for row in self._found[id(specs)][1]]

    def __getitem__(self, spec: str) -> Record:
        row = self._rows[spec]
        record = {name: values[row] for name, values in self._columns.items()}
        return cast(Record, record)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)
