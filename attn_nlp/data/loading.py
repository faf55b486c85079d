"""One door for every dataset: registered name, Hub id, local file or folder.

In: a name. Out: `Raw` columns, unchecked. A registered real set is looked for in
$ATTN_NLP_DATA/<name>, then on the Hub; an embedded one is made on the spot.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attn_nlp.data.files import Columns, read_splits, take_columns
from attn_nlp.data.hub import load_from_hub
from attn_nlp.data.rows import Raw
from attn_nlp.data.source import Source
from attn_nlp.data.sources import FILE_KINDS, SOURCES, check_dataset, local_path
from attn_nlp.mistakes import Mistake, nearest

TEXT_COLUMNS = ("text", "sentence")
LABEL_COLUMN = "label"
SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test",),
}


def load(name: str, folder: Path) -> Raw:
    """The rows a dataset's name stands for, as found.

    Args:
      name: a registered name, an existing file or folder, or a Hub id.
      folder: where an embedded dataset may keep what is slow to make.

    Raises:
      Mistake: there is no such dataset, it cannot be reached or read, or its columns are not
        the expected ones.
    """
    check_dataset(name)
    source = SOURCES.get(name)
    if source is not None and source.make is not None:
        return source.make(folder)
    path = place_of(name)
    if path is not None:
        labels = source.labels if source else ()
        return from_path(path, "local file" if path.is_file() else "local folder", labels)
    if source is None:
        return from_hub(Source(name, name, "", hub_id=name))
    if source.hub_id is None:
        home = os.environ.get("ATTN_NLP_DATA")
        given = f"ATTN_NLP_DATA has no folder {name!r}" if home else "ATTN_NLP_DATA is not set"
        raise Mistake(
            f"dataset {name!r} has no copy with the same rows on the Hub, and {given}; put "
            f"train.parquet (and validation, test) in $ATTN_NLP_DATA/{name}. {source.note}".strip()
        )
    return from_hub(source)


def place_of(name: str) -> Path | None:
    """The file or folder of this machine that has a dataset's rows; None where none is asked."""
    source = SOURCES.get(name)
    if source is None:
        return local_path(name)
    home = os.environ.get("ATTN_NLP_DATA")
    own = Path(home, name) if home and source.make is None else None
    return own if own is not None and own.is_dir() else None


def files_of(place: Path) -> dict[str, list[Path]]:
    """Split -> the files of a local file (all of it train) or folder.

    Raises:
      Mistake: a folder without a file for train.
    """
    return {"train": [place]} if place.is_file() else files_by_split(place)


def from_path(path: Path, origin: str, labels: tuple[str, ...]) -> Raw:
    """Rows of a local file (all of it train) or of a folder with a file for each split."""
    files = files_of(path)
    kinds = {FILE_KINDS[f.suffix] for given in files.values() for f in given}
    if len(kinds) > 1:
        raise Mistake(f"folder {path.name!r} mixes {' and '.join(sorted(kinds))}; keep one kind.")
    kind = kinds.pop()
    columns = None
    if kind != "parquet":
        for given in files.values():
            for file in given:
                check_utf8(file)
                columns = check_csv(file) if kind == "csv" else None
    table = read_splits(kind, files, columns)
    return from_table(table, origin, labels, TEXT_COLUMNS, LABEL_COLUMN)


def from_hub(source: Source) -> Raw:
    """Rows of a Hub dataset, by the column names of its entry."""
    assert source.hub_id is not None
    splits, origin = load_from_hub(source.hub_id, source.revision)
    wanted = {**SPLIT_NAMES, "test": (source.test_split,)}
    table = {}
    for split, names in wanted.items():
        found = [name for name in names if name in splits]
        if found:
            table[split] = take_columns(splits[found[0]])
    if "train" not in table:
        raise Mistake(f"{source.hub_id!r} has no train split; found: {', '.join(splits)}.")
    texts = TEXT_COLUMNS if source.hub_text == "text" else (source.hub_text,)
    return from_table(table, origin, source.labels, texts, source.hub_label)


def files_by_split(folder: Path) -> dict[str, list[Path]]:
    """Data files of a folder (or its `data` folder) whose names begin with a split's name."""
    places = [folder, folder / "data"]
    found = sorted(f for p in places if p.is_dir() for f in p.iterdir() if f.suffix in FILE_KINDS)
    files: dict[str, list[Path]] = {}
    for split, names in SPLIT_NAMES.items():
        given = [f for f in found if f.stem.split("-")[0].split("_")[0].lower() in names]
        if given:
            files[split] = given
    if "train" not in files:
        there = ", ".join(f.name for f in found) or "no data files"
        raise Mistake(
            f"folder {folder.name!r} has no train file; name the files train, validation and test "
            f"with one of {', '.join(FILE_KINDS)}; found: {there}."
        )
    return files


def from_table(
    table: Mapping[str, Columns],
    origin: str,
    labels: tuple[str, ...],
    text_columns: Sequence[str],
    label_column: str,
) -> Raw:
    """The text and label columns of every split; class names as declared where they agree."""
    columns = {}
    declared: tuple[str, ...] | None = None
    for split, found in table.items():
        text = the_column("text", text_columns, found.values)
        label = the_column("label", (label_column,), found.values)
        columns[split] = (found.values[text], found.values[label])
        declared = declared or found.names.get(label)
    strings = {v for _, values in columns.values() for v in values if isinstance(v, str)}
    if labels and not strings <= set(labels):
        extra = ", ".join(sorted(strings - set(labels))[:3])
        raise Mistake(
            f"labels {extra} are not among the registered ones ({', '.join(labels[:8])}); "
            "this copy is another dataset: name its path or Hub id directly."
        )
    return Raw(columns, labels or declared, origin)


def the_column(what: str, wanted: Sequence[str], found: Mapping[str, Any]) -> str:
    """The first wanted column that is there, or a `Mistake` listing those that are."""
    for name in wanted:
        if name in found:
            return name
    close = nearest(wanted[0], found)
    hint = f" Did you mean to rename {close!r}?" if close else ""
    raise Mistake(
        f"no {what} column named {' or '.join(map(repr, wanted))}; "
        f"columns: {', '.join(found) or 'none'}.{hint}"
    )


def check_utf8(file: Path) -> None:
    """Refuse a file that is not UTF-8, naming the line."""
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise Mistake(
                    f"{file.name}, line {number}: byte {error.object[error.start]:#04x} is not "
                    "UTF-8; re-encode the file."
                ) from error


def check_csv(file: Path) -> list[str]:
    """Column names of a CSV file whose every row has as many cells as the header.

    The library shifts cells without a word where a text holds an unquoted comma, so rows are
    counted here first.
    """
    limit = csv.field_size_limit(sys.maxsize)
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.reader(lines)
            header = next(rows, [])
            if not header:
                raise Mistake(f"{file.name} is empty; a CSV file begins with its column names.")
            for number, row in enumerate(rows, 1):
                if row and len(row) != len(header):
                    raise Mistake(
                        f"{file.name} row {number}: {len(row)} cells under {len(header)} column "
                        'names; put texts that hold a comma in "double quotes".'
                    )
    except csv.Error as error:
        raise Mistake(f"cannot read {file.name}: {error}.") from error
    finally:
        csv.field_size_limit(limit)
    return header
