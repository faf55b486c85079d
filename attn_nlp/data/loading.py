"""Load any dataset: a registered name, a Hub id, a local file or a folder.

Given a name, `load` returns `Raw` columns, unchecked. A registered real dataset is looked for in
$ATTN_NLP_DATA/<name> and then on the Hub; an embedded one is generated.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attn_nlp.data.columns import (
    Labeled,
    Wanted,
    reject_column_names,
    reject_mixed_kinds,
    reject_second_text,
)
from attn_nlp.data.csv_rows import read_csv
from attn_nlp.data.hub import load_from_hub, read_hub_split
from attn_nlp.data.json_rows import read_json
from attn_nlp.data.limits import check_unpacked
from attn_nlp.data.names import MOST, shown
from attn_nlp.data.parquet_rows import read_parquet
from attn_nlp.data.plain_text import check_utf8
from attn_nlp.data.registry import FILE_KINDS, SOURCES, check_dataset, expanded, local_path
from attn_nlp.data.rows import Raw
from attn_nlp.data.source import Source
from attn_nlp.data.split_files import SPLIT_NAMES, files_of, reading
from attn_nlp.errors import UserError

__all__ = ["data_path", "files_of", "load"]

TEXT_COLUMNS = ("text", "sentence")
LABEL_COLUMN = "label"
READERS: dict[str, Callable[[Path, Wanted], Labeled]] = {
    "parquet": read_parquet,
    "csv": read_csv,
    "json": read_json,
}


def load(name: str, folder: Path) -> Raw:
    """Load the rows of a dataset, unchanged.

    Args:
      name: a registered name, an existing file or folder, or a Hub id.
      folder: where an embedded dataset may cache what is slow to generate.

    Raises:
      UserError: there is no such dataset, it cannot be reached or read, or it does not have the
        expected columns.
    """
    check_dataset(name)
    source = SOURCES.get(name)
    if source is not None and source.make is not None:
        return source.make(folder)
    path = data_path(name)
    if path is not None:
        labels = source.labels if source else ()
        return from_path(path, "local file" if path.is_file() else "local folder", labels)
    if source is None:
        return from_hub(Source(name, name, "", hub_id=name))
    if source.hub_id is None:
        home = os.environ.get("ATTN_NLP_DATA")
        given = f"ATTN_NLP_DATA has no folder {name!r}" if home else "ATTN_NLP_DATA is not set"
        raise UserError(
            f"dataset {name!r} is not on the Hub with the same rows, and {given}; put "
            f"train.parquet (and validation, test) in $ATTN_NLP_DATA/{name}. {source.note}".strip()
        )
    return from_hub(source)


def data_path(name: str) -> Path | None:
    """Return the local file or folder with a dataset's rows, or None if they are not local.

    Raises:
      UserError: $ATTN_NLP_DATA contains something with that name that is not a folder.
    """
    source = SOURCES.get(name)
    if source is None:
        return local_path(name)
    home = os.environ.get("ATTN_NLP_DATA")
    if not home or source.make is not None:
        return None
    own = expanded(home) / name
    with reading(own):
        try:
            own.lstat()
        except FileNotFoundError:
            return None
        if not own.is_dir():
            raise UserError(f"{shown(own)} is not a folder; it must contain the files of {name!r}.")
    return own


def from_path(path: Path, origin: str, labels: tuple[str, ...]) -> Raw:
    """Load a local file (all of it train) or a folder with files for each split."""
    files = files_of(path)
    wanted = Wanted(TEXT_COLUMNS, LABEL_COLUMN)
    every = [file for given in files.values() for file in given]
    kind = FILE_KINDS[every[0].suffix]
    if kind == "parquet":
        check_unpacked(every, (*wanted.texts, wanted.label))
    table: dict[str, list[Labeled]] = {split: [] for split in files}
    for split, given in files.items():
        for file in given:
            table[split].append(_read(kind, file, wanted))
            reject_column_names(shown(file.name), table[split][-1], wanted)
            reject_second_text(shown(file.name), table[split][-1])
    return from_table(table, origin, labels)


def _read(kind: str, file: Path, wanted: Wanted) -> Labeled:
    """Read the two columns of a file, which is opened here, so that its name is not interpreted."""
    name = shown(file.name)
    with reading(file):
        try:
            if kind != "parquet":
                check_utf8(file)
            return READERS[kind](file, wanted)
        except UnicodeDecodeError as error:  # it was UTF-8 a moment ago
            raise UserError(f"{name} changed while it was read; try again.") from error
        except MemoryError as error:
            raise UserError(f"{name} does not fit in the memory of this machine.") from error


def from_hub(source: Source) -> Raw:
    """Load a Hub dataset, with the column names of its registry entry."""
    assert source.hub_id is not None
    splits, origin = load_from_hub(source.hub_id, source.revision)
    texts = TEXT_COLUMNS if source.hub_text == "text" else (source.hub_text,)
    wanted = Wanted(texts, source.hub_label)
    table = {}
    for split, name in _hub_splits(source, list(splits)).items():
        where = f"{source.hub_id}, split {name}"
        table[split] = [read_hub_split(where, splits[name], wanted)]
        reject_column_names(where, table[split][0], wanted)
        reject_second_text(where, table[split][0])
    return from_table(table, origin, source.labels)


def _hub_splits(source: Source, available: list[str]) -> dict[str, str]:
    """Return split -> its name on the Hub.

    Raises:
      UserError: there is no train split; or an unregistered dataset has several candidates for one
        split, or a split whose name suggests validation or test but is not recognized.
    """
    names = {**SPLIT_NAMES, "test": (source.test_split,)}
    taken = {split: [name for name in known if name in available] for split, known in names.items()}
    if not taken["train"]:
        raise UserError(f"{source.hub_id!r} has no train split; found: {', '.join(available)}.")
    known = [name for given in taken.values() for name in given]
    starts = ("eval", "held", *(name for given in SPLIT_NAMES.values() for name in given))
    strange = [n for n in available if n not in known and n.lower().startswith(starts)]
    twice = [name for given in taken.values() if len(given) > 1 for name in given]
    if source.name not in SOURCES and (strange or twice):
        raise UserError(
            f"{source.hub_id!r} has splits {', '.join(available)}: which of "
            f"{', '.join(strange + twice)} to use is not known; save a copy as a folder with files "
            "train, validation and test."
        )
    return {split: given[0] for split, given in taken.items() if given}


def _reject_two_orders(files: Sequence[Labeled]) -> None:
    """Reject labels that are bare numbers if other files declare different names for numbers."""
    declared = list(dict.fromkeys(file.class_names for file in files if file.class_names))
    bare = (v for file in files if not file.class_names for v in file.labels)
    if len(declared) > 1 and any(type(value) in (int, float) for value in bare):
        one, other = (shown(", ".join(names)) for names in declared[:2])
        raise UserError(
            f"files declare their classes as {one} and as {other}, and another file has numbers "
            "without names; declare the names in every file, or in the same order."
        )


def from_table(table: Mapping[str, list[Labeled]], origin: str, labels: tuple[str, ...]) -> Raw:
    """Join the files of every split; class names are registered, or as first declared."""
    columns: dict[str, tuple[list[Any], list[Any]]] = {}
    declared: tuple[str, ...] | None = None
    ignored: dict[str, None] = {}
    for split, files in table.items():
        columns[split] = ([t for f in files for t in f.texts], [v for f in files for v in f.labels])
        for file in files:
            declared = declared or file.class_names
            ignored |= dict.fromkeys(file.ignored)
    _reject_two_orders([file for files in table.values() for file in files])
    strings = {v for _, values in columns.values() for v in values if isinstance(v, str)}
    if labels and not strings <= set(labels):
        extra = ", ".join(sorted(strings - set(labels))[:3])
        raise UserError(
            f"labels {extra} are not among the registered ones ({', '.join(labels[:8])}); "
            "this copy is another dataset: give its path or Hub id directly."
        )
    names = labels or declared
    if names is None:
        reject_mixed_kinds({split: values for split, (_, values) in columns.items()})
    others = [shown(name) for name in ignored]
    if len(others) > MOST:
        others[MOST:] = [f"and {len(others) - MOST} more"]
    return Raw(columns, names, origin, ignored=tuple(others))
