"""Rows of a parquet file, of which only the columns that are asked for are unpacked.

The file is opened here and handed over open, so that its name is never taken for a pattern or an
address. Class names are read as `datasets` declares them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attn_nlp.data.columns import GLANCE, Labeled, Wanted
from attn_nlp.data.library import one_line, quiet_datasets
from attn_nlp.data.names import shown
from attn_nlp.mistakes import Mistake


def read_parquet(file: Path, wanted: Wanted) -> Labeled:
    """Return the text and the label of every row, labels of a ClassLabel column by name.

    Args:
      file: parquet.
      wanted: the columns that are read.

    Raises:
      Mistake: the columns are not there, or the file cannot be read; the reason is quoted.
    """
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    name = shown(file.name)
    with file.open("rb"):
        pass  # what the system has against it, in the system's words
    # A file of Arrow's own: one of Python's would be let go by a thread of Arrow's, which ends the
    # process where Python ends first.
    with arrow.OSFile(str(file)) as opened:
        try:
            table = parquet.ParquetFile(opened)
            schema = table.schema_arrow
            text, label = wanted.of(name, schema.names)
            columns = table.read(columns=[text, label]).select([text, label])
            texts, labels = (column.to_pylist() for column in columns.columns)
            names = class_names(schema, label)
            ignored = _glance(table, [c for c in schema.names if c not in (text, label)])
        except Mistake:
            raise
        except (arrow.ArrowException, OSError, ValueError, TypeError, NotImplementedError) as error:
            raise Mistake(f"cannot read {name}: {one_line(error)}.") from error
    return Labeled(texts, by_name(labels, names), names, ignored, text)


def by_name(labels: list[Any], names: Sequence[str] | None) -> list[Any]:
    """Return labels with the numbers of declared classes replaced by their names."""
    if names is None:
        return labels
    known: dict[Any, Any] = dict(enumerate(names))
    return [known.get(value, value) if type(value) is int else value for value in labels]


def class_names(schema: Any, label: str) -> tuple[str, ...] | None:
    """Return the class names that a schema declares for a column, or None."""
    if b"huggingface" not in (schema.metadata or {}):
        return None
    import pyarrow as arrow

    with quiet_datasets() as datasets:
        one = arrow.schema([schema.field(label)], metadata=schema.metadata)
        feature = datasets.Features.from_arrow_schema(one)[label]
        return tuple(feature.names) if isinstance(feature, datasets.ClassLabel) else None


def _glance(table: Any, names: Sequence[str]) -> dict[str, list[Any]]:
    """The first values of the columns of strings; no values of the others."""
    import pyarrow as arrow

    found: dict[str, list[Any]] = {name: [] for name in names}
    strings = [name for name in found if _is_string(arrow, table.schema_arrow.field(name).type)]
    if strings and table.metadata.num_rows:
        first = next(table.iter_batches(batch_size=GLANCE, columns=strings))
        found |= {name: first.column(name).to_pylist() for name in strings}
    return found


def _is_string(arrow: Any, kind: Any) -> bool:
    kind = kind.value_type if arrow.types.is_dictionary(kind) else kind
    return arrow.types.is_string(kind) or arrow.types.is_large_string(kind)
