"""Check rows as they were loaded, and compute the identity of the clean rows.

Given columns of any values, `check` returns `Rows` of clean texts and class numbers, or raises a
`UserError` that names the bad rows. Texts are stripped at both ends here and not changed anywhere
else, so a copy on the Hub and a trimmed local copy of one dataset have the same fingerprint.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from attn_nlp.data.labels import bare, looks_measured, other_type, visible
from attn_nlp.data.names import shown
from attn_nlp.errors import UserError

SPLITS = ("train", "validation", "test")
LONGEST_LABEL = 500  # characters; Python is only sure to parse numbers of up to 640 digits


@dataclass(frozen=True)
class Raw:
    """Rows from a loader, unchecked.

    Attributes:
      columns: split -> (texts, labels), of any type.
      class_names: names of the integer labels 0, 1, ..., or None if the values are the names.
      origin: where the rows came from, without a path of this machine.
      versions: package -> version, if the rows depend on it.
      deciding: split -> positions of the deciding words of each row, for planted tasks.
      ignored: names of the columns that were not read, the first dozen of many.
    """

    columns: dict[str, tuple[list[Any], list[Any]]]
    class_names: tuple[str, ...] | None
    origin: str
    versions: dict[str, str] = field(default_factory=dict)
    deciding: dict[str, list[tuple[int, ...]]] | None = None
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rows:
    """Texts and class numbers of one split, in order."""

    texts: list[str]
    labels: list[int]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Sequence[int]) -> Rows:
        """Return the rows with these numbers, in the given order."""
        return Rows([self.texts[r] for r in rows], [self.labels[r] for r in rows])


def reject(split: str, bad: Sequence[int], what: str, instead: str) -> None:
    """Raise a `UserError` that names the first three bad rows, counted from 1, if there are any."""
    if not bad:
        return
    named = ", ".join(str(row + 1) for row in bad[:3])
    more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
    noun = "row" if len(bad) == 1 else "rows"
    raise UserError(f"{split} {noun} {named}{more}: {what}; {instead}.")


def is_utf8(text: str) -> bool:
    """Return whether a string has a UTF-8 form (a lone surrogate has none)."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def check_texts(split: str, texts: Sequence[Any]) -> list[str]:
    """Return stripped texts, or raise a `UserError` that names rows without a valid text."""
    where = list(enumerate(texts))
    reject(
        split,
        [r for r, t in where if t is None],
        "no text (null)",
        "give every row a text, even if it is empty",
    )
    reject(
        split,
        [r for r, t in where if not isinstance(t, str)],
        "the text is not a string",
        "name a column of strings",
    )
    reject(
        split,
        [r for r, t in where if not is_utf8(t)],
        "the text has a lone surrogate and no UTF-8 form",
        "re-encode the file as UTF-8",
    )
    reject(
        split,
        [r for r, t in where if "\0" in t],
        "the text contains a NUL character",
        "remove it; the file may be binary or UTF-16",
    )
    texts = [t.strip() for t in texts]
    if not any(texts):
        raise UserError(f"every text of the {split} split is empty; check the text column.")
    return texts


def label_name(value: Any, class_names: Sequence[str] | None) -> str | None:
    """Return the class name of a label, or None if it names no class."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of integers with one null is read as floats
    if isinstance(value, str) and class_names is not None:
        return value if value in class_names else None
    if isinstance(value, str):
        return value.strip() if is_utf8(value) and value.strip() else None
    if class_names is None and isinstance(value, bool | int):
        return str(value)
    if isinstance(value, bool) or not isinstance(value, int) or class_names is None:
        return None
    return class_names[value] if 0 <= value < len(class_names) else None


def is_null(value: Any) -> bool:
    """Return whether a label is missing: null, NaN or an empty string."""
    return value is None or value != value or value == ""


def check_labels(split: str, labels: Sequence[Any], class_names: Sequence[str] | None) -> list[str]:
    """Return class names, or raise a `UserError` that names rows without a valid label."""
    where = list(enumerate(labels))
    reject(
        split,
        [r for r, v in where if is_null(v)],
        "no label (null)",
        "label these rows or leave them out",
    )
    reject(
        split,
        [r for r, v in where if v in (-1, "-1", "-1.0")],
        "label -1, which marks a hidden label",
        "use a split whose labels are public",
    )
    if class_names is None:
        reject(split, *other_type(labels), "write all labels of a column in one way")
        measured = looks_measured(labels) if split == "train" else None
        if measured:
            raise UserError(
                f"the labels of {split} look like regression ({measured}); bin them into classes, "
                "such as low, middle and high. Numbers that name classes need a letter before them."
            )
    else:
        reject_other_spelling(split, labels, class_names, "the data declare as")
    names = [label_name(v, class_names) for v in labels]
    known = "a name or an integer" if class_names is None else f"0 to {len(class_names) - 1}"
    bad = [r for r, name in enumerate(names) if name is None]
    what = f"label {shown(repr(labels[bad[0]]))} names no class" if bad else ""
    reject(split, bad, what, f"a label is {known}")
    named = [name for name in names if name is not None]
    _reject_odd_names(split, named)
    return named


def _reject_odd_names(split: str, names: Sequence[str]) -> None:
    """Reject labels that no table can show, or that suggest that two files were joined."""
    odd = {name for name in set(names) if len(name) > LONGEST_LABEL}
    bad = [row for row, name in enumerate(names) if name in odd]
    what = f"a label of {len(names[bad[0]]):,} characters" if bad else ""
    reject(split, bad, what, f"the name of a class has {LONGEST_LABEL} or fewer")
    for sign, what in (("\ufeff", "a byte order mark"), ("\0", "a NUL character")):
        marked = {name for name in set(names) if sign in name}
        bad = [row for row, name in enumerate(names) if name in marked]
        reject(split, bad, f"the label contains {what}", "remove it")


def reject_other_spelling(
    split: str, labels: Sequence[Any], names: Sequence[str], whose: str
) -> None:
    """Reject labels that are not among the names but look like one of them."""
    known, spelled = set(names), {bare(name): name for name in names}
    odd = {
        label: spelled[bare(label)]
        for label in {label for label in labels if isinstance(label, str)} - known
        if is_utf8(label) and bare(label) in spelled
    }
    bad = [row for row, label in enumerate(labels) if isinstance(label, str) and label in odd]
    if bad:
        label, name = visible([labels[bad[0]], odd[labels[bad[0]]]])
        what = f"label {label}, which {whose} {name}"
        reject(split, bad, what, "spell each class in one way")


def in_order(names: set[str]) -> tuple[str, ...]:
    """Return class names in order: by number if all are numbers, else alphabetically."""
    numbers = all(name.removeprefix("-").isdecimal() for name in names)
    return tuple(sorted(names, key=(lambda n: (int(n), n)) if numbers else None))


def check(raw: Raw) -> tuple[dict[str, Rows], tuple[str, ...]]:
    """Return clean rows of every split and the class names.

    Args:
      raw: columns by split; `train` must be among them, `validation` and `test` may be.

    Returns:
      split -> Rows in the order train, validation, test, and the class names. The names are
      those declared, or else the labels of train in reading order.

    Raises:
      UserError: a split has no rows or only empty texts; a text is null, has no UTF-8 form or
        contains a NUL; a label is null, -1, not in train or spelled differently there; labels have
        several types or look measured; or train has fewer than two classes. Rows are counted from
        1, without header lines.
    """
    if "train" not in raw.columns:
        found = ", ".join(raw.columns) or "none"
        raise UserError(f"the dataset has no train split; found: {found}.")
    texts: dict[str, list[str]] = {}
    labels: dict[str, list[str]] = {}
    for split in [s for s in SPLITS if s in raw.columns]:
        if not raw.columns[split][0]:
            raise UserError(f"the {split} split has no rows; leave the split out or fill it.")
        texts[split] = check_texts(split, raw.columns[split][0])
        labels[split] = check_labels(split, raw.columns[split][1], raw.class_names)
    seen = set(labels["train"])
    if len(seen) < 2:
        raise UserError(
            f"every train row has the label {min(seen)!r}; a classifier needs two classes or more."
        )
    for split, names in labels.items():
        reject_other_spelling(split, names, in_order(seen), "train spells")
        bad = [r for r, name in enumerate(names) if name not in seen]
        what = f"label {names[bad[0]]!r}, which no train row has" if bad else ""
        reject(split, bad, what, f"train has {', '.join(in_order(seen)[:8])}")
    class_names = raw.class_names or in_order(seen)
    number = {name: i for i, name in enumerate(class_names)}
    rows = {s: Rows(texts[s], [number[n] for n in labels[s]]) for s in texts}
    return rows, class_names


def fingerprint(splits: Mapping[str, Rows], class_names: Sequence[str]) -> str:
    """Return the identity of the rows: the SHA-256 of all splits in order.

        sha256( for each split: name, then for each row: bytes(text), text, bytes(label), label )

    Strings are UTF-8 and length-prefixed (8 bytes, big-endian), so that no two different
    sequences of rows give the same bytes. Labels are hashed by name, so renumbering classes changes
    nothing. Path, time and loader are not part of it.
    """
    digest = hashlib.sha256()

    def add(text: str) -> None:
        data = text.encode("utf-8")
        digest.update(len(data).to_bytes(8, "big") + data)

    for split in [s for s in SPLITS if s in splits]:
        add(split)
        digest.update(len(splits[split]).to_bytes(8, "big"))
        for text, label in zip(splits[split].texts, splits[split].labels, strict=True):
            add(text)
            add(class_names[label])
    return digest.hexdigest()
