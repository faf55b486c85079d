"""Find the files of a folder that are its splits, and check that they are ordinary files.

Exactly `train`, `validation` and `test` (or another usual name for one of them) are read, or a
complete set of shards such as train-00000-of-00002. Any other file that looks like data is rejected
by name: ignoring it, or reading it as part of train, would silently change results.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from errno import EACCES
from pathlib import Path

from attn_nlp.data.limits import check_disk_sizes
from attn_nlp.data.names import listed, shown
from attn_nlp.data.plain_text import check_beginning
from attn_nlp.data.registry import FILE_KINDS, unusual
from attn_nlp.errors import UserError

SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test",),
}
_SPLIT_OF = {name: split for split, names in SPLIT_NAMES.items() for name in names}
_SHARD = re.compile(r"(\w+?)-(\d{5})-of-(\d{5})(-[0-9a-f]{8,})?", re.IGNORECASE)
_DATA = re.compile(
    r"parquet|csv|jsonl?|ndjson|tsv|tab|[ps]sv|txt|dat|data|labels?|gz|tgz|zip|bz2|xz|zst|lz4|7z|rar"
    r"|tar|arrow|feather|orc|avro|xlsx?|ods|xml|h5|hdf5|np[yz]|pkl|pickle|pt|db|sqlite3?|tfrecords?"
)
_ABOUT = {"readme", "license", "notice", "copying", "citation", "changelog", "authors"}
_ABOUT_FILES = {
    "dataset_infos.json",
    "dataset_info.json",
    "dataset_dict.json",
    "state.json",
    "croissant.json",
    "requirements.txt",
}
_NAMING = (
    f"name the files train, validation and test with one of {', '.join(FILE_KINDS)}, or shards "
    "such as train-00000-of-00002.parquet"
)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn an `OSError` within the block into a `UserError` that names the file or folder.

    Raises:
      UserError: for any `OSError` within the block.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot read {shown(path)}: {error.strerror or error}.") from error


def check_is_file(path: Path) -> None:
    """Reject anything but an ordinary file that can be opened, without opening it.

    Raises:
      UserError: it is a folder, a broken link, a named pipe, a socket, a device, or not readable.
    """
    with reading(path):
        what = unusual(path) or ("a folder" if path.is_dir() else None)
        if what is not None:
            raise UserError(f"{shown(path)} is {what}; give a file of rows.")
        if not os.access(path, os.R_OK):
            raise PermissionError(EACCES, os.strerror(EACCES))


def files_of(path: Path) -> dict[str, list[Path]]:
    """Return split -> files, for a local file (all of it train) or a folder.

    Every file is an ordinary one, not too large, and begins as its extension says; no more is read
    here.

    Raises:
      UserError: a folder has no train, data that belongs to no split, or two files for one split;
        or a file is not an ordinary one, is too large, or is of another kind.
    """
    with reading(path):
        files = _files_by_split(path) if path.is_dir() else {"train": [path]}
    every = [file for given in files.values() for file in given]
    for file in every:
        check_is_file(file)
    check_disk_sizes(every)
    for file in every:
        with reading(file):
            if FILE_KINDS.get(file.suffix) in ("csv", "json"):
                check_beginning(file)
    return files


def _files_by_split(folder: Path) -> dict[str, list[Path]]:
    """Return the data files in a folder and in its subfolder `data`, by split."""
    own = shown(folder.resolve().name)
    by_split: dict[str, list[Path]] = {}
    strange: list[str] = []
    folders = [folder, *(p for p in [folder / "data"] if p.is_dir())]
    for directory in folders:
        for file in sorted(directory.iterdir()):
            split = _split_of(file)
            if split is not None:
                by_split.setdefault(split, []).append(file)
            elif _looks_like_data(file):
                strange.append(str(file.relative_to(folder)))
    if "train" not in by_split:
        names = [str(f.relative_to(folder)) for files in by_split.values() for f in files]
        there = names + strange or sorted(p.name for p in folder.iterdir())
        raise UserError(
            f"folder '{own}' has no train file; {_NAMING}; found: "
            f"{listed(there) if there else 'no data files'}."
        )
    if strange:
        raise UserError(
            f"folder '{own}' contains data that belongs to no split: {listed(strange)}; {_NAMING}, "
            "or move them out of the folder."
        )
    files = {split: by_split[split] for split in SPLIT_NAMES if split in by_split}
    for split, given in files.items():
        _check_shards(own, split, given)
    if len({file.parent for given in files.values() for file in given}) > 1:
        raise UserError(
            f"folder '{own}' and its subfolder 'data' both contain splits; move all of them into "
            "one of the two."
        )
    kinds = {FILE_KINDS[f.suffix] for given in files.values() for f in given}
    if len(kinds) > 1:
        names = [f.name for given in files.values() for f in given]
        raise UserError(
            f"folder '{own}' mixes {' and '.join(sorted(kinds))} ({listed(names)}); keep one kind."
        )
    return files


def _split_of(file: Path) -> str | None:
    """Return the split that a file's name denotes, or None."""
    if file.suffix not in FILE_KINDS:
        return None
    shard = _SHARD.fullmatch(file.stem)
    return _SPLIT_OF.get((shard[1] if shard else file.stem).lower())


def _looks_like_data(file: Path) -> bool:
    """Return whether a file or folder that is not a split may contain rows."""
    name = file.name.lower()
    if name.startswith(".") or name.endswith("~"):
        return False
    first, *endings = name.split(".")
    if first in _SPLIT_OF and (not endings or file.is_dir()):
        return True
    if file.is_dir() or first in _ABOUT or name in _ABOUT_FILES:
        return False
    return any(map(_DATA.fullmatch, endings))


def _check_shards(folder: str, split: str, files: Sequence[Path]) -> None:
    """Reject several files for one split unless they are a complete set of shards."""
    shards = [_SHARD.fullmatch(file.stem) for file in files]
    if len(files) == 1 and shards[0] is None:
        return
    names = listed(file.name for file in files)
    whole = {(s[1].lower(), s[3]) for s in shards if s is not None}
    if None in shards or len(whole) > 1 or len({f.suffix for f in files}) > 1:
        paths = listed(str(Path(f.parent.name, f.name)) for f in files)
        raise UserError(
            f"folder '{folder}' has {len(files)} files for {split}: {paths}; keep one, or shards "
            "of one set such as train-00000-of-00002."
        )
    (_, count), numbers = whole.pop(), [int(s[2]) for s in shards if s is not None]
    missing = sorted(set(range(int(count))) - set(numbers))
    if missing:
        raise UserError(
            f"folder '{folder}' lacks {len(missing)} of {int(count)} shards of {split}, number "
            f"{missing[0]:05} for one; found: {names}."
        )
    if len(numbers) != int(count):
        raise UserError(f"folder '{folder}' has a shard of {split} twice, or too many: {names}.")
