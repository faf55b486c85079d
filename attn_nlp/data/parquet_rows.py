"""Read the rows of a parquet file, unpacking only the columns that are needed.

The file is opened here and passed on open, so that its name is never interpreted as a pattern or an
address. Class names are read as `datasets` declares them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from attn_nlp.data.columns import GLANCE, Glance, Labeled, Wanted, reject_twice
from attn_nlp.data.library import one_line, quiet_datasets
from attn_nlp.data.names import shown
from attn_nlp.errors import UserError
from attn_nlp.wording import is_utf8

_NOT_DECLARED = (
    "its metadata 'huggingface' does not declare columns as the datasets library does; write the "
    "file again without it"
)


def read_parquet(file: Path, wanted: Wanted) -> Labeled:
    """Return the text and the label of every row; ClassLabel values by name.

    Args:
      file: parquet.
      wanted: the columns that are read.

    Raises:
      UserError: a column is missing, or the file cannot be read; the reason is quoted.
    """
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    name = shown(file.name)
    with file.open("rb"):
        pass  # raises the system's own error if it cannot be opened
    # Opened by Arrow: a file object of Python might be released by one of Arrow's threads, which
    # crashes the process if Python exits first.
    with arrow.OSFile(str(file)) as opened:
        try:
            table = parquet.ParquetFile(opened)
            schema = table.schema_arrow
            text, label = wanted.of(name, schema.names)
            columns = table.read(columns=[text, label]).select([text, label])
            texts, labels = (column.to_pylist() for column in columns.columns)
            names = class_names(schema, label)
            others = [column for column in schema.names if column not in (text, label)]
            reject_twice(name, schema.names)
            batches = partial(table.iter_batches, GLANCE, None)
            ignored = glance(schema, others, batches)
        except UserError:
            raise
        except (arrow.ArrowException, OSError, ValueError, TypeError, NotImplementedError) as error:
            raise UserError(f"cannot read {name}: {one_line(error)}.") from error
    return Labeled(texts, by_name(labels, names), names, ignored, text)


def by_name(labels: list[Any], names: Sequence[str] | None) -> list[Any]:
    """Return labels with the numbers of declared classes replaced by their names."""
    if names is None:
        return labels
    known: dict[Any, Any] = dict(enumerate(names))
    return [known.get(value, value) if type(value) is int else value for value in labels]


def class_names(schema: Any, label: str) -> tuple[str, ...] | None:
    """Return the class names that a schema declares for a column, or None.

    Raises:
      ValueError: the declaration is not in the form of the library.
    """
    if b"huggingface" not in (schema.metadata or {}):
        return None
    import pyarrow as arrow

    with quiet_datasets() as datasets:
        one = arrow.schema([schema.field(label)], metadata=schema.metadata)
        try:
            feature = datasets.Features.from_arrow_schema(one)[label]
            names = tuple(feature.names) if isinstance(feature, datasets.ClassLabel) else None
        except Exception:  # malformed metadata may fail in any line of the library
            raise ValueError(_NOT_DECLARED) from None
    if names is not None and not all(isinstance(n, str) and is_utf8(n) for n in names):
        raise ValueError(_NOT_DECLARED)
    return names


def glance(
    schema: Any, names: Sequence[str], batches: Callable[[list[str]], Iterable[Any]]
) -> dict[str, list[Any]]:
    """Return the first values of columns that may contain strings, and none of the others.

    Args:
      schema: the schema of the table.
      names: the columns that are not read.
      batches: columns -> their rows in batches.
    """
    seen = Glance(names)
    holding = [name for name in names if _holds_strings(schema.field(name).type)]
    if holding:
        _look(seen, holding, islice(batches(holding), 1))
    still = [name for name in holding if name in seen.open]
    if still:
        _look(seen, still, islice(batches(still), 1, None))
    return seen.kept


def _look(seen: Glance, names: Sequence[str], batches: Iterable[Any]) -> None:
    for batch in batches:
        for name in names:
            column = batch.column(name)
            if name in seen.open and column.null_count < len(column):
                for value in column.to_pylist():
                    seen.see(name, value)
        if not any(name in seen.open for name in names):
            return


def _holds_strings(kind: Any) -> bool:
    """Return whether values of an Arrow type are or contain strings or bytes."""
    import pyarrow.types as types

    if hasattr(kind, "storage_type"):  # an extension type
        return _holds_strings(kind.storage_type)
    if types.is_dictionary(kind):
        return _holds_strings(kind.value_type)
    named = ("string", "large_string", "string_view", "binary", "large_binary", "binary_view")
    within = (kind.field(index).type for index in range(kind.num_fields))
    return str(kind) in named or any(map(_holds_strings, within))
